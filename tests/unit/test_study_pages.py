"""Study pages: who gets one, what is in it, what it is called, and what becomes of it."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import page_inputs
import pages_index
import provenance
import study_pages
from lstv.base import ids, manifest
from lstv.base.errors import UserError
from lstv.dicom.geometry import SliceGeometry
from lstv.report.build import build
from lstv.report.pages import index, layers, names
from lstv.report.pages.cohort import ALL, REVIEWED, Cohort, queued_studies
from lstv.report.pages.distribution import Spread, among


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    files = page_inputs.make(tmp_path_factory.mktemp("pages"), ok=12)
    assert study_pages.main(page_inputs.arguments(files)) == 0
    assert pages_index.main(page_inputs.index_arguments(files)) == 0
    return files


def pages(files) -> dict[str, str]:
    return {path.stem: path.read_text("utf-8") for path in (files.folder / "pages/studies").glob("*.html")}


def listed(files) -> list[dict]:
    with open(files.folder / "page_list.csv", newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_every_queued_study_has_a_page_and_neighbours_in_order(files):
    made, order = pages(files), [row["file"] for row in listed(files)]
    assert len(order) == 12 and set(order) == set(made)
    for before, after in zip(order, order[1:]):
        assert f'rel="next" href="{after}.html"' in made[before]
        assert f'rel="prev" href="{before}.html"' in made[after]
    assert 'rel="prev"' not in made[order[0]] and 'rel="next"' not in made[order[-1]]


@pytest.mark.fault("images that are gone when a study's page is written", "a page without series that says so")
def test_page_without_its_series_says_so(files):
    shown = [row for row in listed(files) if not row["series"]]
    gone = [row for row in listed(files) if row["series"]]
    assert len(shown) == 3 and len(gone) == 9
    for row in gone:
        page = pages(files)[row["file"]]
        assert "The series is not here." in page and "the series folder does not exist" in page.lower()
        assert 'id="viewer"' not in page and "What it says" in page
    assert all("The series is not here." not in pages(files)[row["file"]] for row in shown)


@pytest.mark.slow
def test_pages_do_not_depend_on_the_number_of_processes(files, tmp_path):
    """In a process of its own: this one has threads, which a copy of it would not have."""
    program = Path(study_pages.__file__)
    moved = [
        "--jobs",
        "3",
        "--out-dir",
        tmp_path / "pages",
        "--record",
        tmp_path / "r.json",
        "--manifest",
        tmp_path / "m.csv",
    ]
    subprocess.run([sys.executable, program, *page_inputs.arguments(files, *map(str, moved))], check=True)
    assert (tmp_path / "r.json").read_bytes() == (files.folder / "page_files/all.json").read_bytes()
    assert (tmp_path / "m.csv").read_bytes() == (files.folder / "page_files/all.csv").read_bytes()


def test_layers_lie_on_the_slice_that_the_network_saw(files):
    row = next(row for row in listed(files) if not row["series"])
    data = json.loads(re.search(r'id="data">(.*?)</script>', pages(files)[row["file"]]).group(1))
    over = data["layers"]
    assert over["slice"] == 2 == int(row["picture"])
    assert over["matrix"] == pytest.approx([384 / 160, 0, 0, 400 / 160, 0, 0], abs=1e-5)
    assert over["drawing"][0] == pytest.approx(384 / 320)
    document = json.loads((files.folder / "studies" / f"{row['study_id']}.json").read_text())
    for level in over["levels"]:
        point = document["levels"][level["name"]]["point_px"]
        if point is not None:
            assert level["point"] == pytest.approx(
                [(point[0] + 0.5) * 2.4 - 0.5, (point[1] + 0.5) * 2.5 - 0.5], abs=0.01
            )
            assert level["heat"].startswith("data:image/png;base64,")


def test_pages_name_no_patient_and_load_nothing_from_elsewhere(files):
    written = [path.read_bytes() for path in (files.folder / "pages").rglob("*") if path.is_file()]
    for secret in (*page_inputs.SECRETS.values(), str(files.folder), "HOPE_FAITH"):
        assert not any(secret.encode() in content for content in written), secret
    for page in pages(files).values():
        assert "Research use only. Not a diagnosis." in page
        assert not re.search(r"(?:src|href)=[\"']?https?:", page) and "<style" not in page and " style=" not in page
        assert re.findall(r"<script(?! type=\"application/json\")(?! src=)", page) == []


def test_manifest_notices_what_is_changed_or_gone(files, tmp_path):
    written = files.folder / "page_files/all.csv"
    names_of = manifest.file_names(written)
    assert len(names_of) == 24 and all((files.folder / "pages/studies" / name).is_file() for name in names_of)
    folder = tmp_path / "studies"
    folder.mkdir()
    for name in names_of:
        (folder / name).write_bytes((files.folder / "pages/studies" / name).read_bytes())

    def altered():
        return manifest.Folder(folder, (".html", ".js")).altered_files(written)

    assert altered() == []
    (folder / names_of[0]).unlink()
    (folder / names_of[3]).write_text("longer or shorter")
    assert altered() == [names_of[0], names_of[3]]


def test_what_was_made_says_with_what_and_a_study_may_be_called_as_one_likes(files):
    record = json.loads((files.folder / "page_files/all.json").read_text())
    made = provenance.only(record)
    assert made["libraries"]["pydicom"] and set(made["made_of"]) == {"table", "queue"}
    assert index.records([files.folder / "page_files/all.json"]) == record["studies"]


def test_a_record_of_an_earlier_version_is_refused(tmp_path):
    (tmp_path / "old.json").write_text('{"1": {"file": "1", "series": "", "picture": null}}')
    with pytest.raises(UserError, match="is not a record of this version"):
        index.records([tmp_path / "old.json"])


def test_same_input_gives_the_same_bytes(files, tmp_path):
    again = page_inputs.arguments(files, "--out-dir", str(tmp_path / "again"), "--manifest", str(tmp_path / "m.csv"))
    assert study_pages.main(again) == 0
    assert (tmp_path / "m.csv").read_bytes() == (files.folder / "page_files/all.csv").read_bytes()


def test_ids_are_hidden_where_they_should_be(tmp_path):
    files = page_inputs.make(tmp_path, ok=4, failed=0, excluded=0, unselected=0, with_series=1)
    assert study_pages.main(page_inputs.arguments(files, show_ids="no")) == 0
    assert pages_index.main(page_inputs.index_arguments(files, show_ids="no")) == 0
    known = Cohort(files.table, show_ids=True)
    written = {path: path.read_bytes() for path in (tmp_path / "pages").rglob("*") if path.is_file()}
    for study in known.groups:
        assert not any(study in path.name or study.encode() in content for path, content in written.items())
    assert all(path.stem.startswith("line-") for path in written if path.parent.name == "studies")


def test_pages_of_studies_that_left_are_removed(tmp_path):
    files = page_inputs.make(tmp_path, ok=4, failed=0, excluded=0, unselected=0, with_series=0)
    left = tmp_path / "pages/studies/gone.html"
    left.parent.mkdir(parents=True)
    left.write_text("of a study that is in no table any more")
    assert study_pages.main(page_inputs.arguments(files)) == 0
    assert pages_index.main(page_inputs.index_arguments(files)) == 0
    assert not left.exists() and len(pages(files)) == 4


def test_reviewed_are_those_with_a_picture_and_the_queue(files):
    known = Cohort(files.table, show_ids=True)
    everyone = [entry.study_id for entry in known.pages(ALL, 0, ())]
    assert len(everyone) == known.count == 12
    few = known.pages(REVIEWED, 1, {everyone[-1]})
    assert {entry.group.name for entry in few[:-1]} <= {"stands_out", "localizer"}
    assert len(few) <= 3 and few[-1].study_id == everyone[-1]
    assert known.pages(REVIEWED, 0, ()) == []


def test_queue_that_cannot_be_read_is_a_sentence(tmp_path):
    (tmp_path / "queue.json").write_text("{}")
    with pytest.raises(UserError, match="make it again"):
        queued_studies(tmp_path / "queue.json")


# --- from the report --------------------------------------------------------------------------------------------------


def report(files, **more) -> str:
    """The report of the cohort with its pages."""
    build(**files.arguments(**{"pages": files.folder / "page_list.csv", "pages_dir": files.folder / "pages"} | more))
    return (files.folder / "report.html").read_text("utf-8")


def test_every_study_of_the_report_leads_to_its_page(files):
    text = report(files)
    table = text[text.index('id="studies"') : text.index('id="strata"')]
    for row in listed(files):
        assert f'<a href="pages/studies/{row["file"]}.html">{row["study_id"]}</a>' in table
    assert text.count("Open the whole series") == text.count('<article class="card"') > 0


@pytest.mark.slow
def test_pictures_of_the_report_have_the_resolution_of_the_series(files):
    text = report(files)
    drawn = re.findall(r'-slice" href="data:image/(\w+);base64,([^"]+)"', text)
    whole = [base64.b64decode(data) for kind, data in drawn if kind == "webp"]
    assert whole and {Image.open(io.BytesIO(data)).size for data in whole} == {(384, 400)}
    assert {kind for kind, _ in drawn} <= {"webp", "png"}  # png: of those whose series is gone
    assert "data:image/webp" not in report(files, pages=None, pages_dir=None)


@pytest.mark.slow
def test_damaged_series_of_a_page_is_a_sentence(tmp_path):
    files = page_inputs.make(tmp_path, ok=4, failed=0, excluded=0, unselected=0, with_series=4)
    assert study_pages.main(page_inputs.arguments(files)) == pages_index.main(page_inputs.index_arguments(files)) == 0
    for path in (tmp_path / "pages/studies").glob("*.js"):
        path.write_text("lstv.series({")
    with pytest.raises(UserError, match="is not a series of a study page"):
        report(files)


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("study_id", ["4003", "a_b-c.d", "x", "2024.1"])
def test_plain_ids_name_their_files(study_id):
    assert names.page_name(study_id, 2, show_ids=True) == study_id


@pytest.mark.parametrize("study_id", ["A", "con", "nul.1", "a.", "line-7", "a" * 200])
def test_names_that_some_system_takes_for_others_are_changed(study_id):
    name = names.page_name(study_id, 2, show_ids=True)
    assert name != study_id and len(name) < 130 and name == name.lower()


@settings(max_examples=30, deadline=None)
@given(st.sets(st.from_regex(ids.STUDY_ID, fullmatch=True), min_size=2, max_size=20))
def test_different_studies_never_share_a_file(study_ids):
    made = [names.page_name(study_id, line, show_ids=True) for line, study_id in enumerate(study_ids)]
    assert len({name.lower() for name in made}) == len(made)
    assert all(re.fullmatch(r"[a-z0-9_][a-z0-9._-]*", name) and not name.endswith(".") for name in made)


# --- numbers among others ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values, value, words",
    [
        (range(101), 93, "higher than in 93 % of 100 others"),
        (range(101), 100, "higher than in all 100 others"),
        (range(101), 0, "lower than in all 100 others"),
        (range(101), 10, "lower than in 90 % of 100 others"),
        ([0.0] * 9 + [5.0], 0.0, "the same as in 88 % of 9 others"),
        ([2.0] * 10, 2.0, "the same as in all 9 others"),
        ([0, 0, 0, 1, 1, 1, 2, 2, 2, 2], 1, "near the middle of 9 others"),
    ],
)
def test_place_among_the_cohort_in_words(values, value, words):
    found = among(Spread(np.array(list(values), dtype=float)), float(value))
    assert found.words == words
    assert all(0 <= x <= 100 for x in (found.low, found.median, found.high, found.here))


def test_too_few_others_say_nothing():
    assert among(Spread(np.arange(5.0)), 2.0) is None


# --- where layers lie -------------------------------------------------------------------------------------------------

SAGITTAL = SliceGeometry((3.0, -140.0, 150.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0), 0.75, 0.7, 400, 384)


def test_slice_that_was_stored_turned_is_turned_back():
    """The same pixels with rows to inferior and columns to anterior."""
    corner = tuple(SAGITTAL.to_patient(SAGITTAL.width - 1, 0))
    turned = SliceGeometry(corner, (0.0, 0.0, -1.0), (0.0, -1.0, 0.0), 0.7, 0.75, 384, 400)
    affine = layers.between(turned, SAGITTAL)
    assert affine == pytest.approx((0, 1, -1, 0, 384, 0), abs=1e-9)
    assert layers._moved(affine, (10.0, 20.0)) == pytest.approx([384 - 1 - 20, 10], abs=0.01)
    assert not layers.is_upright(turned, SAGITTAL) and layers.is_upright(SAGITTAL, SAGITTAL)


def test_slice_of_another_place_or_plane_has_no_layers():
    stack = [
        SliceGeometry((x, -140.0, 150.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0), 0.75, 0.7, 400, 384) for x in (7, 3, -1)
    ]
    assert layers.slice_of(SAGITTAL, stack) == 1
    assert layers.slice_of(SAGITTAL, [stack[0], stack[2]]) is None
    axial = SliceGeometry((3.0, -140.0, 150.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), 0.75, 0.7, 400, 384)
    assert layers.slice_of(axial, stack) is None


def test_program_says_what_is_wrong_in_a_sentence(files):
    with pytest.raises(UserError, match="cannot be read"):
        study_pages.main(page_inputs.arguments(files, "--queue", str(Path("nowhere.json"))))
