"""The quick header reader gives what pydicom gives, and refuses what is no DICOM."""

from __future__ import annotations

import random
import struct
import warnings
from functools import partial
from io import BytesIO

import pydicom
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)

from folder_tree import image, save
from lstv.folder import header
from lstv.folder.header import DamagedHeader, DicomDirectory, NotDicom, read_header
from lstv.folder.series import decode


def _read(content: bytes):
    return read_header(lambda size: content[:size])


def _bytes(tmp_path, dataset, syntax=ExplicitVRLittleEndian, **options) -> bytes:
    return save(tmp_path / "x", dataset, syntax, **options).read_bytes()


def _check(content: bytes, dataset) -> None:
    found = _read(content)
    facts = decode(found.shared)
    assert facts.study_uid == dataset.StudyInstanceUID
    assert facts.series_uid == dataset.SeriesInstanceUID
    assert found.sop_instance.decode() == dataset.SOPInstanceUID
    assert [float(v) for v in found.position.split(b"\\")] == [float(v) for v in dataset.ImagePositionPatient]
    assert facts.image_type == tuple(dataset.ImageType)
    assert facts.orientation == tuple(float(v) for v in dataset.ImageOrientationPatient)
    assert facts.pixel_spacing == (0.4375, 0.4375)
    assert (facts.rows, facts.columns, facts.frames) == (640, 512, 1)
    assert (facts.echo_time, facts.repetition_time, facts.inversion_time) == (105.0, 3500.0, None)
    assert facts.series_description == dataset.SeriesDescription


@pytest.mark.parametrize(
    "syntax",
    [
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    ],
)
def test_every_transfer_syntax(tmp_path, syntax):
    dataset = image("1.2.3", "1.2.3.4", 5, Columns=512, SeriesDescription="矢状位 T2")
    _check(_bytes(tmp_path, dataset, syntax), dataset)


def test_compressed_pixels_do_not_matter(tmp_path):
    dataset = image("1.2.3", "1.2.3.4", 5, Columns=512)
    content = _bytes(tmp_path, dataset).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.4.90"[:20])
    dataset.PixelData = pydicom.encaps.encapsulate([b"\1" * 10])
    dataset["PixelData"].is_undefined_length = True
    content = _bytes(tmp_path, dataset, JPEG2000Lossless)
    _check(content, dataset)


def test_without_preamble(tmp_path):
    dataset = image("1.2.3", "1.2.3.4", 5, Columns=512)
    _check(_bytes(tmp_path, dataset, bare=True), dataset)


def test_large_private_element_before_the_image_elements(tmp_path):
    dataset = image("1.2.3", "1.2.3.4", 5, Columns=512)
    dataset.private_block(0x0019, "MAKER", create=True).add_new(0x10, "OB", b"\7" * 300_000)
    content = _bytes(tmp_path, dataset)
    assert content.index(struct.pack("<HH", 0x0028, 0x0010)) > header.FIRST_READ
    _check(content, dataset)


def test_tags_out_of_order_are_left_to_pydicom(tmp_path):
    dataset = image("1.2.3", "1.2.3.4", 5, Columns=512)
    content = _bytes(tmp_path, dataset)
    late = content[content.index(struct.pack("<HH", 0x0028, 0x0100)) :][:10]
    mixed = content.replace(late, b"")
    at = mixed.index(struct.pack("<HH", 0x0018, 0x0020))
    _check(mixed[:at] + late + mixed[at:], dataset)


def test_unknown_element_of_undefined_length_holds_implicit_items(tmp_path):
    """PS3.5 section 6.2.2, note on VR UN."""
    dataset = image("1.2.3", "1.2.3.4", 5, Columns=512)
    content = _bytes(tmp_path, dataset)
    inner = struct.pack("<HHI", 0x0008, 0x0060, 2) + b"CT"
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + inner + struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
    unknown = (
        struct.pack("<HH2sHI", 0x0019, 0x1010, b"UN", 0, 0xFFFFFFFF) + item + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    )
    at = content.index(struct.pack("<HH2s", 0x0020, 0x000D, b"UI"), content.index(b"t2_tse_sag"))
    changed = content[:at] + unknown + content[at:]
    _check(changed, dataset)
    assert decode(_read(changed).shared).modality == "MR"


