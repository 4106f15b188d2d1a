"""The report: numbers that add up, nothing from outside, no identity unless asked for, the same bytes every time."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import os
import re
import time
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import cv2
import h5py
import numpy as np
import pytest
from markupsafe import Markup

import build_report
import plot_study
import report_inputs
from lstv import uncertainty
from lstv.base.errors import UserError
from lstv.base.levels import GRID, LEVELS
from lstv.base.text import counted
from lstv.cohort import study_sheet
from lstv.dicom.geometry import SliceGeometry
from lstv.localizer import heatmap_file
from lstv.localizer.outcome import NotAnalysed
from lstv.ranking import cohort_table
from lstv.report import (
    accounting,
    brightness,
    candidates,
    formats,
    inputs,
    overlay,
    palette,
    provenance,
    reason_marks,
    standing_out,
    summaries,
    templating,
    wording,
)
from lstv.report.build import build
from lstv.report.content import thresholds_of
from lstv.report.directions import edge_letters
from lstv.uncertainty import flags, study_record


class Page(HTMLParser):
    """What the tests ask of a page: tags with attributes, ids, text of each section, nesting."""

    VOID = {"meta", "link", "input", "br", "img", "image", "path", "use", "circle", "rect", "wbr", "line"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.problems: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag in self.VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return report_inputs.make(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def made(files):
    content = build(**files.arguments())
    text = (files.folder / "report.html").read_text(encoding="utf-8")
    return content, text, Page(text)


@pytest.fixture
def no_figures(monkeypatch):
    """For tests of the words: the figures take most of the time."""
    monkeypatch.setattr("lstv.report.build.plots.draw", lambda *_: [])


# --- the page -------------------------------------------------------------------------------------------------------


def test_page_is_well_formed_and_accessible(made):
    _, text, page = made
    assert text.startswith("<!doctype html>")
    assert page.problems == [] and page.open == []
    assert page.all("html")[0]["lang"] == "en-GB"
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for name in ("header", "nav", "main", "footer"):
        assert page.all(name), name
    assert len(page.all("h1")) == 1
    assert text.count("<caption") == len(page.all("table"))
    for drawing in page.all("svg"):
        if drawing.get("aria-hidden") == "true":
            continue
        # a plot's points are links, which an image must not hold
        assert drawing.get("role") == ("group" if drawing.get("class") == "chart" else "img")
        assert drawing.get("aria-label") or drawing.get("aria-labelledby")
    for attributes in (a for _, a in page.tags):
        for name in attributes.get("aria-labelledby", "").split():
            assert name in ids
        if attributes.get("href", "").startswith("#"):
            assert attributes["href"][1:] in ids
    regions = [a["aria-labelledby"] for a in page.all("section")]
    assert len(set(regions)) == len(regions) and not any(a.get("role") == "region" for _, a in page.tags)
    before_header = text[text.index("<body>") : text.index("<header>")]
    assert Page(before_header).words == "Skip to the content"  # all else is inside a landmark
    headings = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(later - earlier <= 1 for earlier, later in zip(headings, headings[1:]))


def test_page_asks_for_nothing_from_outside(made):
    _, text, page = made
    head = text[: text.index("</style>")]
    assert not re.search(r"https?:|//[a-z]", re.sub(r"sha256-[\w+/=]+", "", head))
    for tag, attributes in page.tags:
        for name in ("src", "href", "xlink:href", "action", "srcset", "data", "poster"):
            value = attributes.get(name, "")
            assert not re.match(r"(?i)(https?:|ftp:|//|/|file:)", value), (tag, value)
    assert not re.search(r"@import|url\((?!#)|fetch\(|XMLHttpRequest|import\(", text)
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    for kind, pattern in (("script-src", r"<script>(.*?)</script>"), ("style-src", r"<style>(.*?)</style>")):
        used = {
            f"'sha256-{base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()}'"
            for part in re.findall(pattern, text, re.DOTALL)
        }
        assert used and set(directives[kind].split()) == used


def test_links_lead_to_files_beside_the_page(files, made):
    _, _, page = made
    linked = [a["href"] for a in page.all("a") if not a["href"].startswith("#")]
    assert files.table.name in linked and any(name.startswith("studies/") for name in linked)
    assert all((files.folder / name).is_file() for name in linked)


def test_research_banner_and_demo_notice(files, made, tmp_path, no_figures):
    _, _, page = made
    assert page.words.index("Research use only. Not a diagnosis.") < 100
    assert "Demo weights, synthetic phantoms: the numbers mean nothing clinically" in page.words
    real = report_inputs.make(tmp_path, ok=3, drawn=3, run=report_inputs.RUN | {"demo_weights": False})
    build(**real.arguments())
    assert "Demo weights, synthetic phantoms" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_same_input_gives_the_same_bytes(files, made, tmp_path):
    first = (files.folder / "report.html").read_bytes()
    arguments = files.arguments(out=files.folder / "again.html")
    arguments["studies"] = arguments["studies"][::-1]
    build(**arguments)
    assert (files.folder / "again.html").read_bytes() == first


# --- what it counts -------------------------------------------------------------------------------------------------


def test_every_study_is_counted_once(made):
    content, _, page = made
    counts = content["counts"]
    assert (counts["entered"], counts["ok"], counts["failed"], counts["excluded"], counts["not_selected"]) == (
        28,
        20,
        2,
        1,
        5,
    )
    assert sum(stratum["n"] for stratum in content["strata"]) == counts["ok"] == len(content["rows"])
    assert sum(group["n"] for group in content["reasons"]) == counts["failed"] + counts["excluded"]
    assert "28 entered = 20 analysed + 2 failed + 1 excluded + 5 not selected" in page.words
    groups = ("stands_out", "usual", "localizer", "quality")
    assert sum(counts[name] for name in groups) == counts["ok"]
    by_title = Counter(row["group"] for row in content["rows"])
    assert by_title["Stands out"] == counts["stands_out"] and by_title["Nothing unusual"] == counts["usual"] > 0
    for level in range(len(LEVELS)):
        assert content["levels"]["found"][level] + content["levels"]["not_found"][level] == counts["ok"]


def test_only_a_study_with_a_reason_of_its_own_stands_out(files, made):
    content, _, page = made
    shown = [card["study_id"] for card in content["candidates"]]
    rows = {row["study_id"]: row for row in inputs.read_table(files.table).to_dict("records")}
    wanted = [
        study_id
        for study_id, row in rows.items()
        if row["rank_group"] in ("not_found", "scored") and row["quality"] == "ok" and row["reasons"]
    ]
    assert 1 < len(wanted) < 12 and sorted(shown) == sorted(wanted)
    ranks = [rows[study_id]["rank"] for study_id in shown]
    assert ranks == sorted(ranks)
    assert content["counts"]["quality"] == len(content["quality"]) == 0
    assert content["n_standing"] == len(wanted)
    assert "No further study stands out." in page.words
    assert all(row["why"] == "" for row in content["rows"] if row["group"] == "Nothing unusual")


@pytest.mark.slow
def test_first_screen_shows_five_at_most_and_names_what_follows(tmp_path, no_figures):
    files = report_inputs.make(tmp_path, ok=80, drawn=16)
    content = build(**files.arguments())
    first = content["first"]
    assert len(first["cards"]) == 5 and first["more"] == content["n_standing"] - 5 > 0
    words = Page((tmp_path / "report.html").read_text(encoding="utf-8")).words
    assert f"{first['more']} more studies have a reason of their own" in words


def test_first_screen_says_what_was_run_and_when(files, no_figures, tmp_path):
    table = tmp_path / "lstv_uncertainty_metrics.csv"
    table.write_bytes(files.table.read_bytes())
    os.utime(table, (1_700_000_000, 1_700_000_000))
    build(**files.arguments(table=table, out=tmp_path / "report.html", cohort="spring <1>"))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Cohort <b>spring &lt;1&gt;</b> · 14 November 2023 · lstv-uncertainty 0.1.0" in text
    words = Page(text).words
    assert words.index("What failed") < words.index("What to do next") < words.index("Outline: probability 0.5")


@pytest.mark.parametrize(("failed", "heading"), [(0, "What was left out"), (1, "What failed")])
def test_studies_left_out_are_not_called_failed(tmp_path, no_figures, failed, heading):
    files = report_inputs.make(tmp_path, ok=1, failed=failed, excluded=2, unselected=0)
    build(**files.arguments())
    words = Page((tmp_path / "report.html").read_text(encoding="utf-8")).words
    assert [text for text in ("What was left out", "What failed") if text in words] == [heading]


@pytest.mark.parametrize("counts", [{"failed": 1, "excluded": 0}, {"failed": 0, "excluded": 1}])
def test_one_study_is_not_called_studies(tmp_path, no_figures, counts):
    files = report_inputs.make(tmp_path, ok=1, unselected=1, **counts)
    build(**files.arguments())
    words = Page((tmp_path / "report.html").read_text(encoding="utf-8")).words
    assert re.findall(r"(?<![\d,.] )(?<![\d,.])1 (?:[a-z]+ )?(?:studies|reasons)\b.{0,20}", words) == []
    assert "1 study with a reason of its own" in words and "1 study failed or excluded" in words
    assert [counted(n, "labelled study") for n in (1, 1975)] == ["1 labelled study", "1,975 labelled studies"]


def test_studies_alike_share_a_place():
    rows = [{"study_id": name, "rank": rank} for name, rank in (("a", 1), ("b", 2), ("c", 2), ("d", 4), ("e", None))]
    places = standing_out.places(rows)
    assert [places[name]["text"] for name in "abcde"] == ["1", "2 =", "2 =", "4", "–"]
    assert [places[name]["shared"] for name in "abcde"] == [1, 2, 2, 1, 1]
    cards = [{"place": places[name]} for name in "ab"]
    assert standing_out.first_screen(cards, 4) == {"cards": cards, "more": 2, "tied": 1}
    assert standing_out.first_screen([], 0) == {"cards": [], "more": 0, "tied": 0}


def test_no_study_stands_out_where_none_has_a_reason(files, tmp_path, no_figures):
    frame = inputs.read_table(files.table)
    ok = frame["status"] == "ok"
    frame.loc[ok, ["reasons", "rank_group", "rank", "score"]] = ["", "scored", 1, 0.0]
    frame.to_csv(tmp_path / "table.csv", index=False)
    content = build(**files.arguments(table=tmp_path / "table.csv", out=tmp_path / "report.html"))
    assert content["candidates"] == [] and content["counts"]["usual"] == 20
    assert "No study stands out." in Page((tmp_path / "report.html").read_text(encoding="utf-8")).words


def test_those_to_look_at_for_the_localizer_are_listed_apart_with_their_reason(made):
    content, _, page = made
    shown = [card["study_id"] for card in content["candidates"]]
    cropped = [card["study_id"] for card in content["localizer_cards"]]
    assert cropped and not set(cropped) & set(shown)
    assert content["counts"]["localizer"] == len(cropped) == len(content["localizer"])
    assert all("The picture ends less than a vertebra" in row["why"] for row in content["localizer"])
    assert "Look at the localizer" in page.words


def test_a_level_that_was_not_found_has_no_entropy(made):
    content, _, page = made
    lost = next(card for card in content["candidates"] if "L5/S1" in card["not_found"])
    assert {"label": "L5/S1 entropy", "value": "–", "unit": "", "note": ""} in lost["facts"] + lost["more_facts"]
    assert all(len(card["facts"]) <= 5 for card in content["candidates"])
    line = next(row for row in content["rows"] if row["name"] == lost["name"])
    assert line["entropy"][4] is None and line["found"] == 4
    assert "Found: L1/L2, L2/L3, L3/L4, L4/L5. Not found: L5/S1." in str(page.tags)


@pytest.mark.slow
def test_studies_that_the_point_net_was_trained_on_are_marked(files, made, tmp_path, no_figures):
    content, _, page = made
    table = inputs.read_table(files.table)
    trained = list(table[(table["split"] == "train") & (table["status"] == "ok")]["study_id"])
    assert trained and content["counts"]["training"] == len(trained)
    assert [row["name"] for row in content["rows"] if wording.TRAINING in row["notes"]] == trained
    assert wording.TRAINING in page.words
    assert "1 of the analysed studies was used to train the point net; its uncertainty is not that of" in page.words
    assert "not recorded whether" not in page.words  # the demo's phantoms trained no published network

    real = report_inputs.make(tmp_path, ok=3, drawn=3, run=report_inputs.RUN | {"demo_weights": False})
    table = tmp_path / "lstv_uncertainty_metrics.csv"
    for split, said in (("train", True), ("validation", False)):
        frame = inputs.read_table(table).assign(split=split)
        frame.to_csv(table, index=False)
        content = build(**real.arguments())
        assert all((wording.TRAINING in row["notes"]) == said for row in content["rows"])
        text = (tmp_path / "report.html").read_text(encoding="utf-8")
        assert ("were used to train the point net" in text) == said
        assert "not recorded whether" not in text
    inputs.read_table(table).assign(split="unknown").to_csv(table, index=False)
    build(**real.arguments())
    words = Page((tmp_path / "report.html").read_text(encoding="utf-8")).words
    assert "Of all analysed studies it is not recorded whether the point net was trained on them" in words


@pytest.mark.slow
def test_what_the_ranking_does_not_count_is_noted_in_its_own_capitals(tmp_path, no_figures):
    made = report_inputs.make(tmp_path, ok=3, drawn=3)
    said = "the L5/S1 response, because the column leaves the slices"
    inputs.read_table(made.table).assign(not_counted=said).to_csv(made.table, index=False)
    content = build(**made.arguments())
    for name in ("rows", "candidates"):
        assert content[name] and all(f"not counted: {said}" in entry["notes"] for entry in content[name]), name
    assert f"Not counted: {said}." in Page((tmp_path / "report.html").read_text(encoding="utf-8")).words


def test_a_table_of_an_earlier_version_does_not_say_what_is_not_counted(files, tmp_path):
    table = tmp_path / "table.csv"
    inputs.read_table(files.table).drop(columns="not_counted").to_csv(table, index=False)
    assert set(inputs.read_table(table)["not_counted"]) == {""}


@pytest.mark.slow
def test_a_series_that_the_user_chose_is_noted(tmp_path, no_figures):
    made = report_inputs.make(tmp_path, ok=3, drawn=3)
    rows = [
        replace(row, reason=study_sheet.CHOSEN_BY_USER) if row.use == "yes" else row
        for row in study_sheet.read_sheet(made.sheet)
    ]
    before = build(**made.arguments())
    study_sheet.write_sheet(rows, made.sheet)
    after = build(**made.arguments())
    for name in ("rows", "candidates"):
        assert not any(wording.OWN_CHOICE in entry["notes"] for entry in before[name])
        assert after[name] and all(wording.OWN_CHOICE in entry["notes"] for entry in after[name]), name
    assert wording.OWN_CHOICE in Page((tmp_path / "report.html").read_text(encoding="utf-8")).words


def test_reasons_are_those_of_the_table(files, made):
    content, _, _ = made
    row = inputs.read_table(files.table).set_index("study_id").loc[content["candidates"][1]["study_id"]]
    card = content["candidates"][1]
    assert [r.lower() for r in card["reasons"] + card["more_reasons"]] == row["reasons"].lower().split("; ")
    assert all(
        card["reasons"] and "nan" not in " ".join(card["reasons"]).lower().split() for card in content["candidates"]
    )


def test_what_second_readers_say_is_on_the_card(files, made, tmp_path, no_figures):
    first = made[0]["candidates"][0]["study_id"]
    with open(files.table, newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    said = "SPINEPS counts six lumbar vertebrae; the point net's L5/S1 lies on its L6/S1"
    cells = {"second_reader_words": said, "spineps_status": "ok", "totalspineseg_status": "failed"}
    rows = [row | (cells if row["study_id"] == first else dict.fromkeys(cells, "")) for row in rows]
    with open(tmp_path / "table.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    out = tmp_path / "report.html"
    content = build(**files.arguments(table=tmp_path / "table.csv", out=out))
    cards = {card["study_id"]: card["second_readers"] for card in content["candidates"]}
    assert cards.pop(first) == [
        "SPINEPS counts six lumbar vertebrae",
        "the point net's L5/S1 lies on its L6/S1",
        "TotalSpineSeg has no mask that can be used",
    ]
    assert set(map(tuple, cards.values())) == {()}
    words = Page(out.read_text(encoding="utf-8")).words
    assert words.count("Second readers of the numbering") == 1 and "SPINEPS counts six lumbar vertebrae" in words


def test_second_readers_that_agree():
    row = {"second_reader_words": "", "spineps_status": "ok", "spineps_offset": 0.0, "totalspineseg_status": "ok"}
    assert candidates.second_readers(row | {"totalspineseg_offset": float("nan")}) == [
        "SPINEPS names the discs as the point net does",
        "TotalSpineSeg cannot be compared",
    ]
    assert candidates.second_readers({}) == []


def test_median_and_quartiles_by_hand():
    spread = summaries.quartiles(summaries.pandas.Series([1.0, 2.0, 3.0, 4.0]))
    assert spread == {"n": 4, "median": 2.5, "q1": 1.75, "q3": 3.25}
    assert summaries.quartiles(summaries.pandas.Series(dtype=float))["median"] is None


def test_area_explains_the_entropy_where_it_is_its_logarithm():
    frame = summaries.pandas.DataFrame(
        {"l5_s1_confidence": [0.9] * 4 + [0.1], "l5_s1_area_px": [100, 130, 150, 200, 1]}
    )
    frame["l5_s1_entropy"] = np.log(frame["l5_s1_area_px"]) + 0.1
    relation = summaries.area_relation(frame, "l5_s1")
    assert relation["r2"] == pytest.approx(1.0) and len(relation["area"]) == 4
    assert summaries.area_relation(frame.drop(columns="l5_s1_area_px"), "l5_s1") is None


def test_thresholds_are_those_that_were_used():
    used = [{"provenance": {"risk_high": 5.2, "risk_moderate": 4.9}}] * 2
    assert thresholds_of({"metrics": {"entropy_high": 9}}, used) == {"high": 5.2, "moderate": 4.9}
    assert thresholds_of({"metrics": {"entropy_high": 5.5}}, []) == {"high": 5.5, "moderate": 4.0}
    with pytest.raises(UserError, match="different thresholds"):
        thresholds_of({}, [*used, {"provenance": {"risk_high": 5.0, "risk_moderate": 4.0}}])


def test_the_rule_beside_what_stands_out():
    rows = [{"study_id": str(n), "risk": "high" if n < 3 else "low"} for n in range(20)]
    group = {str(n): standing_out.STANDS_OUT if n in (0, 5) else standing_out.USUAL for n in range(20)}
    both = standing_out.strata_by_group(rows, group)
    assert both["rows"][0]["counts"] == [1, 2, 0, 0] and both["rows"][2]["counts"] == [1, 16, 0, 0]
    assert (both["standing"], both["high"]) == (2, 1)


# --- identity -------------------------------------------------------------------------------------------------------


def test_hidden_ids_are_nowhere(files, no_figures):
    out = files.folder / "hidden.html"
    build(**files.arguments(out=out, show_ids=False))
    text = out.read_text(encoding="utf-8")
    for row in study_sheet.read_sheet(files.sheet):
        assert row.study_id not in text and row.series_id not in text
    assert "HOPE" not in text and "line 2" in text
    assert files.table.name in text


def test_paths_are_in_no_report(made):
    _, text, _ = made
    assert "HOPE" not in text and "/data" not in text


def test_equal_reasons_are_one_group():
    frame = summaries.pandas.DataFrame(
        {
            "study_id": ["11", "12", "13"],
            "series_id": ["7", "8", "9"],
            "status": ["failed"] * 3,
            "reason": ["3 files of study 11 in /a/b/x.dcm", "4 files of study 12 in /a/c/x.dcm", "blank L5/S1"],
        }
    )
    sheet = {str(i): study_sheet.Row(str(i)) for i in (11, 12, 13)}
    groups, more = accounting.grouped_reasons(frame, sheet, accounting.Names(True, {}))
    assert more == 0
    assert [(g["n"], g["reason"]) for g in groups] == [
        (2, "for example: 3 files of study … in x.dcm"),
        (1, "blank L5/S1"),
    ]


def test_text_from_outside_is_escaped(tmp_path, no_figures):
    files = report_inputs.make(tmp_path, ok=2, drawn=2)
    text = files.table.read_text(encoding="utf-8")
    files.table.write_text(text.replace("no series is called", "<script>alert(1)</script>"), encoding="utf-8")
    build(**files.arguments(title="<img src=x onerror=alert(1)> & co"))
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in report and "&lt;script&gt;alert" in report and "<img" not in report


def test_settings_show_no_paths():
    rows = provenance.settings_rows(
        {
            "source": {"path": "/home/x/cohort"},
            "localizer": {"sha256": None, "checkpoint": "/home/x/net.pth"},
            "a": [1, 2],
        }
    )
    assert rows == [{"label": "a", "value": "1, 2"}, {"label": "localizer.checkpoint", "value": "net.pth"}]


# --- corners --------------------------------------------------------------------------------------------------------


def test_a_cohort_in_which_nothing_worked(tmp_path):
    files = report_inputs.make(tmp_path, ok=0, failed=3, drawn=0)
    content = build(**files.arguments())
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert content["candidates"] == [] and page.problems == []
    assert "No study could be analysed" in page.words and "Nothing to draw" in page.words


def test_one_study(tmp_path):
    files = report_inputs.make(tmp_path, ok=1, failed=0, excluded=0, unselected=0)
    build(**files.arguments())
    assert "1 entered = 1 analysed" in Page((tmp_path / "report.html").read_text(encoding="utf-8")).words


def test_a_table_of_the_reference_columns_alone(files, tmp_path, no_figures):
    """Without rank, score, area and reasons: ordered by the L5/S1 entropy, the not found last, nothing invented."""
    frame = inputs.read_table(files.table)
    keep = [*inputs.REQUIRED, "series_id", "risk", "flags", "split"]
    frame[keep].to_csv(tmp_path / "table.csv", index=False)
    content = build(**files.arguments(table=tmp_path / "table.csv", out=tmp_path / "report.html", studies=[]))
    entropies = [row["entropy"][4] for row in content["rows"]]
    known = [value for value in entropies if value is not None]
    assert known == sorted(known, reverse=True) and entropies[len(known) :] == [None] * (len(entropies) - len(known))
    assert not content["combined"] and content["agreement"] is None
    assert "by descending L5/S1 entropy" in Page((tmp_path / "report.html").read_text(encoding="utf-8")).words


def test_sheet_and_table_of_different_runs_are_refused(files, tmp_path):
    rows = study_sheet.read_sheet(files.sheet)
    study_sheet.write_sheet(rows[:-1], tmp_path / "sheet.csv")
    with pytest.raises(UserError, match=rf"study {rows[-1].study_id}.*different runs"):
        build(**files.arguments(sheet=tmp_path / "sheet.csv", out=tmp_path / "report.html"))
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"study_id": "stranger"}'])
def test_a_wrong_metrics_file_is_named(files, tmp_path, content):
    wrong = tmp_path / "wrong.json"
    wrong.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"wrong\.json"):
        build(**files.arguments(studies=[wrong]))


def test_metrics_of_an_earlier_version_are_refused(files, tmp_path):
    """They do not say where the discs are, and a picture without discs would say that none was found."""
    document = next(d for d in (json.loads(path.read_text()) for path in files.studies) if d["status"] == "ok")
    del document["study"]["discs"]
    (tmp_path / "old.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(
        UserError, match=r"old\.json is of an earlier version, .* run study_metrics for this study again"
    ):
        build(**files.arguments(studies=[tmp_path / "old.json"]))


def test_a_table_without_a_column_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("study_id,status\n1,ok\n", encoding="utf-8")
    with pytest.raises(UserError, match="no column l1_l2_confidence"):
        inputs.read_table(tmp_path / "t.csv")


def test_heatmaps_are_found_in_whichever_file_holds_them(files, tmp_path):
    with heatmap_file.create(tmp_path / "42.h5", {}) as writer:
        writer.write(NotAnalysed("42", "failed", "x"))
    with h5py.File(files.heatmaps) as file:
        there = sorted(file)[0]
    found = inputs.locate([files.heatmaps, tmp_path / "42.h5"], ["42", there, "nowhere"])
    assert found == {"42": tmp_path / "42.h5", there: files.heatmaps}


@pytest.mark.slow
def test_five_thousand_studies_stay_light(tmp_path):
    files = report_inputs.make(tmp_path, ok=5000, failed=150, excluded=200, unselected=10, drawn=40, all_files=False)
    start = time.monotonic()
    content = build(**files.arguments(top=30))
    elapsed = time.monotonic() - start
    size = (tmp_path / "report.html").stat().st_size
    assert len(content["rows"]) == 5000 and len(content["candidates"]) == 30
    assert size < 5_000_000, size
    assert elapsed < 60, elapsed


# --- pictures -------------------------------------------------------------------------------------------------------


def test_heat_layer_is_clear_where_nothing_is_found():
    probability = np.zeros((5, GRID, GRID), np.float32)
    probability[4, 80, 90] = 1.0
    layer = overlay.heat_layer(probability)
    assert layer.shape == (GRID, GRID, 4) and layer.dtype == np.uint8
    assert tuple(layer[80, 90, :3]) == palette.rgb(palette.LEVEL_COLOURS["l5_s1"])
    assert layer[80, 90, 3] > 150 and np.count_nonzero(layer) <= 4


def test_a_capital_letter_leaves_the_others():
    template = templating.environment().from_string("{{ words | capital }}{{ nothing | capital }}{{ drawn | capital }}")
    assert template.render(words="no L5/S1 & SPINEPS", nothing="", drawn=Markup("a <b>C</b>")) == (
        "No L5/S1 &amp; SPINEPSA <b>C</b>"
    )


def test_a_number_has_its_unit_on_the_card_and_in_the_head_of_its_column(files):
    heads = [label for _, label, _ in candidates.headings()]
    assert "L5/S1 jumps from slice to slice (mm)" in heads and "L5/S1 response" in heads
    assert "Discs from first to last point" in heads, "the words say the unit"
    row = inputs.read_table(files.table).iloc[0].to_dict() | {"junction_jump": 9.84}
    card = candidates.card(row, None, lambda study_id: study_id, {"high": 5.0, "moderate": 4.0})
    shown = {fact["label"]: (fact["value"], fact["unit"]) for fact in [*card["facts"], *card["more_facts"]]}
    assert shown["L5/S1 jumps from slice to slice"] == ("9.8", "mm") and shown["L5/S1 response"][1] == ""


def test_a_number_and_its_per_cent_sign_stay_on_one_line():
    template = templating.environment().from_string("{{ words }} {{ drawn }}")
    shown = template.render(words="of 42 % < 50 %", drawn=Markup("<i>a % b</i>"))
    assert shown == "of 42\N{NO-BREAK SPACE}% &lt; 50\N{NO-BREAK SPACE}% <i>a % b</i>"


def placed(points: dict[str, list[float]]) -> dict:
    """A study's metrics of which only the points are there."""
    return {"levels": {level: {"point_px": points.get(level)} for level in LEVELS}}


