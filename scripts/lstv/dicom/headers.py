"""One file -> the header values that the choice and the analysis of a series need. The only opinion of what is DICOM.

The scan of a folder and the analysis read files here, so that what the one takes for an image the other does. pydicom
parses; only the elements of ``SHARED``, ``OWN`` and ``PIXELS`` are looked at. Values stay raw bytes: files of one series
share nearly all of them, and ``facts`` decodes each kind once.
"""

from __future__ import annotations

import errno
import re
import struct
import zlib
from io import BytesIO
from typing import Literal, NamedTuple, Protocol

import pydicom
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

SHARED = {
    0x00080005: "character_set",
    0x00080008: "image_type",
    0x00080016: "sop_class",
    0x00080020: "study_date",
    0x00080050: "accession_number",
    0x00080060: "modality",
    0x00080070: "manufacturer",
    0x00081030: "study_description",
    0x0008103E: "series_description",
    0x00081090: "model",
    0x00089208: "complex_component",
    0x00100020: "patient_id",
    0x00180015: "body_part",
    0x00180020: "scanning_sequence",
    0x00180021: "sequence_variant",
    0x00180022: "scan_options",
    0x00180023: "acquisition_type",
    0x00180024: "sequence_name",
    0x00180050: "slice_thickness",
    0x00180080: "repetition_time",
    0x00180081: "echo_time",
    0x00180082: "inversion_time",
    0x00180091: "echo_train_length",
    0x00181030: "protocol_name",
    0x0020000D: "study_uid",
    0x0020000E: "series_uid",
    0x00200011: "series_number",
    0x00200037: "orientation",
    0x00200052: "frame_of_reference",
    0x00280002: "samples",
    0x00280004: "photometric",
    0x00280008: "frames",
    0x00280010: "rows",
    0x00280011: "columns",
    0x00280030: "pixel_spacing",
    0x00280100: "bits_allocated",
    0x00280101: "bits_stored",
    0x0043102F: "raw_data_type",
}
"""What files of one series share (the last is private to GE); the names are fields of ``facts.Facts``, which has
``pixel_data`` ("1" or "") as well."""

OWN = {
    0x00080018: "sop_instance",
    0x00180086: "echo_number",
    0x00200012: "acquisition_number",
    0x00200013: "instance_number",
    0x00200032: "position",
    0x00281052: "rescale_intercept",
    0x00281053: "rescale_slope",
}
"""What differs from image to image."""

PIXELS = (
    "PlanarConfiguration",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "PixelData",
)
"""What decoding needs beside the above."""

_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_TOP = ("EchoPulseSequence", "EchoPlanarPulseSequence")
_PER_FRAME_GROUPS = int(Tag(_GROUPS[1]))
# of pydicom's own type, which saves it turning each of them into one for every file
_HEADER_TAGS = [Tag(tag) for tag in sorted([*SHARED, *OWN, *(int(Tag(name)) for name in (*_GROUPS, *_TOP))])]
_PIXEL_TAGS = [Tag(tag) for tag in sorted({*map(int, _HEADER_TAGS), *(int(Tag(name)) for name in PIXELS)})]
_MEDIA_SOP_CLASS, _TRANSFER_SYNTAX, _PIXEL_DATA = 0x00020002, 0x00020010, 0x7FE00010
FIELDS = (*SHARED.values(), "pixel_data")
_OWN_FIELDS = tuple(OWN.values())
_FRAMES = FIELDS.index("frames")

_DICOMDIR = b"1.2.840.10008.1.3.10"
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_PREFIX_LENGTH = 132
LARGEST_INFLATED = 128 * 1024 * 1024
"""Bytes that a deflated data set may have; a file of 500 kB can hold a thousand times that."""
MOST_FRAMES = 20_000
"""Frames of one file that are looked at."""


class Readable(Protocol):
    """What is asked of a file."""

    def read(self, size: int = ..., /) -> bytes: ...

    def seek(self, offset: int, whence: int = ..., /) -> int: ...

    def tell(self) -> int: ...


