"""How much a disc departs from the marrow of the vertebrae above and below it, dark or bright."""

from __future__ import annotations

import numpy as np
import scipy  # its parts are loaded where they are used

from lstv.anatomy.disc_score import Disc
from lstv.anatomy.picture import Picture

_STEP = 0.5
_ASIDE = np.arange(-8.0, 8.1, 1.0)
_BODY_ALONG, _BODY_ASIDE = np.arange(-6.0, 6.1, 1.0), np.arange(-4.0, 4.1, 1.0)
_REACH = 0.45
_NEAR_MM = 10.0
_SMOOTHING = 1.0 / _STEP
_SHARE, _LEAST = 0.35, 0.12
_HOLE = int(3.5 / _STEP)
_LEAST_MARROW = 4.0
_LARGEST_MISSING = 0.25


def body_signal(picture: Picture, middle: np.ndarray, axis: np.ndarray, across: np.ndarray) -> float:
    """Median intensity of 12 x 8 mm around the ``middle`` (2,) of a vertebra; NaN where half of it is not in the
    picture."""
    read = picture.patches(middle, axis, across, _BODY_ALONG, _BODY_ASIDE)
    return float(np.nanmedian(read)) if np.isfinite(read).mean() > 0.5 else float("nan")


def disc_contrast(picture: Picture, disc: Disc, lengths_mm: tuple[float, float], marrow: tuple[float, float]) -> float:
    """rms of (signal / marrow - 1) over the height of a disc; NaN where a quarter of it is not in the picture.

    The profile along ``disc.axis`` is the mean across 16 mm, from 0.45 of the distance to the disc above to 0.45 of
    that to the disc below (``lengths_mm``), smoothed by 1 mm. Marrow is the line between the vertebrae above and below
    (``marrow``; one of them may be NaN). The disc's height is the connected departure around the middle of at least
    0.12 and 35 % of the largest within 10 mm, with holes of up to 3.5 mm; where nothing departs, these 20 mm.
    """
    along = np.arange(-_REACH * lengths_mm[0], _REACH * lengths_mm[1] + 0.01, _STEP)
    read = picture.patches(disc.centre, disc.axis, disc.across, along, _ASIDE)
    seen = np.isfinite(read)
    rows = seen.any(axis=1)
    if 1 - seen.mean() > _LARGEST_MISSING or not rows.any():
        return float("nan")
    sums = np.where(seen, read, 0.0).sum(axis=1)
    profile = sums[rows] / seen.sum(axis=1)[rows]
    along = along[rows]
    known = [value for value in marrow if np.isfinite(value)]
    if not known:
        return float("nan")
    above, below = (max(value if np.isfinite(value) else known[0], _LEAST_MARROW) for value in marrow)
    line = np.interp(along, [along[0], along[-1]], [above, below])
    departure = scipy.ndimage.gaussian_filter1d(profile, _SMOOTHING) / line - 1.0
    chosen = _extent(departure, np.abs(along) <= _NEAR_MM, along)
    return float(np.sqrt((departure[chosen] ** 2).mean()))


def _extent(departure: np.ndarray, near: np.ndarray, along: np.ndarray) -> np.ndarray | slice:
    size = np.abs(departure)
    strong = size >= max(_LEAST, _SHARE * float(size[near].max(initial=0.0)))
    inside = np.flatnonzero(strong & near)
    if not inside.size:
        return near
    low = high = int(inside[np.argmin(np.abs(along[inside]))])
    strong_places = np.flatnonzero(strong)
    for place in strong_places[strong_places < low][::-1]:
        if low - place > _HOLE:
            break
        low = int(place)
    for place in strong_places[strong_places > high]:
        if place - high > _HOLE:
            break
        high = int(place)
    return slice(low, high + 1)
