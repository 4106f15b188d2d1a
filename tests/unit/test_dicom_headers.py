"""The one header reader: what is DICOM, the values that choice and analysis need, and what is refused."""

from __future__ import annotations

import random
import struct
import zlib
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

from folder_tree import enhanced, image, save
from lstv.dicom import facts, headers
from lstv.dicom.facts import decode
from lstv.dicom.headers import FIELDS, DamagedHeader, DicomDirectory, NotDicom
from lstv.dicom.pixels import quiet_pydicom

LITTLE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)


def _images(content: bytes, *, pixels: bool = False) -> list[facts.Image]:
    with quiet_pydicom():
        return [facts.image("x", found) for found in headers.headers(headers.read(BytesIO(content), pixels=pixels))]


def _bytes(tmp_path, dataset, syntax=ExplicitVRLittleEndian, **options) -> bytes:
    return save(tmp_path / "x", dataset, syntax, **options).read_bytes()


def _check(content: bytes, dataset, *, pixels: bool = False) -> facts.Image:
    (found,) = _images(content, pixels=pixels)
    values = found.facts
    assert values.study_uid == dataset.StudyInstanceUID
    assert values.series_uid == dataset.SeriesInstanceUID
    assert found.sop_instance == dataset.SOPInstanceUID
    assert found.position == tuple(float(v) for v in dataset.ImagePositionPatient)
    assert values.image_type == tuple(dataset.ImageType)
    assert values.orientation == tuple(float(v) for v in dataset.ImageOrientationPatient)
    assert values.pixel_spacing == (0.4375, 0.4375)
    assert (values.rows, values.columns, values.frames) == (640, 512, 1)
    assert (values.echo_time, values.repetition_time, values.inversion_time) == (105.0, 3500.0, None)
    assert values.series_description == dataset.SeriesDescription
    assert values.pixel_data and found.problem is None
    return found


def _without_preamble(content: bytes) -> bytes:
    return content[132:]


def _without_meta(content: bytes) -> bytes:
    return content[144 + int.from_bytes(content[140:144], "little") :]


def _labelled(content: bytes, other: bytes) -> bytes:
    """The data set of ``content`` under the meta group of ``other``."""
    return other[: len(other) - len(_without_meta(other))] + _without_meta(content)


@pytest.mark.parametrize("pixels", [False, True])
@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_every_transfer_syntax(tmp_path, syntax, pixels):
    dataset = image("1.2.3", "1.2.3.4", 5, Columns=512, SeriesDescription="矢状位 T2")
    _check(_bytes(tmp_path, dataset, syntax), dataset, pixels=pixels)


@pytest.mark.parametrize("pixels", [False, True])
@pytest.mark.parametrize("cut", [_without_preamble, _without_meta])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_without_preamble_or_meta_group(tmp_path, syntax, cut, pixels):
    dataset = image("1.2.3", "1.2.3.4", 5, Columns=512)
    _check(cut(_bytes(tmp_path, dataset, syntax)), dataset, pixels=pixels)


