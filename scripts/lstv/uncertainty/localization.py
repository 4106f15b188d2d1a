"""Layer 1, as the users defined it: peak, entropy and spatial distribution of each level's map, and the risk strata.

Always of the whole field, also where a large one was cut to the lumbar spine for all else.
"""

from __future__ import annotations

from dataclasses import dataclass

from lstv.anatomy.points import FOUND
from lstv.base.arrays import FloatArray
from lstv.base.levels import LEVELS
from lstv.uncertainty.context import StudyContext
from lstv.uncertainty.fields import shannon
from lstv.uncertainty.flags import Undefined
from lstv.uncertainty.registry import level_metric

BIN = 16
"""Side of a bin of the spatial entropy, in grid pixels."""


@dataclass(frozen=True)
class Thresholds:
    """Limits of the risk strata in nats of L5/S1 entropy: above ``high``; from ``moderate`` up to ``high``; below."""

    high: float = 5.0
    moderate: float = 4.0


@level_metric("localization")
def confidence(study: StudyContext, level: int) -> float:
    """Peak probability of the level's map.

    Formula: max_x p_k(x)
    Unit: probability
    Range: 0 to 1
    Direction: low = the level is doubtful; saturates near 0.98 in confident maps
    Undefined: never
    Source: the users' definition; S-MHA baseline in Schobs et al., IEEE TMI 2023, arXiv 2203.02351
    """
    return float(study.whole.probability[level].max())


@level_metric("localization")
def entropy(study: StudyContext, level: int) -> float:
    """Shannon entropy of the level's map over the pixels.

    Formula: H_k = -sum_x q ln q, q = p_k / sum_x p_k, 0 ln 0 = 0
    Unit: nat
    Range: 0 to ln 25600 = 10.15
    Direction: high = a larger or more diffuse blob; for one confident blob it is the logarithm of its area
    Undefined: the level is not found (flag {level}_not_found), or only where a large field is cut (flag
        {level}_not_found_in_whole_field)
    Source: the users' definition; within 1e-3 of the reference implementation, which adds 1e-9 to sum and logarithm
    """
    return shannon(_found_map(study, level))


@level_metric("localization")
def spatial_entropy(study: StudyContext, level: int) -> float:
    """Shannon entropy of the level's map over a coarse grid of 10 x 10 bins.

    Formula: -sum_b Q ln Q, Q = share of sum_x p_k in the 16 x 16 pixel bin b
    Unit: nat
    Range: 0 to ln 100 = 4.61
    Direction: high = more spread; changes by up to 1.4 with the position of one and the same disc on the bins
    Undefined: the level is not found (flag {level}_not_found), or only where a large field is cut (flag
        {level}_not_found_in_whole_field)
    Source: the users' definition, as in the reference implementation
    """
    found = _found_map(study, level)
    rows, columns = found.shape
    bins = found.reshape(rows // BIN, BIN, columns // BIN, BIN)
    return shannon(bins.sum(axis=(1, 3)))


@level_metric("localization")
def area_px(study: StudyContext, level: int) -> int:
    """Number of pixels in which the level is more likely than not.

    Formula: #{x: p_k(x) > 0.5}
    Unit: pixels of the 160 x 160 grid
    Range: 0 to 25600
    Direction: 0 = the level is not found (flag {level}_not_found)
    Undefined: never
    Source: the users' definition, as in the reference implementation
    """
    return region_px(study.whole, level)


def region_px(study: StudyContext, level: int) -> int:
    """Number of pixels of the reading's own grid in which the level is more likely than not."""
    return int((study.probability[level] > FOUND).sum())


def _found_map(study: StudyContext, level: int) -> FloatArray:
    """The level's map (H, W) in the whole field. Raises Undefined where the level is not found there."""
    if study.whole is not study and study.whole.centres[level] is None and study.centres[level] is not None:
        raise Undefined(f"{LEVELS[level]}_not_found_in_whole_field")
    return study.whole.found_map(level)


def point_px(study: StudyContext, level: int) -> list[float]:
    """[column, row] of a level on the grid: the middle of its main blob of p > 0.5. Undefined where not found."""
    return [float(value) for value in study.centre(level)]


def point_mm(study: StudyContext, level: int) -> list[float]:
    """[x, y, z] of ``point_px`` in DICOM patient coordinates, mm. Undefined where the level is not found."""
    column, row = study.once(point_px, level)
    point = study.maps.geometry.grid_to_patient(column, row, len(study.support))
    return [float(value) for value in point]


def risk(l5_s1_entropy: float | None, thresholds: Thresholds) -> str:
    """Stratum of a study by the entropy of L5/S1: high, moderate, low; not_found where L5/S1 is not found (None).

    A level that is not found is a category of its own: its entropy describes noise, not doubt.
    """
    if l5_s1_entropy is None:
        return "not_found"
    if l5_s1_entropy > thresholds.high:
        return "high"
    return "moderate" if l5_s1_entropy >= thresholds.moderate else "low"
