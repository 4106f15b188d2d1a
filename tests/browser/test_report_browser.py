"""The report in headless Chromium: nothing overflows, nothing fails, sorting and filtering do what they say."""

from __future__ import annotations

import csv
import io
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
    assert 0.3 < paper < 0.97 and 0.01 < ink < 0.4, (paper, ink)
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
        "const images = [...page.querySelectorAll('#candidates svg.slice image')];"
        "const zoomed = [...page.querySelectorAll('svg.zoom')].every((s) => s.getBBox().width > 10);"
        "const labels = page.querySelectorAll('.labels text').length;"
        "return `${images.length} ${images.every((i) => i.getBBox().width > 300)} ${zoomed} ${labels > 5}`;",
    )
    assert seen == "4 true true true"


@pytest.mark.parametrize("width", [1440, 1920])
def test_pictures_are_large_enough_to_judge(report, width):
    script = (
        "const wide = (name) => Math.min(...[...page.querySelectorAll(name)].map((s) => s.getBoundingClientRect().width));"
        "return `${wide('.card svg.slice')} ${wide('.standing svg')}`;"
    )
    card, first = map(float, asked(report, script, width).split())
    assert card >= 560 and first >= 240


def test_first_screen_holds_what_stands_out(report):
    script = (
        "const end = (name) => page.querySelector(name).getBoundingClientRect().bottom;"
        "return `${end('.standing p')} ${page.querySelector('.twofold').getBoundingClientRect().top}`;"
    )
    said, failed = map(float, asked(report, script, 1440).split())
    assert said < 900 and failed < 1200


@pytest.mark.parametrize("width", [PHONE, 1440])
def test_names_of_levels_stay_in_the_picture_and_apart(report, width):
    script = (
        "const over = (a, b, from, to) => a[from] < b[to] - 1 && b[from] < a[to] - 1;"
        "const meet = (a, b) => over(a, b, 'left', 'right') && over(a, b, 'top', 'bottom');"
        "const bad = [];"
        "page.querySelectorAll('svg.slice').forEach((svg) => {"
        "const own = svg.getBoundingClientRect();"
        "const boxes = [...svg.querySelectorAll('.labels text')].map((t) => t.getBoundingClientRect());"
        "boxes.forEach((a, i) => { if (a.left < own.left || a.right > own.right) bad.push('out');"
        "boxes.slice(i + 1).forEach((b) => { if (meet(a, b)) bad.push('over'); }); }); });"
        "return `${page.querySelectorAll('.labels text').length > 10} ${bad}`;"
    )
    assert asked(report, script, width).strip() == "true"


def of_table(script: str) -> str:
    """A script with the long table and what to ask of it at hand."""
    return (
        "const section = page.querySelector('#studies'), table = section.querySelector('table');"
        "const rows = [...table.tBodies[0].rows], labels = [...table.tHead.rows[0].cells].map((c) => c.textContent);"
        "const column = (name) => labels.indexOf(name);"
        "const visible = () => [...table.querySelectorAll('tbody tr')].filter((r) => !r.hidden);"
        "const shown = (name) => visible().map((r) => r.cells[column(name)].textContent);"
        "const sort = (name) => table.tHead.rows[0].cells[column(name)].querySelector('button');"
        "const control = (name, kind) => [...section.querySelectorAll('.tools label')]"
        ".find((l) => l.textContent.startsWith(name) && l.querySelector(kind)).querySelector(kind);"
        "const choose = (name, value) => { const select = control(name, 'select'); select.value = value;"
        "select.dispatchEvent(new view.Event('change')); };"
        "const status = () => section.querySelector('.status').textContent;" + script
    )


def test_sorting(report):
    script = of_table(
        "const head = sort('L5/S1 entropy (nats)');"
        "const state = () => { head.click(); return [head.parentElement.getAttribute('aria-sort'),"
        "shown('L5/S1 entropy (nats)')]; };"
        "return JSON.stringify([...state(), ...state()]);"
    )
    first, up, second, down = json.loads(asked(report, script))
    assert (first, second) == ("ascending", "descending")
    numbers = [float(text) for text in up if text != "–"]
    assert numbers == sorted(numbers) and len(numbers) > 10
    assert [text for text in down if text != "–"] == [text for text in up if text != "–"][::-1]
    # what is undefined comes last either way
    missing = len(up) - len(numbers)
    assert missing and up[-missing:] == down[-missing:] == ["–"] * missing


def test_filters_work_together(large):
    script = of_table(
        "choose('Group', 'Stands out'); const one = status(); choose('Stratum', 'Not found');"
        "const seen = [...new Set(shown('Group')), ...new Set(shown('Stratum by entropy'))]; const both = status();"
        "choose('Group', ''); choose('Stratum', ''); choose('Notes', 'field cropped caudal');"
        "return JSON.stringify([one, both, seen, [...new Set(shown('Group'))], status()]);"
    )
    one, both, seen, cropped, last = json.loads(asked(large, script))
    counts = [
        int(re.search(r"of ([\d,]+), filtered from 5,000", text)[1].replace(",", "")) for text in (one, both, last)
    ]
    assert counts[0] >= counts[1] > 100 and seen == ["Stands out", "Not found"]
    assert cropped == ["Look at the localizer"] and counts[2] > 100


def test_columns_are_chosen(report):
    script = of_table(
        "const wide = (name) => visible()[0].cells[column(name)].getBoundingClientRect().width > 0;"
        "const before = [wide('Split'), wide('Score')];"
        "section.querySelector('.chooser').open = true;"
        "control('Split', 'input').click(); control('Score', 'input').click();"
        "return JSON.stringify([before, [wide('Split'), wide('Score')]]);"
    )
    assert json.loads(asked(report, script)) == [[False, True], [True, False]]


