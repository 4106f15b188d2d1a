"""Finding the DICOM images among files, and what each frame's header says about its place and its values."""

from __future__ import annotations

import io
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from lstv.base.arrays import FloatArray, StoredArray
from lstv.dicom import pixels
from lstv.dicom.geometry import SliceGeometry
from lstv.dicom.intensities import Transform

# Only these are read: names, ids and dates of the patient never come into memory.
_ELEMENTS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "ManufacturerModelName",
    "EchoNumbers",
    "AcquisitionNumber",
    "InstanceNumber",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "PixelSpacing",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "RescaleSlope",
    "RescaleIntercept",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "PixelData",
)
_TAGS = [Tag(keyword) for keyword in _ELEMENTS]

_PREFIX_LENGTH = 132
_DICOM_SUFFIXES = frozenset({".dcm", ".dicom", ".ima"})


@dataclass(frozen=True)
class Source:
    """A file to look at: what messages and records call it, and whether it is known to belong to the series."""

    path: Path
    label: str
    expected: bool


class ImageFile:
    """One DICOM image file in memory; its pixels are decoded once, when they are first asked for."""

    def __init__(self, source: Source, dataset: Dataset) -> None:
        self.source = source
        self.dataset = dataset
        self.decoder = ""
        self._pixels: StoredArray | None = None
        self._error: pixels.PixelError | None = None

    def pixels(self, index: int) -> StoredArray:
        """Stored values (rows, columns) of frame ``index``. Raises pixels.PixelError."""
        if self._error is not None:
            raise self._error
        if self._pixels is None:
            try:
                self._pixels, self.decoder = pixels.decode(self.dataset)
            except pixels.PixelError as error:
                self._error = error
                raise
        frame: StoredArray = self._pixels[index]
        return frame


@dataclass(frozen=True)
class Frame:
    """One image plane: a single-frame file, or one frame of a multi-frame one.

    ``rank`` orders frames at the same place: echo, acquisition, instance number, instance UID, frame index.
    """

    file: ImageFile
    index: int
    series_uid: str
    geometry: SliceGeometry
    transform: Transform
    rank: tuple[Any, ...]

    def pixels(self) -> StoredArray:
        """Stored values (rows, columns). Raises pixels.PixelError."""
        return self.file.pixels(self.index)


@dataclass
class Scan:
    """What a folder holds: usable ``frames`` in order of file names, and the labels of the image files that are not."""

    frames: list[Frame] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    colour: list[str] = field(default_factory=list)
    without_geometry: list[str] = field(default_factory=list)
    n_images: int = 0


def _looks_like_dicom(start: bytes) -> bool:
    """Whether a file is DICOM, by its first 132 bytes; names and extensions do not count."""
    if start[128:132] == b"DICM":
        return True
    # Without the preamble of part 10: a data set that begins with group 0002 or 0008, either byte order, and whose first
    # element is short (explicit VR: two capital letters; implicit VR: a small length).
    if len(start) < _PREFIX_LENGTH or start[:2] not in (b"\x02\0", b"\x08\0", b"\0\x08"):
        return False
    order: Literal["big", "little"] = "big" if start[:2] == b"\0\x08" else "little"
    element, length = int.from_bytes(start[2:4], order), int.from_bytes(start[4:8], order)
    return element <= 0x0100 and (start[4:6].isalpha() and start[4:6].isupper() or length < 1024)


def sources(folder: Path) -> list[Source]:
    """The files directly in ``folder`` that may be images, by name. Raises OSError where it cannot be listed."""
    names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    files = [(name, folder / name) for name in names]
    return [
        Source(path, label=name, expected=path.suffix.lower() in _DICOM_SUFFIXES)
        for name, path in files
        if path.is_file()
    ]


def listed_sources(paths: list[Path]) -> list[Source]:
    """The files of a series list. They are named by their line, as their paths may tell who the patient is."""
    return [Source(path, label=f"line {number}", expected=True) for number, path in enumerate(paths, start=1)]


def scan(files: list[Source]) -> Scan:
    """Read every DICOM image among ``files``, once each."""
    found = Scan()
    for source in files:
        try:
            with open(source.path, "rb") as file:
                start = file.read(_PREFIX_LENGTH)
                content = start + file.read() if _looks_like_dicom(start) else None
        except OSError as error:
            found.unreadable[source.label] = f"it cannot be opened ({error.strerror})"
            continue
        if content is not None:
            _add(found, source, content)
        elif source.expected:
            found.unreadable[source.label] = "it is not DICOM"
    found.n_images += len(found.unreadable)
    return found