def test_implicit_content_under_an_explicit_label(tmp_path):
    dataset = image("1.2.3", "1.2.3.4", 5, Columns=512)
    explicit = _bytes(tmp_path, dataset)
    implicit = _bytes(tmp_path, dataset, ImplicitVRLittleEndian)
    body = implicit.index(struct.pack("<HHI", 0x0008, 0x0005, 10))
    meta = explicit[: explicit.index(b"\x08\x00\x05\x00CS")]
    _check(meta + implicit[body:], dataset)


@pytest.mark.parametrize(
    ("value", "character_set", "text"),
    [
        ("поясница".encode("iso8859-5"), "ISO_IR 144", "поясница"),
        ("Wirbelsäule".encode("latin-1"), "ISO_IR 100", "Wirbelsäule"),
        ("腰椎".encode("gb18030"), "GB18030", "腰椎"),
        (b"\x1b$B9xDG\x1b(B T2", "\\ISO 2022 IR 87", "腰椎 T2"),
        ("腰椎".encode(), "", "腰椎"),
        ("Säule".encode("latin-1"), "no such set", "Säule"),
    ],
)
def test_character_sets(value, character_set, text):
    raw = [b""] * len(header.STUDY_TAGS)
    names = list(header.STUDY_TAGS.values())
    raw[names.index("character_set")] = character_set.encode()
    raw[names.index("series_description")] = value
    assert decode(tuple(raw)).series_description == text


def test_unusable_numbers_count_as_absent(tmp_path):
    names = list(header.STUDY_TAGS.values())
    raw = [b""] * len(names)
    for name, value in {
        "echo_time": b"n/a",
        "orientation": b"1\\0\\0",
        "pixel_spacing": b"nan\\1",
        "frames": b"x",
    }.items():
        raw[names.index(name)] = value
    facts = decode(tuple(raw))
    assert (facts.echo_time, facts.orientation, facts.pixel_spacing, facts.frames) == (None, None, None, 1)


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\x89PNG\r\n" + b"\0" * 300, b"\x08\x00" + b"\0" * 400, b"<html>" * 99]
)
def test_not_dicom(content):
    with pytest.raises(NotDicom):
        _read(content)


def test_dicomdir(tmp_path):
    dataset = image("1.2.3", "1.2.3.4", 5, SOPClassUID="1.2.840.10008.1.3.10")
    with pytest.raises(DicomDirectory):
        _read(_bytes(tmp_path, dataset))


def test_header_cut_short(tmp_path):
    content = _bytes(tmp_path, image("1.2.3", "1.2.3.4", 5))
    with pytest.raises(DamagedHeader):
        _read(content[:700])


def test_object_without_image_elements(tmp_path):
    dataset = image("1.2.3", "1.2.3.4", 5)
    content = _bytes(tmp_path, dataset)
    end = content.index(struct.pack("<HH", 0x0020, 0x0032))
    assert decode(_read(content[:end]).shared).rows == 0


def test_agrees_with_pydicom_on_altered_files(tmp_path):
    """Whatever bytes are altered: one of the three refusals, or values, and never another exception or an endless loop."""
    content = _bytes(tmp_path, image("1.2.3", "1.2.3.4", 5))
    draw = random.Random(1)
    outcomes = set()
    for _ in range(1500):
        altered = bytearray(content)
        for _ in range(draw.randint(1, 6)):
            altered[draw.randrange(len(altered))] = draw.choice((0, 255, draw.randrange(256)))
        try:
            found = _read(bytes(altered))
            decode(found.shared)
            outcomes.add("read")
        except (NotDicom, DamagedHeader, DicomDirectory) as error:
            outcomes.add(type(error).__name__)
    assert {"read", "DamagedHeader"} <= outcomes


def test_the_walk_and_pydicom_read_the_same_raw_values(tmp_path):
    for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian):
        content = _bytes(tmp_path, image("1.2.3", "1.2.3.4", 5, SeriesDescription="Übersicht"), syntax)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            dataset = pydicom.dcmread(BytesIO(content), stop_before_pixels=True)
        found = dict(zip(header.STUDY_TAGS, _read(content).shared))
        for tag, value in found.items():
            expected = dataset.get_item(tag).value if tag in dataset else b""
            if isinstance(expected, str):  # pydicom has converted the character set already
                expected = expected.encode()
            assert value.strip(b"\0 ") == expected.strip(b"\0 "), hex(tag)


def test_little_is_read(tmp_path):
    content = _bytes(tmp_path, image("1.2.3", "1.2.3.4", 5)) + b"\0" * 1_000_000
    asked = []

    def read(size, content):
        asked.append(size)
        return content[:size]

    read_header(partial(read, content=content))
    assert asked == [header.FIRST_READ]
