"""A field that is much larger than the lumbar spine, cut to it, so that the network can read it a second time.

Every picture is resized to the same grid. In a large field the spine is small there, smaller than in training, and the
network misnames discs; cut to the usual number of levels it is read as other fields are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lstv.anatomy import points
from lstv.base.arrays import ByteArray, RealArray, triple
from lstv.base.levels import GRID, LEVELS
from lstv.dicom.geometry import SliceGeometry
from lstv.localizer.prepare import Prepared, resized

LARGE, CUT_TO = 10.0, 8.5
"""Height of a picture in distances between neighbouring discs: above the first a field is large, the second it is cut to.
Lumbar fields show 7 to 10."""

_LEAST_POINTS = 3
_MIDDLE = (len(LEVELS) - 1) / 2


@dataclass(frozen=True)
class Window:
    """Pixels of a slice, ends not included: ``top`` to ``bottom``, ``left`` to ``right``."""

    top: int
    bottom: int
    left: int
    right: int

    def of(self, slices: ByteArray) -> ByteArray:
        """The window of slices (n, H, W)."""
        return np.ascontiguousarray(slices[:, self.top : self.bottom, self.left : self.right])

    def plane(self, plane: SliceGeometry) -> SliceGeometry:
        """The plane of the window of a slice that lies in ``plane``."""
        corner = triple(plane.to_patient(self.left, self.top))
        return replace(plane, position=corner, height=self.bottom - self.top, width=self.right - self.left)


def levels_in_view(found: dict[int, tuple[float, float]], plane: SliceGeometry) -> float:
    """Height of the picture in distances between neighbouring discs; NaN with fewer than three points.

    ``found``: points (column, row) on the 160 grid by index of the level (0 = L1/L2).
    """
    if len(found) < _LEAST_POINTS:
        return float("nan")
    down, across = plane.grid_spacing(GRID)
    distance = points.level_distance({index: (column * across, row * down) for index, (column, row) in found.items()})
    return plane.row_spacing * plane.height / distance if distance > 0 else float("nan")


def window(found: dict[int, tuple[float, float]], plane: SliceGeometry) -> Window | None:
    """Where the lumbar spine lies in a slice in ``plane``, CUT_TO levels high around L3/L4 and as wide as high, as far as
    the picture goes; None where the field is not large."""
    seen = levels_in_view(found, plane)
    if not seen > LARGE:
        return None
    index, placed = np.array(sorted(found)), np.array([found[one] for one in sorted(found)])
    slope, start = np.polyfit(index, placed[:, 1], 1)
    row, column = start + slope * _MIDDLE, (placed[:, 0].min() + placed[:, 0].max()) / 2
    height = plane.height * CUT_TO / seen
    width = height * plane.row_spacing / plane.column_spacing
    top, bottom = _within((row + 0.5) * plane.height / GRID, height, plane.height)
    left, right = _within((column + 0.5) * plane.width / GRID, width, plane.width)
    return Window(top, bottom, left, right)


def _within(middle: float, length: float, size: int) -> tuple[int, int]:
    """A stretch of whole pixels around a middle, moved into 0 to ``size`` where it juts out."""
    whole = min(size, max(1, round(length)))
    begin = min(max(0, round(middle - length / 2)), size - whole)
    return begin, begin + whole


def cut(study: Prepared, logits: RealArray) -> Prepared | None:
    """A study with a large field cut to the lumbar spine; None where it is not large or its slices were not kept for this.

    ``logits`` (6, 160, 160): the first reading of the centre slice.
    """
    if study.wide is None:
        return None
    plane = study.geometry.resized(*study.wide.shape[1:])
    found = {index: point for index, point in enumerate(points.level_points(logits)) if point is not None}
    lumbar = window(found, plane)
    if lumbar is None:
        return None
    images = np.stack([resized(one) for one in lumbar.of(study.wide)])
    return replace(
        study,
        images=images,
        geometry=lumbar.plane(plane),
        slices=lumbar.of(study.slices),
        wide=None,
    )
