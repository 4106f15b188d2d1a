"""What the scan of a folder chooses is what is analysed: every series is scanned, then read from what the sheet names."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRBigEndian, generate_uid

import scan_folder
from dicom_files import save, textured_volume, write_enhanced, write_series
from lstv.base.errors import StudyError
from lstv.dicom.series import SagittalVolume, read_volume

TAGS = {
    "StudyDescription": "MRI LUMBAR SPINE",
    "SeriesDescription": "SAG T2",
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "SE"],
    "ScanningSequence": "SE",
    "RepetitionTime": 3500,
    "EchoTime": 102,
}
T2 = textured_volume((9, 40, 32), seed=1)
OTHER = textured_volume((9, 40, 32), seed=2)
WIDE = {"pixel_spacing": (6.0, 6.0), "origin": (16.0, -96.0, 120.0)}


def write(folder: Path, volume=T2, **options) -> list[Path]:
    return write_series(folder, volume, **{**WIDE, **TAGS, **options})


def scanned(tmp_path: Path, *options: str) -> list[dict[str, str]]:
    arguments = [
        "--folder", str(tmp_path / "in"), "--out", str(tmp_path / "out" / "s.csv"), "--jobs", "1",
        "--series-lists", str(tmp_path / "private" / "lists"), "--key", str(tmp_path / "private" / "key"), *options,
    ]  # fmt: skip
    assert scan_folder.main(arguments) == 0
    with open(tmp_path / "out" / "s.csv", newline="") as file:
        return list(csv.DictReader(file))


def read(row: dict[str, str]) -> SagittalVolume:
    return read_volume(Path(row["series_dir"]), n_slices=int(row["n_slices"]))


def trained(values) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    low, high = np.percentile(values, (0.1, 99.9))
    values = np.clip(values, low, high) - low
    return (values / values.max() * 255).astype(np.uint8)


def both(tmp_path: Path, *options: str) -> tuple[dict[str, str], SagittalVolume]:
    (row,) = scanned(tmp_path, *options)
    series = read(row)
    assert int(row["n_slices"]) == len(series.slices)
    return row, series


def frames(path: Path, groups, **top) -> None:
    """An Enhanced MR file of a volume for each of ``groups``: (volume, echo time, frame type, component)."""
    volume = np.concatenate([group[0] for group in groups])
    write_enhanced(path, volume, pixel_spacing=(6.0, 6.0), origin=(16.0, -96.0, 120.0))
    dataset = dcmread(path)
    for keyword, value in {**TAGS, **top}.items():
        setattr(dataset, keyword, value)
    for keyword in ("ScanningSequence", "RepetitionTime", "EchoTime"):
        delattr(dataset, keyword)
    dataset.EchoPulseSequence, dataset.EchoPlanarPulseSequence = "SPIN", "NO"
    number = 0
    for stored, echo, kind, component in groups:
        for k in range(len(stored)):
            group = dataset.PerFrameFunctionalGroupsSequence[number]
            group.PlanePositionSequence[0].ImagePositionPatient = [16.0 - 4 * k, -96.0, 120.0]
            group.MREchoSequence = [_item(EffectiveEchoTime=float(echo))]
            group.MRTimingAndRelatedParametersSequence = [_item(RepetitionTime=3500.0)]
            group.MRImageFrameTypeSequence = [
                _item(FrameType=["ORIGINAL", "PRIMARY", *kind], ComplexImageComponent=component)
            ]
            number += 1
    save(dataset, path)


def _item(**values):
    from pydicom.dataset import Dataset

    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


@pytest.mark.parametrize("ids", ["uid", "pseudonym"])
@pytest.mark.parametrize(
    "groups",
    [
        [(OTHER, 12, ["T2", "NONE"], "MAGNITUDE"), (T2, 102, ["T2", "NONE"], "MAGNITUDE")],
        [(OTHER, 102, ["T2", "NONE"], "PHASE"), (T2, 102, ["T2", "NONE"], "MAGNITUDE")],
        [(OTHER, 102, ["DIXON", "FAT"], "MAGNITUDE"), (T2, 102, ["DIXON", "WATER"], "MAGNITUDE")],
        [
            (OTHER, 102, ["DIXON", "FAT"], "MAGNITUDE"),
            (OTHER, 102, ["DIXON", "OUT_OF_PHASE"], "MAGNITUDE"),
            (OTHER, 102, ["DIXON", "WATER"], "MAGNITUDE"),
            (T2, 102, ["DIXON", "IN_PHASE"], "MAGNITUDE"),
        ],
    ],
    ids=["echoes", "phase", "water", "in-phase"],
)
def test_frames_of_one_file(tmp_path, groups, ids):
    frames(tmp_path / "in" / "a.dcm", groups)
    row, series = both(tmp_path, "--ids", ids)
    np.testing.assert_array_equal(series.volume, trained(T2))
    assert row["series_dir"].endswith(".txt") and "frames" in Path(row["series_dir"]).read_text()


@pytest.mark.parametrize(
    ("other", "flag"),
    [
        ({"EchoTime": 12}, "mixed_echoes"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "P", "SE"]}, "mixed_kinds"),
        ({"ImageType": ["DERIVED", "PRIMARY", "DIXON", "FAT"]}, "mixed_kinds"),
    ],
    ids=["echoes", "phase", "fat"],
)
def test_files_of_one_series(tmp_path, other, flag):
    """The folder alone, as a sheet gives it, gives the same images as the scan's list."""
    uid = generate_uid()
    write(tmp_path / "in", OTHER, series_uid=uid, names=[f"a{n}" for n in range(9)], **other)
    write(tmp_path / "in", T2, series_uid=uid, names=[f"b{n}" for n in range(9)])
    _, series = both(tmp_path)
    np.testing.assert_array_equal(series.volume, trained(T2))
    assert series.flags == ()
    whole = read_volume(tmp_path / "in")
    np.testing.assert_array_equal(whole.volume, trained(T2))
    assert whole.flags == (flag,)