def _add(found: Scan, source: Source, content: bytes) -> None:
    name = source.label
    try:
        dataset = pydicom.dcmread(io.BytesIO(content), force=True, specific_tags=_TAGS)
        if "Rows" not in dataset or dataset.get("BitsAllocated") == 1:
            if _claims_to_be_an_image(dataset):
                found.unreadable[name] = "its header is cut short"
            return  # a directory, a report, a presentation state, a segmentation
        if "PixelData" not in dataset:  # the last element: what stands before it may be cut off as well
            found.unreadable[name] = "its pixel data is missing or cut short"
            return
        if "TransferSyntaxUID" not in dataset.file_meta:
            dataset.file_meta.TransferSyntaxUID = _guessed_syntax(dataset)
        if dataset.get("SamplesPerPixel", 1) != 1 or dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
            found.colour.append(name)
        else:
            frames = _frames(ImageFile(source, dataset))
            found.frames += frames
            if len(frames) < int(dataset.get("NumberOfFrames") or 1):
                found.without_geometry.append(name)
    except Exception as error:  # a parser of foreign files may raise anything; its text may quote the header
        found.unreadable[name] = f"its header cannot be read ({type(error).__name__})"
        return
    found.n_images += 1


def _claims_to_be_an_image(dataset: Dataset) -> bool:
    """Whether a data set without Rows is an image cut short: by its SOP class, stated in the file's first bytes."""
    uid = getattr(dataset, "file_meta", Dataset()).get("MediaStorageSOPClassUID") or dataset.get("SOPClassUID")
    return "Rows" not in dataset and uid is not None and "Image Storage" in uid.name


def _guessed_syntax(dataset: Dataset) -> pydicom.uid.UID:
    implicit, little = dataset.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def _frames(file: ImageFile) -> list[Frame]:
    """The frames that have a place in the patient."""
    dataset = file.dataset
    count = int(dataset.get("NumberOfFrames") or 1)
    series_uid = str(dataset.get("SeriesInstanceUID") or "")
    planes = ((index, _geometry(dataset, index, count)) for index in range(count))
    return [
        Frame(file, index, series_uid, geometry, _transform(dataset, index), (*_rank(dataset, index), index))
        for index, geometry in planes
        if geometry is not None
    ]


def _functional(dataset: Dataset, index: int, macro: str, keyword: str) -> Any:
    """A value of a multi-frame functional group (PS3.3 C.7.6.16): the frame's own, else the shared one, else None."""
    own, shared = (dataset.get(f"{name}FunctionalGroupsSequence") for name in ("PerFrame", "Shared"))
    for groups, position in ((own, index), (shared, 0)):
        if groups and position < len(groups):
            items = groups[position].get(macro)
            value = items[0].get(keyword) if items else None
            if value is not None:
                return value
    return None


def _geometry(dataset: Dataset, index: int, count: int) -> SliceGeometry | None:
    def values(macro: str, keyword: str, length: int) -> FloatArray | None:
        value = _functional(dataset, index, macro, keyword)
        if value is None and (count == 1 or keyword != "ImagePositionPatient"):
            value = dataset.get(keyword)
        if value is None or isinstance(value, str) or len(value) != length:
            return None
        numbers = np.array([float(number) for number in value])
        return numbers if np.isfinite(numbers).all() else None

    orientation = values("PlaneOrientationSequence", "ImageOrientationPatient", 6)
    position = values("PlanePositionSequence", "ImagePositionPatient", 3)
    spacing = values("PixelMeasuresSequence", "PixelSpacing", 2)
    if orientation is None or position is None or spacing is None or not (spacing > 0).all():
        return None
    lengths = np.linalg.norm(orientation.reshape(2, 3), axis=1)
    if not (abs(lengths - 1) < 0.05).all():
        return None
    row, column = orientation.reshape(2, 3) / lengths[:, None]
    if abs(row @ column) > 0.05:
        return None
    return SliceGeometry(
        tuple(position.tolist()),
        tuple(row.tolist()),
        tuple(column.tolist()),
        float(spacing[0]),
        float(spacing[1]),
        int(dataset.Rows),
        int(dataset.Columns),
    )


def _transform(dataset: Dataset, index: int) -> Transform:
    """Modality rescale and MONOCHROME1 of one frame. Raises ValueError where the slope is 0 or not a number."""

    def number(keyword: str, default: float) -> float:
        value = _functional(dataset, index, "PixelValueTransformationSequence", keyword)
        value = dataset.get(keyword) if value is None else value
        return default if value in (None, "") else float(value)

    slope, intercept = number("RescaleSlope", 1.0), number("RescaleIntercept", 0.0)
    if slope == 0 or not math.isfinite(slope) or not math.isfinite(intercept):
        raise ValueError("rescale")
    mirror = None
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
        mirror = -1 if dataset.PixelRepresentation == 1 else 2 ** int(dataset.BitsStored) - 1
    return Transform(slope, intercept, mirror)


def _rank(dataset: Dataset, index: int) -> tuple[Any, ...]:
    def first(*values: Any) -> tuple[bool, float]:
        for value in values:
            if value is not None and not isinstance(value, (str, float, int)):
                value = value[0] if len(value) else None
            if value not in (None, ""):
                return False, float(value)
        return True, 0.0  # what is not stated comes last

    return (
        first(dataset.get("EchoNumbers"), _functional(dataset, index, "MREchoSequence", "EffectiveEchoTime")),
        first(
            dataset.get("AcquisitionNumber"),
            _functional(dataset, index, "FrameContentSequence", "FrameAcquisitionNumber"),
        ),
        first(dataset.get("InstanceNumber")),
        str(dataset.get("SOPInstanceUID") or ""),
    )
