"""The cohort table: its columns, its rows, and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

import cohort_table as program
from lstv.base.cli import run
from lstv.base.errors import UserError
from lstv.base.levels import LEVELS
from lstv.cohort import study_sheet
from lstv.cohort.study_sheet import Row
from lstv.localizer.outcome import NotAnalysed
from lstv.ranking import cohort_table
from lstv.uncertainty import study_record
from made_maps import five_discs, study


def made(tmp_path: Path) -> tuple[Path, list[Path]]:
    """A sheet of four studies and the metrics files of the three that are used."""
    weak = five_discs()
    weak[4] = 0
    records = [
        study_record.study_record(study(study_id="10"), {}),
        study_record.study_record(study(weak, study_id="9"), {}),
        study_record.study_record(NotAnalysed("bad", "failed", reason="unreadable, truly", series_id="s"), {}),
    ]
    paths = []
    for record in records:
        paths.append(tmp_path / f"{record['study_id']}.json")
        study_record.write(record, paths[-1])
    sheet = [
        Row("9", "s", split="validation"),
        Row("10", "s"),
        Row("bad", "s"),
        Row("out", "t", use="no", reason="not selected: trial of 3 studies"),
        Row("x", use="no"),
    ]
    study_sheet.write_sheet(sheet, tmp_path / "sheet.csv")
    return tmp_path / "sheet.csv", paths


def read(path: Path) -> dict[str, dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as stream:
        return {row["study_id"]: row for row in csv.DictReader(stream)}


def test_reference_columns_come_first() -> None:
    names = cohort_table.columns()
    reference = [f"{level}_{name}" for level in LEVELS for name in ("confidence", "entropy", "spatial_entropy")]
    assert names[:17] == ["study_id", "series_id", *reference]
    assert names[17:22] == ["status", "reason", "flags", "split", "n_slices"]
    assert len(names) == len(set(names))


def test_the_table_says_what_the_ranking_does_not_count() -> None:
    record = study_record.study_record(study(), {})
    record["study"] |= {"junction_asymmetry": 1.5, "junction_jump": 0.7, "junction_disc_contrast": 1.0}
    symmetric = record | {"study_id": "2", "study": record["study"] | {"junction_asymmetry": 0.15}}
    found = {
        row["study_id"]: row["not_counted"] for row in cohort_table.rows([Row("1"), Row("2")], [record, symmetric])
    }
    assert "because the column leaves them there" in found["1"] and found["2"] == ""


def test_every_study_of_the_sheet_has_a_row(tmp_path: Path) -> None:
    sheet, paths = made(tmp_path)
    out = tmp_path / "table.csv"
    assert program.main(["--sheet", str(sheet), "--studies-dir", str(tmp_path), "--out", str(out)]) == 0
    rows = read(out)
    assert list(rows) == ["10", "9", "bad", "out", "x"], "sorted as text"
    assert [rows[i]["status"] for i in rows] == ["ok", "ok", "failed", "excluded", "excluded"]
    assert rows["bad"]["reason"] == "unreadable, truly" and rows["bad"]["rank"] == ""
    assert rows["out"]["reason"] == "not selected: trial of 3 studies"
    assert rows["x"]["reason"].startswith("not selected")
    assert rows["9"]["split"] == "validation"
    assert (rows["9"]["rank"], rows["9"]["risk"]) == ("1", "not_found")
    assert rows["9"]["reasons"].startswith("no L5/S1 disc found; ")
    assert rows["9"]["l5_s1_entropy"] == "" and rows["9"]["l5_s1_point_x_mm"] == ""
    assert (rows["10"]["rank"], rows["10"]["rank_entropy"]) == ("2", "1")
    assert rows["10"]["flags"] == "members_centre_only;members_no_patches;no_reference_features;no_strip"


def test_numbers_are_those_of_the_metrics_files(tmp_path: Path) -> None:
    sheet, paths = made(tmp_path)
    out = tmp_path / "table.csv"
    program.main(["--sheet", str(sheet), "--studies-dir", str(tmp_path), "--out", str(out)])
    row, record = read(out)["10"], json.loads(paths[0].read_text())
    for level, values in record["levels"].items():
        for key, value in values.items():
            if not key.startswith("point_"):
                assert row[f"{level}_{key}"] == ("" if value is None else repr(value)), key
        assert [float(row[f"{level}_point_{axis}_mm"]) for axis in "xyz"] == values["point_mm"]
    for key, value in record["study"].items():
        if key in study_record.DRAWN:
            assert key not in row, "places to draw, of which a table has no column"
            continue
        assert row[key] == ("" if value is None else value if isinstance(value, str) else repr(value)), key


def test_files_of_studies_that_are_not_used_do_not_matter(tmp_path: Path) -> None:
    sheet, _ = made(tmp_path)
    arguments = ["--sheet", str(sheet), "--studies-dir", str(tmp_path), "--out"]
    program.main([*arguments, str(tmp_path / "a.csv")])
    study_record.write(study_record.study_record(study(study_id="out"), {}), tmp_path / "out.json")
    program.main([*arguments, str(tmp_path / "b.csv")])
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "10.json does not exist"),
        (lambda path: path.write_text("study_id,"), "10.json is not readable JSON"),
        (lambda path: path.write_text("{}"), "10.json does not fit its schema"),
    ],
)
def test_wrong_files_are_one_sentence(tmp_path: Path, capsys, damage, words: str) -> None:
    sheet, paths = made(tmp_path)
    damage(paths[0])
    arguments = ["--sheet", str(sheet), "--studies-dir", str(tmp_path), "--out", str(tmp_path / "t.csv")]
    assert run(lambda: program.main(arguments)) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
    assert not (tmp_path / "t.csv").exists()


def test_two_records_of_one_study_are_refused() -> None:
    record = study_record.study_record(study(study_id="8"), {})
    with pytest.raises(UserError, match="study 8 has two metrics files"):
        cohort_table.rows([Row("8")], [record, record])


def test_a_study_that_is_not_in_the_sheet_is_refused() -> None:
    record = study_record.study_record(study(study_id="7"), {})
    with pytest.raises(UserError, match="study 7 has a metrics file but no row"):
        cohort_table.rows([Row("8", use="no")], [record])
