"""Patches: the picture re-centred on the place where given vertebra centroids put a disc.

A patch is what the network was trained on, moved: the whole sagittal slice nearest to the place, resized to 160 x 160 as
always, shifted by whole grid pixels until the place stands in the middle. Scale, aspect and field of view stay those of the
slice; what comes in from outside is black. No torch here: patches are cut where DICOM is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from lstv.base.arrays import FloatArray
from lstv.base.levels import GRID, LEVELS
from lstv.dicom.geometry import SliceGeometry

NEIGHBOURS = dict(zip(LEVELS, (("L1", "L2"), ("L2", "L3"), ("L3", "L4"), ("L4", "L5"), ("L5", "S1"))))
"""Vertebrae above and below each disc level."""

_MIDDLE = (GRID - 1) / 2
_LONGEST = 0.6
_Scalar = TypeVar("_Scalar", bound=np.generic)


@dataclass(frozen=True)
class DiscTarget:
    """Where the centroids put one disc. ``slice`` is the slice used, counted from the centre slice; ``disc_px``,
    ``upper_px``, ``lower_px`` are (column, row) on its 160 grid of the disc and of the centroids above and below;
    ``point_mm`` is the disc in DICOM patient coordinates."""

    slice: int
    disc_px: tuple[float, float]
    upper_px: tuple[float, float]
    lower_px: tuple[float, float]
    point_mm: tuple[float, float, float]

    @property
    def shift(self) -> tuple[int, int]:
        """(columns, rows) by which the slice is moved so that the disc stands in the middle of the grid."""
        column, row = (round(_MIDDLE - value) for value in self.disc_px)
        return column, row


@dataclass(frozen=True)
class DiscTargets:
    """``status``: given | no_file | refused (with the ``reason``); ``found``: level -> place; ``missing``: level ->
    no_centroid | outside, for the levels that have no patch; ``six_lumbar``: the centroids name an L6."""

    status: str
    reason: str = ""
    found: dict[str, DiscTarget] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    six_lumbar: bool = False

    def as_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> DiscTargets:
        """The inverse of ``as_json``."""
        found = {
            level: DiscTarget(
                target["slice"], *(tuple(target[name]) for name in ("disc_px", "upper_px", "lower_px", "point_mm"))
            )
            for level, target in record["found"].items()
        }
        return cls(**{**record, "found": found})


def disc_point(points: dict[str, FloatArray], level: str) -> FloatArray | None:
    """Disc of a level, (3,) in mm: half-way between the centroids above and below; None where one of them is missing.

    Below L5 the way is at most 0.6 of the distance L4 to L5, for the S1 given may be the middle of the whole sacrum.
    With an L6 the disc below L5 is none of the network's levels, so it has no point.
    """
    upper, lower = NEIGHBOURS[level]
    if upper not in points or lower not in points or (level == LEVELS[-1] and "L6" in points):
        return None
    way = points[lower] - points[upper]
    share = 0.5
    if level == LEVELS[-1] and "L4" in points:
        share = min(0.5, _LONGEST * float(np.linalg.norm(points["L5"] - points["L4"]) / np.linalg.norm(way)))
    return points[upper] + share * way


def targets(points: dict[str, FloatArray], slices: Sequence[SliceGeometry], centre: int) -> DiscTargets:
    """Places of the discs on the slices of a stack. A place is outside where it lies beyond the picture, or further from
    the nearest slice than the slices from one another."""
    found, missing = {}, {}
    for level in LEVELS:
        disc = disc_point(points, level)
        if disc is None:
            missing[level] = "no_centroid"
            continue
        index = _nearest(disc, slices)
        target = None if index is None else _target(disc, points, level, slices[index], index - centre)
        if target is None or not all(0 <= value <= GRID - 1 for value in target.disc_px):
            missing[level] = "outside"
        else:
            found[level] = target
    return DiscTargets("given", "", found, missing, "L6" in points)


def _nearest(point: FloatArray, slices: Sequence[SliceGeometry]) -> int | None:
    normal = np.cross(slices[0].row_direction, slices[0].column_direction)
    along = np.array([plane.position for plane in slices]) @ normal
    distance = np.abs(along - point @ normal)
    index = int(distance.argmin())
    return index if distance[index] <= np.median(np.diff(np.sort(along))) else None


def _target(
    disc: FloatArray, points: dict[str, FloatArray], level: str, plane: SliceGeometry, offset: int
) -> DiscTarget:
    upper, lower = (_grid_px(points[name], plane) for name in NEIGHBOURS[level])
    x, y, z = (float(value) for value in disc)
    return DiscTarget(offset, _grid_px(disc, plane), upper, lower, (x, y, z))


def _grid_px(point: FloatArray, plane: SliceGeometry) -> tuple[float, float]:
    """(column, row) on the 160 grid of a point (3,) in mm, projected on a slice: SliceGeometry.grid_to_patient inverted."""
    from_corner = point - np.asarray(plane.position)
    column = float(from_corner @ np.asarray(plane.row_direction)) / plane.column_spacing
    row = float(from_corner @ np.asarray(plane.column_direction)) / plane.row_spacing
    return (column + 0.5) * GRID / plane.width - 0.5, (row + 0.5) * GRID / plane.height - 0.5


def shifted(maps: npt.NDArray[_Scalar], shift: tuple[int, int]) -> npt.NDArray[_Scalar]:
    """``maps`` (..., H, W) moved by whole (columns, rows), to the right and down; 0 comes in from outside."""
    result = np.zeros_like(maps)
    (from_row, to_row), (from_column, to_column) = (
        (slice(max(-step, 0), max(size - max(step, 0), 0)), slice(max(step, 0), max(size + min(step, 0), 0)))
        for step, size in zip(shift[::-1], maps.shape[-2:])
    )
    result[..., to_row, to_column] = maps[..., from_row, from_column]
    return result


def shifted_back(maps: npt.NDArray[_Scalar], shift: tuple[int, int]) -> npt.NDArray[_Scalar]:
    """The inverse of ``shifted``: heatmaps of a patch on the grid of the slice; 0 where the patch did not look."""
    return shifted(maps, (-shift[0], -shift[1]))
