"""What the viewer draws over a series: heatmaps, outlines, points, and what the reasons speak of.

All of it belongs to the one slice that the network saw; it is put onto the series by the patient's coordinates, so that it
lies right also where the network saw a slice turned or in another order (preprocessing ``reference``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lstv.base.levels import GRID, LEVELS
from lstv.dicom.geometry import SliceGeometry
from lstv.localizer.heatmap_file import Analysed
from lstv.report import overlay
from lstv.report.overlay import Overlay
from lstv.report.palette import JUNCTION, LEVEL_COLOURS, rgb

Affine = tuple[float, float, float, float, float, float]
"""A canvas transformation: x' = a x + c y + e, y' = b x + d y + f."""

_FAINTEST, _OPAQUE, _OTHERS = 0.02, 0.5, 0.4
"""Probabilities below the first are transparent; opacity of a certain pixel at L5/S1 and at the other levels."""


def layers(
    maps: Analysed, drawn: Overlay, points: Mapping[str, Sequence[float] | None], slices: Sequence[SliceGeometry]
) -> dict[str, Any] | None:
    """The layers as viewer.js takes them; None where the slice that the network saw is not among ``slices``.

    ``points`` are (column, row) on the 160 x 160 grid, None where a level was not found; ``drawn`` is the study's overlay.
    """
    index = slice_of(maps.geometry, slices)
    if index is None:
        return None
    to_series = between(maps.geometry, slices[index])
    grid = _scaled(to_series, maps.geometry.width / GRID, maps.geometry.height / GRID)
    drawing = _scaled(to_series, maps.geometry.width / drawn.width, maps.geometry.height / drawn.height)
    probability = overlay.probabilities(maps)
    levels = []
    for number, (level, mark) in enumerate(zip(LEVELS, drawn.marks)):
        point = points.get(level)
        levels.append(
            {
                "name": level,
                "label": mark.label,
                "colour": mark.colour,
                "point": None if point is None else _moved(grid, point),
                "heat": _heat(probability[number], level),
                "outline": mark.outline,
            }
        )
    marks = [
        {"number": mark.number, "path": mark.path, "at": list(mark.badge), "missing": mark.missing}
        for mark in drawn.reasons
    ]
    return {
        "slice": index,
        "levels": levels,
        "marks": marks,
        "matrix": _rounded(grid),
        "drawing": _rounded(drawing),
    }


def slice_of(plane: SliceGeometry, slices: Sequence[SliceGeometry]) -> int | None:
    """Index of the slice in the plane given; None where none is within a millimetre of it, or directions differ."""
    normal = np.cross(plane.row_direction, plane.column_direction)
    away = [abs(float(np.dot(normal, np.subtract(other.position, plane.position)))) for other in slices]
    index = int(np.argmin(away))
    other = np.cross(slices[index].row_direction, slices[index].column_direction)
    return index if away[index] < 1.0 and abs(float(np.dot(normal, other))) > 0.99 else None


def between(plane: SliceGeometry, other: SliceGeometry) -> Affine:
    """From pixels of one slice to those of another in the same plane, both counted from the outer edge of the first one."""
    along = np.array([np.asarray(other.row_direction), np.asarray(other.column_direction)])
    step = np.array([other.column_spacing, other.row_spacing])

    def pixel(column: float, row: float) -> np.ndarray:
        away = plane.to_patient(column - 0.5, row - 0.5) - np.asarray(other.position)
        found: np.ndarray = along @ away / step + 0.5
        return found

    origin = pixel(0.0, 0.0)
    (a, b), (c, d) = pixel(1.0, 0.0) - origin, pixel(0.0, 1.0) - origin
    return float(a), float(b), float(c), float(d), float(origin[0]), float(origin[1])


def is_upright(plane: SliceGeometry, other: SliceGeometry) -> bool:
    """Whether two slices of one plane show the same pixels in the same places."""
    return bool(np.allclose(between(plane, other), (1, 0, 0, 1, 0, 0), atol=1e-3)) and (plane.height, plane.width) == (
        other.height,
        other.width,
    )


def _scaled(affine: Affine, x: float, y: float) -> Affine:
    a, b, c, d, e, f = affine
    return a * x, b * x, c * y, d * y, e, f


def _moved(affine: Affine, point: Sequence[float]) -> list[float]:
    """A point that counts from the centre of the first pixel, on both sides."""
    a, b, c, d, e, f = affine
    x, y = point[0] + 0.5, point[1] + 0.5
    return [round(a * x + c * y + e - 0.5, 2), round(b * x + d * y + f - 0.5, 2)]


def _rounded(affine: Affine) -> list[float]:
    return [round(value, 6) + 0.0 for value in affine]


def _heat(probability: np.ndarray, level: str) -> str | None:
    """A level's map as a picture in its colour, as opaque as it is probable; None where it is transparent everywhere."""
    strength = _OPAQUE if level == JUNCTION else _OTHERS
    alpha = np.where(probability < _FAINTEST, 0.0, probability * strength)
    if not alpha.any():
        return None
    layer = np.zeros((*probability.shape, 4), dtype=np.uint8)
    layer[..., :3] = rgb(LEVEL_COLOURS[level])
    layer[..., 3] = np.round(255 * alpha)
    layer[layer[..., 3] == 0] = 0  # compresses better
    return overlay.png(layer)
