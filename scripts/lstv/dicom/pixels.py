"""The pixel data of one DICOM file: which decoder, and stored values out of allocated cells (DICOM PS3.5 section 8)."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import Decoder, get_decoder
from pydicom.uid import JPEGLSTransferSyntaxes, JPEGTransferSyntaxes, RLELossless

from lstv.base.arrays import StoredArray

DECODERS = ("gdcm", "pylibjpeg", "pydicom")
"""In the order they are tried on compressed data; pydicom's plugin of that name serves RLE only. Uncompressed data needs
none and is recorded as ``pydicom``."""

_END_OF_IMAGE = b"\xff\xd9"
_LONGEST_PADDING = 16


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


def decode(dataset: Dataset) -> tuple[StoredArray, str]:
    """All frames of a file as stored values, and the name of the decoder that gave them.

    The array is (frames, rows, columns) in the machine's byte order, unsigned or signed as PixelRepresentation says, of
    BitsAllocated bits; bits outside BitsStored and HighBit are removed and the sign is extended. No rescaling.
    Raises PixelError where pixel data is missing, cut short or understood by no decoder.
    """
    if "PixelData" not in dataset:
        raise PixelError("its pixel data is missing or cut short")
    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise PixelError(f"no decoder reads its transfer syntax {syntax}") from error
    if not syntax.is_encapsulated:
        return _stored_values(_decoded(decoder, dataset, ""), dataset, own_cells=True), "pydicom"
    # Decoders fill up a cut-off JPEG or JPEG-LS image with made-up values instead of failing; JPEG 2000 and RLE ones fail.
    if syntax in JPEGTransferSyntaxes + JPEGLSTransferSyntaxes and not _complete(dataset):
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


def _decoded(decoder: Decoder, dataset: Dataset, plugin: str) -> StoredArray:
    """Cells (frames, rows, columns) as the decoder gives them."""
    try:
        cells, _ = decoder.as_array(
            dataset,
            raw=True,
            decoding_plugin=plugin,
            correct_unused_bits=False,  # type: ignore[arg-type]  # pydicom declares each option as all of them
            allow_excess_frames=False,  # type: ignore[arg-type]
        )
    except Exception as error:  # codecs raise whatever they like on damaged data
        raise PixelError("its pixel data is cut short or does not fit its header") from error
    cells = cells.astype(cells.dtype.newbyteorder("="), copy=False)
    return cells[None] if cells.ndim == 2 else cells


def _complete(dataset: Dataset) -> bool:
    """Whether every frame ends with the marker that ends a JPEG or JPEG-LS image (padding may follow)."""
    try:
        frames = list(generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames") or 1)))
    except (ValueError, TypeError, EOFError, IndexError):
        return False
    return bool(frames) and all(_END_OF_IMAGE in frame[-_LONGEST_PADDING:] for frame in frames)


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
