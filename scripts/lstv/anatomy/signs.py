"""The signs of one study, read from its strip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstv.anatomy.chain import Chain, Scores, find_chain, scores
from lstv.anatomy.contrast import body_signal, disc_contrast
from lstv.anatomy.disc_score import Disc, Search, find_disc
from lstv.anatomy.picture import Picture, turned
from lstv.anatomy.strip import HALF_WIDTH_MM, LENGTH_MM, Strip

_AXIS, _ACROSS = np.array([0.0, 1.0]), np.array([1.0, 0.0])
_LOWEST = 4
_ABOVE = 3
_APART = 0.55
_JUNCTION = Search(
    along=np.arange(-8.0, 8.1, 2.0),
    across=np.array([-3.0, 0.0, 3.0]),
    turns=np.arange(-6.0, 30.1, 6.0),
    along_sd=6.0,
    across_sd=6.0,
    turn_mean=12.0,
    turn_sd=14.0,
)
"""L5/S1 is turned to posterior against the curve, which is straight beyond it. The search stays within the vertebrae: it
looks 8 mm to either side of a column about 35 mm deep, and where a disc is fused the next best thing would be the column's
border."""

_REFINED_JUNCTION = Search(
    along=np.arange(-1.0, 1.1, 1.0), across=np.array([-1.5, 0.0, 1.5]), turns=np.array([-3.0, 0.0, 3.0]), turn_sd=14.0
)
_SACRUM_TURN, _SACRUM_SHARE = 8.0, 0.42
_EDGE_HALF_WIDTH = 10
_ON_DISC = 0.3
_LIKE = 0.6


@dataclass(frozen=True)
class Signs:
    """What a strip shows. ``indices`` (N,): the points as fractional numbers of discs of the chain; ``gaps_mm`` (N -
    1,) the distances a level between neighbouring points; ``contrast`` of L5/S1 and ``contrast_above`` of up to three
    discs above it, by slice, NaN where not measured; ``reach_cranial``, ``reach_caudal``: picture beyond the outermost
    disc, in distances between discs; ``discs`` of the chain and ``junction``, L5/S1 as it was found or None, in mm on
    the strip; ``slope_deg``: how far the axis of L5/S1 is turned from inferior to posterior, NaN without it."""

    levels: tuple[int, ...]
    indices: np.ndarray
    gaps_mm: np.ndarray
    contrast: np.ndarray
    contrast_above: np.ndarray
    reach_cranial: float
    reach_caudal: float
    discs: tuple[Disc, ...]
    junction: Disc | None
    slope_deg: float

    @property
    def steps(self) -> np.ndarray:
        """Discs passed for each level named (N - 1,): 1 where names and discs agree."""
        return np.diff(self.indices) / np.diff(self.levels)

    @property
    def away(self) -> np.ndarray:
        """How far each point lies from the nearest disc of the chain (N,), in distances between discs, 0 to 0.5."""
        return np.abs(self.indices - np.round(self.indices))


def read(strip: Strip) -> Signs | None:
    """All signs of a strip; None where no chain of discs can be found on it."""
    pictures = [strip.picture(index) for index in range(len(strip.pixels))]
    found = scores(strip, pictures[0])
    if found is None:
        return None
    chain = find_chain(strip, pictures[0], found)
    if chain is None:
        return None
    places = np.array(strip.places_mm)
    junction, contrast, above = _junction(strip, pictures, found, chain)
    return Signs(
        levels=strip.levels,
        indices=chain.fractional_index(places),
        gaps_mm=strip.gaps_mm(),
        contrast=contrast,
        contrast_above=above,
        reach_cranial=_reach(strip, found, chain, -1),
        reach_caudal=_reach(strip, found, chain, 1),
        discs=chain.discs,
        junction=junction,
        slope_deg=float("nan") if junction is None else strip.slopes_deg[-1] + junction.place()[2],
    )


def _junction(
    strip: Strip, pictures: list[Picture], found: Scores, chain: Chain
) -> tuple[Disc | None, np.ndarray, np.ndarray]:
    """L5/S1 refined around its point, its contrast (slices,) and the mean contrast (slices,) of the discs above it."""
    nothing = np.full(len(pictures), np.nan)
    if strip.levels[-1] != _LOWEST:
        return None, nothing, nothing
    row = strip.places_mm[-1]
    upper = [disc for disc, place in zip(chain.discs, chain.places_mm) if place < row - _APART * chain.spacing_mm]
    upper = upper[-_ABOVE:]
    if len(upper) < 2:
        return None, nothing, nothing
    guess = np.array([HALF_WIDTH_MM, row])
    coarse = find_disc(pictures[0], guess, _AXIS, _ACROSS, found.marrow, chain.spacing_mm, _JUNCTION)
    disc = find_disc(
        pictures[0], coarse.centre, coarse.axis, coarse.across, found.marrow, chain.spacing_mm, _REFINED_JUNCTION
    )
    lower = [float(np.linalg.norm(b.centre - a.centre)) for a, b in zip(upper, [*upper[1:], disc])]
    apart = [chain.spacing_mm, *lower, 0.8 * chain.spacing_mm]
    lengths = list(zip(apart, apart[1:]))
    contrasts = np.array([_contrasts(picture, [*upper, disc], lengths) for picture in pictures])
    with np.errstate(invalid="ignore"):
        return disc, contrasts[:, -1], contrasts[:, :-1].mean(axis=1)


def _contrasts(picture: Picture, discs: list[Disc], lengths: list[tuple[float, float]]) -> list[float]:
    """Contrast of each of neighbouring discs, the last of them L5/S1."""
    bodies = []
    for upper, lower in zip(discs, discs[1:]):
        axis = (lower.centre - upper.centre) / np.linalg.norm(lower.centre - upper.centre)
        bodies.append(body_signal(picture, (upper.centre + lower.centre) / 2, axis, np.array([axis[1], -axis[0]])))
    first, last = discs[0], discs[-1]
    above = body_signal(picture, first.centre - 0.5 * lengths[0][0] * first.axis, first.axis, first.across)
    down = turned(last.axis, last.across, _SACRUM_TURN)
    sacrum = body_signal(picture, last.centre + _SACRUM_SHARE * lengths[-1][1] / 0.8 * down, last.axis, last.across)
    marrow = [above, *bodies, sacrum]
    return [
        disc_contrast(picture, disc, length, pair)
        for disc, length, pair in zip(discs, lengths, zip(marrow, marrow[1:]))
    ]


def _reach(strip: Strip, found: Scores, chain: Chain, direction: int) -> float:
    """Picture along the strip beyond the outermost disc on one side (-1 cranial, 1 caudal), in distances between discs.

    The outermost disc is the chain's at the outermost point. Where outer levels have no point, discs that follow at a
    usual distance take their place; each level that has none then takes up a distance, so that what is left may be
    negative.
    """
    row = strip.places_mm[0 if direction < 0 else -1]
    nearest = float(chain.places_mm[np.argmin(np.abs(chain.places_mm - row))])
    outermost = nearest if abs(nearest - row) <= _ON_DISC * chain.spacing_mm else float(row)
    absent = strip.levels[0] if direction < 0 else _LOWEST - strip.levels[-1]
    if absent:
        places = np.clip(np.rint(chain.places_mm).astype(int), 0, LENGTH_MM - 1)
        like_disc = _LIKE * float(np.median(found.along[places]))
        while (following := _next_disc(found, outermost, direction * chain.spacing_mm, like_disc)) is not None:
            outermost, absent = following, max(0, absent - 1)
    middle = strip.pixels[0, :, HALF_WIDTH_MM - _EDGE_HALF_WIDTH : HALF_WIDTH_MM + _EDGE_HALF_WIDTH + 1]
    shown = (middle > 0).mean(axis=1) >= 0.5
    end = int(np.clip(round(outermost), 0, LENGTH_MM - 1))
    while 0 <= end + direction < LENGTH_MM and shown[end + direction]:
        end += direction
    return abs(end - outermost) / chain.spacing_mm - absent


def _next_disc(found: Scores, row: float, step: float, like_disc: float) -> float | None:
    """The row most like a disc from 0.7 to 1.3 of ``step`` beyond ``row``, if it is enough like one."""
    ends = sorted((row + 0.7 * step, row + 1.3 * step))
    low, high = int(np.ceil(max(ends[0], 0))), int(np.floor(min(ends[1], LENGTH_MM - 1)))
    if low > high:
        return None
    best = low + int(np.argmax(found.along[low : high + 1]))
    return float(best) if found.along[best] >= like_disc else None