def test_overlay_keeps_proportions_and_places_points(files):
    with h5py.File(files.heatmaps) as file:
        study_id = sorted(file)[-1]
    maps = heatmap_file.read_study(files.heatmaps, study_id)
    drawn = overlay.overlay(maps, placed({"l5_s1": [79.5, 79.5]}))
    # 400 rows of 0.75 mm over 384 columns of 0.7 mm
    assert drawn.height == pytest.approx(320 * (400 * 0.75) / (384 * 0.7), abs=0.1)
    mark = drawn.marks[4]
    assert mark.point == pytest.approx((160, drawn.height / 2), abs=0.1) and mark.junction
    assert drawn.marks[0].point is None and drawn.marks[0].outline
    crop = [float(number) for number in drawn.crop.split()]
    assert crop[3] == pytest.approx(1.1 * crop[2], abs=0.2)
    assert crop[0] < 160 < crop[0] + crop[2] and crop[1] < drawn.height / 2 < crop[1] + crop[3]
    assert drawn.letters == {"left": "A", "right": "P", "top": "S", "bottom": "I"}
    assert drawn.bar == pytest.approx(50 * 320 / (384 * 0.7), abs=0.1)


def test_names_of_levels_do_not_overlap(files):
    maps = heatmap_file.read_study(files.heatmaps, heatmap_file.study_ids(files.heatmaps)[-1])
    for points in (
        {"l1_l2": [80, 40], "l2_l3": [81, 41], "l3_l4": [80, 42], "l4_l5": [79, 100], "l5_s1": [80, 101]},
        {level: [80, 158] for level in LEVELS},
        {level: [80, 0] for level in LEVELS},
    ):
        drawn = overlay.overlay(maps, placed(points))
        rows = sorted(mark.text[1] for mark in drawn.marks)
        assert min(np.diff(rows)) >= overlay.LABEL_APART - 0.2 and rows[0] > 0 and rows[-1] < drawn.height
        assert any(mark.leader for mark in drawn.marks)


