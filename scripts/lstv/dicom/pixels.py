"""The pixel data of one DICOM file: which decoder, and stored values out of allocated cells (DICOM PS3.5 section 8)."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import Decoder, get_decoder
from pydicom.uid import JPEGLSTransferSyntaxes, JPEGTransferSyntaxes, RLELossless

from lstv.base.arrays import StoredArray
from lstv.dicom import codestreams

DECODERS = ("gdcm", "pylibjpeg", "pydicom")
"""In the order they are tried on compressed data; pydicom's plugin of that name serves RLE only. Uncompressed data needs
none and is recorded as ``pydicom``."""

_GREYSCALE = ("MONOCHROME1", "MONOCHROME2")


class PixelError(Exception):
    """The pixels of one file cannot be had; the text is a clause that says why."""


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keep pydicom's warnings and log out of ours while its errors are turned into our own.

    It logs a traceback for every decoder that gives up although the next one is tried, and its warnings quote header
    values. Not for use in threads.
    """
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")  # recorded and dropped, never raised, whatever the caller filters
            yield
    finally:
        logger.setLevel(level)


LARGEST_PIXEL_BYTES = 1 << 30
"""Bytes that the decoded pixels of one file may have."""
_LARGEST_EXCESS_ROWS = 1
_RLE_EXPANSION = 64
"""A run of two bytes stands for 128 (PS3.5 annex G)."""


def decode(dataset: Dataset) -> tuple[StoredArray, str]:
    """All frames of a file as stored values, and the name of the decoder that gave them.

    The array is (frames, rows, columns) in the machine's byte order, unsigned or signed as PixelRepresentation says, of
    BitsAllocated bits; bits outside BitsStored and HighBit are removed and the sign is extended. No rescaling.
    What the header declares is compared with the pixel data before anything is decoded. Raises PixelError where pixel data
    is missing, cut short, larger than declared or understood by no decoder, or an element that describes it is missing.
    """
    if "PixelData" not in dataset or not dataset.PixelData:
        raise PixelError("its pixel data is missing or cut short")
    syntax = dataset.file_meta.TransferSyntaxUID
    known = re.fullmatch(r"[0-9.]{1,64}", str(syntax)) is not None
    try:
        decoder = get_decoder(syntax)
    except Exception as error:  # NotImplementedError; others for text that is no UID
        said = str(syntax) if known else "that is none"
        raise PixelError(f"no decoder reads its transfer syntax {said}") from error
    _complete_description(dataset)
    _check_declared(dataset, syntax.is_encapsulated)
    if not syntax.is_encapsulated:
        return _stored_values(_decoded(decoder, dataset, ""), dataset, own_cells=True), "pydicom"
    # Decoders fill up a cut-off JPEG or JPEG-LS image with made-up values instead of failing; JPEG 2000 and RLE ones fail.
    if syntax in JPEGTransferSyntaxes + JPEGLSTransferSyntaxes and not codestreams.complete(dataset):
        raise PixelError("its compressed pixel data is cut short")
    names = [name for name in DECODERS if name in decoder.available_plugins]
    for name in names:
        try:
            cells = _decoded(decoder, dataset, name)
        except PixelError:
            continue
        return _stored_values(cells, dataset, own_cells=syntax == RLELossless), name
    tried = " or ".join(names) if names else "any installed decoder"
    raise PixelError(f"its pixel data ({syntax.name}) cannot be decoded by {tried}")


def _complete_description(dataset: Dataset) -> None:
    """Put in what an image of one sample can only have, and refuse where something has to be guessed."""
    if dataset.get("SamplesPerPixel") is None:
        dataset.SamplesPerPixel = 1
    if not dataset.get("PhotometricInterpretation"):
        dataset.PhotometricInterpretation = "MONOCHROME2"
    if dataset.SamplesPerPixel != 1:
        raise PixelError(f"its SamplesPerPixel is {dataset.SamplesPerPixel}, not 1")
    if dataset.PhotometricInterpretation not in _GREYSCALE:  # its text may be anything, so it is not repeated
        raise PixelError(f"its PhotometricInterpretation is neither {_GREYSCALE[0]} nor {_GREYSCALE[1]}")
    for keyword in ("BitsStored", "PixelRepresentation"):
        if dataset.get(keyword) is None:
            raise PixelError(f"its {keyword} is missing")
    if not 1 <= dataset.BitsStored <= dataset.BitsAllocated:
        raise PixelError(f"its BitsStored is {dataset.BitsStored} and its BitsAllocated {dataset.BitsAllocated}")
    if dataset.PixelRepresentation not in (0, 1):
        raise PixelError(f"its PixelRepresentation is {dataset.PixelRepresentation}, not 0 or 1")


