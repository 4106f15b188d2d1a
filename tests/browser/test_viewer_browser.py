"""The viewer in headless Chromium: a series is decoded, scrolled, windowed and zoomed from a folder, without a server."""

from __future__ import annotations

import pytest

import browser_pages
from browser_pages import picture, same
from dicom_files import textured_volume, write_series
from lstv.dicom.series import read_volume
from lstv.report.pages import assets, series_pack

pytestmark = browser_pages.MARKS

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'self'; script-src 'self'">
<title>A series</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="viewer.css"><link rel="stylesheet" href="page.css"></head>
<body><main><h1>A series</h1><div id="viewer"></div></main>
<script src="viewer.js"></script><script src="page.js"></script></body></html>"""
STYLE = """body { background: #fff; color: #17232c; }
@media (prefers-color-scheme: dark) { body { background: #10171c; color: #e4ebef; } }"""
SCRIPT = """
window.viewer = lstv.viewer(document.getElementById("viewer"), { label: "Study 1" });
window.seen = [];
viewer.element.addEventListener("lstv-ready", (event) => seen.push(event.detail));
lstv.load("one.js", "one").then((pack) => { window.pack = pack; viewer.show(pack); });
"""
LAYERS = """viewer.layers({slice: 3, matrix: [0.25, 0, 0, 0.3, 0, 0], drawing: [0.125, 0, 0, 0.15, 0, 0],
 marks: [{number: 1, path: "M20 20a15 15 0 1 0 30 0", at: [20, 20], missing: true}],
 levels: [{name: "l5_s1", label: "L5/S1", colour: "#ff7a1a", point: [20, 24], heat: null,
  outline: "M50 50L90 60L80 90Z"}]})"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("viewer")
    write_series(folder / "series", textured_volume((7, 48, 40)))
    series_pack.write(folder / "one.js", series_pack.of_volume(read_volume(folder / "series")), "one")
    series_pack.write(folder / "gone.js", series_pack.unreadable("the series folder does not exist."), "gone")
    assets.write(folder)
    (folder / "index.html").write_text(PAGE, encoding="utf-8")
    (folder / "page.js").write_text(SCRIPT, encoding="utf-8")
    (folder / "page.css").write_text(STYLE, encoding="utf-8")
    return folder


@pytest.fixture
def page(chromium, folder):
    page = chromium.open(folder / "index.html")
    browser_pages.until(page, "seen.length > 0")
    yield page
    page.context.close()


def state(page) -> list:
    return page.evaluate("[viewer.slice, viewer.zoom > 1, viewer.white - viewer.black, viewer.white + viewer.black]")


def test_keys_and_wheel_scroll_the_slices(page):
    assert state(page)[0] == 3
    canvas = page.locator("canvas")
    canvas.press("ArrowDown")
    assert state(page)[0] == 4
    browser_pages.until(page, "seen.includes(4)")
    assert canvas.get_attribute("aria-valuetext") == "5 of 7, 4 mm to R of the centre slice"
    canvas.press("End")
    canvas.press("ArrowDown")
    assert state(page)[0] == 6
    canvas.press("Home")
    assert state(page)[0] == 0
    canvas.hover()
    page.mouse.wheel(0, 100)
    browser_pages.until(page, "viewer.slice === 1")


def test_slices_differ_and_a_slice_comes_back_as_it_was(page):
    first = picture(page)
    page.locator("canvas").press("ArrowDown")
    browser_pages.until(page, "seen.includes(4)")
    assert not same(picture(page), first)
    page.locator("canvas").press("ArrowUp")
    browser_pages.until(page, "seen.filter((slice) => slice === 3).length > 1")
    assert same(picture(page), first)


def test_window_zoom_and_reset(page):
    before = state(page)
    page.locator("canvas").press(".")
    assert state(page)[3] < before[3]
    page.locator("canvas").press("<")
    assert state(page)[2] > before[2]
    page.get_by_role("button", name="Larger").click()
    assert state(page)[1]
    page.get_by_role("button", name="Window, zoom").click()
    assert state(page) == before
    canvas = page.locator("canvas")
    canvas.hover()
    page.mouse.down()
    page.mouse.move(700, 500)
    page.mouse.up()
    assert state(page)[2:] != before[2:]


def test_layers_come_by_a_call_of_their_own(page):
    plain = picture(page)
    assert page.locator(".lstv-layers input").count() == 0
    page.evaluate(LAYERS)
    marked = picture(page)
    assert not same(marked, plain)
    page.get_by_label("L5/S1").uncheck()
    page.get_by_label("Points, names and marks").uncheck()
    assert same(picture(page), plain)
    page.get_by_label("Points, names and marks").check()
    page.get_by_label("L5/S1").check()
    assert same(picture(page), marked)
    page.evaluate("viewer.layers(null)")
    assert same(picture(page), plain) and page.locator(".lstv-layers input").count() == 0


def test_all_slices_are_decoded_ahead(page):
    page.evaluate("lstv.decode(pack)")
    page.locator("canvas").press("End")
    browser_pages.until(page, "seen.includes(6)")


def test_reason_stands_in_place_of_the_picture(page):
    page.evaluate("lstv.load('gone.js', 'gone').then((pack) => viewer.show(pack))")
    page.get_by_text("The series cannot be shown: the series folder does not exist.").wait_for()
    assert not page.locator("canvas").is_visible()


def test_file_of_another_study_is_told(page):
    said = page.evaluate("lstv.load('gone.js', 'two').catch((error) => error.message)")
    assert said == "The series file is not of this study; copy the whole folder again."


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_stands_against_accessibility(chromium, folder, width, scheme):
    page = chromium.open(folder / "index.html", width=width, color_scheme=scheme)
    browser_pages.until(page, "seen.length > 0")
    page.evaluate(LAYERS)
    assert browser_pages.violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.context.close()
