"""The straightened strip: the slices read along a curve through the discs, 1 mm a pixel, so that later stages need no
DICOM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy  # its parts are loaded where they are used

from lstv.anatomy.picture import Picture, bilinear, unit
from lstv.dicom.geometry import SliceGeometry

LENGTH_MM, HALF_WIDTH_MM = 300, 30
"""Rows of a strip, 1 mm each, and its reach to either side of the curve."""

MIN_POINTS = 3
_LEAST_GAP_MM = 3.0
_NO_LENGTH = 1e-9
_LONGEST_MM = 240.0
_PADDING = 2
_COLUMN_MM, _BRIGHTEST, _STRETCHED = 15, 99.5, 200.0
_DISC_DISTANCE_MM, _ADULT_MM = (20.0, 52.0), 36.0


@dataclass(frozen=True)
class Strip:
    """``pixels`` uint8 (slices, 300, 61), the centre slice first: 0 where there is no picture, else the intensity,
    stretched to the range of the column of vertebrae, at least 1.

    Row y is y mm along the curve, column x is x - 30 mm across it, to posterior. ``levels`` are the indices of the
    levels (0 = L1/L2) with a point on the curve, cranial to caudal, ``places_mm`` their rows, ``slopes_deg`` how far
    the curve is turned there from inferior to posterior; ``offset_mm`` is how far in front of the points the curve was
    laid.
    """

    pixels: np.ndarray
    levels: tuple[int, ...]
    places_mm: tuple[float, ...]
    slopes_deg: tuple[float, ...]
    offset_mm: float

    def picture(self, index: int = 0) -> Picture:
        """One of its slices, to be read in mm."""
        pixels = self.pixels[index].astype(np.float32)
        pixels[self.pixels[index] == 0] = np.nan
        return Picture(pixels)

    def gaps_mm(self) -> np.ndarray:
        """Distances a level (N - 1,) between neighbouring points along the strip."""
        return np.diff(self.places_mm) / np.maximum(np.abs(np.diff(self.levels)), 1)

    def usual_gap(self) -> float:
        """See ``usual_gap``."""
        return usual_gap(np.diff(self.places_mm), self.levels)


@dataclass(frozen=True)
class Column:
    """Points of a localizer in the plane of the slice. ``points`` float64 (N, 2) = (x, y) in mm, cranial to caudal, of
    ``levels`` (N,); ``posterior`` and ``inferior`` (2,) those directions in the plane, of length 1."""

    points: np.ndarray
    levels: tuple[int, ...]
    posterior: np.ndarray
    inferior: np.ndarray

    def across(self, tangents: np.ndarray) -> np.ndarray:
        """At right angles to ``tangents`` (..., 2), to posterior."""
        normal = np.stack([tangents[..., 1], -tangents[..., 0]], axis=-1)
        return np.where((normal @ self.posterior)[..., None] < 0, -normal, normal)

    def directions(self) -> np.ndarray:
        """Directions (N, 2) of the column at its points, of length 1; where it turns back, that of the next step."""
        steps = unit(np.diff(self.points, axis=0))
        return np.vstack([steps[:1], _unit_or(steps[:-1] + steps[1:], steps[1:]), steps[-1:]])

    def moved(self, forward_mm: float) -> Column:
        """The points moved to the front, at right angles to the column's smoothed direction."""
        if not forward_mm:
            return self
        tangents = self.directions()
        smooth = tangents.copy()
        smooth[1:-1] = _unit_or(0.25 * tangents[:-2] + 0.5 * tangents[1:-1] + 0.25 * tangents[2:], tangents[1:-1])
        return replace(self, points=self.points - forward_mm * self.across(smooth))

    def lengths(self) -> np.ndarray:
        """Distances (N - 1,) in mm between neighbouring points."""
        return np.linalg.norm(np.diff(self.points, axis=0), axis=1)

    def usual_gap(self) -> float:
        """See ``usual_gap``."""
        return usual_gap(self.lengths(), self.levels)


