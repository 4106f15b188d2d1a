"""The few header values that the choice of a series needs, read quickly.

An export has tens of thousands of files and pydicom takes about a millisecond for a header (tests/benchmarks/folder_scan.py
measures it), most of it spent on elements nobody asks for. ``read_header`` walks the elements of the first kilobytes
itself (DICOM PS3.5 section 7: explicit and implicit VR little endian, nested sequences of undefined length) and hands
everything out of the ordinary (big endian, deflated, tags out of order, a VR that is none) to pydicom.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from io import BytesIO
from typing import NamedTuple

import pydicom

from lstv.dicom.pixels import quiet_pydicom

FIRST_READ = 16 * 1024
"""Bytes read at first; the wanted elements of an ordinary MR header end within 4 to 10 KiB."""
LONGEST_READ = 4 * 1024 * 1024
"""Never more than this much of a file is read (large private elements before group 0028 exist)."""

STUDY_TAGS = {
    0x00080005: "character_set",
    0x00080008: "image_type",
    0x00080016: "sop_class",
    0x00080020: "study_date",
    0x00080050: "accession_number",
    0x00080060: "modality",
    0x00081030: "study_description",
    0x0008103E: "series_description",
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
    0x00280008: "frames",
    0x00280010: "rows",
    0x00280011: "columns",
    0x00280030: "pixel_spacing",
}
"""What files of one series share, in tag order; the names are the fields of ``series.Facts``."""

_SOP_INSTANCE, _POSITION = 0x00080018, 0x00200032
_WANTED = frozenset(STUDY_TAGS) | {_SOP_INSTANCE, _POSITION}
_LAST = max(_WANTED)
_ORDER = tuple(STUDY_TAGS)
_NUMBERS = frozenset({0x00280010, 0x00280011})

_MEDIA_SOP_CLASS, _TRANSFER_SYNTAX = 0x00020002, 0x00020010
_WANTED_META = frozenset({_MEDIA_SOP_CLASS, _TRANSFER_SYNTAX})
_DICOMDIR = b"1.2.840.10008.1.3.10"
_IMPLICIT = b"1.2.840.10008.1.2"
_NOT_WALKED = frozenset({b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.2"})
_BIG_ENDIAN = "1.2.840.10008.1.2.2"

_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()  # PS3.5 table 7.1-2
)
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_DEEPEST = 32

_explicit = struct.Struct("<HH2sH").unpack_from
_implicit = struct.Struct("<HHI").unpack_from
_long = struct.Struct("<I").unpack_from


class Header(NamedTuple):
    """Raw values, trailing padding removed: ``shared`` in the order of ``STUDY_TAGS`` (b"" where absent), ``sop_instance``
    and ``position`` of this one file."""

    shared: tuple[bytes, ...]
    sop_instance: bytes
    position: bytes


class NotDicom(Exception):
    """The content is something else."""


class DicomDirectory(Exception):
    """A DICOMDIR: an index of files that the scan finds by itself."""


class DamagedHeader(Exception):
    """DICOM by its marks, yet not readable."""


class _Short(Exception):
    """The walk needs bytes beyond those at hand."""


class _Unusual(Exception):
    """Something the walk does not handle; pydicom is asked."""


def read_header(read: Callable[[int], bytes]) -> Header:
    """Read one file's header; ``read(n)`` gives its first n bytes (fewer at its end) each time it is called.

    Raises NotDicom, DicomDirectory or DamagedHeader.
    """
    size = FIRST_READ
    while True:
        data = read(size)
        try:
            return _header(_walk_file(data, len(data) < size))
        except _Short:
            if len(data) < size or size >= LONGEST_READ:
                raise DamagedHeader("the header ends too early") from None
            size = min(size * 16, LONGEST_READ)
        except _Unusual:
            return _header(_ask_pydicom(read(LONGEST_READ)))


def _header(values: dict[int, bytes]) -> Header:
    strip = b"\0 "
    shared = tuple(
        [values[tag] if tag in _NUMBERS and tag in values else values.get(tag, b"").strip(strip) for tag in _ORDER]
    )
    return Header(shared, values.get(_SOP_INSTANCE, b"").strip(strip), values.get(_POSITION, b"").strip(strip))


def _walk_file(data: bytes, complete: bool) -> dict[int, bytes]:
    if data[128:132] == b"DICM":
        meta: dict[int, bytes] = {}
        start = _walk(data, 132, True, _WANTED_META, 0x0002FFFF, meta, complete)
        if meta.get(_MEDIA_SOP_CLASS, b"").strip(b"\0 ") == _DICOMDIR:
            raise DicomDirectory
        syntax = meta.get(_TRANSFER_SYNTAX, b"").strip(b"\0 ")
        if not syntax or syntax in _NOT_WALKED:
            raise _Unusual
        values: dict[int, bytes] = {}
        _walk(data, start, syntax != _IMPLICIT, _WANTED, _LAST, values, complete)
        if 0x0020000D not in values or 0x0020000E not in values:
            raise _Unusual  # perhaps the tags are out of order and the walk ended too early
        return values
    return _walk_bare(data, complete)


def _walk_bare(data: bytes, complete: bool) -> dict[int, bytes]:
    """A data set without preamble and meta group, as some exports have it; only if it names a standard SOP class."""
    if len(data) < 16 or data[:2] != b"\x08\x00":
        raise NotDicom
    values: dict[int, bytes] = {}
    try:
        _walk(data, 0, data[4:6] in _SHORT or data[4:6] in _LONG, _WANTED, _LAST, values, complete)
    except _Unusual:
        raise NotDicom from None
    except _Short:
        if not values.get(0x00080016, b"").startswith(b"1.2.840.10008."):
            raise NotDicom from None
        raise
    if not values.get(0x00080016, b"").startswith(b"1.2.840.10008."):
        raise NotDicom
    return values


def _walk(
    data: bytes, at: int, explicit: bool, wanted: frozenset[int], last: int, out: dict[int, bytes], complete: bool
) -> int:
    """Put wanted values into ``out`` up to tag ``last``; the offset of the first element beyond it.

    ``complete``: the file ends with ``data``, so that a data set may end there too.
    """
    end = len(data)
    while True:
        if at + 8 > end:
            if at == end and complete:
                return at
            raise _Short
        if explicit:
            group, element, vr, length = _explicit(data, at)
            tag = group << 16 | element
            if tag > last:
                return at
            if vr in _SHORT:
                value = at + 8
            elif vr in _LONG:
                if at + 12 > end:
                    raise _Short
                (length,) = _long(data, at + 8)
                value = at + 12
            else:
                raise _Unusual
        else:
            group, element, length = _implicit(data, at)
            tag = group << 16 | element
            if tag > last:
                return at
            vr = b"SQ"
            value = at + 8
        if length == _UNDEFINED:
            at = _after_sequence(data, value, explicit and vr != b"UN", 0)
            continue
        at = value + length
        if tag in wanted:
            if at > end:
                raise _Short
            out[tag] = data[value:at]


def _after_sequence(data: bytes, at: int, explicit: bool, depth: int) -> int:
    """Offset behind a sequence of undefined length whose first item is at ``at`` (PS3.5 section 7.5.2)."""
    if depth > _DEEPEST:
        raise _Unusual
    while True:
        tag, length = _item(data, at)
        at += 8
        if tag == _SEQUENCE_END:
            return at
        if tag != _ITEM:
            raise _Unusual
        at = _after_item(data, at, explicit, depth + 1) if length == _UNDEFINED else at + length


def _after_item(data: bytes, at: int, explicit: bool, depth: int) -> int:
    while True:
        tag, length = _item(data, at)
        if tag == _ITEM_END:
            return at + 8
        value = at + 8
        vr = b"SQ"
        if explicit:
            _, _, vr, length = _explicit(data, at)
            if vr in _LONG:
                if at + 12 > len(data):
                    raise _Short
                (length,) = _long(data, at + 8)
                value = at + 12
            elif vr not in _SHORT:
                raise _Unusual
        nested = length == _UNDEFINED
        at = _after_sequence(data, value, explicit and vr != b"UN", depth) if nested else value + length


def _item(data: bytes, at: int) -> tuple[int, int]:
    if at + 8 > len(data):
        raise _Short
    group, element, length = _implicit(data, at)
    return group << 16 | element, length


def _ask_pydicom(data: bytes) -> dict[int, bytes]:
    try:
        with quiet_pydicom():
            dataset = pydicom.dcmread(BytesIO(data), stop_before_pixels=True, specific_tags=sorted(_WANTED))
            syntax = dataset.file_meta.get("TransferSyntaxUID", "")
            values = {}
            for tag in _WANTED:
                if tag in dataset:
                    value = dataset.get_item(tag).value
                    values[tag] = _raw(tag, value, syntax == _BIG_ENDIAN)
    except Exception as error:  # on damaged data pydicom raises nearly anything
        raise DamagedHeader(str(error) or type(error).__name__) from error
    return values


def _raw(tag: int, value: object, big_endian: bool) -> bytes:
    if isinstance(value, bytes):
        return value[::-1] if big_endian and tag in _NUMBERS else value
    if tag in _NUMBERS:
        return struct.pack("<H", int(str(value)))
    if value is None:
        return b""
    parts = [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)
    return "\\".join(str(part) for part in parts).encode("utf-8")
