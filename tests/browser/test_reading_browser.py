"""A blinded reading in headless Chromium: by keys, kept over a reload, saved as the label file that the evaluation takes."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil

import pytest

import browser_pages
import evaluate
import reading_cases
from lstv.base import atomic
from lstv.cohort.labels import read_labels
from lstv.review import label_rows
from lstv.review.store import VerdictStore

pytestmark = browser_pages.MARKS

COUNT = 12
KEYS = {"normal": "n", "fused": "s3b", "joint": "l2r"}
TRUTH = [
    "fused",
    "normal",
    "joint",
    "normal",
    "fused",
    "normal",
    "joint",
    "normal",
    "fused",
    "normal",
    "normal",
    "joint",
]


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return reading_cases.make(tmp_path_factory.mktemp("reading"), COUNT)


@pytest.fixture
def page(chromium, cases):
    page = chromium.open(cases.bundle / "index.html")
    yield page
    page.context.close()


def begin(page, name="AB"):
    page.fill("#reader", name)
    page.press("#reader", "Enter")


def at(page, number: int):
    """Wait until that case is drawn."""
    page.wait_for_selector(f"#desk[data-case='{number}']")


def press(page, keys: str):
    for key in keys:
        page.keyboard.press(key)


def read(page, keys: str, following: int | None):
    press(page, keys)
    page.keyboard.press("Enter")
    if following:
        at(page, following)


def saved(page) -> str:
    with page.expect_download() as download:
        page.locator("button.save:visible").first.click()
    assert download.value.suggested_filename == "labels.csv"
    with open(download.value.path(), encoding="utf-8", newline="") as stream:
        return stream.read()


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def unfold(page):
    page.click("summary:has-text('Save, go on')")


def said(page) -> str:
    return page.locator("#said").inner_text()


def test_three_cases_by_keys_and_found_again_after_a_reload(page, cases):
    begin(page)
    at(page, 1)
    read(page, "n", 2)
    read(page, "s3bvvdqcc", 3)
    press(page, "om")
    page.keyboard.type("odd, with a block")
    page.keyboard.press("Enter")
    at(page, 4)
    page.reload()
    begin(page, " ab ")
    assert "AB has read 3 of these 12 cases here" in page.locator("#start-said").inner_text()
    page.click("#begin")
    at(page, 4)
    assert page.locator("#done").inner_text() == "3 of 14 read"
    unfold(page)
    found = rows(saved(page))
    assert [(row["study_id"], row["label"], row["castellvi"]) for row in found] == [
        (cases.in_order[0], "normal", "none"),
        (cases.in_order[1], "lstv", "IIIb"),
        (cases.in_order[2], "unclear", ""),
    ]
    given = [found[1][name] for name in ("lumbar_vertebrae", "odriscoll", "quality", "confidence")]
    assert given == ["5", "1", "good", "moderate"]
    assert found[2]["comment"] == "odd, with a block" and {row["reader"] for row in found} == {"AB"}


def test_all_cases_then_a_tenth_again_and_the_evaluation_of_it(page, cases, tmp_path):
    begin(page)
    at(page, 1)
    for number, kind in enumerate(TRUTH, start=1):
        assert page.locator("[aria-pressed=true]").count() == 0
        read(page, KEYS[kind], number + 1)
    assert "second time" in said(page)
    page.keyboard.press("ArrowLeft")
    assert "closed" in said(page)
    assert page.locator("[aria-pressed=true]").count() == 0
    read(page, "n", 14)
    press(page, "n")
    page.keyboard.press("Enter")
    page.wait_for_selector("#end:not([hidden])")
    text = saved(page)
    found = rows(text)
    assert [row["repeat"] for row in found] == ["0"] * 12 + ["1"] * 2
    assert len({row["study_id"] for row in found[12:]}) == 2
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
    shutil.copy(cases.folder / "table.csv", tmp_path / "table.csv")
    files = {"--table": "table.csv", "--labels": "labels.csv", "--out": "e.json", "--csv": "e.csv"}
    arguments = [part for option, name in files.items() for part in (option, str(tmp_path / name))]
    assert evaluate.main([*arguments, "--queue", str(cases.folder / "queue.json"), "--replicates", "50"]) == 0
    record = json.loads((tmp_path / "e.json").read_text())
    assert record["status"] == "ok"
    assert (record["labels"]["positive"], record["labels"]["negative"]) == (6, 6)
    assert record["labels"]["has_weights"] and record["labels"]["queue"] == cases.queue["digest"]
    assert record["labels"]["agreement_with_oneself"][0]["studies"] == 2


def test_the_browsers_file_is_that_of_the_store(page, cases, tmp_path):
    """One set of answers by the page and by the library: the same bytes, but for time and seconds."""
    given = [
        ("n", {"verdict": "normal"}),
        ("s1e", {"verdict": "sacralization", "castellvi": "I", "side": "left"}),
        ("l4b", {"verdict": "lumbarization", "castellvi": "IV", "side": "both"}),
        ("o3", {"verdict": "other", "castellvi": "III"}),
        ("ur", {"verdict": "cannot_tell"}),
        ("s3n", {"verdict": "normal"}),
    ]
    comments = ['=SUM(A1), "x"', "-1.5", "-a", "größer; ja", "@x", ""]
    begin(page, "Jörg, B.")
    at(page, 1)
    store = VerdictStore(tmp_path / "store", cases.queue["digest"])
    for number, ((keys, answers), comment) in enumerate(zip(given, comments), start=1):
        press(page, keys)
        page.fill("#comment", comment)
        page.press("#comment", "Enter")
        at(page, number + 1)
        store.add("Jörg, B.", cases.in_order[number - 1], {**answers, "comment": comment})
    unfold(page)
    atomic.write_csv(tmp_path / "labels.csv", label_rows.COLUMNS, label_rows.of_store(store))

    def timeless(text: str) -> str:
        return re.sub(r"[\d-]{10}T[\d:.]+Z,[\d.]*", "TIME", text)

    assert timeless(saved(page)) == timeless((tmp_path / "labels.csv").read_text(encoding="utf-8"))
    assert len(read_labels(tmp_path / "labels.csv").readings) == 6


def test_undo_brings_the_case_and_its_answers_back(page):
    begin(page)
    at(page, 1)
    read(page, "s2e", 2)
    press(page, "z")
    at(page, 1)
    assert page.locator("[aria-pressed=true]").all_inner_texts()[0].startswith("Sacralization")
    assert page.locator("#done").inner_text() == "0 of 14 read"
    read(page, "n", 2)
    page.keyboard.press("ArrowLeft")
    at(page, 1)
    assert page.locator("[aria-pressed=true]").count() == 1 and page.locator("#state").inner_text() == "saved"
    press(page, "q")
    assert page.locator("#state").inner_text() == "changed, not saved"
    press(page, "zz")
    assert "no verdict to take back" in said(page)


def test_undo_is_of_the_verdict_that_this_window_shows(page):
    """Two windows of one reader: what the other one said of the same case meanwhile is not taken back unseen."""
    begin(page)
    at(page, 1)
    told = page.evaluate(
        """async () => {
          const one = lstv.browserSaver("q"), other = lstv.browserSaver("q"), said = { case: "case_001", repeat: 0 };
          const verdicts = () => lstv.standing(one.load("AB")).map((each) => each.answers);
          const first = one.add("AB", { ...said, answers: "normal" });
          await new Promise((later) => setTimeout(later, 5));
          const second = other.add("AB", { ...said, answers: "other", at: first.at });
          let refused = "";
          try { one.undo("AB", first); } catch (error) { refused = error.message; }
          const before = verdicts();
          one.undo("AB", second);
          return [refused, before.sort(), verdicts(), one.load("AB").length];
        }"""
    )
    assert "no longer your last one" in told[0]
    assert told[1:] == [["normal", "other"], ["normal"], 3]


def test_an_answer_has_to_fit(page):
    begin(page)
    at(page, 1)
    page.keyboard.press("Enter")
    assert "Choose a verdict first" in said(page)
    press(page, "3")
    assert "Castellvi type and a side belong to" in said(page)
    press(page, "s3n")
    assert page.locator("[aria-pressed=true]").count() == 1


def test_a_name_that_is_there_already_and_another_reader(page):
    begin(page)
    at(page, 1)
    read(page, "n", 2)
    page.reload()
    page.fill("#reader", "  ")
    page.press("#reader", "Enter")
    assert "Type your name" in page.locator("#start-said").inner_text()
    begin(page, "ab")
    page.fill("#reader", "CD")
    page.press("#reader", "Enter")
    at(page, 1)
    assert page.locator("#done").inner_text() == "0 of 14 read"


def test_labels_of_another_cohort_are_refused_and_nothing_is_lost(page, tmp_path):
    begin(page)
    at(page, 1)
    read(page, "n", 2)
    unfold(page)
    text = saved(page)
    (tmp_path / "other.csv").write_text(re.sub(r",[0-9a-f]{16},", ",0123456789abcdef,", text))
    (tmp_path / "none.csv").write_text("a,b\n1,2\n")
    for name, sentence in (("other.csv", "of another cohort"), ("none.csv", "not a labels.csv of this page")):
        page.set_input_files("#earlier", tmp_path / name)
        page.wait_for_selector(f"#said:has-text('{sentence}')")
        assert page.locator("#done").inner_text() == "1 of 14 read"


def test_a_reading_goes_on_in_another_browser_from_the_saved_file(chromium, cases, tmp_path):
    first = chromium.open(cases.bundle / "index.html")
    begin(first)
    at(first, 1)
    read(first, "s3b", 2)
    read(first, "n", 3)
    unfold(first)
    text = saved(first)
    first.context.close()
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
    second = chromium.open(cases.bundle / "index.html")
    begin(second)
    at(second, 1)
    unfold(second)
    second.set_input_files("#earlier", tmp_path / "labels.csv")
    at(second, 3)
    assert "2 verdicts were taken" in said(second)
    assert saved(second) == text
    second.context.close()


def test_rows_of_an_earlier_file_that_cannot_be_taken_are_counted_and_named(page, tmp_path):
    begin(page)
    at(page, 1)
    for number in (1, 2, 3):
        read(page, "n", number + 1)
    unfold(page)
    found = rows(saved(page))
    for row in found:
        row["read_at"] = "2999-01-01T00:00:00.000Z"
    found[1]["verdict"] = "perhaps"
    atomic.write_csv(tmp_path / "labels.csv", label_rows.COLUMNS, found)
    page.set_input_files("#earlier", tmp_path / "labels.csv")
    page.wait_for_selector("#said:has-text('verdicts were taken')")
    assert said(page).startswith("2 verdicts were taken from labels.csv; 0 were known here or newer. 1 left out")
    assert said(page).endswith("case_002.")


def test_a_browser_without_storage_says_so_and_goes_on(chromium, cases):
    context = chromium.open(cases.bundle / "index.html")
    context.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } })")
    context.reload()
    begin(context)
    at(context, 1)
    assert "keeps nothing once the page is closed: save labels.csv" in said(context)
    read(context, "n", 2)
    unfold(context)
    assert len(rows(saved(context))) == 1
    context.context.close()


def test_a_full_storage_says_so_and_keeps_the_answers(page):
    begin(page)
    at(page, 1)
    page.evaluate(
        "() => { Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }; }"
    )
    press(page, "s2")
    page.keyboard.press("Enter")
    page.wait_for_selector("#said:has-text('no room left')")
    assert page.locator("[aria-pressed=true]").count() == 2


def test_unblinding_comes_after_the_verdict_and_closes_it(page, cases, tmp_path):
    begin(page)
    at(page, 1)
    read(page, "n", 2)
    page.click("summary:has-text('Unblind')")
    (tmp_path / "other.json").write_text(json.dumps({**cases.queue, "digest": "0" * 16}))
    page.set_input_files("#key-file", tmp_path / "other.json")
    page.wait_for_selector("#said:has-text('another cohort')")
    page.set_input_files("#key-file", cases.folder / "queue.json")
    page.wait_for_selector("#said:has-text('Unblinded')")
    assert not page.locator("#known").is_visible()
    page.keyboard.press("ArrowLeft")
    at(page, 1)
    study = next(each for each in cases.queue["studies"] if each["study_id"] == cases.in_order[0])
    assert f"{study['score']}" in page.locator("#known").inner_text()
    press(page, "s")
    assert "stands as it was given" in said(page)
    page.keyboard.press("ArrowRight")
    at(page, 2)
    read(page, "n", 3)
    unfold(page)
    assert [row["blinded"] for row in rows(saved(page))] == ["yes", "no"]


def test_before_unblinding_no_element_names_what_is_blinded(page):
    begin(page)
    at(page, 1)
    text = page.locator("body").inner_html().lower()
    assert not [word for word in ("flagged", "score", "stratum", "heatmap", "rank ") if word in text]


@pytest.mark.parametrize("width", [320, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_stands_against_accessibility(chromium, cases, width, scheme):
    page = chromium.open(cases.bundle / "index.html", width=width, color_scheme=scheme)
    assert browser_pages.violations(page) == []
    begin(page)
    at(page, 1)
    press(page, "s2")
    unfold(page)
    assert browser_pages.violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.context.close()
