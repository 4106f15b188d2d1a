"""Stored values of a series -> the 8-bit intensities a network sees.

``trained``: as the point net was trained: the values of the whole stack clipped to their 0.1 and 99.9 percentiles, the
lower one subtracted, scaled to 255, cut to uint8. ``reference``: the reference implementation's minimum to maximum.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from lstv.base.arrays import BoolArray, ByteArray, FloatArray, IndexArray, StoredArray

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


Padding = tuple[int, int]
"""The lowest and the highest stored value that means "no image here" (PS3.3 C.7.5.1.1.2)."""


def scale(
    slices: list[StoredArray],
    transforms: list[Transform],
    percentiles: tuple[float, float],
    padding: list[Padding | None] | None = None,
) -> tuple[ByteArray, float, float]:
    """Integer slices (each (H, W)) -> uint8 (D, H, W), and the two values that became 0 and 255.

    Equal, to the last bit, to stacking the transformed slices as float64 and applying numpy's percentile, clip and
    arithmetic. Values of up to 16 bits go through counts and tables, which is several times faster. ``padding`` names
    the stored values of each slice that do not count for the percentiles and become 0. Raises BlankImage.
    """
    padding = padding or [None] * len(slices)
    if all(array.dtype.itemsize <= 2 for array in slices):
        return _scale_by_table(slices, transforms, percentiles, padding)
    values = np.stack([transform(array) for array, transform in zip(slices, transforms)])
    image = np.stack([~_is_padding(array, values_) for array, values_ in zip(slices, padding)])
    counted = values if image.all() else values[image]
    if not counted.size:
        raise BlankImage
    low, high = (float(value) for value in np.percentile(counted, percentiles))
    return _to_bytes(values, low, high) * image, low, high


def _is_padding(stored: StoredArray, padding: Padding | None) -> BoolArray:
    if padding is None:
        return np.zeros(stored.shape, dtype=np.bool_)
    return (stored >= padding[0]) & (stored <= padding[1])


def stretches(
    slices: list[StoredArray],
    transforms: list[Transform],
    padding: list[Padding | None],
    percentiles: tuple[float, float],
) -> bool:
    """Whether padding lies so far from the image's values that counting it would change the picture visibly: a tenth of
    the window or more. A padding of 0 below values from 0 on, as many scanners state it, does not."""
    if not any(padding):
        return False
    try:
        _, low, high = scale(slices, transforms, percentiles, padding)
    except BlankImage:
        return False
    step = 0.1 * (high - low)
    for array, transform, values in zip(slices, transforms, padding):
        if values is not None:
            there = array[_is_padding(array, values)]
            if there.size:
                ends = transform(np.array([there.min(), there.max()]))
                if ends.min() < low - step or ends.max() > high + step:
                    return True
    return False


def _to_bytes(values: FloatArray, low: float, high: float) -> ByteArray:
    if not low < high:
        raise BlankImage
    return ((np.clip(values, low, high) - low) / (high - low) * 255).astype(np.uint8)


def _scale_by_table(
    slices: list[StoredArray],
    transforms: list[Transform],
    percentiles: tuple[float, float],
    padding: list[Padding | None],
) -> tuple[ByteArray, float, float]:
    alike = defaultdict(list)
    for index, (array, transform) in enumerate(zip(slices, transforms)):
        alike[array.dtype, transform, padding[index]].append(index)
    tables = []
    for (dtype, transform, none), indices in alike.items():
        counts = np.sum([_counts(slices[index]) for index in indices], axis=0)
        present = np.flatnonzero(counts)
        stored = present.astype(f"u{dtype.itemsize}").view(dtype)
        image = ~_is_padding(stored, none)
        present, stored = present[image], stored[image]
        tables.append((indices, present, transform(stored), counts[present]))
    values = np.concatenate([table[2] for table in tables])
    if not len(values):
        raise BlankImage
    low, high = _percentiles(values, np.concatenate([table[3] for table in tables]), percentiles)
    volume = np.empty((len(slices), *slices[0].shape), dtype=np.uint8)
    for indices, present, table_values, _ in tables:
        table = np.zeros(65536, dtype=np.uint8)  # padding stays 0
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
