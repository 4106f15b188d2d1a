"""NIfTI files: what their header says, their stored values, and writing them.

A voxel is named by its three indices, whose order and direction only the affine tells (``affine``). nibabel reads the
header (https://nifti.nimh.nih.gov/nifti-1); it is imported where it is needed, which with DICOM it never is.
"""

from __future__ import annotations

import functools
import gzip
import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lstv.base import atomic
from lstv.base.arrays import FloatArray
from lstv.dicom.affine import EXACT_MM, apart

SUFFIXES = (".nii", ".nii.gz")
SAME_GEOMETRY_MM = 1.0
"""sform and qform agree where no corner of the image lies further apart than this."""
SCANNER = 1
"""The code of an sform or qform that counts in the scanner's coordinates."""
LARGEST_BYTES = 1 << 30
"""Bytes that the values of one file may have."""
_MILLIMETRES = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
"""By the code of the unit: unknown (taken for mm, as all programs do), metre, millimetre, micrometre."""
_GZIP = b"\x1f\x8b"


class NiftiError(Exception):
    """A NIfTI file, or what should become one, cannot be used; the text is a clause that says why and what to do."""


@dataclass(frozen=True)
class NiftiHeader:
    """What a file says of its voxels before any is read.

    ``shape`` is that of the image without trailing dimensions of one, ``affine`` float64 (4, 4) from voxel indices to RAS mm
    (it may be oblique or sheared), ``dtype`` that of the stored values; a value is ``slope * stored + intercept``.
    """

    shape: tuple[int, ...]
    affine: FloatArray
    dtype: np.dtype[Any]
    slope: float
    intercept: float

    @property
    def spacing(self) -> tuple[float, ...]:
        """Distance in mm of neighbouring voxels along each of the three axes."""
        return tuple(float(length) for length in np.linalg.norm(self.affine[:3, :3], axis=0))


@dataclass(frozen=True)
class NiftiImage:
    """A file's header and its stored values, of its own type in the machine's byte order, shape ``header.shape``."""

    header: NiftiHeader
    stored: npt.NDArray[Any]


def is_named(path: Path) -> bool:
    """Whether a path ends as NIfTI files do."""
    return path.name.lower().endswith(SUFFIXES)


def looks_like_nifti(start: bytes) -> bool:
    """Whether a file is NIfTI by its first 512 bytes, or what a gzip file holds is by as many of its own."""
    if start.startswith(_GZIP):
        try:
            start = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(start, 512)
        except zlib.error:
            return False
    if start[4:8] == b"n+2\0":
        return True
    # of a compressed file the first 512 bytes may hold less than the whole header; its first words are telling enough
    size = start[:4] in (struct.pack("<i", 348), struct.pack(">i", 348))
    return size and (start[344:348] in (b"n+1\0", b"ni1\0") if len(start) >= 348 else len(start) > 40)


def read_header(path: Path) -> NiftiHeader:
    """The header of a ``.nii`` or ``.nii.gz`` file, whatever its name says of compression. Raises NiftiError."""
    with _opened(path) as stream:
        return _header(stream)[0]


def read(path: Path) -> NiftiImage:
    """Header and stored values of a ``.nii`` or ``.nii.gz`` file. Raises NiftiError where it is damaged, cut short or too
    large."""
    from nibabel.volumeutils import array_from_file

    with _opened(path) as stream:
        header, shape, offset = _header(stream)
        size = int(np.prod(shape, dtype=np.float64)) * header.dtype.itemsize
        if size > LARGEST_BYTES:
            raise NiftiError(f"its header declares {size / 2**30:.1f} GiB of values, more than an MR series has")
        stored = array_from_file(shape, header.dtype, stream, offset, mmap=False)
        stream.read(1)  # at its end gzip compares checksums
        native = header.dtype.newbyteorder("=")
        return NiftiImage(header, np.asarray(stored).reshape(header.shape, order="F").astype(native, copy=False))


@functools.cache
def _header_classes() -> dict[int, Any]:
    """By the length of the header in bytes, which is its first field."""
    import nibabel

    return {348: nibabel.Nifti1Header, 540: nibabel.Nifti2Header}


@contextmanager
def _opened(path: Path) -> Iterator[io.IOBase]:
    """The file's content, unpacked where it is packed. What is wrong with the file inside the block becomes NiftiError."""
    from nibabel.spatialimages import HeaderDataError

    try:
        with open(path, "rb") as file, np.errstate(all="ignore"):  # of numbers in a damaged header
            packed = file.read(2) == _GZIP
            file.seek(0)
            stream: Any = gzip.GzipFile(fileobj=file) if packed else file
            yield stream
    except (NiftiError, MemoryError):
        raise
    except FileNotFoundError as error:
        raise NiftiError("the file does not exist") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise NiftiError("its compressed data is damaged or cut short; copy or convert it again") from error
    except OSError as error:
        if error.errno is not None:
            raise NiftiError(f"it cannot be opened ({error.strerror})") from error
        raise NiftiError("its values are cut short; copy or convert it again") from error  # nibabel's own
    except (HeaderDataError, ValueError, TypeError, OverflowError, struct.error) as error:
        raise NiftiError("its NIfTI header is damaged; convert it again") from error


