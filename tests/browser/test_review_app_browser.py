"""The app as its users meet it: a phantom given in the browser gets the workflow's numbers; two people read at once."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

import browser_pages
import demo_studies
import reading_cases
from lstv.base.levels import LEVEL_LABELS
from lstv.cohort.labels import read_labels
from lstv.cohort.study_sheet import write_sheet
from lstv.review.cohort_files import TABLE

sync_api = pytest.importorskip("playwright.sync_api")

pytestmark = [*browser_pages.MARKS, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
STUDY = "104928817"
PATIENCE = 120_000
"""Milliseconds, for a machine that does much else."""


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    return demo_studies.make(tmp_path_factory.mktemp("study"), [STUDY], members="full")


class App(NamedTuple):
    """The running program, its address, and its folder for temporary files."""

    running: subprocess.Popen[str]
    address: str
    temporary: Path


@contextmanager
def app(temporary: Path, *options: str | Path) -> Iterator[App]:
    temporary.mkdir()
    running = subprocess.Popen(
        [sys.executable, "scripts/review_app.py", *map(str, options), "--port", "0", "--no-browser"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert running.stdout is not None
        first = running.stdout.readline()
        found = re.fullmatch(r"Open (http://127\.0\.0\.1:\d+/)\n", first)
        assert found, first + running.stdout.read()
        yield App(running, found[1], temporary)
    finally:
        running.kill()
        running.wait()


def end(running: subprocess.Popen[str]) -> str:
    """What the program says when it ends after Ctrl-C."""
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=60)
    assert running.returncode == 0 and "Traceback" not in out
    return out


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=browser_pages.CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


def opened(browser: sync_api.Browser, address: str, complaints: list[str]) -> sync_api.Page:
    """A page of somebody's own: no cookie of another."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    return page


def shown_levels(page: sync_api.Page) -> list[list[str]]:
    rows = page.locator("table").first.locator("tbody tr")
    return [[cell.inner_text().strip() for cell in row.locator("th, td").all()] for row in rows.all()]


def test_a_phantom_gets_the_numbers_of_the_workflow(study, browser, tmp_path):
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        for path in sorted((study / "images" / STUDY).rglob("*.dcm")):
            archive.write(path, path.relative_to(study / "images"))
    complaints: list[str] = []
    with app(tmp_path / "tmp", "--config", "config/config.yaml", "--phantoms") as (running, address, temporary):
        page = opened(browser, address, complaints)
        assert browser_pages.violations(page) == []
        page.locator("input[type=file]").first.set_input_files(tmp_path / "study.zip")
        page.get_by_role("button", name="Analyse", exact=True).first.click()
        page.wait_for_url("**/analyze/*")
        page.wait_for_selector("#viewer canvas")

        expected = json.loads((study / f"metrics/{STUDY}.json").read_text())
        levels = expected["levels"]
        assert shown_levels(page) == [
            [LEVEL_LABELS[name], f"{level['entropy']:.2f}", f"{level['confidence']:.3f}", "found"]
            for name, level in levels.items()
        ]
        given = json.loads(page.request.get(f"{page.url}/metrics.json").text())
        assert given["levels"] == levels and given["study"] == expected["study"]
        made = given["provenance"]
        assert {made["python"], made["inference"]["python"]} == {platform.python_version()}
        assert made["libraries"]["numpy"] and made["inference"]["libraries"]["pydicom"] and made["image"] is None
        assert "demo network ran" in page.locator("main").inner_text()
        assert browser_pages.violations(page) == []
        for width in (320, 390, 1024, 1920):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
        left = {path.suffix for path in temporary.rglob("*") if path.is_file()}
        assert left <= {"", ".h5", ".js", ".json"}, "the images are still there"

        page.get_by_role("button", name="Remove this result now").click()
        page.wait_for_url(f"{address}analyze")
        assert not list(temporary.rglob("*.h5"))

        (tmp_path / "folder/below").mkdir(parents=True)
        (tmp_path / "folder/below/letter.txt").write_text("Dear colleague")
        page.locator("input[webkitdirectory]").set_input_files(tmp_path / "folder")
        page.get_by_role("button", name="Analyse", exact=True).first.click()
        page.wait_for_selector("[role=alert]")
        assert page.inner_text("[role=alert]").startswith("The file is not DICOM")
        page.goto(f"{address}analyze")

        page.get_by_role("button", name="Analyse: No sagittal T2").click()
        page.wait_for_selector("[role=alert]")
        assert page.inner_text("[role=alert]").startswith("No usable sagittal T2")
        assert browser_pages.violations(page) == []
        assert complaints == []

        assert "has ended" in end(running)
        assert list(temporary.iterdir()) == []


