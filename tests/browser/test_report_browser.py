"""The report in headless Chromium: nothing overflows, nothing fails, sorting and filtering do what they say."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import cv2
import numpy as np
import pytest

import report_inputs
from lstv.report.build import build

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found: the report is not looked at"),
]

PHONE = 390


def chromium(*arguments: str | Path) -> subprocess.CompletedProcess:
    """Run headless Chromium; --no-sandbox because containers run as root."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr"]
    command += ["--allow-file-access-from-files", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    files = report_inputs.make(tmp_path_factory.mktemp("small"))
    build(**files.arguments())
    return files.folder / "report.html"


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    files = report_inputs.make(tmp_path_factory.mktemp("large"), ok=5000, failed=150, excluded=200, all_files=False)
    build(**files.arguments(show_ids=False))
    return files.folder / "report.html"


def framed(report: Path, width: int, height: int) -> Path:
    """A page that shows the report in a frame: Chromium's own window is never narrower than 500 px."""
    page = report.with_name(f"frame-{width}.html")
    page.write_text(
        f'<body style="margin:0;background:#fff"><iframe id="f" src="{report.name}" style="border:0;width:{width}px;'
        f'height:{height}px"></iframe></body>',
        encoding="utf-8",
    )
    return page


def asked(report: Path, script: str, width: int = 1280) -> str:
    """Result of a script's ``return`` inside the report, in a frame ``width`` wide."""
    page = framed(report, width, 900)
    page.write_text(
        page.read_text(encoding="utf-8")
        + "<pre id='answer'></pre><script>document.getElementById('f').addEventListener('load', (event) => {"
        "const view = event.target.contentWindow, page = view.document;"
        f"document.getElementById('answer').textContent = (() => {{ {script} }})(); }});</script>",
        encoding="utf-8",
    )
    seen = chromium("--window-size=1300,950", "--dump-dom", page.as_uri()).stdout
    return unescape(re.search(r"<pre id=.answer.>(.*?)</pre>", seen, re.DOTALL).group(1))


def screenshot(report: Path, width: int, height: int, *arguments: str) -> np.ndarray:
    """RGB picture of the top of the report as its reader sees it."""
    out = report.with_name(f"shot-{width}.png")
    chromium(
        f"--window-size={max(width, 500)},{height}",
        f"--screenshot={out}",
        *arguments,
        framed(report, width, height).as_uri(),
    )
    return cv2.cvtColor(cv2.imread(str(out)), cv2.COLOR_BGR2RGB)[:, :width]


@pytest.mark.parametrize("width", [320, PHONE, 768, 1280])
def test_page_never_scrolls_sideways(report, width):
    wide = asked(
        report,
        "const root = page.documentElement;"
        "const out = [...page.querySelectorAll('main *')].filter((e) => !e.closest('.box') && !e.closest('svg')"
        " && e.getBoundingClientRect().right > root.clientWidth + 1).map((e) => e.tagName + '.' + e.className);"
        "return `${root.clientWidth} ${root.scrollWidth} ${out.slice(0, 5)}`;",
        width,
    )
    assert wide.strip() == f"{width} {width}"


def test_no_message_on_the_console(report):
    log = chromium("--window-size=1280,900", "--dump-dom", report.as_uri()).stderr
    assert not re.findall(r"CONSOLE[:(].*", log)


@pytest.mark.parametrize("width", [PHONE, 1280])
def test_something_is_to_be_seen(report, width):
    shot = screenshot(report, width, 1600)
    paper = (shot > 235).all(axis=-1).mean()
    ink = (shot < 90).all(axis=-1).mean()
    assert 0.5 < paper < 0.97 and 0.01 < ink < 0.4, (paper, ink)
    # the banner that says what the page is not for is dark and stands on top
    assert (shot[3] < 90).all()
    # every band of the page has something on it
    bands = np.array_split(shot.reshape(len(shot), -1).astype(float), 8)
    assert all(band.std() > 4 for band in bands)


def test_dark_page_where_the_reader_wants_it(report):
    shot = screenshot(report, 1280, 900, "--blink-settings=preferredColorScheme=0")
    assert np.median(shot) < 60
    assert np.median(screenshot(report, 1280, 900)) > 200


def test_pictures_are_drawn_in_their_colours(report):
    seen = asked(
        report,
        "const images = [...page.querySelectorAll('svg.slice image')];"
        "const zoomed = [...page.querySelectorAll('svg.zoom')].every((s) => s.getBBox().width > 10);"
        "const labels = page.querySelectorAll('.labels text.junction').length;"
        "return `${images.length} ${images.every((i) => i.getBBox().width > 300)} ${zoomed} ${labels > 5}`;",
    )
    assert seen == "24 true true true"


def test_sorting(report):
    script = (
        "const table = page.querySelector('#studies table');"
        "const shown = () => [...table.tBodies[0].rows].filter((r) => !r.hidden).map((r) => r.cells[5].textContent);"
        "const button = [...table.tHead.rows[1].cells][5].querySelector('button');"
        "button.click(); const up = shown(); const first = button.parentElement.getAttribute('aria-sort');"
        "button.click(); const down = shown(); const second = button.parentElement.getAttribute('aria-sort');"
        "return JSON.stringify([button.textContent, first, second, up, down]);"
    )
    label, first, second, up, down = json.loads(asked(report, script))
    assert (label, first, second) == ("L5/S1", "ascending", "descending")
    numbers = [float(text) for text in up if text != "–"]
    assert numbers == sorted(numbers) and len(numbers) > 10
    assert [text for text in down if text != "–"] == [text for text in up if text != "–"][::-1]
    # what is undefined comes last either way
    missing = len(up) - len(numbers)
    assert missing and up[-missing:] == down[-missing:] == ["–"] * missing


def test_filtering_by_text_and_stratum(large):
    script = (
        "const section = page.querySelector('#studies'), table = section.querySelector('table');"
        "const shown = () => [...table.tBodies[0].rows].filter((r) => !r.hidden);"
        "const select = section.querySelector('select'); select.value = 'Not found';"
        "select.dispatchEvent(new view.Event('change'));"
        "const strata = new Set(shown().map((r) => r.cells[4].textContent));"
        "return JSON.stringify([shown().length, [...strata], section.querySelector('.status').textContent]);"
    )
    count, strata, status = json.loads(asked(large, script))
    assert count == 100 and strata == ["Not found"]
    assert re.fullmatch(r"Rows 1 to 100 of \d{3}, filtered from 5,000", status)


def test_five_thousand_rows_stay_quick(large):
    """Opening the page, and sorting and turning the pages of the long table; the limits leave room for a busy machine."""
    script = (
        "const section = page.querySelector('#studies'), table = section.querySelector('table');"
        "const opened = view.performance.timing.loadEventStart - view.performance.timing.navigationStart;"
        "const start = view.performance.now();"
        "[...table.tHead.rows[1].cells][5].querySelector('button').click(); table.getBoundingClientRect();"
        "const [previous, next] = section.querySelectorAll('.pager button'); next.click(); table.getBoundingClientRect();"
        "const sorted = view.performance.now() - start;"
        "const hidden = [...table.tBodies[0].rows].filter((r) => r.hidden).length;"
        "return JSON.stringify([hidden, section.querySelector('.status').textContent, opened, sorted]);"
    )
    hidden, status, opened, sorted_in = json.loads(asked(large, script))
    assert (hidden, status) == (4900, "Rows 101 to 200 of 5,000")
    assert opened < 8000 and sorted_in < 2000, (opened, sorted_in)


def test_heatmaps_can_be_switched_off(report):
    script = (
        "const heat = page.querySelector('.heat'), box = page.querySelector('#heat');"
        "const before = view.getComputedStyle(heat).display; box.click();"
        "return before + ' ' + view.getComputedStyle(heat).display;"
    )
    assert asked(report, script) == "inline none"


def test_all_is_readable_without_script(large):
    text = large.read_text(encoding="utf-8")
    bare = large.with_name("bare.html")
    bare.write_text(re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL), encoding="utf-8")
    script = (
        "const rows = [...page.querySelectorAll('#studies tbody tr')];"
        "return rows.filter((r) => r.getBoundingClientRect().height > 5).length;"
    )
    assert asked(bare, script) == "5000"


def test_paper(report):
    out = report.with_name("report.pdf")
    chromium(f"--print-to-pdf={out}", "--no-pdf-header-footer", report.as_uri())
    content = out.read_bytes()
    assert content.startswith(b"%PDF")
    pages = len(re.findall(rb"/Type\s*/Page\b", content))
    assert 5 <= pages <= 40, pages