PLACED = {"l1_l2": (150.0, 40.0), "l2_l3": (150.0, 90.0), "l3_l4": (150.0, 140.0), "l4_l5": (150.0, 190.0)}
PLACED |= {"l5_s1": (150.0, 240.0)}


@pytest.mark.parametrize(
    ("reason", "rows"),
    [
        ("The L5/S1 response is 42 % of that of this patient's other levels", [240]),
        ("From L3/L4 to L4/L5 it is 1.9 times the usual distance a level", [165]),
        ("Six discs lie between L1/L2 and L5/S1, both counted", [140]),
        ("L2/L3 and L3/L4 were marked inside a vertebra", [90, 140]),
        ("The names fit one level up or down with a probability of 11 %", [140]),
        ("The picture ends less than a vertebra above the first disc", [8]),
        ("The picture ends less than a vertebra below the last disc", [292]),
        ("Quality: very low contrast", []),
        ("6 disc-like responses for 5 levels found", []),
    ],
)
def test_what_a_reason_speaks_of_is_marked(reason, rows):
    marked = reason_marks.marks(["Something else", reason], PLACED, size=(320.0, 300.0), to_front=-1.0)
    assert [mark.badge[1] for mark in marked] == pytest.approx(rows) and all(mark.number == 2 for mark in marked)
    assert all(mark.badge[0] < 150 and mark.path and not mark.missing for mark in marked)


