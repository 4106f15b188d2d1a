"""Study pages in headless Chromium, from a copied folder: opened, scrolled, heatmaps switched, the next study."""

from __future__ import annotations

import csv
import shutil

import pytest

import browser_pages
import page_inputs
import pages_index
import report_inputs
import study_pages
from lstv.report.build import build

pytestmark = browser_pages.MARKS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of the pages of a cohort whose images are gone since."""
    files = page_inputs.make(tmp_path_factory.mktemp("pages"), ok=10, failed=0, excluded=0, unselected=0, with_series=9)
    assert study_pages.main(page_inputs.arguments(files)) == 0
    assert pages_index.main(page_inputs.index_arguments(files)) == 0
    build(**files.arguments(pages=files.folder / "page_list.csv", pages_dir=files.folder / "pages"))
    copy = tmp_path_factory.mktemp("a copy, with blanks & signs #1")
    shutil.copytree(files.folder / "pages", copy / "pages")
    for name in ("page_list.csv", "report.html"):
        shutil.copy(files.folder / name, copy / name)
    shutil.rmtree(files.folder)
    return copy


@pytest.fixture(scope="module")
def order(folder):
    with open(folder / "page_list.csv", newline="", encoding="utf-8") as stream:
        return [(row["file"], bool(row["series"])) for row in csv.DictReader(stream)]


def drawn(page):
    """The picture, once it is drawn with all that belongs on it."""
    browser_pages.until(page, "document.querySelector('canvas').getAttribute('aria-busy') === 'false'")
    return browser_pages.picture(page)


def test_report_leads_to_the_series_of_a_study(chromium, folder, order):
    page = chromium.open(folder / "report.html", width=1440)
    link = page.get_by_role("link", name="Open the whole series").first
    link.click()
    page.wait_for_url("**/pages/studies/*.html")
    page.go_back()
    row = page.locator("#studies tbody tr").first.get_by_role("link")
    name = row.inner_text()
    row.click()
    page.wait_for_url(f"**/pages/studies/{name}.html")
    page.context.close()


def test_list_leads_to_a_study_and_the_study_to_the_next(chromium, folder, order):
    page = chromium.open(folder / "pages/index.html")
    first, second = (file for file, missing in order[:2])
    page.get_by_role("link", name=first, exact=True).click()
    page.wait_for_url(f"**/{first}.html")
    assert page.locator("h1").inner_text() == f"Study {first}"
    page.get_by_role("link", name="Next").click()
    page.wait_for_url(f"**/{second}.html")
    page.locator("h1").press("p")
    page.wait_for_url(f"**/{first}.html")
    page.context.close()


def test_series_scrolls_and_heatmaps_switch_off_and_stay_off(chromium, folder, order):
    here, after = next((a, b) for a, b in zip(order, order[1:]) if not a[1] and not b[1])
    page = chromium.open(folder / f"pages/studies/{here[0]}.html")
    with_heat = drawn(page)
    canvas = page.locator("canvas")
    assert canvas.evaluate("(element) => element === document.activeElement")
    assert canvas.get_attribute("aria-valuenow") == "3"
    page.keyboard.press("ArrowDown")
    browser_pages.until(page, "document.querySelector('canvas').getAttribute('aria-valuenow') === '4'")
    assert not browser_pages.same(drawn(page), with_heat)
    page.get_by_role("button", name="Slice 3, which the network saw").click()
    browser_pages.until(page, "document.querySelector('canvas').getAttribute('aria-valuenow') === '3'")
    assert browser_pages.same(drawn(page), with_heat)
    page.get_by_label("Heatmaps").uncheck()
    without = drawn(page)
    assert not browser_pages.same(without, with_heat)
    page.get_by_label("L4/L5").uncheck()
    assert not browser_pages.same(drawn(page), without)
    page.get_by_role("link", name="Next").click()
    page.wait_for_url(f"**/{after[0]}.html")
    drawn(page)
    assert not page.get_by_label("Heatmaps").is_checked() and not page.get_by_label("L4/L5").is_checked()
    assert page.get_by_label("L5/S1").is_checked()
    page.context.close()


def test_page_without_its_series_still_says_the_numbers(chromium, folder, order):
    (missing,) = (file for file, is_missing in order if is_missing)
    page = chromium.open(folder / f"pages/studies/{missing}.html")
    assert page.get_by_text("The series is not here.").is_visible()
    assert page.locator("canvas").count() == 0 and page.locator(".numbers").first.is_visible()
    assert browser_pages.violations(page) == []
    page.context.close()


@pytest.mark.parametrize("width, scheme", [(320, "light"), (390, "dark"), (1440, "light"), (1440, "dark")])
def test_pages_fit_and_nothing_stands_against_accessibility(chromium, folder, order, width, scheme):
    page = chromium.open(folder / f"pages/studies/{order[0][0]}.html", width=width, color_scheme=scheme)
    drawn(page)
    page.locator("details").last.evaluate("(element) => { element.open = true; }")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert browser_pages.violations(page) == []
    page.goto((folder / "pages/index.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert browser_pages.violations(page) == []
    page.context.close()


def test_picture_is_large_on_a_desk(chromium, folder, order):
    page = chromium.open(folder / f"pages/studies/{order[0][0]}.html", width=1440, height=900)
    box = page.locator("canvas").bounding_box()
    assert box["width"] >= 560 and box["height"] >= 560 and box["y"] + box["height"] < 900
    page.context.close()


def test_all_rows_of_a_long_table_come_and_go_when_asked_for(chromium, tmp_path):
    files = report_inputs.make(tmp_path, ok=900, failed=0, excluded=0, unselected=0, drawn=1, all_files=False)
    build(**files.arguments(top=1))
    page = chromium.open(tmp_path / "report.html")
    shown = "[...document.querySelectorAll('#studies tbody tr')].filter((row) => !row.hidden).length"
    buttons = page.locator("#studies").get_by_role("button")
    assert page.evaluate(shown) == 100
    buttons.filter(has_text="Show all").click()
    browser_pages.until(page, f"{shown} === 900")
    order = "[...document.querySelectorAll('#studies tbody tr')].slice(0, 900).map((row) => row.cells[1].textContent)"
    first = page.evaluate(order)
    buttons.filter(has_text="Show 100 at a time").click()
    assert page.evaluate(shown) == 100
    buttons.filter(has_text="Show all").click()
    buttons.filter(has_text="Show 100 at a time").click()  # before all have come
    page.wait_for_timeout(300)
    assert page.evaluate(shown) == 100 and page.evaluate(order) == first
    page.context.close()
