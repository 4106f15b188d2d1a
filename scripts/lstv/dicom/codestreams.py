"""What a compressed image says of itself before it is decoded: its size, and whether it is whole.

Decoders fill up what is missing of some kinds with made-up values instead of failing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress

from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import RLELossless

_JPEG_2000 = b"\xff\x4f\xff\x51"
_TILE_PART = b"\xff\x90"
_SHORTEST_TILE_PART = 14
_START_OF_FRAME = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
_END_OF_IMAGE = b"\xff\xd9"
_LONGEST_PADDING = 16


def frames(dataset: Dataset) -> Iterator[bytes]:
    """Each frame of the JPEG family, as far as frames can be told apart: where they cannot, the decoder says so. None of
    RLE, which states nothing."""
    if dataset.file_meta.TransferSyntaxUID != RLELossless:
        with suppress(Exception):
            yield from generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames") or 1))


def complete(dataset: Dataset) -> bool:
    """Whether every frame ends with the marker that ends a JPEG or JPEG-LS image (padding may follow)."""
    try:
        found = list(generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames") or 1)))
    except (ValueError, TypeError, EOFError, IndexError):
        return False
    return bool(found) and all(map(_ends, found))


def _ends(frame: bytes) -> bool:
    return _END_OF_IMAGE in frame[-_LONGEST_PADDING:]


def size(frame: bytes) -> tuple[int, int] | None:
    """(rows, columns) that the codestream states, None where it states none."""
    start = _jpeg_2000(frame)
    return _jpeg_size(frame) if start is None else _jpeg_2000_size(frame, start)


def tiles_fit(frame: bytes) -> bool:
    """Whether the tile-parts of a JPEG 2000 codestream are as long as each states, so that they lead to its end (ISO/IEC
    15444-1 A.4): decoders pass over a missing tail that something else fills. True of other kinds."""
    start = _jpeg_2000(frame)
    if start is None:
        return True
    at = start + 2
    while frame[at : at + 2] not in (_TILE_PART, b""):  # the segments of the main header
        at += 2 + max(2, int.from_bytes(frame[at + 2 : at + 4], "big"))
    while frame[at : at + 2] == _TILE_PART:
        length = int.from_bytes(frame[at + 6 : at + 10], "big")
        if length == 0:  # up to the end
            return _ends(frame)
        if length < _SHORTEST_TILE_PART or at + length > len(frame):
            return False
        at += length
    return frame[at : at + 2] == _END_OF_IMAGE


def _jpeg_2000(frame: bytes) -> int | None:
    """Where the codestream begins, which boxes of a JP2 file may precede; None where it is of another kind."""
    start = frame.find(_JPEG_2000, 0, 256)
    return start if start >= 0 else None


def _jpeg_2000_size(frame: bytes, start: int) -> tuple[int, int] | None:
    """From the SIZ marker segment (ISO/IEC 15444-1 A.5.1)."""
    at = start + 8
    if len(frame) < at + 16:
        return None
    width, height, left, top = struct.unpack(">4L", frame[at : at + 16])
    return height - top, width - left


def _jpeg_size(frame: bytes) -> tuple[int, int] | None:
    """From the start-of-frame segment of JPEG (ISO/IEC 10918-1 B.2.2) or JPEG-LS (14495-1 C.2.2)."""
    at = 2
    while frame[:2] == b"\xff\xd8" and at + 9 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in _START_OF_FRAME:
            height, width = struct.unpack(">2H", frame[at + 5 : at + 9])
            return (height, width) if height else None  # 0: told later by a DNL segment
        at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return None