def test_filtered_rows_are_saved_as_csv(report):
    """What the page would save is caught where it becomes a file."""
    script = of_table(
        "let text; view.Blob = function (parts) { text = parts.join(''); };"
        "view.URL.createObjectURL = () => 'data:,'; view.HTMLAnchorElement.prototype.click = () => {};"
        "choose('Group', 'Stands out'); const names = shown('Study');"
        "[...section.querySelectorAll('.tools button')].find((b) => b.textContent.includes('CSV')).click();"
        "return JSON.stringify([names, text]);"
    )
    names, text = json.loads(asked(report, script))
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert text.startswith("\ufeffStudy,Place,Score,") and [row["Study"] for row in rows] == names and len(rows) > 1
    assert "" in {row["L5/S1 entropy (nats)"] for row in rows}
    assert all(0 <= float(row["Score"]) <= 1 and row["Place"].isdigit() for row in rows)


def test_five_thousand_rows_stay_quick(large):
    """Opening the page, and sorting, turning the pages and showing all of the long table; the limits leave room for a busy
    machine."""
    script = of_table(
        "const opened = view.performance.timing.loadEventStart - view.performance.timing.navigationStart;"
        "const took = (act) => { const start = view.performance.now(); act(); table.getBoundingClientRect();"
        "return view.performance.now() - start; };"
        "const sorted = took(() => sort('L5/S1 entropy (nats)').click());"
        "const [previous, next, all] = section.querySelectorAll('.pager button'); const turned = took(() => next.click());"
        "const hidden = rows.filter((r) => r.hidden).length, said = status();"
        "const whole = took(() => all.click());"
        "return JSON.stringify([hidden, said, status(), opened, sorted, turned, whole]);"
    )
    hidden, said, last, *times = json.loads(asked(large, script))
    print("opened, sorted, turned, all (ms):", [round(number) for number in times])
    assert (hidden, said, last) == (4900, "Rows 101 to 200 of 5,000", "Rows 1 to 5,000 of 5,000")
    opened, sorted_in, turned, whole = times
    assert opened < 8000 and sorted_in < 2000 and turned < 1000 and whole < 6000, times


def test_all_rows_at_once_are_still_one_table(large):
    """Rows far away are not laid out, but each is in its place: columns under their heads, in order, found and filtered."""
    script = of_table(
        "const edges = (row) => [...row.cells].map((c) => c.getBoundingClientRect()).filter((b) => b.width)"
        ".map((b) => Math.round(b.left) + ' ' + Math.round(b.right)).join();"
        "const all = [...section.querySelectorAll('.pager button')].at(-1);"
        "sort('Score').click(); all.click();"
        "const aligned = [0, 70, 4000].map((i) => edges(visible()[i]) === edges(table.tHead.rows[0]));"
        "const found = view.find(visible().at(-1).cells[0].textContent);"
        "const within = [...table.querySelectorAll('tbody td')].every((c) => c.scrollWidth <= c.clientWidth + 1);"
        "const numbers = shown('Score').map(Number), indices = visible().map((r) => r.getAttribute('aria-rowindex'));"
        "choose('Group', 'Stands out'); const fit = status(), counted = table.getAttribute('aria-rowcount');"
        "const kept = visible().length; view.dispatchEvent(new view.Event('beforeprint'));"
        "const onPaper = [...table.tBodies[0].rows].filter((r) => !r.classList.contains('away')).length;"
        "view.dispatchEvent(new view.Event('afterprint')); const again = visible().length; all.click();"
        "return JSON.stringify({aligned, found, within, numbers, indices: [indices[0], indices.at(-1)], fit, counted, kept,"
        "onPaper, again, bodies: table.tBodies.length, last: [visible().length, status()]});"
    )
    seen = json.loads(asked(large, script))
    assert seen["aligned"] == [True] * 3 and seen["found"] and seen["within"]
    assert len(seen["numbers"]) == 5000 and seen["numbers"] == sorted(seen["numbers"])
    assert seen["indices"] == ["2", "5001"]
    kept = int(re.search(r"of ([\d,]+), filtered from 5,000", seen["fit"])[1].replace(",", ""))
    assert 100 < kept < 5000 and kept == seen["kept"] == seen["onPaper"] == seen["again"] == int(seen["counted"]) - 1
    assert seen["bodies"] == 1 and seen["last"][0] == 100 and seen["last"][1].startswith("Rows 1 to 100 of")


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
    assert "<script" not in bare.read_text(encoding="utf-8")
    script = (
        "const rows = [...page.querySelectorAll('#studies tbody tr')];"
        "return rows.filter((r) => r.getBoundingClientRect().height > 5).length;"
    )
    assert asked(bare, script) == "5000"


def printed_pages(report: Path) -> int:
    out = report.with_name("report.pdf")
    chromium(f"--print-to-pdf={out}", "--no-pdf-header-footer", report.as_uri())
    content = out.read_bytes()
    assert content.startswith(b"%PDF")
    return len(re.findall(rb"/Type\s*/Page\b", content))


def test_paper(report):
    assert 5 <= (pages := printed_pages(report)) <= 40, pages


def test_no_row_is_missing_on_paper(tmp_path):
    files = report_inputs.make(tmp_path, ok=600, drawn=2, all_files=False)
    build(**files.arguments(top=2))
    few = report_inputs.make(tmp_path / "few", ok=100, drawn=2, all_files=False)
    build(**few.arguments(top=2))
    # a hundred rows are shown at a time on the screen; 500 more fill at least ten sheets
    assert printed_pages(files.folder / "report.html") >= printed_pages(few.folder / "report.html") + 10
