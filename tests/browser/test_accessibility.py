"""Report and evaluation page for everybody: axe-core finds nothing; on a phone, in the dark, by keys and on paper."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import evaluate
import evaluation_page
import report_inputs
from lstv.ranking.table_columns import read_cohort_table
from lstv.report.build import build

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found: the pages are not looked at"),
]

PAGES = ("report.html", "evaluation/evaluation.html")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A report and the page of its evaluation, made from one cohort."""
    files = report_inputs.make(tmp_path_factory.mktemp("pages"), ok=14, drawn=8)
    build(**files.arguments(), evaluation="evaluation/evaluation.html")
    rows = [row for row in read_cohort_table(files.table) if row["status"] == "ok"]
    labels = files.folder / "labels.csv"
    lines = [f"{row['study_id']},{n % 2},{reader}" for n, row in enumerate(rows) for reader in ("AB", "CD")]
    labels.write_text("\n".join(["study_id,label,reader", *lines, ""]), encoding="utf-8")
    out = files.folder / "evaluation"
    out.mkdir()
    arguments = ["--table", files.table, "--labels", labels, "--out", out / "e.json", "--csv", out / "metrics.csv"]
    assert evaluate.main([*map(str, arguments), "--replicates", "100"]) == 0
    arguments = ["--evaluation", out / "e.json", "--report", "../report.html", "--out", out / "evaluation.html"]
    assert evaluation_page.main(list(map(str, arguments))) == 0
    return files.folder


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    with playwright.sync_playwright() as running:
        # --no-sandbox because containers run as root
        opened = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def opened(browser, folder):
    """Open a page as someone has it; the page, and what the console said."""
    contexts = []

    def made(name: str, width: int = 1440, **options: object) -> tuple[playwright.Page, list[str]]:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page, said = context.new_page(), []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto((folder / name).as_uri())
        return page, said

    yield made
    for context in contexts:
        context.close()


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (1440, "dark"), (320, "light")])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(opened, name, width, scheme):
    # axe is put into the page by the test, which the page's own policy rightly refuses
    page, _ = opened(name, width, color_scheme=scheme, bypass_csp=True)
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    found = axe.Axe().run(page).response["violations"]
    assert [(each["id"], [node["html"][:200] for node in each["nodes"][:3]]) for each in found] == []


@pytest.mark.parametrize("name", PAGES)
def test_no_width_scrolls_sideways_and_the_policy_refuses_nothing_of_the_page(opened, name):
    for width in (320, 1024, 1920):
        page, said = opened(name, width)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert said == []


def test_the_report_leads_to_the_evaluation_and_back(opened):
    page, _ = opened("report.html")
    page.locator("nav a", has_text="Evaluation").click()
    assert page.title().startswith("Evaluation") and page.url.endswith("evaluation/evaluation.html")
    page.locator("a", has_text="Report").first.click()
    assert page.url.endswith("report.html")


def test_a_point_of_a_plot_says_its_study_and_leads_to_it(opened):
    page, _ = opened("report.html")
    point = page.locator("#distributions a").first
    name = point.get_attribute("aria-label").split(":")[0]
    target = point.get_attribute("href")
    point.locator("circle").dispatch_event("click")
    if target.startswith("#"):
        assert name in page.locator(f"[id='{target[1:]}']").inner_text()
    else:
        assert name in target


def test_the_tab_key_goes_from_the_skip_link_through_the_page_in_order(opened):
    page, _ = opened("evaluation/evaluation.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    heights = []
    for _ in range(25):
        page.keyboard.press("Tab")
        top = page.evaluate("document.activeElement.getBoundingClientRect().top + scrollY")
        inside = page.evaluate(
            "Boolean(document.activeElement.closest('main')) && !document.activeElement.closest('svg')"
        )
        heights += [top] if inside else []
    assert len(heights) > 5 and all(later >= before - 60 for before, later in zip(heights, heights[1:]))


def test_paper_has_every_row_of_the_evaluation(opened):
    page, _ = opened("evaluation/evaluation.html")
    rows = page.locator("#metrics tbody tr")
    on_screen = rows.evaluate_all("(rows) => rows.map((row) => !row.hidden)")
    assert len(on_screen) > 25 and not all(on_screen)  # more than one screen of the table
    page.emulate_media(media="print")
    shown = rows.evaluate_all("(rows) => rows.filter((row) => getComputedStyle(row).display === 'table-row').length")
    assert shown == len(on_screen)