@pytest.mark.parametrize("apart", [0.02, 0.09, 0.3])
def test_slices_stored_twice_a_little_apart(tmp_path, apart):
    uid = generate_uid()
    write(tmp_path / "in", T2, series_uid=uid, names=[f"a{n}" for n in range(9)])
    write(
        tmp_path / "in", T2, series_uid=uid, names=[f"b{n}" for n in range(9)], origin=(16.0 - apart, -96.0, 120.0),
        instance_numbers=range(10, 19),
    )  # fmt: skip
    row, series = both(tmp_path)
    assert row["n_slices"] == "9" and series.flags == ("duplicate_slices",)
    np.testing.assert_array_equal(series.volume, trained(T2))


def test_thin_slices_are_not_taken_for_copies(tmp_path):
    write(tmp_path / "in", T2, slice_spacing=0.9)
    assert both(tmp_path)[0]["n_slices"] == "9"


@pytest.mark.parametrize("bare", ["preamble", "meta", "big endian"])
def test_files_that_are_dicom_without_saying_so(tmp_path, bare):
    options = {"transfer_syntax": ExplicitVRBigEndian} if bare == "big endian" else {}
    for path in write(tmp_path / "in", **options):
        content = path.read_bytes()
        path.write_bytes(content[132 if bare == "preamble" else 144 + int.from_bytes(content[140:144], "little") :])
    np.testing.assert_array_equal(both(tmp_path)[1].volume, trained(T2))


def test_one_instance_uid_for_all_files(tmp_path):
    write(tmp_path / "in", SOPInstanceUID="1.2.3.4")
    assert both(tmp_path)[0]["n_slices"] == "9"


def test_an_orientation_rounded_differently_from_file_to_file(tmp_path):
    def jitter(dataset, index):
        dataset.ImageOrientationPatient = [0.003 * (index % 3), 1.0, 0.0, 0.0, 0.0, -1.0]

    write(tmp_path / "in", each=jitter)
    row, series = both(tmp_path, "--all-series", str(tmp_path / "out" / "series.csv"))
    assert row["n_slices"] == "9" and series.flags == ()
    with open(tmp_path / "out" / "series.csv", newline="") as file:
        (told,) = csv.DictReader(file)
    assert told["n_duplicates"] == "0" and told["n_stacks"] == "1"


def test_a_series_that_changed_since_the_scan_is_refused(tmp_path):
    paths = write(tmp_path / "in")
    (row,) = scanned(tmp_path)
    dataset = dcmread(paths[3])
    dataset.ImagePositionPatient = dcmread(paths[4]).ImagePositionPatient
    save(dataset, paths[3])
    with pytest.raises(StudyError, match="hold 8 slices, the scan of the folder counted 9"):
        read(row)


