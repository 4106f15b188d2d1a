"""Headers out of the first bytes are those out of the file, wherever the first bytes end."""

from __future__ import annotations

from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from dicom_files import textured_volume, write_enhanced, write_series
from lstv.dicom.headers import headers, read
from lstv.dicom.pixels import quiet_pydicom
from lstv.folder import first_bytes
from lstv.folder.first_bytes import FirstBytes

VOLUME = textured_volume((2, 8, 8))


def content(tmp_path, kind: str) -> bytes:
    if kind == "enhanced":
        return write_enhanced(tmp_path / "e.dcm", VOLUME).read_bytes()
    if kind == "text":
        return b"a name,a value\n" * 60
    syntax = {
        "implicit": ImplicitVRLittleEndian,
        "big endian": ExplicitVRBigEndian,
        "deflated": DeflatedExplicitVRLittleEndian,
    }.get(kind)
    given = {"transfer_syntax": syntax} if syntax and kind != "deflated" else {}
    path = write_series(tmp_path, VOLUME, ImageComments="x" * 300, **given)[0]
    if kind == "deflated":
        dataset = dcmread(path)
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(path)
    whole = path.read_bytes()
    if kind == "no preamble":
        return whole[132:]
    if kind == "no pixel data":
        return whole[: whole.rindex(b"\xe0\x7f\x10\x00")]
    return whole[: len(whole) // 2] if kind == "cut short" else whole


def outcome(call, stream):
    try:
        return call(stream)
    except Exception as error:
        return type(error), str(error)


@pytest.mark.parametrize(
    "kind",
    [
        *("explicit", "implicit", "big endian", "deflated", "enhanced"),
        *("no preamble", "no pixel data", "cut short", "text"),
    ],
)
def test_wherever_the_first_bytes_end(tmp_path, monkeypatch, kind):
    whole = content(tmp_path, kind)
    with quiet_pydicom():
        expected = outcome(lambda stream: headers(read(stream)), BytesIO(whole))
        for size in (*range(1, len(whole), 29), len(whole), 2 * len(whole)):
            monkeypatch.setattr(first_bytes, "SIZE", size)
            assert outcome(FirstBytes().headers, BytesIO(whole)) == expected, size


def test_after_a_longer_header_the_next_are_read_as_they_are(tmp_path, monkeypatch):
    whole = content(tmp_path, "explicit")
    monkeypatch.setattr(first_bytes, "SIZE", 200)
    asked = []

    class Noted(BytesIO):
        def read(self, size=-1):
            asked.append(size)
            return super().read(size)

    reader = FirstBytes()
    with quiet_pydicom():
        for _ in range(3):
            assert reader.headers(Noted(whole))
    assert asked.count(200) == 1