def test_a_level_that_was_not_found_is_marked_where_it_was_expected():
    marked = reason_marks.marks(["No L5/S1 disc found"], PLACED | {"l5_s1": None}, size=(320.0, 300.0), to_front=-1.0)
    assert [(mark.missing, mark.badge[1]) for mark in marked] == [(True, pytest.approx(240))]
    nothing = reason_marks.marks(["No L5/S1 disc found"], dict.fromkeys(LEVELS), size=(320.0, 300.0), to_front=-1.0)
    assert nothing == ()


def test_numbers_of_reasons_do_not_cover_one_another():
    reasons = ["The L5/S1 response is 42 %", "The L5/S1 disc shows 51 %", "No L5/S1 disc found"]
    marked = reason_marks.marks(reasons, PLACED, size=(320.0, 300.0), to_front=-1.0)
    columns = sorted(mark.badge[0] for mark in marked)
    assert len(columns) == 3 and min(np.diff(columns)) >= 12


def test_letters_follow_the_geometry():
    mirrored = SliceGeometry((0, 0, 0), (0, -1, 0), (0, 0, 1), 1, 1, 10, 10)
    assert edge_letters(mirrored) == {"left": "P", "right": "A", "top": "I", "bottom": "S"}


def test_png_keeps_the_colours():
    image = np.zeros((4, 4, 4), np.uint8)
    image[..., 0], image[..., 3] = 200, 255
    data = overlay.png(image).split(",")[1]
    back = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_UNCHANGED)
    assert tuple(back[0, 0]) == (0, 0, 200, 255)