@pytest.mark.parametrize("pixels", [False, True])
@pytest.mark.parametrize("label", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("content", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_content_under_another_label(tmp_path, content, label, pixels):
    dataset = image("1.2.3", "1.2.3.4", 5, Columns=512)
    other = _bytes(tmp_path, dataset, label)
    dataset = image("1.2.3", "1.2.3.4", 5, Columns=512)
    _check(_labelled(_bytes(tmp_path, dataset, content), other), dataset, pixels=pixels)


def test_labelled_deflated_yet_it_is_not(tmp_path):
    dataset = image("1.2.3", "1.2.3.4", 5, Columns=512)
    deflated = _bytes(tmp_path, dataset, DeflatedExplicitVRLittleEndian)
    dataset = image("1.2.3", "1.2.3.4", 5, Columns=512)
    _check(_labelled(_bytes(tmp_path, dataset), deflated), dataset)


def test_a_deflated_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(headers, "LARGEST_INFLATED", 1 << 20)
    deflated = _bytes(tmp_path, image("1.2.3", "1.2.3.4", 5), DeflatedExplicitVRLittleEndian)
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bomb = packer.compress(bytes(5 << 20)) + packer.flush()
    start = deflated[: len(deflated) - len(_without_meta(deflated))]
    with pytest.raises(DamagedHeader, match="more than 1 MiB"):
        _images(start + bomb)


def test_compressed_pixels_do_not_matter(tmp_path):
    dataset = image("1.2.3", "1.2.3.4", 5, Columns=512)
    dataset.PixelData = pydicom.encaps.encapsulate([b"\1" * 10])
    dataset["PixelData"].is_undefined_length = True
    _check(_bytes(tmp_path, dataset, JPEG2000Lossless), dataset)


def test_large_private_element_before_the_image_elements(tmp_path):
    dataset = image("1.2.3", "1.2.3.4", 5, Columns=512)
    dataset.private_block(0x0019, "MAKER", create=True).add_new(0x10, "OB", b"\7" * 300_000)
    _check(_bytes(tmp_path, dataset), dataset)


def test_tags_out_of_order(tmp_path):
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
    assert _check(content[:at] + unknown + content[at:], dataset).facts.modality == "MR"


# --- values -----------------------------------------------------------------------------------------------------------


def _decoded(**values: bytes) -> facts.Facts:
    return decode(tuple(values.get(name, b"") for name in FIELDS))


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
    assert _decoded(character_set=character_set.encode(), series_description=value).series_description == text


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [("gb18030", b"ISO_IR 100"), ("windows-1251", b""), ("utf-8", b"ISO_IR 100")],
)
def test_other_readings_of_a_name_whose_character_set_is_doubtful(encoding, declared):
    text = {"gb18030": "颈椎", "windows-1251": "шейный отдел", "utf-8": "頸椎"}[encoding]
    values = _decoded(character_set=declared, series_description=text.encode(encoding))
    assert text in (values.series_description, *values.decodings["series_description"])


def test_unusable_numbers_count_as_absent():
    values = _decoded(echo_time=b"n/a", orientation=b"1\\0\\0", pixel_spacing=b"nan\\1", frames=b"x", rows=b"512")
    assert (values.echo_time, values.orientation, values.pixel_spacing, values.frames) == (None, None, None, None)


@pytest.mark.parametrize("time", [b"0", b"-5", b"1e300", b"1_0", b"inf"])
def test_times_that_cannot_be_count_as_absent(time):
    assert _decoded(echo_time=time, repetition_time=time).echo_time is None


def test_a_decimal_comma_is_a_point():
    assert _decoded(pixel_spacing=b"0,4375\\0,5").pixel_spacing == (0.4375, 0.5)


@pytest.mark.parametrize(
    ("elements", "said"),
    [
        ({"PixelSpacing": None}, "PixelSpacing is missing"),
        ({"PixelSpacing": ["1e300", "1e300"]}, "PixelSpacing is 1e+300"),
        ({"PixelSpacing": [15, 0.015]}, "PixelSpacing is 15\\0.015 mm, which cannot be"),
        ({"ImageOrientationPatient": None}, "ImageOrientationPatient is missing"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "ImageOrientationPatient is 1\\0\\0\\1\\0\\0"),
        ({"ImagePositionPatient": ["1e300", "0", "0"]}, "ImagePositionPatient is '1e300\\0\\0' mm"),
        ({"ImagePositionPatient": None}, "ImagePositionPatient is missing"),
        ({"Modality": "CT"}, "its Modality is CT, not MR"),
        ({"Modality": "Mueller^Hans"}, "its Modality is no term that DICOM defines, not MR"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, "it is CT Image (SOP class), not an MR image"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "a screenshot"),
        ({"NumberOfFrames": "-1"}, "its NumberOfFrames is -1"),
        ({"NumberOfFrames": 2147483647}, "none of 2147483647 frames"),
        ({"RescaleSlope": 0}, "its RescaleSlope is '0"),
        ({"RescaleIntercept": "1e300"}, "its RescaleIntercept is '1e300'"),
        ({"Rows": 60000}, "60000 x 640 pixels"),
        ({"BitsAllocated": 12}, "its BitsAllocated is 12"),
        ({"SamplesPerPixel": 3}, "a colour image"),
        ({"pixels": b""}, None),
    ],
)  # fmt: skip
def test_what_makes_an_image_unusable_names_element_and_value(tmp_path, elements, said):
    (found,) = _images(_bytes(tmp_path, image("1.2.3", "1.2.3.4", 5, **elements)))
    assert (found.problem is None) if said is None else said in found.problem.text


@pytest.mark.parametrize("keyword", ["ImagePositionPatient", "RescaleSlope", "PixelSpacing", "Modality"])
def test_reasons_quote_numbers_only(tmp_path, keyword):
    """A text in a number's place may be somebody's name."""
    content = _bytes(tmp_path, image("1.2.3", "1.2.3.4", 5, RescaleSlope="1", RescaleIntercept="0"))
    tag, name = pydicom.datadict.tag_for_keyword(keyword), b"MUELLER"
    at = content.index(struct.pack("<HH", tag >> 16, tag & 0xFFFF) + pydicom.datadict.dictionary_VR(tag).encode())
    length = int.from_bytes(content[at + 6 : at + 8], "little")
    changed = content[: at + 6] + struct.pack("<H", 8) + name + b" " + content[at + 8 + length :]
    (found,) = _images(changed)
    assert found.problem is not None and "MUELLER" not in found.problem.text


def test_an_instance_number_of_text_is_not_needed(tmp_path):
    content = _bytes(tmp_path, image("1.2.3", "1.2.3.4", 5, InstanceNumber=1234))
    (found,) = _images(content.replace(b"\x20\0\x13\0IS\4\x001234", b"\x20\0\x13\0IS\4\0IM1 "))
    assert found.problem is None


# --- frames -----------------------------------------------------------------------------------------------------------


def test_frames_of_an_enhanced_file(tmp_path):
    found = _images(_bytes(tmp_path, enhanced("1.2.3", "1.2.3.4", 7)))
    assert [image.frame for image in found] == list(range(7))
    assert len({image.position for image in found}) == 7
    assert {(image.facts.echo_time, image.facts.repetition_time) for image in found} == {(105.0, 3500.0)}
    assert all(image.problem is None for image in found)


def test_more_frames_than_functional_groups(tmp_path):
    dataset = enhanced("1.2.3", "1.2.3.4", 7)
    dataset.NumberOfFrames = 2147483647
    *whole, rest = _images(_bytes(tmp_path, dataset))
    assert len(whole) == 7 and all(image.problem is None for image in whole)
    assert rest.problem.kind == "geometry"


def test_fewer_frames_than_functional_groups(tmp_path):
    dataset = enhanced("1.2.3", "1.2.3.4", 7)
    dataset.NumberOfFrames = 3
    assert len(_images(_bytes(tmp_path, dataset))) == 3


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["ORIGINAL", "PRIMARY", "M", "ND"], "original"),
        (["ORIGINAL", "PRIMARY", "P", "ND"], "phase image"),
        (["ORIGINAL", "PRIMARY", "M_SE", "M", "SE"], "original"),
        (["ORIGINAL", "PRIMARY", "P_SE", "P", "SE"], "phase image"),
        (["ORIGINAL", "PRIMARY", "R_IR", "R", "IR"], "phase image"),
        (["DERIVED", "PRIMARY", "DIXON", "FAT"], "fat image"),
        (["DERIVED", "PRIMARY", "DIXON", "WATER"], "water image"),
        (["DERIVED", "PRIMARY", "DIXON", "IN_PHASE"], "in-phase image"),
        (["DERIVED", "PRIMARY", "DIXON", "OUT_OF_PHASE"], "opposed-phase image"),
    ],
)
def test_kinds_of_images(values, kind):
    assert _decoded(image_type="\\".join(values).encode()).image_kind == kind


