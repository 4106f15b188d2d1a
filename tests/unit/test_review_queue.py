"""The review queue: who is in it, with which weight, and that the weights undo the partial verification."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from jsonschema import Draft202012Validator

import review_queue as program
from lstv.base.defaults import default
from lstv.base.errors import UserError
from lstv.cohort.labels import read_labels
from lstv.evaluation.queue_weights import weighted
from lstv.ranking.review_queue import COLUMNS, build_queue, csv_rows, read_queue

SCHEMA = Path(__file__).parents[2] / "workflow" / "schemas" / "review_queue.schema.yaml"


def table(n, **changes):
    rows = [
        {
            "study_id": f"s{i:04d}",
            "series_id": str(i),
            "status": "ok",
            "reason": "",
            "flags": "l5_s1_not_found",
            "risk": "high",
            "rank": str(i + 1),
            "score": "" if i == 0 else str(1 - i / n),
            "reasons": "label changes in 9 of 25 views",
        }
        for i in range(n)
    ]
    for index, change in changes.items():
        rows[int(index[1:])].update(change)
    return rows


def validated(queue):
    Draft202012Validator(yaml.safe_load(SCHEMA.read_text())).validate(queue)
    return queue


def test_the_most_ambiguous_and_an_even_sample_of_the_others():
    queue = validated(build_queue(table(283), ambiguous=60, sample=30, seed=1))
    flagged = [study for study in queue["studies"] if study["stratum"] == "flagged"]
    sample = [study for study in queue["studies"] if study["stratum"] == "sample"]
    assert [study["rank"] for study in flagged] == list(range(1, 61))
    assert {study["weight"] for study in flagged} == {1.0}
    assert flagged[0]["score"] is None
    assert len(sample) == 30
    ranks = [study["rank"] for study in sample]
    assert ranks == sorted(ranks)
    ends = 61 + np.cumsum([23, 23, 23, 22, 22, 22, 22, 22, 22, 22])
    assert np.bincount(np.searchsorted(ends, ranks, side="right")).tolist() == [3] * 10
    assert {study["sampling_fraction"] for study in sample} == {round(3 / 23, 6), round(3 / 22, 6)}
    assert sum(study["weight"] for study in sample) == pytest.approx(223, abs=1e-3)
    assert sorted(study["reading_order"] for study in queue["studies"]) == list(range(1, 91))
    assert queue["counts"] == {"in_table": 283, "ranked": 283, "flagged": 60, "unflagged": 223, "sampled": 30} | {
        "localizer": 0,
        "localizer_sampled": 0,
    }


def test_unusable_studies_are_counted_and_not_queued():
    rows = table(
        12,
        i0={"status": "failed", "rank": ""},
        i1={"status": "excluded", "rank": ""},
        i2={"flags": "no_disc_blob;quality_blank_image"},
        i3={"rank": ""},
    )
    queue = validated(build_queue(rows, ambiguous=3, sample=2))
    assert queue["not_queued"] == {"excluded": 1, "failed": 1, "no_rank": 1, "quality_problem": 1}
    assert [study["rank"] for study in queue["studies"]][:3] == [5, 6, 7]
    assert queue["counts"]["ranked"] == 8


@pytest.mark.parametrize(
    ("n", "ambiguous", "sample", "flagged", "sampled"),
    [
        (0, 60, 30, 0, 0),
        (1, 60, 30, 1, 0),
        (20, 60, 30, 20, 0),
        (65, 60, 30, 60, 5),
        (70, 60, 3, 60, 3),
        (40, 0, 7, 0, 7),
    ],
)
def test_cohorts_smaller_than_asked_for(n, ambiguous, sample, flagged, sampled):
    queue = validated(build_queue(table(n), ambiguous=ambiguous, sample=sample))
    strata = [study["stratum"] for study in queue["studies"]]
    assert (strata.count("flagged"), strata.count("sample")) == (flagged, sampled)
    if sampled:
        weights = sum(study["weight"] for study in queue["studies"] if study["stratum"] == "sample")
        assert weights == pytest.approx(n - flagged, abs=1e-3)


def test_the_draw_depends_on_the_seed_and_not_on_the_order_of_rows():
    rows = table(200)
    assert build_queue(rows, seed=1) == build_queue(rows[::-1], seed=1)
    assert build_queue(rows, seed=1)["studies"] != build_queue(rows, seed=2)["studies"]


@pytest.mark.slow
def test_weights_undo_the_verification_bias():
    """40 of 300 are positive, 10 of them beyond the flagged 60: weighted, their number is right on average, plain never."""
    rng = np.random.default_rng(3)
    positive = {f"s{i:04d}" for i in (*range(30), *rng.choice(np.arange(60, 300), 10, replace=False))}
    totals, seen = [], []
    for seed in range(300):
        studies = build_queue(table(300), seed=seed)["studies"]
        found = [study for study in studies if study["study_id"] in positive]
        totals.append(sum(study["weight"] for study in found))
        seen.append(len(found))
    assert np.mean(totals) == pytest.approx(40, abs=1.5)
    assert max(seen) < 40


def test_the_csv_is_a_label_file_once_the_label_is_filled_in(tmp_path):
    with open(tmp_path / "table.csv", "w", newline="") as stream:
        writer = csv.DictWriter(stream, table(1)[0])
        writer.writeheader()
        writer.writerows(table(100))
    out, sheet = tmp_path / "q.json", tmp_path / "q.csv"
    options = ["--ambiguous", "10", "--sample", "9", "--json", str(out), "--csv", str(sheet)]
    assert program.main(["--table", str(tmp_path / "table.csv"), *options]) == 0
    queue = validated(json.loads(out.read_text()))
    with open(sheet) as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    assert {row["label"] + row["reader"] + row["castellvi"] for row in rows} == {""}
    assert read_labels(sheet).unread_rows == 19
    for row in rows:
        row["label"] = "normal"
    with open(sheet, "w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    assert not read_labels(sheet).weighted
    file = weighted(read_labels(sheet), out)
    assert file.weighted
    assert sum(reading.weight for reading in file.readings) == pytest.approx(100, abs=1e-3)
    assert len(csv_rows(queue)) == 19


def test_the_csv_is_blind():
    """Order, columns and values of what is handed out say nothing of what the JSON has beside the ids."""
    rows = table(300)
    queue = build_queue(rows, seed=4)
    shown = csv_rows(queue)
    assert [row["reading_order"] for row in shown] == list(range(1, len(shown) + 1))
    for row in shown:
        assert set(row) == {"reading_order", "study_id", "series_id", "label", "reader", "castellvi", "queue"}
        assert {row["label"], row["reader"], row["castellvi"]} == {""}
    ranks = {study["study_id"]: study["rank"] for study in queue["studies"]}
    order = [ranks[row["study_id"]] for row in shown]
    assert abs(np.corrcoef(order, np.arange(len(order)))[0, 1]) < 0.25


def test_the_digest_names_studies_order_and_fractions():
    rows = table(200)
    queue = build_queue(rows, seed=1)
    scored = build_queue([{**row, "score": "0.5", "reasons": "others"} for row in rows], seed=1)
    assert queue["digest"] == scored["digest"]
    assert len({queue["digest"], *(build_queue(rows, sample=n, seed=1)["digest"] for n in (80, 89))}) == 3
    assert queue["digest"] != build_queue(rows, seed=2)["digest"]


@pytest.mark.parametrize("content", ["", "[]", '{"studies": []}', '{"digest": "x", "studies": 3}', "\xff"])
def test_a_file_that_is_no_queue(tmp_path, content):
    path = tmp_path / "q.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(UserError, match="is not a review queue of this version"):
        read_queue(path)
    with pytest.raises(UserError, match="does not exist"):
        read_queue(tmp_path / "none.json")


def test_an_altered_queue_is_refused(tmp_path):
    queue = build_queue(table(100), seed=1)
    queue["studies"][0]["sampling_fraction"] = 0.5
    path = tmp_path / "q.json"
    path.write_text(json.dumps(queue))
    with pytest.raises(UserError, match="was altered"):
        read_queue(path)


def test_how_many_are_read_again_is_in_the_queue_and_not_in_its_digest(tmp_path):
    queue = validated(build_queue(table(20), ambiguous=2, sample=3, localizer=0, repeated=0.25))
    assert queue["repeated"] == 0.25
    assert queue["digest"] == build_queue(table(20), ambiguous=2, sample=3, localizer=0)["digest"]
    del queue["repeated"]  # as a queue was before it could be set
    (tmp_path / "queue.json").write_text(json.dumps(queue))
    assert read_queue(tmp_path / "queue.json")["repeated"] == default("review.repeated")


def test_those_to_look_at_for_the_localizer_are_a_stratum_of_their_own():
    rows = table(100)
    for row in rows[80:]:
        row["rank_group"] = "localizer"
    queue = validated(build_queue(rows, ambiguous=60, sample=10, localizer=8, seed=1))
    strata = {study["study_id"]: study["stratum"] for study in queue["studies"]}
    failed = {row["study_id"] for row in rows[80:]}
    assert {study_id for study_id, stratum in strata.items() if stratum == "localizer"} < failed
    assert not [study_id for study_id in failed if strata.get(study_id) in ("flagged", "sample")]
    drawn = [study for study in queue["studies"] if study["stratum"] == "localizer"]
    assert len(drawn) == 8 and {study["weight"] for study in drawn} == {2.5}
    assert queue["counts"] == {
        "in_table": 100,
        "ranked": 100,
        "flagged": 60,
        "unflagged": 20,
        "sampled": 10,
        "localizer": 20,
        "localizer_sampled": 8,
    }


def test_studies_that_share_a_rank_come_in_an_order_that_their_ids_do_not_give():
    rows = table(200)
    for row in rows:
        row["rank"] = "1"
    flagged = [s["study_id"] for s in build_queue(rows, ambiguous=50, sample=0, seed=1)["studies"]]
    assert flagged != sorted(row["study_id"] for row in rows)[:50]