def _unit_or(vectors: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Vectors (N, 2) of length 1, and of those without a length the ones given in their place."""
    none = np.linalg.norm(vectors, axis=-1, keepdims=True) < _NO_LENGTH
    return np.where(none, otherwise, unit(np.where(none, 1.0, vectors)))


def usual_gap(distances_mm: np.ndarray, levels: tuple[int, ...]) -> float:
    """Usual distance in mm between neighbouring discs, from the ``distances_mm`` (N - 1,) between points of ``levels``
    (N,).

    The median distance a level; where that is no distance of lumbar discs because names are missing or doubled, the
    median of the distances that are, whatever the names; without any, that of an adult.
    """
    low, high = _DISC_DISTANCE_MM
    by_level = float(np.median(distances_mm / np.maximum(np.abs(np.diff(levels)), 1)))
    if low <= by_level <= high:
        return by_level
    likely = distances_mm[(distances_mm >= low) & (distances_mm <= high)]
    return float(np.median(likely)) if likely.size else _ADULT_MM


def column(points_px: Sequence[Sequence[float] | None], grid: int, plane: SliceGeometry) -> Column | None:
    """The points that lie on one column; None where they are fewer than three or far longer than a lumbar spine.

    ``points_px`` are (column, row) on the ``grid`` x ``grid`` image by level, None where a level is not found. Of
    points less than 3 mm apart the first is kept: two names for one place are one place.
    """
    found = [index for index, point in enumerate(points_px) if point is not None]
    if len(found) < MIN_POINTS:
        return None
    own = (np.array([points_px[index] for index in found], dtype=np.float64) + 0.5) / grid
    places = (own * [plane.width, plane.height] - 0.5) * [plane.column_spacing, plane.row_spacing]
    inferior = unit(-np.array([plane.row_direction[2], plane.column_direction[2]]))
    order = np.argsort(places @ inferior, kind="stable")
    kept: list[int] = []
    for index in order:
        if not kept or np.linalg.norm(places[index] - places[kept[-1]]) >= _LEAST_GAP_MM:
            kept.append(int(index))
    posterior = unit(np.array([plane.row_direction[1], plane.column_direction[1]]))
    result = Column(places[kept], tuple(found[index] for index in kept), posterior, inferior)
    return result if len(kept) >= MIN_POINTS and result.lengths().sum() <= _LONGEST_MM else None


def lay(images: np.ndarray, plane: SliceGeometry, points: Column, offset_mm: float) -> Strip:
    """The strip along a cubic spline through the points moved by ``offset_mm``, straight beyond the first and the last.

    ``images`` uint8 (slices, H, W) on the plane's grid, of one or more parallel slices.
    """
    moved = points.moved(offset_mm)
    chords, spline = _guide(moved)
    pixels = sampled(images, plane, points, offset_mm)
    seen = np.isfinite(pixels[0])
    gain = _gain(pixels[:, :, HALF_WIDTH_MM - _COLUMN_MM : HALF_WIDTH_MM + _COLUMN_MM + 1])
    stored = np.where(seen, np.clip(np.rint(gain * np.nan_to_num(pixels)), 1, 255), 0).astype(np.uint8)
    at_points = unit(spline(chords, 1))
    slopes = np.rad2deg(np.arctan2(at_points @ points.posterior, at_points @ points.inferior))
    return Strip(stored, points.levels, _floats(chords - _start(chords)), _floats(slopes), float(offset_mm))


def sampled(images: np.ndarray, plane: SliceGeometry, points: Column, offset_mm: float) -> np.ndarray:
    """Intensities float32 (slices, 300, 61) of a strip before they are stored; NaN where the first image has no
    picture."""
    moved = points.moved(offset_mm)
    chords, spline = _guide(moved)
    along = _start(chords) + np.arange(LENGTH_MM)
    inside = np.clip(along, 0.0, chords[-1])
    tangents = unit(spline(inside, 1))
    curve = spline(inside) + (along - inside)[:, None] * tangents
    aside = np.arange(-HALF_WIDTH_MM, HALF_WIDTH_MM + 1.0)
    places = curve[:, None] + aside[None, :, None] * moved.across(tangents)[:, None]
    columns = (places[..., 0] / plane.column_spacing).astype(np.float32)
    rows = (places[..., 1] / plane.row_spacing).astype(np.float32)
    read = [bilinear(image.astype(np.float32), columns, rows, "nearest") for image in images]
    return np.where(_shown(images[0], columns, rows), np.stack(read), np.float32("nan"))


def _gain(column: np.ndarray) -> float:
    """What the intensities are multiplied by so that whole numbers tell marrow and discs apart: in a picture scaled to its
    brightest fat, vertebrae may have 30 of 255. Every sign is a ratio; what is brighter than the column is cut."""
    seen = column[np.isfinite(column)]
    brightest = float(np.percentile(seen, _BRIGHTEST)) if seen.size else 0.0
    return max(1.0, _STRETCHED / brightest) if brightest > 0 else 1.0


def _guide(points: Column) -> tuple[np.ndarray, scipy.interpolate.CubicSpline]:
    """Distances (N,) along the chords, and the curve over them."""
    chords = np.concatenate([[0.0], np.cumsum(points.lengths())])
    return chords, scipy.interpolate.CubicSpline(chords, points.points, bc_type="natural")


def _start(chords: np.ndarray) -> float:
    """Where row 0 of the strip lies along the curve: as much picture above the first point as below the last."""
    return float(chords[-1] - LENGTH_MM) / 2


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _shown(image: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Where the picture is, without the empty rows and columns that pad it."""
    filled = image > _PADDING
    rows_filled, columns_filled = np.flatnonzero(filled.any(axis=1)), np.flatnonzero(filled.any(axis=0))
    if not rows_filled.size:
        return np.zeros(rows.shape, bool)
    return (
        (rows >= rows_filled[0])
        & (rows <= rows_filled[-1])
        & (columns >= columns_filled[0])
        & (columns <= columns_filled[-1])
    )