class Header(NamedTuple):
    """Raw values of one image, padding removed: ``shared`` in the order of ``FIELDS``, ``own`` in that of ``OWN``, and
    its number in the file (0 in single-frame files)."""

    shared: tuple[bytes, ...]
    own: tuple[bytes, ...]
    frame: int


class NotDicom(Exception):
    """The content is something else."""


class DicomDirectory(Exception):
    """A DICOMDIR: an index of files, which are found by themselves."""


class DamagedHeader(Exception):
    """DICOM by its marks, yet not readable; the text is a clause that says what is wrong and quotes nothing."""


def looks_like_dicom(start: bytes) -> bool:
    """Whether a file may be DICOM, by its first 132 bytes; names and extensions do not count."""
    if start[128:132] == b"DICM":
        return True
    # Without the preamble of part 10: a data set that begins with group 0002 or 0008, either byte order, and whose first
    # element is short (explicit VR: two capital letters; implicit VR: a small length).
    if len(start) < _PREFIX_LENGTH or start[:2] not in (b"\x02\0", b"\x08\0", b"\0\x08"):
        return False
    order: Literal["big", "little"] = "big" if start[:2] == b"\0\x08" else "little"
    element, length = int.from_bytes(start[2:4], order), int.from_bytes(start[4:8], order)
    return element <= 0x0100 and (start[4:6].isalpha() and start[4:6].isupper() or length < 1024)


def read(stream: Readable, *, pixels: bool = False) -> Dataset:
    """The wanted elements of a file; with ``pixels`` also those that decoding needs. Attribute ``has_pixel_data`` tells
    whether pixel data was met; without ``pixels`` it is not read.

    Raises NotDicom, DicomDirectory or DamagedHeader. Call it inside ``pixels.quiet_pydicom``.
    """
    start = stream.read(_PREFIX_LENGTH)
    if not looks_like_dicom(start):
        raise NotDicom
    marked = start[128:132] == b"DICM"
    try:
        stream.seek(0)
        dataset = _parsed(stream, pixels)
        if not _has_content(dataset) and (marked or start[:2] == b"\x02\0"):
            dataset = _relabelled(stream, dataset, pixels)
        if _raw(dataset.file_meta, _MEDIA_SOP_CLASS) == _DICOMDIR:
            raise DicomDirectory
        if not _has_content(dataset):
            if marked:
                raise DamagedHeader("its header is cut short")
            raise NotDicom
    except (NotDicom, DicomDirectory, DamagedHeader, MemoryError):
        raise
    except Exception as error:  # on damaged data pydicom raises nearly anything; its text may quote the header
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL, errno.EOVERFLOW):
            raise  # of the disk, not of the content
        if not marked:
            raise NotDicom from error
        raise DamagedHeader(f"its header cannot be parsed ({type(error).__name__})") from error
    return dataset


def _parsed(stream: Readable, pixels: bool) -> Dataset:
    start = stream.read(1024)
    stream.seek(0)
    if _DEFLATED in start and start[128:144].startswith(b"DICM\x02\0\0\0UL"):
        return _inflated(stream, start, pixels)
    return _dcmread(stream, pixels)


def _dcmread(stream: Readable, pixels: bool) -> Dataset:
    dataset = pydicom.dcmread(
        stream,
        force=True,
        stop_before_pixels=not pixels,
        specific_tags=_PIXEL_TAGS if pixels else _HEADER_TAGS,
    )
    if not hasattr(dataset, "file_meta"):
        dataset.file_meta = FileMetaDataset()
    there = _PIXEL_DATA in dataset._dict if pixels else _at_pixel_data(stream.read(4))
    dataset.__dict__["has_pixel_data"] = there  # pydicom's own way to set attributes looks them all up
    if _TRANSFER_SYNTAX not in dataset.file_meta._dict and _has_content(dataset):
        dataset.file_meta.TransferSyntaxUID = _seen_syntax(dataset)
    return dataset