def test_windowing_brightens_a_dark_spine():
    image = np.full((50, 50), 60, np.uint8)
    image[0, :10] = 255
    assert brightness.windowed(image)[25, 25] == 255
    assert brightness.windowed(np.zeros((5, 5), np.uint8)).max() == 0


# --- words ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (5.004, 2, "5.00"),
        (-0.123, 1, "−0.1"),
        (-0.001, 2, "0.00"),
        (1975.0, 0, "1,975"),
        (None, 2, "–"),
        (float("nan"), 2, "–"),
    ],
)
def test_numbers(value, digits, text):
    assert formats.number(value, digits) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0123456, "0.0123"), (15.36, "15.4"), (1234.5, "1,234"), (5, "5"), (0.0, "0"), (1e-9, "1.00e−09")],
)
def test_significant_digits(value, text):
    assert formats.significant(value) == text


def test_every_flag_has_words():
    for flag in flags.names():
        assert wording.flag_meaning(flag) != wording.flag_words(flag) and "_" not in wording.flag_words(flag)
    assert wording.flag_words("l5_s1_not_found") == "L5/S1 not found"
    assert "no disc blob" in wording.flag_meaning("l4_l5_no_blob")
    assert wording.flag_meaning("something_new") == "something new"
    assert wording.is_quality("quality_low_contrast") and not wording.is_quality("low_contrast")


