"""The report's plots and the files for papers: the same numbers as the table, links that lead where the table's do."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas
import pytest

import cohort_figures
from lstv.base.levels import LEVELS
from lstv.report import plots

SCRIPTS = Path(__file__).parents[2] / "scripts"
THRESHOLDS = {"high": 5.0, "moderate": 4.0}


def table(n: int) -> pandas.DataFrame:
    random = np.random.default_rng(3)
    frame = pandas.DataFrame({"study_id": [f"s{i}" for i in range(n)], "status": "ok", "reason": ""})
    for level in LEVELS:
        area = random.integers(100, 200, n)
        frame[f"{level}_area_px"] = area
        frame[f"{level}_entropy"] = np.log(area) + random.normal(0, 0.05, n)
        frame[f"{level}_confidence"] = 0.9
    frame["score"] = random.random(n)
    frame["entropy_difference"] = random.normal(0, 0.1, n)
    return frame


def drawn(n: int) -> dict[str, ElementTree.Element]:
    places = {f"s{i}": plots.Place(f"s{i}", f"#study-{i}" if i % 2 else None) for i in range(n)}
    return {plot.title: ElementTree.fromstring(plot.svg) for plot in plots.draw(table(n), THRESHOLDS, places)}


def test_every_study_is_a_point_with_its_value_and_its_link():
    frame = table(40)
    plot = drawn(40)["The entropy beside the score"]
    assert len(plot.findall(".//circle")) == 40
    links = {link.get("href"): link.find("circle/title").text for link in plot.findall("a")}
    assert set(links) == {f"#study-{i}" for i in range(1, 40, 2)}
    assert links["#study-7"] == f"s7: entropy {frame.l5_s1_entropy[7]:.2f}, score {frame.score[7]:.3f}"
    assert all(link.get("tabindex") == "-1" for link in plot.findall("a"))  # the table has them in order


def test_bars_add_up_to_the_studies():
    bars = drawn(40)["L5/S1 entropy"].findall(".//rect/title")
    assert sum(int(bar.text.split(": ")[1].split()[0]) for bar in bars) == 40


def test_many_studies_are_a_map_of_counts():
    cells = drawn(plots.DENSE + 1)["What the L5/S1 entropy measures"].findall(".//rect/title")
    assert sum(int(cell.text.split()[0]) for cell in cells) == plots.DENSE + 1


def test_no_studies_no_plots():
    assert plots.draw(table(0), THRESHOLDS, {}) == []


@pytest.mark.slow
def test_files_for_papers(tmp_path):
    table(30).to_csv(tmp_path / "table.csv", index=False)
    arguments = ["--table", str(tmp_path / "table.csv"), "--out-dir"]
    assert cohort_figures.main([*arguments, str(tmp_path / "a")]) == 0
    assert cohort_figures.main([*arguments, str(tmp_path / "b")]) == 0
    first, second = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "ab")
    assert first == second and len(first) == 12
    assert first["entropy_and_score.pdf"].startswith(b"%PDF")


@pytest.mark.slow
def test_the_report_needs_neither_seaborn_nor_matplotlib():
    code = f"import sys; sys.path.insert(0, {str(SCRIPTS)!r}); import lstv.report.build; print(' '.join(sys.modules))"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"seaborn", "matplotlib", "scipy.stats", "pydicom"} & set(modules)
