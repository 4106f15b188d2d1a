"""Layer 1, as the users defined it: peak, entropy and spatial distribution of each level's map, and the risk strata."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstv.base.arrays import FloatArray
from lstv.uncertainty.fields import FOUND, shannon
from lstv.uncertainty.registry import metric

BIN = 16
"""Side of a bin of the spatial entropy, in grid pixels."""


@dataclass(frozen=True)
class Thresholds:
    """Limits of the risk strata in nats of L5/S1 entropy: above ``high``; from ``moderate`` up to ``high``; below."""

    high: float = 5.0
    moderate: float = 4.0


@metric("confidence", scope="level", family="localization")
def confidence(probability: FloatArray) -> float:
    """Peak probability of the level's map.

    Formula: max_x p_k(x)
    Unit: probability
    Range: 0 to 1
    Direction: low = the level is doubtful; saturates near 0.98 in confident maps
    Undefined: never
    Source: the users' definition; S-MHA baseline in Schobs et al., IEEE TMI 2023, arXiv 2203.02351
    """
    return float(probability.max())


@metric("entropy", scope="level", family="localization")
def entropy(probability: FloatArray) -> float:
    """Shannon entropy of the level's map over the pixels.

    Formula: H_k = -sum_x q ln q, q = p_k / sum_x p_k, 0 ln 0 = 0
    Unit: nat
    Range: 0 to ln 25600 = 10.15
    Direction: high = a larger or more diffuse blob; for one confident blob it is the logarithm of its area
    Undefined: the level is not found (flag {level}_not_found)
    Source: the users' definition; within 1e-3 of the reference implementation, which adds 1e-9 to sum and logarithm
    """
    return shannon(probability)


@metric("spatial_entropy", scope="level", family="localization")
def spatial_entropy(probability: FloatArray) -> float:
    """Shannon entropy of the level's map over a coarse grid of 10 x 10 bins.

    Formula: -sum_b Q ln Q, Q = share of sum_x p_k in the 16 x 16 pixel bin b
    Unit: nat
    Range: 0 to ln 100 = 4.61
    Direction: high = more spread; changes by up to 1.4 with the position of one and the same disc on the bins
    Undefined: the level is not found (flag {level}_not_found)
    Source: the users' definition, as in the reference implementation
    """
    rows, columns = probability.shape
    return shannon(probability.reshape(rows // BIN, BIN, columns // BIN, BIN).sum(axis=(1, 3)))


@metric("area_px", scope="level", family="localization")
def area_px(probability: FloatArray) -> int:
    """Number of pixels in which the level is more likely than not.

    Formula: #{x: p_k(x) > 0.5}
    Unit: pixels of the 160 x 160 grid
    Range: 0 to 25600
    Direction: 0 = the level is not found (flag {level}_not_found)
    Undefined: never
    Source: the users' definition, as in the reference implementation
    """
    return int((probability > FOUND).sum())


def point_px(probability: FloatArray) -> tuple[float, float] | None:
    """(column, row) of a level on the grid: the mean position of its pixels with p > 0.5; None where there is none."""
    rows, columns = np.nonzero(probability > FOUND)
    return (float(columns.mean()), float(rows.mean())) if rows.size else None


def risk(l5_s1_entropy: float | None, found: bool, thresholds: Thresholds) -> str:
    """Stratum of a study by the entropy of L5/S1: high, moderate, low; not_found where no pixel of L5/S1 exceeds 0.5.

    A level that is not found is a category of its own: its entropy describes noise, not doubt.
    """
    if not found or l5_s1_entropy is None:
        return "not_found"
    if l5_s1_entropy > thresholds.high:
        return "high"
    return "moderate" if l5_s1_entropy >= thresholds.moderate else "low"
