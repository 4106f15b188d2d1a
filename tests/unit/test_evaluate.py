"""The program evaluate.py on small cohorts: the whole record, its account of the labels, and what it refuses."""

from __future__ import annotations

import csv
import hashlib
import json

import numpy as np
import pytest

import evaluate
import provenance
from lstv.base.errors import UserError
from lstv.evaluation import curves
from lstv.evaluation.output import COLUMNS
from lstv.ranking.table_columns import registered_metrics, score_columns

N, POSITIVES = 120, 36
TRUTH = np.arange(N) < POSITIVES


def cohort(seed=1):
    rng = np.random.default_rng(seed)
    score, entropy = rng.normal(size=N) + 1.5 * TRUTH, 5 + 0.1 * rng.normal(size=N)
    rank = np.empty(N, dtype=int)
    rank[np.argsort(-score)] = np.arange(1, N + 1)
    rows = [
        {
            "study_id": f"s{i:03d}",
            "series_id": "1",
            "l5_s1_confidence": round(0.98 - 0.01 * rng.random() - 0.02 * TRUTH[i], 4),
            "l5_s1_entropy": entropy[i],
            "status": "ok",
            "reason": "",
            "flags": "",
            "split": "unknown",
            "risk": "high" if entropy[i] > 5 else "moderate",
            "rank": rank[i],
            "score": score[i],
            "unheard_of": rng.normal(),
            "blob_count": 5,
            "l5_s1_identity_margin": "" if i < 33 else rng.random(),
            "n_slices": int(rng.integers(13, 20)),
        }
        for i in range(N)
    ]
    failed = dict.fromkeys(rows[0], "") | {"study_id": "broken", "status": "failed", "reason": "no DICOM"}
    return [*rows, failed]