def test_a_file_lost_since_the_scan_is_flagged(tmp_path):
    paths = write(tmp_path / "in")
    (row,) = scanned(tmp_path)
    paths[8].unlink()
    assert read(row).flags == ("unreadable_files",)


@pytest.mark.parametrize(
    "elements",
    [
        {"PixelSpacing": None},
        {"PixelSpacing": [1000, 0.001]},
        {"RescaleSlope": 0},
        {"Modality": "CT"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"},
        {"ImageOrientationPatient": None},
    ],
    ids=str,
)
def test_what_the_reader_refuses_is_not_chosen(tmp_path, elements):
    study = generate_uid()
    write(tmp_path / "in" / "a", textured_volume((12, 40, 32)), StudyInstanceUID=study, **elements)
    write(tmp_path / "in" / "b", StudyInstanceUID=study)
    row, series = both(tmp_path)
    np.testing.assert_array_equal(series.volume, trained(T2))
    with pytest.raises(StudyError):
        read_volume(tmp_path / "in" / "a")


def test_a_study_with_images_of_unknown_place_says_so(tmp_path):
    paths = write(tmp_path / "in")
    dataset = dcmread(paths[8])
    del dataset.ImagePositionPatient
    save(dataset, paths[8])
    row, series = both(tmp_path)
    assert row["n_slices"] == "8"
    assert "1 image of it cannot be used (ImagePositionPatient is missing)" in row["reason"]
    assert "missing_geometry" in read_volume(tmp_path / "in").flags


# --- nothing of the header gets out -----------------------------------------------------------------------------------

_FREE = {"AE", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT", "AS"}
_NEEDED = {"SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"}


def _every_text_element() -> list[tuple[str, str]]:
    from pydicom.datadict import dictionary_VR, keyword_for_tag

    from lstv.dicom.headers import OWN, SHARED

    known = [(keyword_for_tag(tag), dictionary_VR(tag)) for tag in (*SHARED, *OWN) if tag >> 16 != 0x0043]
    return sorted((keyword, vr) for keyword, vr in known if vr in _FREE)


def _one_of_a_kind_fast() -> list:
    """All of them; after the first of its kind of value an element is left to the slow tests."""
    kinds: set[str] = set()
    marked = []
    for keyword, vr in _every_text_element():
        marked.append(pytest.param(keyword, vr, marks=[pytest.mark.slow] if vr in kinds else []))
        kinds.add(vr)
    return marked


def _set_raw(dataset, keyword: str, vr: str, text: bytes) -> None:
    from pydicom.datadict import tag_for_keyword
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    tag = Tag(tag_for_keyword(keyword))
    dataset[tag] = RawDataElement(tag, vr, len(text), text, 0, False, True)


@pytest.mark.parametrize("keyword, vr", _one_of_a_kind_fast())
def test_a_text_in_any_element_stays_out_of_what_is_shared(tmp_path, keyword, vr, capfd, recwarn):
    """Of every element that is read; an id, a formula, an escape code in it."""
    canary = b"=CANARY\x1b[31m|A1 "
    paths = write(tmp_path / "in" / "a")
    write(tmp_path / "in" / "b", series_uid=generate_uid())
    for path in paths:
        dataset = dcmread(path)
        _set_raw(dataset, keyword, vr, canary)
        save(dataset, path)
    others = ("--all-series", str(tmp_path / "out" / "x.csv"), "--summary", str(tmp_path / "out" / "x.json"))
    recwarn.clear()
    rows = scanned(tmp_path, *others)
    said = [
        *capfd.readouterr(),
        *(str(warning.message) for warning in recwarn),
        *(path.read_text() for path in (tmp_path / "out").iterdir()),
    ]
    for row in rows:
        if row["series_dir"]:
            try:
                series = read(row)
                said.append(repr((series.provenance, series.flags, series.slices)))
            except StudyError as error:
                said.append(str(error))
    assert not [text for text in said if "CANARY" in text or "canary" in text]


def test_a_transfer_syntax_that_is_a_text_stays_out_of_the_reason(tmp_path):
    for path in write(tmp_path / "in"):
        path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"CANARY.MUELLER.HANS\0"))
    (row,) = scanned(tmp_path)
    with pytest.raises(StudyError) as caught:
        read(row)
    assert "CANARY" not in str(caught.value)
