"""The method study: its list of phantoms, its table, its answers on cohorts where the answer is known."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import made_maps
import method_study
import method_study_cohort
import method_study_table
import provenance
from lstv.base.errors import UserError
from lstv.cohort import study_sheet
from lstv.localizer import heatmap_file
from lstv.ranking.evidence import COMPONENTS
from lstv.ranking.table_columns import registered_metrics
from lstv_evidence.method import contrasts, design, study, study_text
from lstv_evidence.method.design import Design, group_of
from lstv_evidence.phantom.cohort import read_list
from lstv_evidence.phantom.evaluation import held_out, held_out_with_nuisances
from lstv_evidence.phantom.spec import Nuisances, PhantomSpec
from lstv_evidence.phantom.training import FIRST_SEED as TRAINING_SEED
from lstv_evidence.phantoms_by_patient.spec import Controls, PatientSpec

CARD = Path(__file__).parents[2] / "resources" / "demo" / "model_card.json"


# --- the list ---------------------------------------------------------------------------------------------------------


def test_the_study_has_200_ordinary_100_transitional_and_20_of_each_nuisance():
    counts = Counter(map(group_of, design.specs(Design(), seed=1)))
    assert counts.pop("ordinary") == 200 and counts.pop("sacralized") == counts.pop("lumbarized") == 50
    assert set(counts) == set(design.FIRST.nuisances) and set(counts.values()) == {20}


def test_phantoms_are_none_that_the_localizer_was_trained_on_or_measured_with():
    first, last = ({spec.seed for spec in design.specs(Design(), seed)} for seed in (0, 399))
    assert len(first) == 440 and not first & last
    assert max(last) < TRAINING_SEED <= json.loads(CARD.read_text())["training"]["phantom_seeds"][0]
    assert min(first) > max(spec.seed for spec in held_out("lumbarized", 200) + held_out_with_nuisances(200))
    with pytest.raises(UserError, match="seed is 400"):
        design.specs(Design(), 400)


def test_list_reads_back_as_the_same_phantoms_under_ids_that_tell_nothing(tmp_path):
    phantoms = design.specs(Design(6, 1, 2), seed=3)
    path = tmp_path / "phantoms.csv"
    design.write_list(phantoms, 3, path)
    listed = read_list(path)
    assert sorted(p.spec.seed for p in listed) == [spec.seed for spec in phantoms]
    assert {p.spec for p in listed} == set(phantoms)
    groups = [group_of(p.spec) for p in listed]
    assert len(set(groups[:6])) > 1, "the first ids are not all of one group"
    assert all(p.series == ("t2",) and p.syntax == "explicit_le" for p in listed)


def test_second_study_has_200_ordinary_120_transitional_and_20_of_each_nuisance_and_control():
    phantoms = design.specs(design.SECOND.design, 1, design.SECOND)
    counts = Counter(map(group_of, phantoms))
    assert counts.pop("ordinary") == 200 and counts.pop("sacralized") == counts.pop("lumbarized") == 60
    assert set(counts) == set(design.SECOND.nuisances) >= {"l5_s1_degenerated", "five_levels", "seam", "noise"}
    assert set(counts.values()) == {20}
    assert {spec.degree for spec in phantoms if spec.kind != "normal"} == {0.2, 0.4, 0.6, 0.8}
    assert not {spec.seed for spec in phantoms} & {
        spec.seed for spec in design.specs(design.SECOND.design, 2, design.SECOND)
    }
    assert design.method_study_of(phantoms) is design.SECOND


def test_list_of_the_second_study_reads_back_and_tells_groups(tmp_path):
    phantoms = design.specs(Design(3, 1, 1), 5, design.SECOND)
    path = tmp_path / "phantoms.csv"
    design.write_list(phantoms, 5, path)
    read = {phantom.study_id: phantom.spec for phantom in read_list(path)}
    listed = design.listed(phantoms, 5)
    assert read == {item.study_id: item.spec for item in listed}
    assert all(isinstance(spec, PatientSpec) for spec in read.values())
    assert Counter(item.group for item in listed)["ordinary"] == 3
    assert [item.kind for item in listed if item.degree] == [item.group for item in listed if item.degree]


def test_phantoms_of_two_generators_are_no_study():
    with pytest.raises(UserError, match="several generators"):
        design.method_study_of([PhantomSpec(1), PatientSpec(1)])


@pytest.mark.parametrize(
    "spec",
    [
        PatientSpec(1, nuisances=Nuisances(noise=0.5), controls=Controls(blur=0.5)),
        PatientSpec(1, "lumbarized", 0.5, controls=Controls(blur=0.5)),
        PhantomSpec(1, nuisances=Nuisances(noise=0.5, ghosting=0.5)),
        PhantomSpec(1, "sacralized", 0.5, Nuisances(noise=0.5)),
    ],
)
def test_a_phantom_of_two_groups_is_refused(spec):
    with pytest.raises(UserError, match="several groups"):
        group_of(spec)


def test_cohort_program_says_how_many_of_each(tmp_path, capsys):
    out = tmp_path / "list.csv"
    assert (
        method_study_cohort.main(["--ordinary", "2", "--each-degree", "0", "--each-nuisance", "1", "--out", str(out)])
        == 0
    )
    assert "9 phantoms (ordinary 2, degeneration 1" in capsys.readouterr().out
    assert len(read_list(out)) == 9


def test_cohort_program_makes_the_second_study(tmp_path, capsys):
    out = tmp_path / "list.csv"
    numbers = ["--ordinary", "1", "--each-degree", "1", "--each-nuisance", "1"]
    assert method_study_cohort.main(["--generator", "patients", *numbers, "--out", str(out)]) == 0
    assert f"{1 + 8 + len(design.SECOND.nuisances)} phantoms (ordinary 1, sacralized 4" in capsys.readouterr().out
    assert {phantom.spec.GENERATOR for phantom in read_list(out)} == {"patients"}


def test_impossible_numbers_are_refused():
    with pytest.raises(UserError, match="ordinary is -1"):
        design.specs(Design(ordinary=-1), 0)
    with pytest.raises(UserError, match="would have 0"):
        design.specs(Design(0, 0, 0), 0)


# --- the table --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_table_of_a_heatmap_file_is_that_of_single_metrics_files(tmp_path):
    rows = [
        study_sheet.Row("a", "s", "x"),
        study_sheet.Row("b", "s", "x"),
        study_sheet.Row("c", use="no", reason="not wanted"),
    ]
    study_sheet.write_sheet(rows, tmp_path / "sheet.csv")
    mixed = made_maps.five_discs()
    mixed[3], mixed[4] = 0.6 * mixed[3] + 0.4 * mixed[4], 0.4 * mixed[3] + 0.6 * mixed[4]
    with heatmap_file.create(tmp_path / "maps.h5", {"software_version": "x"}) as writer:
        writer.write(made_maps.study(study_id="a"))
        writer.write(made_maps.study(mixed, study_id="b"))
    out = tmp_path / "table.csv"
    arguments = ["--sheet", str(tmp_path / "sheet.csv"), "--heatmaps", str(tmp_path / "maps.h5"), "--jobs", "1"]
    arguments += ["--components", str(tmp_path / "components.csv")]
    assert method_study_table.main([*arguments, "--out", str(out)]) == 0
    ranks = (tmp_path / "components.csv").read_text().splitlines()
    assert ranks[0].startswith("study_id,numbering,mass_ratio") and ranks[1].startswith("a,0.0,0.0,")
    with open(out, newline="") as stream:
        table = {row["study_id"]: row for row in csv.DictReader(stream)}
    assert [table[i]["status"] for i in "abc"] == ["ok", "ok", "excluded"]
    assert float(table["b"]["junction_identity_entropy"]) > 0.6 > float(table["a"]["junction_identity_entropy"])
    assert {table["a"]["rank"], table["b"]["rank"]} <= {"1", "2"}


# --- the answers ------------------------------------------------------------------------------------------------------

TRUTH = [
    *[PhantomSpec(k) for k in range(12)],
    *[PhantomSpec(20 + k, "sacralized", 0.2 + 0.2 * (k % 5)) for k in range(10)],
    *[PhantomSpec(40 + k, nuisances=Nuisances(noise=0.5 + 0.1 * k)) for k in range(5)],
]


def made_table(score_of=None):
    """A cohort in which the score tells transitional spines and the entropy does not."""
    rng = np.random.default_rng(4)
    score_of = score_of or {"ordinary": 0.4, "sacralized": 0.7, "noise": 0.5}
    rows = []
    for index, spec in enumerate(TRUTH):
        score = score_of[group_of(spec)] + rng.normal(0, 0.05)
        rows.append(
            {
                "study_id": f"p{index:02d}",
                "status": "ok",
                "quality": "ok",
                "score": str(score),
                "rank_group": "scored",
                "l5_s1_entropy": str(5 + rng.normal(0, 0.1)),
                "angle_difference": str(rng.normal()),
                "junction_identity_entropy": str(score),
                "blob_count": "5",
            }
        )
    order = sorted(rows, key=lambda row: -float(row["score"]))
    for rank, row in enumerate(order, start=1):
        row["rank"] = str(rank)
    return rows, {f"p{index:02d}": spec for index, spec in enumerate(TRUTH)}


def made_components(rows):
    """Evidence of the two components that the made cohort has."""
    doubt = np.argsort(np.argsort([float(row["junction_identity_entropy"]) for row in rows]))
    angle = np.argsort(np.argsort([abs(float(row["angle_difference"])) for row in rows]))
    return {
        row["study_id"]: {"slices_name": (d + 0.5) / len(rows), "numbering": (a + 0.5) / len(rows)}
        for row, d, a in zip(rows, doubt, angle)
    }


def evaluated(rows, truth):
    components = made_components(rows)
    return study.evaluate(rows, truth, components, registered_metrics(), seed=1, replicates=200)


def found(record, metric, against="all"):
    return next(entry for entry in record["metrics"][against] if entry["metric"] == metric)


def test_score_that_separates_is_seen_to_beat_the_entropy():
    record = evaluated(*made_table())
    score, plain = found(record, "score"), found(record, "l5_s1_entropy")
    assert score["auc"] > 0.95 and 0.2 < plain["auc"] < 0.8
    assert score["difference"] == pytest.approx(score["auc"] - plain["auc"])
    assert 0 < score["difference_low"] < score["difference"] < score["difference_high"]
    assert score["difference_interval"] == "DeLong" and score["difference_studies"] == 27
    assert found(record, "score", "ordinary")["negative"] == 12
    assert record["final_order"]["all"]["transitional_by_rank"] >= 9


def test_nuisance_above_the_transitional_group_is_called_so_and_one_below_is_not():
    quiet = {group["group"]: group for group in evaluated(*made_table())["groups"]}
    assert quiet["noise"]["above_transitional"] is False and quiet["noise"]["score_difference_low"] > 0
    loud = evaluated(*made_table({"ordinary": 0.4, "sacralized": 0.6, "noise": 0.9}))
    groups = {group["group"]: group for group in loud["groups"]}
    assert groups["noise"]["above_transitional"] is True and groups["noise"]["score_difference_high"] < 0
    assert groups["noise"]["in_first"] == 5 and groups["scoliosis"]["studies"] == 0
    assert "by mean score noise; by median final rank, which" in study_text.text(loud)
    assert "by mean score none;" in study_text.text(evaluated(*made_table()))


def test_study_without_l5_s1_comes_first_in_the_order_by_entropy_and_is_left_out_of_its_area():
    rows, truth = made_table()
    rows[0]["l5_s1_entropy"] = ""
    record = evaluated(rows, truth)
    assert found(record, "l5_s1_entropy")["undefined_negative"] == 1
    assert found(record, study.PLAIN_FIRST)["undefined_negative"] == 0
    values = study._plain_first(np.array([np.nan, 5.0, 5.2]))
    assert values.argmax() == 0


def test_component_that_is_the_score_carries_it():
    record = evaluated(*made_table())
    parts = {entry["component"]: entry for entry in record["without_component"][0]["components"]}
    assert parts["slices_name"]["gain"] > 0.1 > parts["numbering"]["gain"]
    assert parts["mass_ratio"]["auc"] is None and parts["mass_ratio"]["gain"] is None


def contrast(record, group, degree=None, least=None):
    return next(
        item
        for item in record["contrasts"]
        if (item["group"], item["degree"], item["at_least"]) == (group, degree, least)
    )


def test_groups_are_compared_with_ordinary_spines():
    record = evaluated(*made_table({"ordinary": 0.4, "sacralized": 0.7, "noise": 0.6}))
    seen = contrast(record, "sacralized", least=0.4)
    assert seen["studies"] == 8 and seen["areas"]["score"]["auc"] > 0.95
    assert contrast(record, "sacralized", 0.2)["areas"]["score"]["auc"] is None, "two spines are too few for a number"
    assert contrast(record, "transitional")["studies"] == 10
    noise = contrast(record, "noise")["areas"]
    assert noise["score"]["auc"] > 0.8 and noise["score"]["auc_low"] > 0.5 > noise["l5_s1_entropy"]["auc_low"]
    assert set(noise) == {"score", "score_v1", "rank", "l5_s1_entropy"}
    words = study_text.text(record)
    assert "Whose whole interval lies above 0.5: noise 1.00 (" in words and "| sacralized, degree ≥ 0.4 | 8 |" in words
    quiet = study_text.text(evaluated(*made_table({"ordinary": 0.4, "sacralized": 0.7, "noise": 0.4})))
    assert "Whose whole interval lies above 0.5: none." in quiet


def test_area_of_two_groups_is_the_share_of_pairs_in_order():
    found = contrasts.area(np.array([3, 4, 5, 6, np.nan, 7.0]), np.array([1, 2, 3, 4, 5.0]))
    pairs = [(p > n) + 0.5 * (p == n) for p in (3, 4, 5, 6, 7) for n in (1, 2, 3, 4, 5)]
    assert found["auc"] == pytest.approx(np.mean(pairs)) and found["undefined"] == [1, 0]
    assert found["auc_low"] < found["auc"] < found["auc_high"] <= 1
    assert contrasts.area(np.arange(4.0), np.arange(9.0))["auc"] is None
    apart = contrasts.area(np.arange(30.0) + 50, np.arange(30.0))
    assert apart["auc"] == apart["auc_high"] == 1 and 0.8 < apart["auc_low"] < 1


def test_record_of_before_there_were_contrasts_is_told_as_it_was():
    record = evaluated(*made_table())
    old = {key: value for key, value in record.items() if key not in ("contrasts", "generator")}
    assert study_text.text(record).startswith(study_text.text(old).rstrip("\n"))


def test_table_and_list_of_different_runs_are_refused():
    rows, truth = made_table()
    with pytest.raises(UserError, match="p00 is only in the list of phantoms"):
        evaluated(rows[1:], truth)


@pytest.mark.slow
def test_program_writes_the_same_bytes_twice(tmp_path):
    rows, _ = made_table()
    for row in rows:
        row |= {"series_id": "1", "reason": "", "flags": "", "risk": "moderate"}
    with open(tmp_path / "table.csv", "w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with open(tmp_path / "components.csv", "w", newline="") as stream:
        writer = csv.DictWriter(stream, ("study_id", *COMPONENTS))
        writer.writeheader()
        writer.writerows({"study_id": study_id} | ranks for study_id, ranks in made_components(rows).items())
    listing = tmp_path / "phantoms.csv"
    lines = ["study_id,seed,kind,degree,nuisances,transfer_syntax,instances,series,damage,remark"]
    for index, spec in enumerate(TRUTH):
        noise = f"noise={spec.nuisances.noise:g}" if spec.nuisances.noise else ""
        lines.append(f"p{index:02d},{spec.seed},{spec.kind},{spec.degree:g},{noise},explicit_le,plain,t2,,")
    listing.write_text("\n".join(lines) + "\n")

    def written(folder):
        arguments = ["--table", tmp_path / "table.csv", "--phantoms", listing, "--replicates", 100]
        arguments += ["--components", tmp_path / "components.csv"]
        arguments += ["--out", folder / "s.json", "--csv", folder / "s.csv", "--markdown", folder / "s.md"]
        assert method_study.main([*map(str, arguments), "--figures", str(folder / "figures")]) == 0
        return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

    first, again = written(tmp_path / "one"), written(tmp_path / "two")
    assert list(first) == ["auc.svg", "groups.svg", "roc.svg", "s.csv", "s.json", "s.md"]
    assert first == again
    record = json.loads(first["s.json"])
    assert set(provenance.only(record)["made_of"]) == {"table", "components", "phantoms"}
    assert study_text.text(study_text.needed(record)) == first["s.md"].decode()
    assert b"**score**" in first["s.md"] and b"<svg" in first["auc.svg"]
