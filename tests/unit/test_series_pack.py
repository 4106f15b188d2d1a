"""A series as a script: what is in it, what is not, and what happens where it cannot be read."""

from __future__ import annotations

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from dicom_files import textured_volume, write_series
from lstv.base.private_files import write_list
from lstv.cohort.study_sheet import Row
from lstv.dicom.series import read_volume
from lstv.report.pages import series_pack

SECRETS = {
    "PatientName": "DOE^JANE",
    "PatientID": "4711-0815",
    "SeriesDescription": "SECRET WORDS",
    "StudyDate": "19991231",
}


def row(series_dir, **more) -> Row:
    known = dict.fromkeys(Row.__dataclass_fields__, "")
    return Row(**known | {"study_id": "s1", "use": "yes", "series_dir": str(series_dir)} | more)


def content(script: bytes) -> dict:
    found = re.fullmatch(rb"lstv\.series\((.*)\);\n", script)
    assert found
    return json.loads(found.group(1))


@pytest.fixture
def series(tmp_path):
    folder = tmp_path / "series"
    write_series(folder, textured_volume((7, 48, 40)), **SECRETS)
    return folder


def test_slices_are_those_of_the_reader(series):
    volume = read_volume(series)
    pack = content(series_pack.script(series_pack.of_study(row(series)), "case-1"))
    assert (pack["name"], pack["width"], pack["height"], pack["centre"]) == ("case-1", 40, 48, 3)
    for image, frame in zip(volume.volume, pack["frames"], strict=True):
        picture = Image.open(io.BytesIO(base64.b64decode(frame)))
        assert (picture.get_format_mimetype(), picture.mode) == (pack["type"], "L")
        seen = np.asarray(picture, dtype=float)
        assert seen.shape == image.shape
        assert np.abs(seen - image).mean() < 6  # lossy
    assert [pack["window"]["low"], pack["window"]["high"]] == volume.provenance["intensity_window"]
    assert pack["window"]["percentiles"] == [0.1, 99.9] and 5 < pack["window"]["white"] <= 255


def test_geometry_is_told_as_numbers_and_letters(series):
    pack = series_pack.of_study(row(series))
    assert pack["spacing_mm"] == {"row": 1.5, "column": 1.25, "slice": 4.0}
    edges = {"left": "A", "right": "P", "top": "S", "bottom": "I"}
    assert pack["letters"] == {**edges, "first": "L", "last": "R"}
    assert pack["offsets_mm"] == [-12.0, -8.0, -4.0, 0.0, 4.0, 8.0, 12.0]


def test_nothing_of_the_header_is_in_it(series):
    script = series_pack.script(series_pack.of_study(row(series)), "case-1")
    script.decode("ascii")
    for secret in (*SECRETS.values(), "series", str(read_volume(series).provenance["series_uid"])):
        assert secret.encode() not in script.replace(b"lstv.series(", b"")


def test_same_series_gives_the_same_bytes(series):
    made = [series_pack.script(series_pack.of_study(row(series)), "x") for _ in range(2)]
    assert made[0] == made[1]


def test_a_name_cannot_leave_its_script(series):
    script = series_pack.script(series_pack.unreadable("a <b> reason"), "</script><img>")
    assert b"<" not in script and content(script)["name"] == "</script><img>"


@pytest.mark.fault("a series that is gone when the pages are made", "the page says so")
def test_series_that_is_gone_is_a_reason(tmp_path):
    pack = series_pack.of_study(row(tmp_path / "DOE_JANE" / "nowhere"))
    assert pack["reason"] == "the series folder does not exist; check series_dir in the study sheet."
    assert "frames" not in pack and "DOE" not in json.dumps(pack)


def test_reason_names_no_file(tmp_path):
    folder = tmp_path / "series"
    paths = write_series(folder, textured_volume((5, 32, 40)), names=[f"DOE_JANE_{i}.dcm" for i in range(5)])
    for path in paths:
        path.write_bytes(path.read_bytes()[:-700])
    reason = series_pack.of_study(row(folder))["reason"]
    assert "cut short" in reason and "a file" in reason and "DOE" not in reason


def test_list_with_another_count_than_the_scan_is_refused(series, tmp_path):
    listed = write_list(tmp_path / "s.txt", [(str(path), None) for path in sorted(series.iterdir())])
    assert "frames" in series_pack.of_study(row(listed, n_slices="7"))
    assert "scan the folder again" in series_pack.of_study(row(listed, n_slices="9"))["reason"]


def test_study_without_a_folder_says_why():
    assert series_pack.of_study(row("", reason="no sagittal T2 series"))["reason"] == "no sagittal T2 series"


def test_slices_too_large_for_a_page_are_a_reason():
    with pytest.raises(series_pack.StudyError, match="too large"):
        series_pack._jpeg(np.zeros((1, 16384), np.uint8))