def _check_declared(dataset: Dataset, encapsulated: bool) -> None:
    rows, columns, frames = dataset.Rows, dataset.Columns, int(dataset.get("NumberOfFrames") or 1)
    row_bytes = columns * dataset.BitsAllocated // 8
    declared = frames * rows * row_bytes
    said = f"its header declares {frames} x {rows} x {columns} pixels of {dataset.BitsAllocated} bits"
    if declared > LARGEST_PIXEL_BYTES:
        raise PixelError(f"{said}, {declared / 2**30:.1f} GiB, more than one file of an MR series has")
    held = len(dataset.PixelData)
    undefined = bool(dataset["PixelData"].is_undefined_length)
    if undefined != encapsulated and dataset.PixelData[:4] == b"\xfe\xff\x00\xe0" and not encapsulated:
        raise PixelError("its transfer syntax says uncompressed, but its pixel data is compressed")
    if not encapsulated:
        if held < declared:
            raise PixelError(f"its pixel data is cut short ({held} bytes, {said})")
        if held - declared > max(1, _LARGEST_EXCESS_ROWS * row_bytes):
            raise PixelError(f"it has more pixel data than it says ({held} bytes, {said})")
        return
    if dataset.file_meta.TransferSyntaxUID == RLELossless and declared > _RLE_EXPANSION * held:
        raise PixelError(f"its pixel data is cut short ({held} bytes of RLE, {said})")
    for frame in codestreams.frames(dataset):
        size = codestreams.size(frame)
        if size is not None and size != (rows, columns):
            raise PixelError(f"its compressed image has {size[0]} x {size[1]} pixels, {said}")
        if not codestreams.tiles_fit(frame):
            raise PixelError("its compressed pixel data is cut short or damaged: its tiles do not end where it says")


def _decoded(decoder: Decoder, dataset: Dataset, plugin: str) -> StoredArray:
    """Cells (frames, rows, columns) as the decoder gives them."""
    try:
        with _quiet_codecs():
            cells, _ = decoder.as_array(
                dataset,
                raw=True,
                decoding_plugin=plugin,
                correct_unused_bits=False,  # type: ignore[arg-type]  # pydicom declares each option as all of them
                allow_excess_frames=False,  # type: ignore[arg-type]
            )
    except (KeyboardInterrupt, SystemExit):
        raise
    except MemoryError as error:
        raise PixelError("decoding its pixel data needs more memory than a study may take") from error
    except BaseException as error:  # codecs raise whatever they like on damaged data; a panic in Rust is no Exception
        raise PixelError("its pixel data is damaged or does not fit its header") from error
    cells = cells.astype(cells.dtype.newbyteorder("="), copy=False)
    return cells[None] if cells.ndim == 2 else cells


@contextmanager
def _quiet_codecs() -> Iterator[None]:
    """Keep off the terminal what libraries in C and Rust print there about damaged data."""
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def padding(dataset: Dataset) -> tuple[int, int] | None:
    """The lowest and highest stored value that PixelPaddingValue (and its range limit) calls padding (PS3.3 C.7.5.1.1.2)."""
    ends = []
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        try:
            value = int(dataset.get(keyword))
        except (TypeError, ValueError, OverflowError):
            continue
        stored, signed = int(dataset.BitsStored), dataset.PixelRepresentation == 1
        value &= (1 << stored) - 1
        ends.append(value - (1 << stored) if signed and value >> (stored - 1) else value)
    return (min(ends), max(ends)) if ends and dataset.get("PixelPaddingValue") is not None else None


def _stored_values(cells: StoredArray, dataset: Dataset, *, own_cells: bool) -> StoredArray:
    """Cut BitsStored bits ending at HighBit out of each cell and extend the sign (PS3.5 8.1.1).

    ``own_cells``: the file held the cells themselves (uncompressed, RLE); a JPEG-family codestream holds values, so
    HighBit does not apply to it. A HighBit that cannot be is taken for BitsStored - 1.
    """
    allocated = 8 * cells.dtype.itemsize
    stored = int(dataset.BitsStored)
    high = dataset.get("HighBit")
    if not own_cells or high is None or not stored <= high + 1 <= allocated:
        high = stored - 1
    if stored == allocated:
        return cells
    if not cells.flags.writeable:
        cells = cells.copy()
    # On a signed type the right shift copies the sign bit, on an unsigned one it brings in zeros.
    np.left_shift(cells, allocated - 1 - high, out=cells)
    np.right_shift(cells, allocated - stored, out=cells)
    return cells
