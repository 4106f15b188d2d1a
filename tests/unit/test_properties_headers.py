"""What holds of the headers of any file in a scanned folder: what was written is read, and nothing stops the scan."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from folder_tree import image, save
from lstv.folder.scan import scan
from lstv.folder.series import build_studies
from properties import quick

TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs"), exclude_characters="\\"), max_size=40)
SYNTAX = st.sampled_from([ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
NUMBER = st.floats(-900, 900).map(lambda value: round(value, 2))
UID = st.lists(st.integers(0, 9999), min_size=2, max_size=6).map(lambda parts: "1.2." + ".".join(map(str, parts)))


@quick
@given(
    SYNTAX,
    UID,
    TEXT,
    st.integers(16, 2048),
    st.tuples(st.floats(0.1, 3), st.floats(0.1, 3)),
    st.tuples(NUMBER, NUMBER, NUMBER),
)
def test_what_was_written_is_read(syntax, uid, description, rows, spacing, position):
    spacing = [round(value, 4) for value in spacing]
    dataset = image(
        "1.9", uid, 0, SeriesDescription=description, Rows=rows, PixelSpacing=spacing, at=np.array(position)
    )
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder) / "file", dataset, syntax)
        (study,) = build_studies(scan(Path(folder)).found)
    (series,) = study.series.values()
    facts = series.stacks[0].facts
    assert (study.uid, series.uid, facts.rows) == ("1.9", uid, rows)
    assert facts.series_description.strip() == description.strip()
    np.testing.assert_allclose(facts.pixel_spacing, spacing)


@quick
@given(st.binary(max_size=400), st.integers(0, 2000), st.integers(0, 10_000), st.integers(1, 255))
def test_no_file_stops_the_scan_or_takes_another_with_it(garbage, kept, at, flip):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = save(folder / "whole", image("1.9", "1.9.1", 0)).read_bytes()
        altered = bytearray(whole)
        altered[at % len(whole)] ^= flip
        (folder / "altered").mkdir()
        (folder / "altered/file").write_bytes(altered)
        (folder / "cut").write_bytes(whole[: kept % len(whole)])
        (folder / "garbage").write_bytes(garbage)
        (folder / "marked").write_bytes(bytes(128) + b"DICM" + garbage)
        found = scan(folder)
        studies = {study.uid: study for study in build_studies(found.found)}
    assert found.n_files == 5
    assert "1.9.1" in studies["1.9"].series
