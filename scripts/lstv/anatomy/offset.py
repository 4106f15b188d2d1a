"""How far in front of points in the spinal canal the middles of the discs lie."""

from __future__ import annotations

import numpy as np

from lstv.anatomy.disc_score import disc_score
from lstv.anatomy.picture import Picture, turned, unit
from lstv.anatomy.strip import Column

OFFSETS_MM = np.arange(14.0, 36.1, 2.0)
_ALONG = np.arange(-6.0, 6.1, 2.0)
_TURNS = np.array([-8.0, 0.0, 8.0])
_BODY = np.arange(-4.0, 4.1, 2.0)
MARKS = ("canal", "disc")
"""What a localizer's points mark."""


def disc_offset(picture: Picture, points: Column, marks: str) -> float:
    """mm to the front from the points to the discs: 0 for a localizer that ``marks`` discs; for one that marks the
    ``canal`` the offset from 14 to 36 mm at which the places but the lowest look most like discs.

    The lowest is left out because it is what is examined: a fused junction must not choose the place it is measured at.
    """
    if marks == "disc":
        return 0.0
    return float(OFFSETS_MM[int(np.argmax([_likeness(picture, points.moved(offset)) for offset in OFFSETS_MM]))])


def marrow(picture: Picture, points: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Median intensity (N - 1,) between neighbouring ``points`` (N, 2), NaN outside the picture."""
    middles, axes = (points[:-1] + points[1:]) / 2, unit(np.diff(points, axis=0))
    read = picture.patches(middles, axes, across[:-1], _BODY, _BODY).reshape(len(middles), -1)
    seen = np.isfinite(read).mean(axis=1) > 0.5
    result = np.full(len(middles), np.nan)
    result[seen] = np.nanmedian(read[seen], axis=1)
    return result


def _likeness(picture: Picture, moved: Column) -> float:
    axes = moved.directions()
    across = moved.across(axes)
    bodies = marrow(picture, moved.points, across)
    if not np.isfinite(bodies).any():
        return -1.0
    upper, sides = axes[:-1, None, None], across[:-1, None, None]
    turns = _TURNS[None, :, None]
    shape = (len(moved.points) - 1, len(_TURNS), len(_ALONG), 2)
    centres = np.broadcast_to((moved.points[:-1, None] + _ALONG[None, :, None] * axes[:-1, None])[:, None], shape)
    scores = disc_score(
        picture,
        centres,
        np.broadcast_to(turned(upper, sides, turns), shape),
        np.broadcast_to(turned(sides, -upper, turns), shape),
        float(np.nanmedian(bodies)),
        moved.usual_gap(),
    )
    return float(scores.max(axis=(1, 2)).mean())
