"""A study's part of a heatmap file as bytes, compressed outside HDF5.

Compressing apart can be done in threads, and the same bytes go unchanged from a journal or an earlier file into a new one:
a heatmap file is a function of its studies' bytes and their order, however they came together.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lstv.localizer import hdf5

if TYPE_CHECKING:
    import h5py

LEVEL = 1
"""Of zlib: heatmaps shrink to a fifth with it, and hardly further with more."""


@dataclass(frozen=True)
class EncodedArray:
    """One dataset: shape, NumPy's name of its type, and its only chunk after the filters shuffle and deflate."""

    shape: tuple[int, ...]
    dtype: str
    chunk: bytes


@dataclass
class EncodedStudy:
    """``attributes`` by group (the study's own is named ``""``), ``arrays`` by path below the study's group."""

    study_id: str
    attributes: dict[str, dict[str, str]] = field(default_factory=lambda: {"": {}})
    arrays: dict[str, EncodedArray] = field(default_factory=dict)

    def add(self, path: str, array: npt.NDArray[Any]) -> None:
        """Compress an array, which must not be empty."""
        flat = np.ascontiguousarray(array)
        size = flat.dtype.itemsize
        shuffled = flat.view(np.uint8).reshape(-1, size).T.tobytes() if size > 1 else flat.tobytes()
        self.arrays[path] = EncodedArray(flat.shape, flat.dtype.str, zlib.compress(shuffled, LEVEL))

    def store(self, file: h5py.File) -> None:
        """Write into a heatmap file, which must not hold the study yet; always in the same order."""
        group = file.create_group(self.study_id)
        for name in sorted(self.attributes):
            part = group.require_group(name) if name else group
            for key, value in sorted(self.attributes[name].items()):
                hdf5.write_text(part, key, value)
        for path, array in sorted(self.arrays.items()):
            dataset = group.create_dataset(
                path,
                shape=array.shape,
                dtype=np.dtype(array.dtype),
                chunks=array.shape,
                compression="gzip",
                compression_opts=LEVEL,
                shuffle=True,
            )
            dataset.id.write_direct_chunk((0,) * len(array.shape), array.chunk)

    @classmethod
    def load(cls, file: h5py.File, study_id: str) -> EncodedStudy:
        """What ``store`` wrote. Raises KeyError, OSError or ValueError where the file holds it no more."""
        study = cls(study_id)
        group = file[study_id]
        import h5py

        study.attributes[""] = {key: hdf5.read_text(group, key) for key in group.attrs}

        def visit(path: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group):
                if len(item.attrs):
                    study.attributes[path] = {key: hdf5.read_text(item, key) for key in item.attrs}
                return
            mask, chunk = item.id.read_direct_chunk((0,) * item.ndim)
            if mask:
                raise ValueError(f"{path} was not compressed as this version does")
            study.arrays[path] = EncodedArray(item.shape, item.dtype.str, chunk)

        group.visititems(visit)
        return study

    def to_bytes(self) -> bytes:
        """For a journal; ``from_bytes`` reads it."""
        paths = sorted(self.arrays)
        arrays = [[path, (it := self.arrays[path]).shape, it.dtype, len(it.chunk)] for path in paths]
        attributes = {name: dict(sorted(values.items())) for name, values in sorted(self.attributes.items())}
        head = json.dumps([self.study_id, attributes, arrays]).encode()
        return b"".join([struct.pack("<I", len(head)), head, *(self.arrays[path].chunk for path in paths)])

    @classmethod
    def from_bytes(cls, content: bytes) -> EncodedStudy:
        (size,) = struct.unpack_from("<I", content)
        study_id, attributes, arrays = json.loads(content[4 : 4 + size])
        study, start = cls(study_id, attributes), 4 + size
        for path, shape, dtype, length in arrays:
            study.arrays[path] = EncodedArray(tuple(shape), dtype, content[start : start + length])
            start += length
        return study

    def checksum(self) -> int:
        """CRC-32 of everything in it."""
        return zlib.crc32(self.to_bytes())
