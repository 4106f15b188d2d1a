"""The reading bundle: the queued series in reading order, and nowhere, not in names, order or dates, what is blinded."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import pytest

import reading_bundle as program
import reading_cases
from lstv.base.errors import UserError
from lstv.cohort.study_sheet import write_sheet
from lstv.ranking.review_queue import digest
from lstv.review import bundle, page


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return reading_cases.make(tmp_path_factory.mktemp("reading"))


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def pack(script: bytes) -> dict:
    return json.loads(re.fullmatch(rb"lstv\.series\((.*)\);\n", script, re.DOTALL)[1])


def test_files_are_named_by_reading_order_alone(cases):
    names = set(content(cases.bundle))
    series = {f"series/case_{number:03d}.js" for number in range(1, 13)}
    own = {"index.html", "cases.js", "reading.js", "reading_log.js", "reading.css", "viewer.js", "viewer.css"}
    assert names == series | own
    given = json.loads(re.fullmatch(r"lstv\.cases\((.*)\);\n", (cases.bundle / "cases.js").read_text())[1])
    assert [case["study_id"] for case in given["cases"]] == cases.in_order
    assert [case["name"] for case in given["cases"]] == sorted(case["name"] for case in given["cases"])
    assert given["queue"] == cases.queue["digest"]
    for name in series:
        assert pack((cases.bundle / name).read_bytes())["name"] == Path(name).stem


def test_no_byte_depends_on_what_is_blinded(cases, tmp_path):
    """The same studies in the same order, with every score, rank, stratum, risk, reason and weight changed."""
    other = copy.deepcopy(cases.queue)
    for index, study in enumerate(reversed(other["studies"])):
        study |= {"stratum": "sample" if study["stratum"] == "flagged" else "flagged", "rank": index + 100}
        study |= {"score": 0.111, "risk": "low", "reasons": "none of yours", "weight": 3.0}
    other["studies"].reverse()
    assert digest(other["studies"]) == cases.queue["digest"]
    bundle.write(tmp_path / "reading", other, cases.rows, cohort="made")
    assert content(tmp_path / "reading") == content(cases.bundle)


def test_no_blinded_value_is_in_any_byte_or_name(cases):
    hidden = {"flagged", "stratum", "sampling_fraction", "heatmap", "entropy", "rank", "reasons", "score"}
    for study in cases.queue["studies"]:
        hidden |= {str(study["score"]), study["reasons"]} - {"None", ""}
    for name, data in content(cases.bundle).items():
        text = data
        if name.startswith("series/"):  # base64 may spell anything
            shown = pack(data)
            shown.pop("frames")
            text = json.dumps(shown).encode()
        found = [word for word in hidden if word.encode() in text.lower() or word in name]
        assert found == [], name


def test_dates_are_all_the_same(cases):
    assert {path.stat().st_mtime for path in [cases.bundle, *cases.bundle.rglob("*")]} == {bundle.DATE}


def test_sizes_and_order_do_not_follow_the_rank(cases):
    ranks = {study["study_id"]: study["rank"] for study in cases.queue["studies"]}
    order = [ranks[study_id] for study_id in cases.in_order]
    assert order != sorted(order) and order != sorted(order, reverse=True)


def test_the_viewer_has_nothing_to_draw_over_a_picture(cases):
    viewer = (cases.bundle / "viewer.js").read_text()
    assert "lstv.viewer =" in viewer
    for word in ("drawLayers", "drawPoint", "heat", "outline:", "tints"):
        assert word not in viewer, word


def test_the_policy_allows_no_script_and_no_style_in_the_page(cases):
    text = (cases.bundle / "index.html").read_text()
    assert "unsafe" not in text and "default-src &#39;none&#39;" in text
    assert not re.findall(r"<script(?! src=)|<style|\son\w+=|style=", text)


def test_a_series_that_cannot_be_read_is_a_case_that_says_so(cases, tmp_path):
    gone = cases.in_order[2]
    rows = {**cases.rows, gone: cases.rows[gone].__class__(gone, "1", str(tmp_path / "gone"))}
    assert bundle.write(tmp_path / "reading", cases.queue, rows, cohort="made") == 1
    assert "does not exist" in pack((tmp_path / "reading/series/case_003.js").read_bytes())["reason"]


def test_a_sheet_of_another_cohort_and_an_empty_queue(cases, tmp_path):
    with pytest.raises(UserError, match="is not in the study sheet"):
        bundle.write(tmp_path / "reading", cases.queue, {}, cohort="made")
    with pytest.raises(UserError, match="nothing to read"):
        bundle.write(tmp_path / "reading", {**cases.queue, "studies": []}, cases.rows, cohort="made")
    assert not (tmp_path / "reading").exists()


def test_the_program_replaces_the_folder_as_a_whole(cases, tmp_path, capsys):
    write_sheet(list(cases.rows.values()), tmp_path / "sheet.csv")
    out = tmp_path / "reading"
    out.mkdir()
    (out / "case_999.js").write_text("of an earlier draw")
    files = ["--queue", str(cases.folder / "queue.json"), "--sheet", str(tmp_path / "sheet.csv"), "--out", str(out)]
    assert program.main([*files, "--cohort", "made", "--unblinding", str(tmp_path / "key.json")]) == 0
    assert json.loads((tmp_path / "key.json").read_text()) == cases.queue
    assert content(out) == content(cases.bundle)
    assert "12 of 12 cases" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("repeated", "said"), [(0.0, None), (0.1, "2 of them come a second time"), (0.5, "6 of them come a second time")]
)
def test_the_queue_says_how_many_come_a_second_time(cases, tmp_path, repeated, said):
    bundle.write(tmp_path / "reading", {**cases.queue, "repeated": repeated}, cases.rows, cohort="made")
    text = (tmp_path / "reading/index.html").read_text()
    assert (said in text) if said else ("a second time" not in text)
    assert f'"repeated":{repeated},' in (tmp_path / "reading/cases.js").read_text()


def test_a_cohort_by_any_name_stays_text(cases):
    text = page.html("<b>&'\"</b>", 3, 0.1)
    assert "<b>" not in text.split("<main>")[1].split("</p>")[0].replace("<b>AB", "")
    assert "</script>" not in page.cases_script("</script>", "d", [], 0.1)
