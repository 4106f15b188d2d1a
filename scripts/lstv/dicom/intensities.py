"""Stored values of a series -> the 8-bit intensities a network sees.

``trained``: as the point net was trained: the values of the whole stack clipped to their 0.1 and 99.9 percentiles, the
lower one subtracted, scaled to 255, cut to uint8. ``reference``: the reference implementation's minimum to maximum.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from lstv.base.arrays import ByteArray, FloatArray, IndexArray, StoredArray

TRAINED_PERCENTILES = (0.1, 99.9)
FULL_RANGE = (0.0, 100.0)


class BlankImage(ValueError):
    """The values between the two percentiles are all the same."""


@dataclass(frozen=True)
class Transform:
    """Stored value -> the value to be scaled: ``slope * v + intercept`` (DICOM PS3.3 C.11.1.1.2).

    Where ``mirror`` is set (MONOCHROME1, C.7.6.3.1.2), ``mirror - v`` takes the place of v; it is the sum of the lowest
    and the highest value that BitsStored allows, so bright becomes dark whatever the other slices hold.
    """

    slope: float = 1.0
    intercept: float = 0.0
    mirror: int | None = None

    def __call__(self, stored: StoredArray) -> FloatArray:
        values = stored.astype(np.float64)
        if self.mirror is not None:
            values = self.mirror - values
        if self.slope != 1.0:
            values *= self.slope
        if self.intercept != 0.0:
            values += self.intercept
        return values


IDENTITY = Transform()


def scale(
    slices: list[StoredArray], transforms: list[Transform], percentiles: tuple[float, float]
) -> tuple[ByteArray, float, float]:
    """Integer slices (each (H, W)) -> uint8 (D, H, W), and the two values that became 0 and 255.

    Equal, to the last bit, to stacking the transformed slices as float64 and applying numpy's percentile, clip and
    arithmetic. Values of up to 16 bits go through counts and tables, which is several times faster.
    Raises BlankImage.
    """
    if all(array.dtype.itemsize <= 2 for array in slices):
        return _scale_by_table(slices, transforms, percentiles)
    values = np.stack([transform(array) for array, transform in zip(slices, transforms)])
    low, high = (float(value) for value in np.percentile(values, percentiles))
    return _to_bytes(values, low, high), low, high


def _to_bytes(values: FloatArray, low: float, high: float) -> ByteArray:
    if not low < high:
        raise BlankImage
    return ((np.clip(values, low, high) - low) / (high - low) * 255).astype(np.uint8)


def _scale_by_table(
    slices: list[StoredArray], transforms: list[Transform], percentiles: tuple[float, float]
) -> tuple[ByteArray, float, float]:
    alike = defaultdict(list)
    for index, (array, transform) in enumerate(zip(slices, transforms)):
        alike[array.dtype, transform].append(index)
    tables = []
    for (dtype, transform), indices in alike.items():
        counts = np.sum([_counts(slices[index]) for index in indices], axis=0)
        present = np.flatnonzero(counts)
        stored = present.astype(f"u{dtype.itemsize}").view(dtype)
        tables.append((indices, present, transform(stored), counts[present]))
    values = np.concatenate([table[2] for table in tables])
    low, high = _percentiles(values, np.concatenate([table[3] for table in tables]), percentiles)
    volume = np.empty((len(slices), *slices[0].shape), dtype=np.uint8)
    for indices, present, table_values, _ in tables:
        table = np.zeros(65536, dtype=np.uint8)
        table[present] = _to_bytes(table_values, low, high)
        for index in indices:
            np.take(table, _unsigned(slices[index]), out=volume[index], mode="clip")
    return volume, low, high


def _unsigned(array: StoredArray) -> StoredArray:
    return array.view(f"u{array.dtype.itemsize}")


def _counts(array: StoredArray) -> IndexArray:
    return np.bincount(_unsigned(array).ravel(), minlength=65536)


def _percentiles(values: FloatArray, counts: IndexArray, percentiles: tuple[float, float]) -> tuple[float, float]:
    """numpy's percentile (method ``linear``, Hyndman and Fan's type 7) of ``values`` repeated ``counts`` times."""
    order = np.argsort(values, kind="stable")
    values, last = values[order], np.cumsum(counts[order])
    position = (last[-1] - 1) * (np.asarray(percentiles) / 100)
    below = np.floor(position).astype(np.int64)
    above = np.minimum(below + 1, last[-1] - 1)
    part = position - below
    lower, upper = (values[np.searchsorted(last, rank, side="right")] for rank in (below, above))
    step = upper - lower
    # numpy rounds from the nearer end; the last bit would differ otherwise.
    low, high = np.where(part < 0.5, lower + step * part, upper - step * (1 - part))
    return float(low), float(high)