def _header(stream: io.IOBase) -> tuple[NiftiHeader, tuple[int, ...], int]:
    """The header, the shape as it is stored, and where the values begin."""
    from nibabel.spatialimages import HeaderDataError

    start = stream.read(4)
    for order in "<>":
        size = struct.unpack(f"{order}i", start)[0] if len(start) == 4 else 0
        if size in _header_classes():
            break
    else:
        raise NiftiError("it is not a NIfTI file")
    content = start + stream.read(size - 4)
    if len(content) < size:
        raise NiftiError("its NIfTI header is cut short")
    raw: Any = _header_classes()[size].from_fileobj(io.BytesIO(content), endianness=order, check=False)
    if not raw["magic"].tobytes().startswith(b"n+"):
        raise NiftiError("its header and its values are in two files (.hdr, .img); convert it to one .nii.gz file")
    stored_shape = tuple(int(length) for length in raw.get_data_shape())
    if not stored_shape or min(stored_shape) < 1:
        raise NiftiError("its NIfTI header has no usable dimensions")
    shape = stored_shape
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    try:
        dtype = raw.get_data_dtype()
    except (HeaderDataError, KeyError) as error:
        raise NiftiError("its type of values is not one that NIfTI defines") from error
    slope, intercept = raw.get_slope_inter()  # None where the values are as stored
    known = NiftiHeader(shape, _affine(raw, shape), dtype, float(slope or 1.0), float(intercept or 0.0))
    return known, stored_shape, int(raw.get_data_offset())


def _affine(raw: Any, shape: tuple[int, ...]) -> FloatArray:
    """Where the header puts the voxels, RAS mm. Raises NiftiError where it does not say, or says two things."""
    from nibabel.spatialimages import HeaderDataError

    sform, sform_code = raw.get_sform(coded=True)
    qform, qform_code = None, 0
    try:
        qform, qform_code = raw.get_qform(coded=True)
    except (HeaderDataError, ValueError) as error:
        if sform is None:
            raise NiftiError("its qform is damaged and it has no sform; convert it again") from error
    found = ((sform, int(sform_code)), (qform, int(qform_code)))
    stated = [(matrix, code) for matrix, code in found if matrix is not None]
    if not stated:
        raise NiftiError(
            "its header does not say where it lies in the patient (sform and qform have code 0); convert it again"
        )
    scale = np.diag([*(3 * [_MILLIMETRES.get(int(raw["xyzt_units"]) & 7, 1.0)]), 1.0])
    usable = [(scale @ np.asarray(matrix, dtype=np.float64), code) for matrix, code in stated]
    for matrix, _ in usable:
        lengths = np.linalg.norm(matrix[:3, :3], axis=0)
        if not np.isfinite(matrix).all() or lengths.min() <= 0 or abs(np.linalg.det(matrix[:3, :3] / lengths)) < 0.1:
            raise NiftiError("its header gives an affine that maps voxels to a plane or to nowhere; convert it again")
    if len(usable) == 2 and (away := apart(usable[0][0], usable[1][0], shape)) > SAME_GEOMETRY_MM:
        scanner = [entry for entry in usable if entry[1] == SCANNER]
        if len(scanner) != 1:
            raise NiftiError(
                f"its sform and its qform put voxels up to {away:.0f} mm apart, and nothing tells which is right; correct "
                "its header or convert it again"
            )
        usable = scanner
    affine: FloatArray = usable[0][0]
    return affine


def encoded(stored: npt.NDArray[Any], affine: FloatArray, slope: float = 1.0, intercept: float = 0.0) -> bytes:
    """A gzipped NIfTI-1 file of ``stored`` (column, row, slice), the same bytes for the same image.

    The affine stands in the sform and, where it has no shear, in the qform, both in the scanner's coordinates. Header
    fields have 32 bits: ``slope`` and ``intercept`` are rounded to that. Raises NiftiError for a type NIfTI has not.
    """
    from nibabel.spatialimages import HeaderDataError

    header: Any = _header_classes()[348](endianness="<")
    try:
        header.set_data_dtype(stored.dtype)
    except HeaderDataError as error:
        raise NiftiError(f"values of type {stored.dtype} have no place in a NIfTI file") from error
    header.set_data_shape(stored.shape)
    header.set_zooms(np.linalg.norm(affine[:3, :3], axis=0))
    header.set_xyzt_units("mm")
    header.set_dim_info(slice=2)
    header.set_sform(affine, SCANNER)
    header.set_qform(affine, SCANNER)  # rounds to the nearest rotation
    if apart(header.get_qform(), affine, stored.shape) > EXACT_MM:
        header.set_qform(None, 0)
    header["scl_slope"], header["scl_inter"] = slope, intercept
    header["vox_offset"] = 352
    body = header.binaryblock + bytes(4) + stored.astype(stored.dtype.newbyteorder("<"), copy=False).tobytes(order="F")
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=6, mtime=0) as stream:
        stream.write(body)
    return packed.getvalue()


def write(path: Path, stored: npt.NDArray[Any], affine: FloatArray, slope: float = 1.0, intercept: float = 0.0) -> None:
    """Write ``encoded`` to a ``.nii.gz`` file, atomically."""
    atomic.write_bytes(path, encoded(stored, affine, slope, intercept))