def _at_pixel_data(tag: bytes) -> bool:
    return tag in (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")


def _seen_syntax(dataset: Dataset) -> pydicom.uid.UID:
    implicit, little = dataset.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def _inflated(stream: Readable, start: bytes, pixels: bool) -> Dataset:
    """A deflated data set, unpacked to a bounded size (pydicom would unpack whatever is there)."""
    meta = _end_of_meta(start)
    stream.seek(meta)
    packed = stream.read(LARGEST_INFLATED)
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = unpacker.decompress(packed, LARGEST_INFLATED)
        too_large = bool(unpacker.unconsumed_tail)
    except zlib.error:
        content, too_large = packed, False  # labelled deflated, yet it is not
    if too_large:
        raise DamagedHeader(f"it is more than {LARGEST_INFLATED // 2**20} MiB large when unpacked")
    dataset = _dcmread(BytesIO(content), pixels)
    dataset.file_meta = pydicom.dcmread(BytesIO(start[:meta])).file_meta
    return dataset


def _end_of_meta(start: bytes) -> int:
    """Offset of the data set in a file that begins with a preamble and a meta group of stated length."""
    return 144 + int.from_bytes(start[140:144], "little")


def _relabelled(stream: Readable, labelled: Dataset, pixels: bool) -> Dataset:
    """The data set read by what it is, where the label in its meta group (such as little endian) finds nothing in it."""
    stream.seek(0)
    start = stream.read(1024)
    at = _end_of_meta(start) if start[128:138] == b"DICM\x02\0\0\0UL" else 0
    if not 0 < at < len(start):
        return labelled
    stream.seek(at)
    dataset = _dcmread(BytesIO(stream.read()) if pixels else BytesIO(stream.read(LARGEST_INFLATED)), pixels)
    if not _has_content(dataset):
        return labelled
    seen = dataset.file_meta.TransferSyntaxUID
    dataset.file_meta = labelled.file_meta
    dataset.file_meta.TransferSyntaxUID = seen
    return dataset


def _has_content(dataset: Dataset) -> bool:
    return any(tag in dataset._dict for tag in (0x00080016, 0x00080060, 0x0020000D, 0x0020000E, 0x00280010))


def headers(dataset: Dataset) -> list[Header]:
    """One header for each image of a file: its only one, or one for each frame that functional groups describe.

    Frames that they do not describe share one more header without position. Raises DamagedHeader.
    """
    shared = tuple(_raw(dataset, tag) for tag in SHARED) + (b"1" if dataset.has_pixel_data else b"",)
    own = tuple(_raw(dataset, tag) for tag in OWN)
    stated = _whole_number(shared[_FRAMES] or b"1")
    if stated is None or stated < 1:
        return [Header(shared, own, 0)]  # an impossible NumberOfFrames; facts says so
    if _PER_FRAME_GROUPS not in dataset._dict:
        return [Header(shared, own, 0)]
    try:
        per_frame = dataset.get(_GROUPS[1]) or []
        common = (dataset.get(_GROUPS[0]) or [Dataset()])[0]
        count = min(stated, len(per_frame), MOST_FRAMES)
        found = [_frame(shared, own, dataset, common, per_frame[number], number) for number in range(count)]
    except Exception as error:  # as above
        raise DamagedHeader(f"its functional groups cannot be parsed ({type(error).__name__})") from error
    if not found:
        return [Header(shared, own, 0)]
    if stated > count:
        found.append(
            Header(
                _replaced(FIELDS, shared, frames=b"%d" % (stated - count)),
                _replaced(_OWN_FIELDS, own, position=b""),
                count,
            )
        )
    return found


def _whole_number(value: bytes) -> int | None:
    return int(value) if re.fullmatch(rb"\+?\d{1,10}", value) else None


def _frame(
    shared: tuple[bytes, ...], own: tuple[bytes, ...], dataset: Dataset, common: Dataset, group: Dataset, number: int
) -> Header:
    """One frame of a multi-frame file as if it were a classic image (PS3.3 C.7.6.16 and C.8.13)."""

    def value(sequence: str, keyword: str) -> bytes:
        for groups in (group, common):
            items = groups.get(sequence)
            if items and keyword in items[0]:
                return _raw(items[0], int(Tag(keyword)))
        return b""

    kind = value("MRImageFrameTypeSequence", "FrameType")
    component = value("MRImageFrameTypeSequence", "ComplexImageComponent")
    recovery = value("MRModifierSequence", "InversionRecovery") == b"YES"
    pulse, planar = (_raw(dataset, int(Tag(keyword))) for keyword in _TOP)
    sequence = {b"SE": pulse in (b"SPIN", b"BOTH"), b"GR": pulse in (b"GRADIENT", b"BOTH"), b"EP": planar == b"YES"}
    sequence[b"IR"] = recovery
    found = {
        "image_type": kind,
        "complex_component": component,
        "scanning_sequence": b"\\".join(name for name, there in sequence.items() if there),
        "slice_thickness": value("PixelMeasuresSequence", "SliceThickness"),
        "repetition_time": value("MRTimingAndRelatedParametersSequence", "RepetitionTime"),
        "echo_time": value("MREchoSequence", "EffectiveEchoTime"),
        "inversion_time": value("MRModifierSequence", "InversionTimes") if recovery else b"",
        "orientation": value("PlaneOrientationSequence", "ImageOrientationPatient"),
        "pixel_spacing": value("PixelMeasuresSequence", "PixelSpacing"),
    }
    stated = _replaced(FIELDS, shared, **{name: raw for name, raw in found.items() if raw}, frames=b"1")
    acquisition = value("FrameContentSequence", "FrameAcquisitionNumber")
    rescale = {
        "rescale_intercept": value("PixelValueTransformationSequence", "RescaleIntercept"),
        "rescale_slope": value("PixelValueTransformationSequence", "RescaleSlope"),
        "acquisition_number": b"" if own[_OWN_FIELDS.index("acquisition_number")] else acquisition,
    }
    position = value("PlanePositionSequence", "ImagePositionPatient")
    # a position stated once for the whole file would put all its frames at one place
    if not position and shared[_FRAMES].strip() in (b"", b"1"):
        position = own[_OWN_FIELDS.index("position")]
    changed = {name: raw for name, raw in rescale.items() if raw}
    return Header(stated, _replaced(_OWN_FIELDS, own, **changed, position=position), number)


def _replaced(names: tuple[str, ...], values: tuple[bytes, ...], **new: bytes) -> tuple[bytes, ...]:
    return tuple([new.get(name, value) for name, value in zip(names, values)])


_BINARY = {"US": "H", "SS": "h", "FD": "d", "UL": "L", "FL": "f"}
_PRIVATE = {0x0043102F: "SS"}
_OF_FRAMES = tuple(int(Tag(name)) for name in ("EffectiveEchoTime", "InversionTimes"))
_VR = {tag: _PRIVATE.get(tag) or dictionary_VR(tag) for tag in (*SHARED, *OWN, *_OF_FRAMES)}


def _raw(dataset: Dataset, tag: int) -> bytes:
    """The value's bytes without padding; numbers stored in binary as text; b"" where absent or empty."""
    element = dataset._dict.get(tag)  # type: ignore[call-overload]  # no conversion: pydicom's raises on values that do not fit, and takes its time
    if element is None:
        return b""
    value = element.value
    if isinstance(value, bytes):
        vr = _VR.get(tag)
        if vr in _BINARY:
            form = _BINARY[vr]
            size = struct.calcsize(f"<{form}")
            count = len(value) // size
            order = "<" if element.is_little_endian else ">"
            return b"\\".join(
                b"%a" % number for number in struct.unpack(f"{order}{count}{form}", value[: count * size])
            )
        return value.strip(b"\0 ")
    if value is None:
        return b""
    parts = [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)
    return "\\".join(str(part) for part in parts).encode("utf-8", "replace").strip(b"\0 ")
