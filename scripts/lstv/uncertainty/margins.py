"""Peak and logit margins: what the softmax saturates, relative to the other levels of the same patient."""

from __future__ import annotations

import numpy as np

from lstv.base.arrays import FloatArray
from lstv.uncertainty.context import StudyContext
from lstv.uncertainty.registry import level_metric, study_metric


@level_metric("margins")
def peak_logit(study: StudyContext, level: int) -> float:
    """Log odds of the level's peak, which keep differences that confidence near 0.98 hides.

    Formula: ln(p / (1 - p)) at p = max_x p_k(x), from log probabilities, so that 1 - p never vanishes
    Unit: nat
    Range: unbounded
    Direction: low = the level is doubtful
    Undefined: never
    Source: logit of S-MHA (Schobs et al., IEEE TMI 2023)
    """
    log_p = study.log_probability
    row, column = np.unravel_index(log_p[level + 1].argmax(), log_p.shape[1:])
    at_peak = log_p[:, row, column]
    others = np.delete(at_peak, level + 1)
    return float(at_peak[level + 1] - np.logaddexp.reduce(others))


@level_metric("margins")
def max_logit(study: StudyContext, level: int) -> float:
    """The network's raw output for the level at the level's own place.

    Formula: z_k at the pixel nearest mu_k
    Unit: logit
    Range: unbounded
    Direction: low = weak evidence for the level; its scale is the checkpoint's own
    Undefined: level not found (flag {level}_not_found)
    Source: MaxLogit; textbook out-of-distribution baseline
    """
    column, row = np.rint(study.centre(level)).astype(int)
    return float(study.maps.logits[level + 1, row, column])


def _log_sum(study: StudyContext) -> FloatArray:
    """ln sum_k exp z_k of every pixel: ln p_k = z_k - ln sum exp z, whichever the class."""
    log_sum: FloatArray = study.maps.logits[0] - study.log_probability[0]
    return log_sum


@level_metric("margins")
def energy(study: StudyContext, level: int) -> float:
    """Free energy of the network's output over the level's disc blob.

    Formula: E_j = -(1/|D_j|) sum_{x in D_j} ln sum_k exp z_k(x)
    Unit: logit
    Range: unbounded
    Direction: high = the input there is less like what the network answers strongly to
    Undefined: no blob is led by the level (flag {level}_no_blob)
    Source: Liu et al. 2020, arXiv 2010.03759, temperature 1
    """
    blob = study.blobs[study.blob_of(level)]
    return -float(study.once(_log_sum).ravel()[blob].mean())


def _peak_logit_where_found(study: StudyContext, level: int) -> float:
    study.need(level)
    return study.once(peak_logit, level)


@study_metric("margins")
def peak_logit_difference(study: StudyContext) -> float:
    """Peak log odds of L5/S1 against the other levels of the same patient.

    Formula: peak_logit_5 - median(peak_logit_1..4), the median over the levels found
    Unit: nat
    Range: unbounded
    Direction: low = L5/S1 is more doubtful than the patient's other levels
    Undefined: fewer than two of L1/L2 .. L4/L5 found (flags {level}_not_found)
    Source: proposal of this project, not validated
    """
    return float(study.once(peak_logit, 4) - study.upper_median(_peak_logit_where_found))


@study_metric("margins")
def energy_difference(study: StudyContext) -> float:
    """Energy of the L5/S1 blob against the other levels of the same patient.

    Formula: E_5 - median(E_1..E_4), the median over the levels that lead a blob
    Unit: logit
    Range: unbounded
    Direction: high = L5/S1 looks less familiar to the network than the patient's other levels
    Undefined: L5/S1 or all but one of the others lead no blob (flags {level}_no_blob)
    Source: Liu et al. 2020, arXiv 2010.03759; the difference is a proposal of this project
    """
    return float(study.once(energy, 4) - study.upper_median(energy))