@pytest.fixture
def results(tmp_path) -> Path:
    """Results of a cohort of which three studies are queued."""
    found = reading_cases.make(tmp_path, 3, ambiguous=1)
    folder = tmp_path / "results/made"
    folder.mkdir(parents=True)
    shutil.copy(tmp_path / "queue.json", folder / "review_queue.json")
    shutil.copy(tmp_path / "table.csv", folder / TABLE)
    write_sheet(list(found.rows.values()), folder / "study_sheet.csv")
    return folder


def begin(page: sync_api.Page, name: str) -> None:
    page.fill("#reader", name)
    page.press("#reader", "Enter")


def read(page: sync_api.Page, number: int, keys: str) -> None:
    page.wait_for_selector(f"#desk[data-case='{number}']")
    for key in keys:
        page.keyboard.press(key)
    page.keyboard.press("Enter")


def test_two_people_read_at_once_and_find_their_verdicts_again(results, browser, tmp_path):
    complaints: list[str] = []
    with app(tmp_path / "tmp", "--results", results) as (running, address, temporary):
        one, other = (opened(browser, f"{address}reading/", complaints) for _ in range(2))
        assert browser_pages.violations(one) == []
        begin(one, "AB")
        begin(other, "CD")
        for number in (1, 2):
            read(one, number, "n")
            read(other, number, "s3b")
        one.wait_for_selector("#desk[data-case='3']")
        other.wait_for_selector("#desk[data-case='3']")
        labels = read_labels(results / "verdicts/labels.csv").readings
        assert sorted((reading.reader, reading.label) for reading in labels) == [
            *(("AB", False), ("AB", False), ("CD", True), ("CD", True))
        ]
        # the same person again, elsewhere: what was said is there, and the third case is next
        again = opened(browser, f"{address}reading/", complaints)
        begin(again, "ab")
        again.wait_for_selector("#begin:has-text('Go on')")
        again.click("#begin")
        again.wait_for_selector("#desk[data-case='3']")
        # each saves what he said himself
        one.click("summary:has-text('Save, go on')")
        with one.expect_download() as download:
            one.locator("button.save:visible").first.click()
        assert {reading.reader for reading in read_labels(download.value.path()).readings} == {"AB"}
        home = opened(browser, address, complaints)
        assert "AB: 2 of 3" in home.inner_text("main") and browser_pages.violations(home) == []
        assert complaints == []
        # a verdict of the other window is not taken back by this one, which shows it from then on
        read(again, 3, "n")
        again.wait_for_selector("#desk[data-case='4']")
        one.locator("#undo").click()
        one.wait_for_selector("#said:has-text('no longer your last one')")
        one.wait_for_selector("#done:has-text('3 of 4 read')")
        assert len(read_labels(results / "verdicts/labels.csv").readings) == 5
        one.locator("#undo").click()
        one.wait_for_selector("#done:has-text('2 of 4 read')")
        # what is not saved is not lost: it is told, and the case stays
        for key, number in (("ArrowLeft", 2), ("ArrowRight", 3)):  # where the answers are still those taken back
            one.keyboard.press(key)
            one.wait_for_selector(f"#desk[data-case='{number}']")
        end(running)
        one.keyboard.press("Enter")
        one.wait_for_selector("#said:has-text('does not answer')")
        assert "Case 3" in one.inner_text("#case")
        assert list(temporary.iterdir()) == []
