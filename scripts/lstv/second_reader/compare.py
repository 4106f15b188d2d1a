"""How two readers of one series name the same discs: the point net, SPINEPS, TotalSpineSeg.

Every disc of one reader is matched with the disc of the other that lies nearest to it along the column. The direction of the
column at a disc is that between its neighbours; a distance along it does not ask whether a point lies in the disc or, as the
published point net's do, in the spinal canal behind it. ``offset`` = index of the other's disc - own index, in levels: +1 =
what the first calls L5/S1 the second calls the disc below its L5/S1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median_low

import numpy as np

from lstv.base.arrays import FloatArray
from lstv.base.levels import LEVELS
from lstv.second_reader.structures import Spine

MOST = 2
"""Levels by which two readers may differ and still speak of one spine."""
AWAY_MM = 60.0
"""Two places that are farther apart are not of one disc: the canal lies at most 40 mm behind a disc's middle."""
LEAST_MATCHES = 2
_HALF = 0.5
_USUAL_STEP_MM = 36.0


@dataclass(frozen=True)
class Discs:
    """Discs of one reader: ``indices`` (N,) ascending, L1/L2 = 0; ``places`` (N, 3) in mm; ``names`` of them."""

    indices: tuple[int, ...]
    places: FloatArray
    names: tuple[str, ...]

    def along(self) -> FloatArray:
        """Unit direction (N, 3) of the column at each disc, from the disc above to the disc below."""
        if len(self.places) < 2:
            return np.tile([0.0, 0.0, -1.0], (len(self.places), 1))
        step = np.gradient(self.places, axis=0, edge_order=2 if len(self.places) > 2 else 1)
        direction: FloatArray = step / np.linalg.norm(step, axis=1, keepdims=True)
        return direction

    def steps(self) -> FloatArray:
        """Usual distance (N,) in mm from each disc to its neighbours, a level."""
        if len(self.places) < 2:
            return np.full(len(self.places), _USUAL_STEP_MM)
        gaps = np.linalg.norm(np.diff(self.places, axis=0), axis=1) / np.diff(self.indices)
        return np.array([np.mean(gaps[max(i - 1, 0) : i + 1]) for i in range(len(self.places))])


@dataclass(frozen=True)
class Matching:
    """Which disc of the second reader each of the first is. ``levels``: own index -> (other's index, distance along the
    column in mm); ``offset``: the difference of most levels, None where ``problem`` says why there is none; ``even``:
    whether all levels have it."""

    levels: dict[int, tuple[int, float]]
    offset: int | None
    even: bool
    problem: str = ""


def of_spine(spine: Spine) -> Discs:
    """The discs of a mask."""
    order = sorted(spine.discs, key=spine.index)
    places = np.array([spine.discs[name] for name in order]).reshape(-1, 3)
    return Discs(tuple(spine.index(name) for name in order), places, tuple(order))


def of_points(levels: Mapping[str, Mapping[str, object]]) -> Discs:
    """The point net's levels; those without a point are left out. ``levels``: as in a study's metrics file."""
    found = [(index, levels[level].get("point_mm")) for index, level in enumerate(LEVELS) if level in levels]
    placed = [(index, point) for index, point in found if point is not None]
    names = tuple(LEVELS[index].split("_")[0].upper() for index, _ in placed)
    return Discs(tuple(i for i, _ in placed), np.array([point for _, point in placed], float).reshape(-1, 3), names)


def match(first: Discs, second: Discs) -> Matching:
    """Which of the second reader's discs each of the first reader's is, and by how many levels their names differ."""
    pairs = _pairs(first, second)
    differences = [other - own for own, (other, _) in pairs.items()]
    if len(differences) < LEAST_MATCHES:
        return Matching(pairs, None, False, "no_offset")
    counts = {value: differences.count(value) for value in set(differences)}
    most = max(counts.values())
    usual = [value for value, count in counts.items() if count == most]
    # where levels differ, what the lowest one says counts: the junction is what is asked about
    offset = differences[-1] if differences[-1] in usual else median_low(usual)
    even = len(counts) == 1
    if abs(offset) > MOST:
        return Matching(pairs, None, even, "off_by_more")
    return Matching(pairs, offset, even)


def _pairs(first: Discs, second: Discs) -> dict[int, tuple[int, float]]:
    if not len(first.places) or not len(second.places):
        return {}
    apart = first.places[:, None] - second.places[None]
    along = np.abs(np.einsum("ijk,jk->ij", apart, second.along()))
    along[np.linalg.norm(apart, axis=2) > AWAY_MM] = np.inf
    nearest = along.argmin(axis=1)
    reach = _HALF * second.steps()
    return {
        own: (second.indices[other], float(along[row, other]))
        for row, (own, other) in enumerate(zip(first.indices, nearest))
        if along[row, other] <= reach[other]
    }


def unmatched(first: Discs, second: Discs) -> list[str]:
    """Names of the first reader's discs that the second has none of, within the part of the spine that both show."""
    if not len(first.places) or not len(second.places):
        return []
    pairs = _pairs(first, second)
    height = first.places[:, 2]
    margin = _HALF * float(np.median(second.steps()))
    low, high = second.places[:, 2].min() - margin, second.places[:, 2].max() + margin
    return [name for own, name, z in zip(first.indices, first.names, height) if own not in pairs and low <= z <= high]


def distances(points: Discs, discs: Discs) -> dict[int, float]:
    """Distance in mm from each point to the middle of the disc of its own name, by index."""
    own = dict(zip(discs.indices, discs.places))
    return {
        index: float(np.linalg.norm(place - own[index]))
        for index, place in zip(points.indices, points.places)
        if index in own
    }
