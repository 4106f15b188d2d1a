"""The chain of discs along a strip, found on the picture alone: evenly spaced places that look like discs.

Dynamic programming over the disc scores along the strip: a chain of discs with spacing L, each step within a tolerance
of L, is worth the sum of its scores less a cost for each disc, and less what half-way between two discs looks like a
disc, for there lies a vertebra; L comes from a grid around the points' own spacing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded where they are used

from lstv.anatomy.disc_score import Disc, Search, disc_score, find_disc
from lstv.anatomy.offset import marrow
from lstv.anatomy.picture import Picture, turned
from lstv.anatomy.strip import HALF_WIDTH_MM, LENGTH_MM, Strip

SPACINGS = np.array([0.72, 0.8, 0.88, 0.94, 1.0, 1.06, 1.14, 1.25])
"""Spacings tried, in units of the points' median distance."""

_TURNS = np.arange(-15.0, 15.1, 5.0)
_TURN_SD = 12.0
_SMOOTHING = 0.12
"""In distances between discs. A disc is a plateau of the score, from one endplate to the other; smoothed, its middle is
the highest place."""

_COST = 0.55
_TOLERANCE = 0.14
_STEP_WEIGHT = 0.125
_BODY_WEIGHT = 0.5
_SHORTEST, _LONGEST = 0.6, 1.45
_MOST = 9
_NEVER = -1e3
_AXIS, _ACROSS = np.array([0.0, 1.0]), np.array([1.0, 0.0])
_REFINED = Search(np.array([-1.0, 0.0, 1.0]), np.array([-2.0, 0.0, 2.0]), np.array([-4.0, 0.0, 4.0]))


@dataclass(frozen=True)
class Scores:
    """Disc score float64 (300,) of each row of a strip and the turn in degrees at which it was had; the median
    ``marrow``."""

    along: np.ndarray
    turns: np.ndarray
    marrow: float


@dataclass(frozen=True)
class Chain:
    """``places_mm`` (n,): rows of the discs, cranial to caudal; ``spacing_mm`` the spacing L of the best chain;
    ``discs`` the same refined in two dimensions and turn."""

    places_mm: np.ndarray
    spacing_mm: float
    discs: tuple[Disc, ...]

    def fractional_index(self, rows_mm: np.ndarray) -> np.ndarray:
        """Rows (N,) as fractional numbers of discs, 0 = the first; beyond the ends at the spacing L."""
        number = np.interp(rows_mm, self.places_mm, np.arange(len(self.places_mm)))
        first, last = self.places_mm[0], self.places_mm[-1]
        number = np.where(rows_mm < first, (rows_mm - first) / self.spacing_mm, number)
        return np.where(rows_mm > last, len(self.places_mm) - 1 + (rows_mm - last) / self.spacing_mm, number)


def scores(strip: Strip, picture: Picture) -> Scores | None:
    """Disc scores along the middle of the strip, the best of the turns from -15 to 15 degrees; None where the bodies
    between the points are not in the picture."""
    points = np.array([[HALF_WIDTH_MM, row] for row in strip.places_mm])
    bodies = marrow(picture, points, np.broadcast_to(_ACROSS, points.shape))
    if not np.isfinite(bodies).any():
        return None
    level, gap = float(np.nanmedian(bodies)), strip.usual_gap()
    centres = np.stack([np.full(LENGTH_MM, HALF_WIDTH_MM), np.arange(LENGTH_MM)], axis=1).astype(np.float64)
    shape = (len(_TURNS), LENGTH_MM, 2)
    axes, across = turned(_AXIS, _ACROSS, _TURNS)[:, None], turned(_ACROSS, -_AXIS, _TURNS)[:, None]
    found = disc_score(
        picture,
        np.broadcast_to(centres, shape),
        np.broadcast_to(axes, shape),
        np.broadcast_to(across, shape),
        level,
        gap,
    )
    found = np.where(found > 0, found * np.exp(-0.5 * (_TURNS[:, None] / _TURN_SD) ** 2), found)
    best = found.argmax(axis=0)
    highest = found[best, np.arange(LENGTH_MM)]
    smooth = scipy.ndimage.gaussian_filter1d(np.maximum(highest, 0.0), _SMOOTHING * gap)
    return Scores(np.where(highest > 0, smooth, highest), _TURNS[best], level)


def find_chain(strip: Strip, picture: Picture, found: Scores) -> Chain | None:
    """The best chain that begins near the first point, or up to three quarters of a spacing above it, and ends near the
    last.

    None where no two such places are in the picture.
    """
    gap = strip.usual_gap()
    first, last = strip.places_mm[0], strip.places_mm[-1]
    low, high = int(max(0, np.ceil(first - 0.75 * gap))), int(min(LENGTH_MM - 1, np.floor(last + 0.3 * gap)))
    rows = np.arange(low, high + 1)
    values = found.along[rows]
    shown = values[values > 0]
    if not shown.size:
        return None
    likeness = np.maximum(values, 0.0) / max(float(np.percentile(shown, 90)), 1e-3)
    best_value, best_rows, best_spacing = _NEVER, np.empty(0, int), gap
    for spacing in gap * SPACINGS:
        begin = rows <= rows[0] + 0.9 * spacing
        end = rows >= last - 0.5 * spacing
        value, path = _best_path(likeness, spacing, begin, end)
        if value > best_value:
            best_value, best_rows, best_spacing = value, rows[path], float(spacing)
    if len(best_rows) < 2:
        return None
    discs = []
    for row in best_rows:
        turn = found.turns[row]
        axis, across = turned(_AXIS, _ACROSS, turn), turned(_ACROSS, -_AXIS, turn)
        discs.append(
            find_disc(
                picture, np.array([HALF_WIDTH_MM, float(row)]), axis, across, found.marrow, best_spacing, _REFINED
            )
        )
    return Chain(best_rows.astype(np.float64), best_spacing, tuple(discs))


def _best_path(likeness: np.ndarray, spacing: float, begin: np.ndarray, end: np.ndarray) -> tuple[float, list[int]]:
    """Best chain over rows 1 mm apart: (value, indices). ``begin`` and ``end`` say where it may begin and end."""
    count = len(likeness)
    lags = np.arange(int(_SHORTEST * spacing), min(count - 1, int(np.ceil(_LONGEST * spacing))) + 1)
    if not lags.size:
        return _NEVER, []
    worth = likeness - _COST
    source = np.arange(count)[:, None] - lags
    reachable = source >= 0
    between = likeness[np.maximum(np.arange(count)[:, None] - lags // 2, 0)]
    penalty = _STEP_WEIGHT * (np.log(lags / spacing) / _TOLERANCE) ** 2 + _BODY_WEIGHT * between
    layer = np.where(begin, worth, _NEVER)
    layers, backs = [layer], []
    for _ in range(_MOST - 1):
        arrivals = np.where(reachable, layer[np.maximum(source, 0)] - penalty, _NEVER)
        choice = arrivals.argmax(axis=1)
        layer = arrivals[np.arange(count), choice] + worth
        layers.append(layer)
        backs.append(np.arange(count) - lags[choice])
    ends = np.where(end, np.array(layers), _NEVER)
    depth, index = np.unravel_index(int(ends.argmax()), ends.shape)
    value, path = float(ends[depth, index]), [int(index)]
    for back in reversed(backs[:depth]):
        path.append(int(back[path[-1]]))
    return value, path[::-1]
