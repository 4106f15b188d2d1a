"""How much a place looks like an intervertebral disc: a band across the column that departs from marrow, dark or
bright."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstv.anatomy.picture import Picture, turned

_ALONG = np.linspace(-1.0, 1.0, 21)
_ASIDE = np.arange(-7.5, 7.6, 1.5)
_WEIGHT = np.exp(-0.5 * (_ALONG / 0.375) ** 2)
_WEIGHT /= _WEIGHT.sum()
_ENDS = [0, 1, -2, -1]
_END_PENALTY = 1.6
_BRIGHTEST = 2.5
_LARGEST_MISSING = 0.15
_LEAST_MARROW = 4.0

REACH = 0.3
"""How far a disc's surroundings are looked at to either side, in distances between discs: into both vertebrae, however
large the patient is. A shorter reach would take each of a disc's two dark endplates for a disc."""

NOT_SEEN = -1.0
"""Score of a place that the picture does not show."""


def disc_score(
    picture: Picture,
    centres: np.ndarray,
    axes: np.ndarray,
    across: np.ndarray,
    marrow: float,
    spacing_mm: float,
) -> np.ndarray:
    """Disc scores float64 (...) of places ``centres`` (..., 2) in mm.

    ``axes`` and ``across`` (..., 2): along the column and to posterior, of length 1; ``marrow`` the intensity of the
    vertebrae; ``spacing_mm`` the distance between discs. Score = rms over 0.3 of that to either side along the column,
    weighted by a Gaussian (4.5 mm for discs 40 mm apart), of (mean across 15 mm / marrow - 1), times exp(-1.6
    (departure + spread across, at both ends)): a disc is framed by marrow above and below. ``NOT_SEEN`` where more than
    15 % lie outside the picture.
    """
    band = picture.patches(centres, axes, across, REACH * spacing_mm * _ALONG, _ASIDE)
    band /= np.float32(max(marrow, _LEAST_MARROW))
    absent = np.isnan(band)
    if absent.any():
        band[absent] = 1.0
    mean = band.mean(axis=-1)
    departure = np.minimum(mean, _BRIGHTEST) - 1.0
    strength = np.sqrt((departure**2) @ _WEIGHT)
    ends = np.abs(departure[..., _ENDS]).mean(axis=-1) + band[..., _ENDS, :].std(axis=-1).mean(axis=-1)
    outside = absent.mean(axis=(-2, -1)) > _LARGEST_MISSING
    return np.where(outside, NOT_SEEN, strength * np.exp(-_END_PENALTY * ends))


@dataclass(frozen=True)
class Search:
    """Where a disc may be: mm along and across from the guess, and turns in degrees to posterior, each with the spread
    of its Gaussian prior; ``turn_mean`` is the turn that is expected."""

    along: np.ndarray
    across: np.ndarray
    turns: np.ndarray
    along_sd: float = 4.0
    across_sd: float = 4.0
    turn_mean: float = 0.0
    turn_sd: float = 8.0


@dataclass(frozen=True)
class Disc:
    """A disc that was found: ``centre`` (2,) in mm, ``axis`` and ``across`` (2,) of length 1, its ``score``."""

    centre: np.ndarray
    axis: np.ndarray
    across: np.ndarray
    score: float

    def place(self) -> list[float]:
        """[x, y, turn]: the centre in mm, and how far the axis is turned to posterior, in degrees."""
        turn = np.rad2deg(np.arctan2(self.axis[0], self.axis[1]))
        return [float(self.centre[0]), float(self.centre[1]), float(turn)]


def find_disc(
    picture: Picture,
    guess: np.ndarray,
    axis: np.ndarray,
    across: np.ndarray,
    marrow: float,
    spacing_mm: float,
    search: Search,
) -> Disc:
    """The place and turn near ``guess`` (2,) with the highest disc score times the priors of ``search``."""
    turn, along, aside = (
        grid.ravel() for grid in np.meshgrid(search.turns, search.along, search.across, indexing="ij")
    )
    centres = guess + along[:, None] * axis + aside[:, None] * across
    axes, sides = turned(axis, across, turn), turned(across, -axis, turn)
    prior = (
        (along / search.along_sd) ** 2
        + (aside / search.across_sd) ** 2
        + ((turn - search.turn_mean) / search.turn_sd) ** 2
    )
    scores = disc_score(picture, centres, axes, sides, marrow, spacing_mm)
    best = int(np.argmax(np.where(scores > 0, scores * np.exp(-0.5 * prior), scores)))
    return Disc(centres[best], axes[best], sides[best], float(scores[best]))