def test_definitions_are_those_of_the_code(made):
    _, _, page = made
    for entry in uncertainty.metrics():
        assert entry.source in page.words, entry.name


# --- programs -------------------------------------------------------------------------------------------------------


def test_program_takes_folders(files, capsys):
    out = files.folder / "folders.html"
    arguments = ["--table", files.table, "--sheet", files.sheet, "--studies-dir", files.folder / "studies"]
    arguments += [
        "--heatmaps-dir",
        files.heatmaps.parent,
        "--batches",
        "1",
        "--show-ids",
        "yes",
        "--title",
        "Made-up cohort",
    ]
    arguments += ["--config-summary", files.settings, "--out", out]
    assert build_report.main([str(a) for a in arguments]) == 0
    assert out.read_bytes() == (files.folder / "report.html").read_bytes()
    assert "28 studies, 20 analysed, 2 standing out" in capsys.readouterr().out


def test_program_takes_lists(files, tmp_path, no_figures):
    (tmp_path / "studies.txt").write_text("\n".join(map(str, files.studies)), encoding="utf-8")
    (tmp_path / "more.txt").write_text(f"--heatmaps\n{files.heatmaps}\n", encoding="utf-8")
    arguments = ["--table", files.table, "--sheet", files.sheet, "--studies-list", tmp_path / "studies.txt"]
    arguments += [f"@{tmp_path / 'more.txt'}", "--out", tmp_path / "report.html"]
    assert build_report.main([str(a) for a in arguments]) == 0
    assert "Table line" in Page((tmp_path / "report.html").read_text(encoding="utf-8")).words