@pytest.mark.parametrize(
    ("value", "kind"), [(0, "original"), (1, "phase image"), (2, "phase image"), (3, "phase image")]
)
def test_a_phase_image_of_ge(tmp_path, value, kind):
    dataset = image(
        "1.2.3", "1.2.3.4", 5, Manufacturer="GE MEDICAL SYSTEMS", ImageType=["ORIGINAL", "PRIMARY", "OTHER"]
    )
    dataset.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x2F, "SS", value)
    (found,) = _images(_bytes(tmp_path, dataset))
    assert found.facts.image_kind == kind


def test_a_phase_image_by_its_complex_component():
    assert _decoded(image_type=b"ORIGINAL\\PRIMARY\\M", complex_component=b"PHASE").image_kind == "phase image"


# --- what is not read -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\x89PNG\r\n" + b"\0" * 300, b"\x08\x00" + b"\0" * 400, b"<html>" * 99]
)
def test_not_dicom(content):
    with pytest.raises(NotDicom):
        _images(content)


def test_dicomdir(tmp_path):
    dataset = image("1.2.3", "1.2.3.4", 5, SOPClassUID="1.2.840.10008.1.3.10")
    with pytest.raises(DicomDirectory):
        _images(_bytes(tmp_path, dataset))


@pytest.mark.parametrize("length", [300, 330, 700])
def test_header_cut_short(tmp_path, length):
    content = _bytes(tmp_path, image("1.2.3", "1.2.3.4", 5))[:length]
    try:
        (found,) = _images(content)
    except DamagedHeader:
        return
    assert "cut short" in found.problem.text


def test_object_without_pixel_data(tmp_path):
    dataset = image("1.2.3", "1.2.3.4", 5)
    del dataset.PixelData
    (found,) = _images(_bytes(tmp_path, dataset))
    assert found.problem.text == "its pixel data is missing or cut short"


@pytest.mark.slow
def test_altered_files_are_read_or_refused(tmp_path):
    """Whatever bytes are altered: one of the three refusals, or values, and never another exception or an endless loop."""
    content = _bytes(tmp_path, image("1.2.3", "1.2.3.4", 5))
    multi = _bytes(tmp_path, enhanced("1.2.3", "1.2.3.4", 5))
    draw = random.Random(1)
    outcomes = set()
    for number in range(800):
        altered = bytearray(multi if number % 4 == 0 else content)
        for _ in range(draw.randint(1, 6)):
            altered[draw.randrange(len(altered))] = draw.choice((0, 255, draw.randrange(256)))
        try:
            _images(bytes(altered), pixels=number % 2 == 0)
            outcomes.add("read")
        except (NotDicom, DamagedHeader, DicomDirectory) as error:
            outcomes.add(type(error).__name__)
    assert "read" in outcomes


def test_pixels_are_not_read_for_the_header(tmp_path):
    content = _bytes(tmp_path, image("1.2.3", "1.2.3.4", 5, pixels=bytes(2_000_000)))
    stream = BytesIO(content)
    with quiet_pydicom():
        headers.read(stream)
    assert stream.tell() < 10_000
