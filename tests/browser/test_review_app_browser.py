"""The app as its user meets it: a phantom is given in the browser, and the numbers are the workflow's."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import demo_studies
from lstv.base.levels import LEVEL_LABELS

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
sync_api = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found: the app is not looked at"),
]

ROOT = Path(__file__).parents[2]
STUDY = "104928817"
PATIENCE = 120_000
"""Milliseconds, for a machine that does much else."""


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    return demo_studies.make(tmp_path_factory.mktemp("study"), [STUDY], members="full")


@pytest.fixture
def app(tmp_path) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    """The running program, its address, and its folder for temporary files."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    command = [sys.executable, "scripts/review_app.py", "--config", "config/config.yaml", "--phantoms", "--port", "0"]
    running = subprocess.Popen(
        [*command, "--no-browser"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert running.stdout is not None
        found = re.fullmatch(r"Open (http://127\.0\.0\.1:\d+/)\n", running.stdout.readline())
        assert found, running.stdout.read()
        yield running, found[1], temporary
    finally:
        running.kill()
        running.wait()


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


def violations(page: sync_api.Page) -> list[str]:
    return [found["id"] for found in axe.Axe().run(page).response["violations"]]


def shown_levels(page: sync_api.Page) -> list[list[str]]:
    rows = page.locator("table").first.locator("tbody tr")
    return [[cell.inner_text().strip() for cell in row.locator("th, td").all()] for row in rows.all()]


def test_a_phantom_gets_the_numbers_of_the_workflow(app, study, browser, tmp_path):
    running, address, temporary = app
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        for path in sorted((study / "images" / STUDY).rglob("*.dcm")):
            archive.write(path, path.relative_to(study / "images"))
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(PATIENCE)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    assert violations(page) == []
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
    assert "demo network ran" in page.locator("main").inner_text()
    assert violations(page) == []
    for width in (320, 390, 1024, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
    left = {path.suffix for path in temporary.rglob("*") if path.is_file()}
    assert left <= {"", ".h5", ".js"}, "the images are still there"

    page.get_by_role("button", name="Remove this result now").click()
    page.wait_for_url(f"{address}analyze")
    assert not list(temporary.rglob("*.h5"))

    page.get_by_role("button", name="Analyse: No sagittal T2").click()
    page.wait_for_selector("[role=alert]")
    assert page.inner_text("[role=alert]").startswith("No usable sagittal T2")
    assert violations(page) == []
    assert complaints == []

    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=60)
    assert running.returncode == 0 and "has ended" in out and "Traceback" not in out
    assert list(temporary.iterdir()) == []