def write(path, rows):
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with open(path, "w", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def run(tmp_path):
    def program(rows, labels, *extra):
        write(tmp_path / "table.csv", rows)
        write(tmp_path / "labels.csv", labels)
        files = ["--table", "table.csv", "--labels", "labels.csv", "--out", "e.json", "--csv", "e.csv"]
        files = [part if part.startswith("--") else str(tmp_path / part) for part in files]
        assert evaluate.main([*files, "--replicates", "200", *extra]) == 0
        return json.loads((tmp_path / "e.json").read_text(), parse_constant=pytest.fail)

    return program


def truth(rows=N):
    return [{"study_id": f"s{i:03d}", "label": int(TRUTH[i])} for i in range(N)][:rows]


def by_name(record):
    return {entry["metric"]: entry for entry in record["metrics"]}


def test_the_result_says_what_made_it_and_from_what(run, tmp_path):
    (tmp_path / "software.yml").write_text("image: {name: /site/lstv.sif, sha256: beef}\n")
    made = provenance.only(run(cohort(), truth(), "--software", str(tmp_path / "software.yml")))
    assert made["image"] == {"name": "lstv.sif", "sha256": "beef"} and made["libraries"]["scipy"]
    assert made["made_of"]["labels"] == hashlib.sha256((tmp_path / "labels.csv").read_bytes()).hexdigest()
    assert str(tmp_path) not in json.dumps(made)


def test_every_number_column_is_measured_in_its_direction_and_sorted(run, tmp_path):
    rows = cohort()
    record = run(rows, truth())
    metrics = by_name(record)
    assert set(metrics) == {
        "score",
        "rank",
        "l5_s1_entropy",
        "l5_s1_confidence",
        "unheard_of",
        "blob_count",
        "l5_s1_identity_margin",
        "n_slices",
    }
    areas = [entry["auc"] for entry in record["metrics"] if "auc" in entry]
    assert areas == sorted(areas, reverse=True)
    scores = np.array([row["score"] for row in rows[:N]])
    expected = curves.auc(*curves.tied_masses(scores, TRUTH, np.ones(N))[1:])
    assert metrics["score"]["auc"] == pytest.approx(expected, abs=1e-6)
    assert metrics["rank"]["auc"] == metrics["score"]["auc"]  # rank 1 is the most suspicious
    assert metrics["l5_s1_confidence"]["direction"] == "lower"
    assert metrics["l5_s1_confidence"]["auc"] > 0.8
    assert metrics["score"]["auc_low"] < metrics["score"]["auc"] < metrics["score"]["auc_high"]
    gain = metrics["score"]["auc"] - metrics["l5_s1_entropy"]["auc"]
    assert metrics["score"]["difference"] == pytest.approx(gain, abs=1e-5)
    assert 0 < metrics["score"]["difference_low"] < gain < metrics["score"]["difference_high"]
    with open(tmp_path / "e.csv") as stream:
        table = list(csv.DictReader(stream))
    assert tuple(table[0]) == COLUMNS
    assert [row["metric"] for row in table] == [entry["metric"] for entry in record["metrics"]]
    score = next(row for row in table if row["metric"] == "score")
    assert float(score["cv_at_specificity_80_sensitivity"]) == pytest.approx(
        metrics["score"]["operating_points"][0]["sensitivity"]
    )


def test_two_sided_constant_and_mostly_undefined_columns(run):
    metrics = by_name(run(cohort(), truth()))
    assert "no direction was stated" in metrics["unheard_of"]["note"]
    assert "operating_points" not in metrics["unheard_of"]
    assert "difference" not in metrics["unheard_of"]
    assert "orders nothing" in metrics["blob_count"]["note"]
    margin = metrics["l5_s1_identity_margin"]  # 33 of the 36 positives have none
    assert (margin["positive"], margin["undefined_positive"], margin["undefined_negative"]) == (3, 33, 0)
    assert "auc" not in margin
    assert "3 positive and 84 negative studies; no number" in margin["note"]


def test_operating_points_carry_predictive_values_beside_flag_nobody(run):
    record = run(cohort(), truth())
    point = by_name(record)["score"]["operating_points"][0]
    assert point["rule"] == "threshold for specificity 0.8, chosen on other folds"
    cells = [point[name] for name in ("true_positive", "false_negative", "false_positive", "true_negative")]
    assert sum(cells) == N
    assert [row["npv_flag_nobody"] for row in point["predictive_values"]] == [0.96, 0.88, 0.82, 0.64]
    assert [rule["rule"] for rule in record["rules"]] == ["risk is high", "risk is high, or a level was not found"]


def test_calibration_and_decision_curve_are_given_or_declined(run):
    record = run(cohort(), truth())
    assert {entry["metric"] for entry in record["probability"]} == {"score", "l5_s1_entropy", "l5_s1_confidence"}
    assert record["probability"][0]["calibration"]["slope"] == pytest.approx(1, abs=0.4)
    few = [row for row in truth() if row["label"] == 0 or row["study_id"] < "s015"]
    record = run(cohort(), few)
    assert "not assessed: 15 positives" in record["probability"][0]["note"]
    assert record["probability"][0]["calibration"] is None
    assert by_name(record)["score"]["auc_interval"] == "Newcombe"


def test_the_nuisance_model_and_its_correlation_with_the_score(run):
    rows = cohort()
    nuisance = run(rows, truth())["nuisance"]
    assert nuisance["columns"] == ["n_slices"]
    assert abs(nuisance["correlation_with_score"]["n_slices"]) < 0.3
    assert nuisance["auc"] < 0.65
    for row, positive in zip(rows, TRUTH):
        row["n_slices"] = 15 + 3 * int(positive) + int(row["study_id"][1:]) % 2
    meter = run(rows, truth())["nuisance"]
    assert meter["auc"] > 0.95
    assert meter["score_minus_model"]["difference_high"] < 0


def test_labels_that_are_not_used_are_named(run):
    rows = cohort()
    labels = [{**row, "reader": "X"} for row in truth(100)]
    labels += [{"study_id": "s000", "label": 0, "reader": "Y"}, {"study_id": "s099", "label": "unclear", "reader": "Y"}]
    labels += [{"study_id": name, "label": 1, "reader": "X"} for name in ("nowhere", "broken")]
    labels += [{"study_id": "s101", "label": "", "reader": "X"}]
    record = run(rows, labels)
    account = record["labels"]
    assert account["not_used"] == {"not_in_table": ["nowhere"], "tied": ["s000"], "unclear": [], "failed": ["broken"]}
    assert (account["used"], account["positive"], account["rows_without_label"]) == (99, 35, 1)
    found = account["agreement"][0]
    assert (found["readers"], found["question"], found["studies"], found["same"]) == (["X", "Y"], "label", 1, 0)
    assert found["kappa"] == 0
    assert any("99 of 120 analysed studies are labelled" in note for note in record["notes"])


def test_fewer_than_five_of_a_label_is_refused_in_a_sentence(run, tmp_path, capsys):
    labels = [row for row in truth() if row["label"] == 0 or row["study_id"] < "s004"]
    record = run(cohort(), labels, "--figures", str(tmp_path / "figures"))
    assert record["status"] == "refused"
    assert record["reason"] == "4 positive and 84 negative studies; no number is given with fewer than 5 of each."
    assert record["metrics"] == []
    assert record["reason"] in capsys.readouterr().out
    assert "no number is given" in (tmp_path / "figures" / "roc.svg").read_text()


def test_weights_change_the_estimate_as_repeated_studies_would(run):
    rows = cohort()
    labels = [row | {"sampling_fraction": 1 if i % 2 else 0.5} for i, row in enumerate(truth())]
    record = run(rows, labels)
    entry = by_name(record)["score"]
    times = np.where(np.arange(N) % 2, 1, 2)
    scores = np.array([row["score"] for row in rows[:N]])
    repeated = curves.tied_masses(np.repeat(scores, times), np.repeat(TRUTH, times), np.ones(times.sum()))
    assert entry["auc"] == pytest.approx(float(curves.auc(*repeated[1:])), abs=1e-6)
    assert entry["delong_low"] is None
    assert entry["difference_interval"] == "paired bootstrap"
    assert entry["difference_low"] < entry["difference"] < entry["difference_high"]
    check = record["verification"]
    assert (check["fully_read"], check["sampled"], check["stand_for"]) == (60, 60, 120)
    assert check["positives_among_sampled"] == 18
    assert 0.3 * 120 < check["missed_at_most"] < 0.5 * 120


def test_castellvi_grades_apart(run):
    labels = [
        row | {"castellvi": "" if not row["label"] else "I" if i < 4 else "IIIb"} for i, row in enumerate(truth())
    ]
    low, high = run(cohort(), labels)["castellvi"]
    assert low["grades"] == ["I", "II"]
    assert "auc" not in low
    assert (high["positive"], high["negative"]) == (32, 84)
    assert high["auc"] > 0.7


def test_a_table_without_score_or_entropy_is_exploratory(run):
    rows = [{key: row[key] for key in row if key not in ("score", "l5_s1_entropy")} for row in cohort()]
    record = run(rows, truth())
    assert any("exploratory" in note for note in record["notes"])
    assert any("nothing is compared" in note for note in record["notes"])


@pytest.mark.slow
def test_the_same_input_gives_the_same_bytes(run, tmp_path):
    run(cohort(), truth(), "--figures", str(tmp_path / "figures"))
    names = ("e.json", "e.csv", "figures/roc.svg", "figures/pr.svg", "figures/decision_curve.svg")
    first = [(tmp_path / name).read_bytes() for name in names]
    run(cohort(), truth(), "--figures", str(tmp_path / "figures"))
    assert first == [(tmp_path / name).read_bytes() for name in names]
    assert sorted(path.name for path in tmp_path.glob(".*")) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda rows, labels: [labels.clear(), labels.append({"study_id": "s000", "label": ""})], "no label yet"),
        (
            lambda rows, labels: [row.update(study_id="x" + row["study_id"]) for row in labels],
            "none of the 120 studies",
        ),
        (lambda rows, labels: rows.append(rows[0]), "has study s000 twice"),
        (lambda rows, labels: [row.pop("risk") for row in rows], "no column risk"),
    ],
)
def test_mistakes_get_one_sentence(run, change, sentence):
    rows, labels = cohort(), truth()
    change(rows, labels)
    with pytest.raises(UserError, match=sentence):
        run(rows, labels)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        evaluate.main(["--table", str(tmp_path / "t.csv"), "--labels", "l", "--out", "o", "--csv", "c"])


def test_directions_come_from_the_registry():
    rows = [{"l5_s1_entropy": "1", "l1_l2_confidence": "1", "caudal_border_distance": "1", "order_violations": "0"}]
    rows[0] |= {"unheard_of": "3", "rank": "1", "risk": "high", "words": "a", "empty": "", "l5_s1_point_x_mm": "4"}
    found = {column.name: (column.sign, column.nuisance) for column in score_columns(rows, registered_metrics())}
    assert found == {
        "l5_s1_entropy": (1, False),
        "l1_l2_confidence": (-1, False),
        "caudal_border_distance": (-1, True),
        "order_violations": (1, False),
        "unheard_of": (0, False),
        "rank": (-1, False),
    }