@pytest.mark.parametrize("column", ["l5_s1_entropy", "score", "rank", "shift_ambiguity", "n_slices"])
@pytest.mark.fault("a word where the cohort table has a number", "one sentence with study and column")
def test_a_word_in_a_column_of_numbers_is_a_sentence(files, tmp_path, column):
    frame = inputs.read_table(files.table).astype({column: object})
    frame.loc[3, column] = "5,4"
    frame.to_csv(tmp_path / "t.csv", index=False)
    study = frame["study_id"][3]
    with pytest.raises(UserError, match=f"gives study {study} the {column} '5,4', which is not a number"):
        inputs.read_table(tmp_path / "t.csv")
    frame = frame.copy().assign(comment="of my own")
    frame.loc[3, column] = None
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert len(inputs.read_table(tmp_path / "t.csv")) == len(frame)


def test_program_says_what_is_wrong(files, tmp_path):
    arguments = ["--table", str(files.table), "--sheet", str(files.sheet), "--out", str(tmp_path / "r.html")]
    with pytest.raises(UserError, match="list"):
        build_report.main([*arguments, "--studies-list", str(tmp_path / "none.txt")])


@pytest.mark.slow
def test_study_figure(files, tmp_path):
    with h5py.File(files.heatmaps) as file:
        study_id = sorted(file)[0]
    out = tmp_path / "study.png"
    arguments = ["--metrics", str(files.folder / "studies" / f"{study_id}.json"), "--heatmaps", str(files.heatmaps)]
    assert plot_study.main([*arguments, "--out", str(out)]) == 0
    image = cv2.imread(str(out))
    assert image.shape[1] == 1500 and image.std() > 20
    first = out.read_bytes()
    assert plot_study.main([*arguments, "--out", str(out)]) == 0
    assert out.read_bytes() == first


