"""Peak and logit margins: what the softmax saturates, relative to the other levels of the same patient."""

from __future__ import annotations

import numpy as np

from lstv.base.arrays import FloatArray, IndexArray, RealArray
from lstv.uncertainty.registry import metric


@metric("peak_logit", scope="level", family="margins")
def peak_logit(log_p: FloatArray, level: int) -> float:
    """Log odds of the level's peak, which keep differences that confidence near 0.98 hides.

    Formula: ln(p / (1 - p)) at p = max_x p_k(x), from log probabilities, so that 1 - p never vanishes
    Unit: nat
    Range: unbounded
    Direction: low = the level is doubtful
    Undefined: never
    Source: logit of S-MHA (Schobs et al., IEEE TMI 2023)
    """
    row, column = np.unravel_index(log_p[level + 1].argmax(), log_p.shape[1:])
    at_peak = log_p[:, row, column]
    others = np.delete(at_peak, level + 1)
    return float(at_peak[level + 1] - np.logaddexp.reduce(others))


@metric("max_logit", scope="level", family="margins")
def max_logit(logits: RealArray, level: int, centre_px: FloatArray) -> float:
    """The network's raw output for the level at the level's own place.

    Formula: z_k at the pixel nearest mu_k
    Unit: logit
    Range: unbounded
    Direction: low = weak evidence for the level; its scale is the checkpoint's own
    Undefined: level not found (flag {level}_not_found)
    Source: MaxLogit; textbook out-of-distribution baseline
    """
    column, row = np.rint(centre_px).astype(int)
    return float(logits[level + 1, row, column])


@metric("energy", scope="level", family="margins")
def energy(log_sum: FloatArray, blob: IndexArray) -> float:
    """Free energy of the network's output over the level's disc blob.

    Formula: E_j = -(1/|D_j|) sum_{x in D_j} ln sum_k exp z_k(x)
    Unit: logit
    Range: unbounded
    Direction: high = the input there is less like what the network answers strongly to
    Undefined: no blob is led by the level (flag {level}_no_blob)
    Source: Liu et al. 2020, arXiv 2010.03759, temperature 1
    """
    return -float(log_sum.ravel()[blob].mean())


@metric("peak_logit_difference", scope="study", family="margins")
def peak_logit_difference(values: list[float], found: list[bool]) -> float | None:
    """Peak log odds of L5/S1 against the other levels of the same patient.

    Formula: peak_logit_5 - median(peak_logit_1..4), the median over the levels found
    Unit: nat
    Range: unbounded
    Direction: low = L5/S1 is more doubtful than the patient's other levels
    Undefined: fewer than two of L1/L2 .. L4/L5 found (flags {level}_not_found)
    Source: proposal of this project, not validated
    """
    others = [value for value, known in zip(values[:4], found[:4]) if known]
    return float(values[4] - np.median(others)) if len(others) >= 2 else None


@metric("energy_difference", scope="study", family="margins")
def energy_difference(values: list[float | None]) -> float | None:
    """Energy of the L5/S1 blob against the other levels of the same patient.

    Formula: E_5 - median(E_1..E_4), the median over the levels that lead a blob
    Unit: logit
    Range: unbounded
    Direction: high = L5/S1 looks less familiar to the network than the patient's other levels
    Undefined: L5/S1 or all but one of the others lead no blob (flags {level}_no_blob)
    Source: Liu et al. 2020, arXiv 2010.03759; the difference is a proposal of this project
    """
    others = [value for value in values[:4] if value is not None]
    return float(values[4] - np.median(others)) if values[4] is not None and len(others) >= 2 else None
