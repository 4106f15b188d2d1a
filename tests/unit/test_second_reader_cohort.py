"""The program of the second readers: table, records, agreement, figure; and what of it is in the cohort table."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

import cohort_table as table_program
import made_masks
import second_reader as program
from lstv.base.cli import run
from lstv.base.errors import UserError
from lstv.cohort import study_sheet
from lstv.evaluation.numbering_agreement import agreement
from lstv.localizer import heatmap_file
from lstv.ranking import second_reader as ranking
from lstv.ranking import table_columns
from lstv.ranking.score import Standing
from lstv.second_reader import outcomes
from lstv.uncertainty import study_record
from made_maps import study

# --- agreement --------------------------------------------------------------------------------------------------------


def test_agreement_by_hand():
    """Three studies of two discs: all alike, all one off, half one off."""
    found = agreement([[(0, 0), (1, 1)], [(0, 1), (1, 2)], [(0, 0), (1, 2)]], seed=1)
    assert (found["studies"], found["same"], found["discs"]) == (3, 1, 6)
    # names 0, 1, 2: first says 0 and 1 three times each, second 0 twice, 1 and 2 twice: chance (3*2 + 3*2) / 36
    assert found["kappa"] == pytest.approx((3 / 6 - 12 / 36) / (1 - 12 / 36))
    assert found["kappa_low"] <= found["kappa"] <= found["kappa_high"]
    assert found["share"] == pytest.approx(1 / 3) and 0 < found["share_low"] < 1 / 3 < found["share_high"] < 1
    # of the third study's two discs the lower one counts
    assert found["offsets"] == {"-2": 0, "-1": 0, "0": 1, "1": 2, "2": 0}


def test_agreement_of_nobody_and_of_one():
    nobody = agreement([[], []], seed=1)
    assert nobody["studies"] == 0 and nobody["share"] is None and nobody["kappa"] is None
    one = agreement([[(0, 0), (1, 1)]], seed=1)
    assert one["same"] == 1 and one["kappa"] == 1 and one["kappa_low"] is None
    # chance alone gives 1: kappa says nothing
    assert agreement([[(3, 3)], [(3, 3)]], seed=1)["kappa"] is None


# --- the program ------------------------------------------------------------------------------------------------------


@pytest.fixture
def cohort(tmp_path):
    """Two studies whose points lie on the discs of the made masks, and one that failed."""
    (tmp_path / "metrics").mkdir()
    plane = made_masks.grid()
    facts = {"centre_slice": plane.centre, "n_slices": plane.slices}
    sheet = []
    with heatmap_file.create(tmp_path / "heatmaps/batch-0000-of-0001.h5", {}) as writer:
        for study_id in ("a", "b", "c"):
            maps = study(study_id=study_id, geometry=plane.plane, provenance=facts)
            record = study_record.study_record(maps, {})
            for level, own in made_masks.levels(first_disc=1).items():
                record["levels"][level]["point_mm"] = own["point_mm"]
            writer.write(maps)
            study_record.write(record, tmp_path / f"metrics/{study_id}.json")
            sheet.append(study_sheet.Row(study_id, "s"))
    study_sheet.write_sheet(sheet, tmp_path / "sheet.csv")
    (tmp_path / "studies.csv").write_text("study_id\na\nb\nc\n")
    made_masks.write(tmp_path / "spineps/sub-a_seg-vert_msk.nii.gz", made_masks.labels())
    made_masks.write(tmp_path / "spineps/sub-b_seg-vert_msk.nii.gz", made_masks.labels(made_masks.SIX))
    made_masks.write(tmp_path / "total/a.nii.gz", made_masks.labels(style="totalspineseg"))
    made_masks.write(tmp_path / "total/b.nii.gz", made_masks.labels(style="totalspineseg_first"))
    made_masks.write(tmp_path / "total/c.nii.gz", made_masks.labels(style="totalspineseg").astype(np.float32))
    outcomes.write(tmp_path / "spineps", "c", {"status": "failed", "reason": "SPINEPS ended with status 1."})
    return tmp_path


def arguments(folder, *more: str) -> list[str]:
    return [
        *("--studies", f"{folder}/studies.csv", "--metrics-dir", f"{folder}/metrics"),
        *("--heatmaps-dir", f"{folder}/heatmaps", "--batches", "1"),
        *("--spineps", f"{folder}/spineps", "--totalspineseg", f"{folder}/total"),
        *("--table", f"{folder}/out/table.csv", "--records", f"{folder}/out/studies"),
        *("--agreement", f"{folder}/out/agreement.json", "--agreement-table", f"{folder}/out/agreement.csv"),
        *("--figure", f"{folder}/out/agreement.svg", *more),
    ]


def rows_of(path) -> dict[str, dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as stream:
        return {row["study_id"]: row for row in csv.DictReader(stream)}


def test_a_cohort(cohort, capsys):
    assert program.main(arguments(cohort)) == 0
    rows = rows_of(cohort / "out/table.csv")
    assert [rows[name]["spineps_status"] for name in "abc"] == ["ok", "ok", "failed"]
    assert [rows[name]["totalspineseg_status"] for name in "abc"] == ["ok", "ok", "refused"]
    assert rows["a"]["second_reader_disagreement"] == "0.0" and rows["a"]["second_reader_words"] == ""
    assert rows["b"]["spineps_lumbar"] == "6" and rows["b"]["totalspineseg_numbering"] == "totalspineseg_first"
    assert rows["b"]["second_reader_words"] == (
        "SPINEPS counts six lumbar vertebrae; the point net's L5/S1 lies on its L5/L6"
    )
    assert rows["c"]["second_reader_disagreement"] == ""
    assert "SPINEPS is left out: SPINEPS ended with status 1" in rows["c"]["second_reader_left_out"]
    assert rows["c"]["second_reader_flags"] == "spineps_failed;totalspineseg_not_labels"
    summary = json.loads((cohort / "out/agreement.json").read_text())
    assert summary["status"]["spineps"] == {"ok": 2, "refused": 0, "not_run": 0, "failed": 1}
    assert summary["pairs"]["spineps/totalspineseg"]["studies"] == 2
    assert summary["pairs"]["point_net/spineps"]["same"] == 2
    assert summary["lumbar_count"]["studies"] == 2 and summary["lumbar_count"]["same"] == 1
    assert summary["repeatability"]["spineps"]["l5_ap_superior_mm"]["median_change"] == pytest.approx(-2, abs=0.3)
    record = json.loads((cohort / "out/studies/b.json").read_text())
    assert record["structures_mm"]["spineps"]["discs"]["L6"][2] == pytest.approx(made_masks.disc_mm(6)[2], abs=0.01)
    figure = (cohort / "out/agreement.svg").read_text()
    assert "SPINEPS against point net (n = 2)" in figure
    assert "2 ok, 1 failed" in capsys.readouterr().out


@pytest.mark.slow
def test_processes_change_nothing(cohort):
    program.main(arguments(cohort))
    alone = {path.name: path.read_bytes() for path in (cohort / "out").rglob("*.*")}
    program.main(arguments(cohort, "--jobs", "2"))
    assert {path.name: path.read_bytes() for path in (cohort / "out").rglob("*.*")} == alone


def test_without_a_program_there_is_nothing_to_compare(cohort, capsys, monkeypatch):
    args = [word for word in arguments(cohort) if not word.endswith(("/spineps", "/total"))]
    args = [word for word in args if word not in ("--spineps", "--totalspineseg")]
    assert run(lambda: program.main(args)) == 2
    assert "no folder of masks is given" in capsys.readouterr().err
    missing = [word.replace("/total", "/none") for word in arguments(cohort)]
    assert run(lambda: program.main(missing)) == 2
    assert "is not a directory" in capsys.readouterr().err


# --- the cohort table -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_cohort_table_gets_the_columns_and_a_rank_of_its_own(cohort):
    program.main(arguments(cohort))
    args = ["--sheet", f"{cohort}/sheet.csv", "--studies-dir", f"{cohort}/metrics", "--out", f"{cohort}/plain.csv"]
    table_program.main(args)
    table_program.main([*args[:-1], f"{cohort}/with.csv", "--second-reader", f"{cohort}/out/table.csv"])
    plain, full = rows_of(cohort / "plain.csv"), rows_of(cohort / "with.csv")
    for study_id, row in plain.items():
        assert {name: full[study_id][name] for name in row} == row
    added = list(full["a"])[len(plain["a"]) :]
    assert added[:3] == ["rank_with_second_reader", "score_with_second_reader", "second_reader_words"]
    assert [full[name]["rank_with_second_reader"] for name in "abc"] == ["2", "1", ""]
    assert float(full["b"]["score_with_second_reader"]) > float(full["a"]["score_with_second_reader"])
    assert full["c"]["spineps_status"] == "failed"


@pytest.mark.slow
def test_the_evaluation_knows_the_direction_of_the_columns(cohort):
    program.main(arguments(cohort))
    args = ["--sheet", f"{cohort}/sheet.csv", "--studies-dir", f"{cohort}/metrics", "--out", f"{cohort}/with.csv"]
    table_program.main([*args, "--second-reader", f"{cohort}/out/table.csv"])
    rows = table_columns.read_cohort_table(cohort / "with.csv")
    found = {
        column.name: column.sign for column in table_columns.score_columns(rows, table_columns.registered_metrics())
    }
    assert (found["rank_with_second_reader"], found["second_reader_disagreement"]) == (-1, 1)
    assert found["spineps_lumbar"] == 0 and "second_reader_words" not in found and "spineps_status" not in found


def test_a_rank_follows_groups_then_scores():
    def standing(study_id, group, evidence):
        return Standing(study_id, 1, 0.0, group, None, {"numbering": evidence, "mass_ratio": 0.0}, ())

    rows = {
        name: {"study_id": name, "second_reader_disagreement": share}
        for name, share in (("a", "0.2"), ("b", "0.8"), ("c", ""), ("d", "0.2"))
    }
    standings = [
        standing("a", "scored", 0.4),
        standing("b", "quality", 1.0),
        standing("c", "scored", 1.0),
        standing("d", "scored", 0.4),
    ]
    cells = ranking.values(rows, standings)
    assert cells["a"][ranking.RANK] == cells["d"][ranking.RANK] == 1
    assert cells["a"][ranking.SCORE] == pytest.approx(0.2)
    assert cells["b"][ranking.RANK] == 3 and ranking.RANK not in cells["c"]


def test_a_table_of_something_else_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("study_id,score\na,1\n")
    with pytest.raises(UserError, match="not a table of second readers"):
        ranking.read(tmp_path / "t.csv")
