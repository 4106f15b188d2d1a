"""Changes planted in a series whose disc levels are known: what a transitional vertebra or a cropped field would do to it.

All functions take a ``Series`` (rows to posterior, columns to inferior) and ``points``, float64 (5, 2): (column, row) in
pixels of the series of the middles of the discs L1/L2 .. L5/S1. They give a new series with the planes that belong to its
pixels: nothing is padded, and pixels stay as large as they were. Every slice is changed alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from lstv.base.arrays import triple
from lstv.dicom.geometry import SliceGeometry
from lstv.dicom.series import Series

_L3_L4, _L4_L5, _L5_S1 = 2, 3, 4
_TILT = np.deg2rad(15.0)
"""L5/S1 is tilted by about this against the axis of L5; its caudal side looks to posterior."""
_SEAM_MM = 1.5


@dataclass(frozen=True)
class Change:
    """One kind of planted change: its ``name``, a ``title`` for people, and the function that makes it."""

    name: str
    title: str
    make: Callable[[Series, np.ndarray], Series]


def erase_l5_s1(series: Series, points: np.ndarray) -> Series:
    """The L5/S1 disc painted over with marrow of L5, as in a complete fusion."""
    axis = points[_L5_S1] - points[_L4_L5]
    cos, sin = np.cos(_TILT), np.sin(_TILT)
    tilted = np.array([cos * axis[0] + sin * axis[1], -sin * axis[0] + cos * axis[1]])
    return _painted(series, points[_L5_S1], _body(points, _L4_L5), tilted, 0.3)


def repaint_l4(series: Series, points: np.ndarray) -> Series:
    """The middle of the L4 body painted over with marrow of L5: the same brush where no disc is. A control."""
    return _painted(series, _body(points, _L3_L4), _body(points, _L4_L5), points[_L4_L5] - points[_L3_L4], 0.2)


def crop_caudal(series: Series, points: np.ndarray) -> Series:
    """The field ends in the middle of L5: L5/S1 and the sacrum are outside."""
    end = int(round(_body(points, _L4_L5)[1]))
    return _window(series, 0, end, points)


def crop_cranial(series: Series, points: np.ndarray) -> Series:
    """The field begins in the middle of L2: L1/L2 is outside."""
    start = int(round(_body(points, 0)[1]))
    return _window(series, start, series.slices[0].height, points)


def crop_control(series: Series, points: np.ndarray) -> Series:
    """The field ends one vertebra above L1/L2 and one below L5/S1: smaller, so shown larger, but whole. A control."""
    above, below = points[0] - (points[1] - points[0]), points[_L5_S1] + (points[_L5_S1] - points[_L4_L5])
    start = max(0, int(round(above[1])))
    end = min(series.slices[0].height, int(round(below[1])))
    return _window(series, start, end, points)


def duplicate_l4(series: Series, points: np.ndarray) -> Series:
    """A sixth lumbar vertebra: from the middle of L3 to the middle of L4 everything is there twice.

    What lies below is moved down, and the field moves by half of that, so that both ends lose as much.
    """
    upper, lower = _body(points, 1), _body(points, _L3_L4)
    step = lower - upper
    moved = _moved_below(series, lower, -step, rows=series.slices[0].height + int(round(step[1])))
    start = int(round(step[1] / 2))
    return _rows(moved, start, start + series.slices[0].height)


def remove_l4(series: Series, points: np.ndarray) -> Series:
    """Four lumbar vertebrae: what lies from the middle of L3 to the middle of L4 is taken out, the rest moved up.

    The field becomes as much lower, and narrower in proportion.
    """
    upper, lower = _body(points, 1), _body(points, _L3_L4)
    step = lower - upper
    left = series.slices[0].height - int(round(step[1]))
    return _window(_moved_below(series, upper, step, rows=left), 0, left, points, of=series.slices[0].height)


CHANGES = (
    Change("repaint_l4", "control: L4 painted with marrow", repaint_l4),
    Change("crop_control", "control: smaller field, all discs in it", crop_control),
    Change("erase_l5_s1", "L5/S1 disc erased", erase_l5_s1),
    Change("crop_caudal", "field ends in L5", crop_caudal),
    Change("crop_cranial", "field begins in L2", crop_cranial),
    Change("duplicate_l4", "a level twice (six discs)", duplicate_l4),
    Change("remove_l4", "a level taken out (four discs)", remove_l4),
)


def _body(points: np.ndarray, disc: int) -> np.ndarray:
    """Middle of the vertebra below a disc."""
    return (points[disc] + points[disc + 1]) / 2


def _spacing(series: Series) -> np.ndarray:
    """(column, row) spacing in mm."""
    return np.array([series.slices[0].column_spacing, series.slices[0].row_spacing])


def _painted(series: Series, target: np.ndarray, source: np.ndarray, axis: np.ndarray, half: float) -> Series:
    """An ellipse around ``target`` filled with what lies around ``source``, folded to and fro along ``axis``.

    ``axis`` (column, row) in pixels is as long as a vertebra with its disc; the ellipse reaches ``half`` of that along it
    and 0.55 across, and fades over its outer fifth. What is taken reaches 0.18 along and 0.4 across, which is marrow.
    """
    scale = _spacing(series)
    length = float(np.hypot(*(axis * scale)))
    along = axis * scale / length
    across = np.array([along[1], -along[0]])
    rows, columns = np.mgrid[: series.slices[0].height, : series.slices[0].width]
    away = (np.stack([columns, rows], axis=-1) - target) * scale
    t, a = away @ along, away @ across
    radius = np.hypot(t / (half * length), a / (0.55 * length))
    weight = np.clip((1 - radius) / 0.2, 0, 1)
    reach = 0.18 * length
    folded = np.abs((t + reach) % (4 * reach) - 2 * reach) - reach
    there = source + (folded[..., None] * along + 0.7 * a[..., None] * across) / scale
    volume = [
        np.rint(weight * _sampled(image, there) + (1 - weight) * image).astype(np.uint8) for image in series.volume
    ]
    return replace(series, volume=np.stack(volume))


def _moved_below(series: Series, seam: np.ndarray, shift: np.ndarray, rows: int) -> Series:
    """Beyond the line through ``seam`` at right angles to the column, the pixel at x shows what was at x + ``shift``."""
    scale = _spacing(series)
    along = shift * scale * np.sign(shift[1])
    along /= np.hypot(*along)
    y, x = np.mgrid[:rows, : series.slices[0].width]
    here = np.stack([x, y], axis=-1).astype(np.float64)
    beyond = np.clip(((here - seam) * scale) @ along / (2 * _SEAM_MM) + 0.5, 0, 1)
    volume = [
        np.rint(beyond * _sampled(image, here + shift) + (1 - beyond) * _sampled(image, here)).astype(np.uint8)
        for image in series.volume
    ]
    slices = tuple(replace(plane, height=rows) for plane in series.slices)
    return replace(series, volume=np.stack(volume), slices=slices)


def _sampled(image: np.ndarray, where: np.ndarray) -> np.ndarray:
    where = where.astype(np.float32)
    sampled = cv2.remap(image, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return sampled.astype(np.float64)


def _window(series: Series, start: int, end: int, points: np.ndarray, of: int | None = None) -> Series:
    """Rows ``start`` to ``end``, and the columns around the spine in the same proportion of the field.

    The network sees every field stretched to a square, so that rows alone would also change the shape of the anatomy.
    ``of``: the height of the field that the proportion is of (default: of the series).
    """
    width = series.slices[0].width
    keep = min(width, int(round(width * (end - start) / (of or series.slices[0].height))))
    left = int(np.clip(round(float(points[:, 0].mean()) - keep / 2), 0, width - keep))
    return _columns(_rows(series, start, end), left, left + keep)


def _rows(series: Series, start: int, end: int) -> Series:
    slices = tuple(replace(_at(plane, 0, start), height=end - start) for plane in series.slices)
    return replace(series, volume=np.ascontiguousarray(series.volume[:, start:end]), slices=slices)


def _columns(series: Series, start: int, end: int) -> Series:
    slices = tuple(replace(_at(plane, start, 0), width=end - start) for plane in series.slices)
    return replace(series, volume=np.ascontiguousarray(series.volume[:, :, start:end]), slices=slices)


def _at(plane: SliceGeometry, column: int, row: int) -> SliceGeometry:
    """The plane with its first pixel at another one."""
    return replace(plane, position=triple(plane.to_patient(column, row)))
