"""The page for radiologists: its pictures are there, small, and of studies that the demo has."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pandas
import pytest
from PIL import Image

import reading_figures as program
import report_inputs
from lstv.base.errors import UserError
from lstv.report.inputs import read_table
from lstv.report.standing_out import GROUPS, LOCALIZER, STANDS_OUT, USUAL
from lstv_evidence import reading_figures

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reading.md").read_text(encoding="utf-8")


def test_every_picture_is_on_the_page_and_small():
    shown = set(re.findall(r"!\[[^\]]+\]\(figures/(\w+)\.webp\)", PAGE))
    assert shown == {f"reading_{name}" for name in reading_figures.FIGURES}
    for name in shown:
        path = ROOT / f"docs/figures/{name}.webp"
        assert path.stat().st_size < 60_000
        with Image.open(path) as picture:
            assert min(picture.size) > 400


def test_the_words_under_a_picture_are_true_of_the_phantom():
    with open(ROOT / "resources/demo/studies.csv", newline="") as stream:
        kinds = {row["study_id"]: row for row in csv.DictReader(stream)}
    for example in reading_figures.examples():
        drawn = kinds[example.study_id]
        for kind in ("lumbarized", "sacralized"):
            assert (kind in example.words) <= (drawn["kind"] == kind), example
        if "false alarm" in example.words:
            assert drawn["kind"] == "normal" and "crop_bottom" in drawn["nuisances"] and example.on == STANDS_OUT
        if "Right by chance" in example.words:
            assert drawn["kind"] != "normal"


def test_the_words_under_a_picture_name_the_list_that_it_is_checked_for():
    for example in reading_figures.examples():
        said = {group for group in GROUPS if group.title.lower() in example.words.lower()}
        assert said == {example.on}, example


def test_a_picture_of_a_study_on_another_list_is_refused(tmp_path):
    table = tmp_path / "table.csv"
    files = report_inputs.make(tmp_path, ok=2, drawn=2)
    frame = read_table(files.table)
    examples = reading_figures.examples()
    flags = {LOCALIZER: "localizer", STANDS_OUT: "scored", USUAL: "scored"}
    rows = [
        frame.iloc[0].to_dict()
        | {"study_id": each.study_id, "quality": "ok", "flags": "", "rank_group": flags[each.on]}
        | {"rank": 1, "reasons": "a reason" if each.on == STANDS_OUT else ""}
        for each in examples
    ]
    pandas.DataFrame(rows).to_csv(table, index=False)
    reading_figures.check(table)
    rows[0]["reasons"] = "a reason of its own"
    pandas.DataFrame(rows).to_csv(table, index=False)
    with pytest.raises(UserError, match=f"study {examples[0].study_id} is on the list 'Stands out'"):
        reading_figures.check(table)
    pandas.DataFrame(rows[1:]).to_csv(table, index=False)
    with pytest.raises(UserError, match=f"lacks study {examples[0].study_id}"):
        reading_figures.check(table)


def test_the_lists_are_called_as_in_the_report():
    for group in GROUPS:
        assert f"**{group.title}**" in PAGE


def test_the_page_says_what_it_is_not():
    assert "Research use only. Not a diagnosis." in PAGE and "What it cannot mean" in PAGE


def test_without_the_demo_one_sentence_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match="run make demo first"):
        program.main(["--results", str(tmp_path), "--out-dir", str(tmp_path)])