def test_study_figure_of_a_failed_study(tmp_path):
    maps = NotAnalysed("1", "failed", "no file of the series can be read")
    with heatmap_file.create(tmp_path / "b.h5", report_inputs.RUN) as writer:
        writer.write(maps)
    study_record.write(study_record.study_record(maps, report_inputs.RUN), tmp_path / "1.json")
    arguments = ["--metrics", tmp_path / "1.json", "--heatmaps", tmp_path / "b.h5", "--out", tmp_path / "1.png"]
    assert plot_study.main([str(a) for a in arguments]) == 0
    assert cv2.imread(str(tmp_path / "1.png")) is not None


def test_made_up_input_is_of_the_real_layout(files):
    assert list(inputs.read_table(files.table).columns) == cohort_table.columns()
    for path in files.studies:
        study_record.read(path)


def test_the_run_that_made_the_report_is_recorded_in_it(files, tmp_path, no_figures):
    record = tmp_path / "software_versions.yml"
    record.write_text(
        "git_revision: 0123abcd\ngit_changes: true\ncommand: snakemake --profile slurm\nconfiguration_sha256: feed\n"
        "image: {name: /site/images/lstv.sif, sha256: beef}\n"
        "rules: {python: 3.12.1, libraries: {numpy: 2.1.0, torch: null}, decoders: {pydicom: 3.0.1}}\n"
    )
    content = build(**files.arguments(software=record, out=tmp_path / "report.html"))
    told = {row["label"]: row["value"] for row in content["provenance"]}
    assert (
        told["Git revision of this run"] == "0123abcd with changes" and told["Command"] == "snakemake --profile slurm"
    )
    assert (
        told["Container image of this run"] == "lstv.sif, sha256 of its file beef"
        and told["Libraries"] == "numpy 2.1.0"
    )
    assert told["Decoders"] == "pydicom 3.0.1" and told["Configuration sha256"] == "feed"
    assert "snakemake --profile slurm" in Page((tmp_path / "report.html").read_text(encoding="utf-8")).words


@pytest.mark.parametrize(
    "broken", ["[1]", *(pytest.param(t, marks=pytest.mark.slow) for t in ("a: [", "rules: 3\nimage: x\nscheduler: []"))]
)
def test_a_broken_record_of_the_run_says_nothing(files, tmp_path, no_figures, broken):
    (tmp_path / "record.yml").write_text(broken)
    content = build(**files.arguments(software=tmp_path / "record.yml", out=tmp_path / "report.html"))
    assert "Libraries" not in {row["label"] for row in content["provenance"]}


@pytest.mark.parametrize(
    "address", ["docker://registry.example/group/lstv@sha256:feed", "oras://registry.example/lstv:1"]
)
def test_an_image_of_a_registry_is_named_so_that_others_can_get_it(address):
    told = {row["key"]: row["value"] for row in provenance.of_run({"image": {"name": address, "sha256": "beef"}})}
    assert told["image"] == f"{address}, sha256 of its file beef"
    made = {"image": {"name": address, "sha256": None}}
    told = {row["key"]: row["value"] for row in provenance.facts([], [{"provenance": made}])}
    assert told["metrics_image"] == f"{address}, sha256 of its file not known"


def test_studies_of_several_commits_and_images_are_counted():
    old = {"git_revision": "1" * 40, "image": {"name": "lstv.sif", "sha256": "beef"}}
    new = {"git_revision": "2" * 40, "image": None, "configuration_sha256": "feed"}
    documents = [{"provenance": {**new, "inference": made}} for made in (old, old, new)] + [{"provenance": {}}]
    told = {row["label"]: row["value"] for row in provenance.facts([], documents)}
    assert told == {
        "Git revision that made the metrics": "2" * 40,
        "Git revision that made the heatmaps": f"{'1' * 40} (2×); {'2' * 40} (1×)",
        "Container image that made the heatmaps": "lstv.sif, sha256 of its file beef",
        "Settings that the numbers depend on, sha256": "feed",
    }
