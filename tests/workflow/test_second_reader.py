"""Second readers in the workflow: a stand-in program asked about the first studies, its masks compared."""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path

import pytest

import provenance
from lstv.second_reader.numbering import PROGRAMS
from workflow_project import ROOT, Project, copy_project

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

STAND_IN = ROOT / "tests/support/stand_in_reader.py"
TABLE = "lstv_uncertainty_metrics.csv"
ASKED = 3


def rows(path: Path) -> dict[str, dict[str, str]]:
    with open(path, newline="") as stream:
        return {row["study_id"]: row for row in csv.DictReader(stream)}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    """Four phantoms, of which one is sacralized."""
    project = copy_project(tmp_path_factory.mktemp("second") / "project")
    project.keep_demo_studies(4)
    command = f"{sys.executable} {STAND_IN}"
    (project.root / "second.yaml").write_text(
        f"second_reader:\n  studies: first {ASKED}\n"
        f"  spineps: {{command: '{command} spineps sample -i {{image}}'}}\n"
        f"  totalspineseg: {{command: '{command} totalspineseg {{image}} {{out}}'}}\n"
    )
    return project


def test_from_ranking_to_masks_to_table(project, monkeypatch):
    studies = project.root / "resources/demo/studies.csv"
    monkeypatch.setenv("STAND_IN_STUDIES", str(studies))
    fails = min(rows(studies))  # an ordinary spine, of those that share a place the first
    monkeypatch.setenv("STAND_IN_FAILS", fails)
    settings = ("--configfile", "config/config.yaml", str(project.root / "second.yaml"))
    done = project.snakemake(f"results/demo/{TABLE}", *settings)
    assert done.returncode == 0, done.stdout
    ranking, table = rows(project.results("second_reader/ranking.csv")), rows(project.results(TABLE))
    # what was there before the programs were asked is as it was, and columns follow
    for study_id, row in ranking.items():
        assert {name: table[study_id][name] for name in row} == row
    order = sorted(ranking, key=lambda name: (int(ranking[name]["rank"]), name))
    assert {name for name, row in table.items() if row["spineps_status"]} == set(order[:ASKED])
    read = [name for name in order[:ASKED] if name != fails]
    for study_id in read:
        row = table[study_id]
        assert row["spineps_status"] == row["totalspineseg_status"] == "ok", row["second_reader_left_out"]
        assert row["spineps_totalspineseg_offset"] == "0" and row["spineps_offset"] == row["totalspineseg_offset"]
        assert row["rank_with_second_reader"] and row["spineps_l5_taper"]
    assert fails in order[:ASKED], "the phantoms' ranking has changed: choose another study to fail"
    assert table[fails]["spineps_status"] == "failed" and table[fails]["rank_with_second_reader"] == ""
    assert "SPINEPS ended with status 1 (RuntimeError: CUDA out of memory)" in table[fails]["second_reader_left_out"]
    agreement = json.loads(project.results("second_reader/agreement.json").read_text())
    assert agreement["pairs"]["spineps/totalspineseg"]["same"] == len(read)
    made = provenance.of_results(project.results(""))
    expected = {
        "agreement.json",
        *(f"{folder}/{name}.json" for folder in ("studies", *PROGRAMS) for name in order[:ASKED]),
    }
    assert {name.removeprefix("second_reader/") for name in made if name.startswith("second_reader/")} == expected
    assert "<svg" in project.results("second_reader/agreement.svg").read_text()


def test_masks_of_a_folder_are_read_without_any_program(project):
    (project.root / "given").mkdir()
    done = project.snakemake("--config", "second_reader={studies: all, spineps: {masks: given}}", "-n")
    assert done.returncode == 0, done.stdout
    planned = set(re.findall(r"^(\w+) +\d+$", done.stdout, re.MULTILINE))
    assert {"second_reader", "cohort_table"} <= planned
    assert not planned & {"spineps", "totalspineseg", "second_reader_images"}
