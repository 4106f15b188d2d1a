"""Geometry of the five points in millimetres.

The points of the network lie where its training points lay, in the spinal canal at disc level, and the patient is supine:
published cut-offs of angles between vertebrae do not apply. mu_1 .. mu_5 are the points of L1/L2 .. L5/S1 in the patient.
v_i = mu_{i+1} - mu_i, i = 1..4; d_i = |v_i|.
"""

from __future__ import annotations

import numpy as np

from lstv.base.arrays import FloatArray
from lstv.uncertainty.context import StudyContext
from lstv.uncertainty.registry import study_metric


def _lengths(points: FloatArray) -> FloatArray:
    lengths: FloatArray = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return lengths


@study_metric("geometry")
def junction_distance(study: StudyContext) -> float:
    """Distance between L4/L5 and L5/S1.

    Formula: d_4 = ||mu_5 - mu_4||
    Unit: mm
    Range: 0 upwards
    Direction: unusual in either direction = the junction is transitional or one of the two is misplaced
    Undefined: L4/L5 or L5/S1 not found (flags {level}_not_found)
    Source: proposal of this project, not validated
    """
    return float(_lengths(study.points(3, 4))[0])


@study_metric("geometry")
def junction_distance_ratio(study: StudyContext) -> float:
    """Distance from L4/L5 to L5/S1 against the mean of the three above.

    Formula: R45 = d_4 / mean(d_1, d_2, d_3)
    Unit: ratio
    Range: 0 upwards
    Direction: low = short last segment; about 2 = a level was skipped
    Undefined: a level not found (flags {level}_not_found)
    Source: proposal of this project, not validated
    """
    lengths = _lengths(study.points(0, 1, 2, 3, 4))
    return float(lengths[3] / lengths[:3].mean())


@study_metric("geometry")
def l3_l4_distance_ratio(study: StudyContext) -> float:
    """Distance from L3/L4 to L4/L5 against the mean of the two above.

    Formula: d_3 / mean(d_1, d_2)
    Unit: ratio
    Range: 0 upwards
    Direction: about 2 = a level was skipped
    Undefined: one of L1/L2 .. L4/L5 not found (flags {level}_not_found)
    Source: proposal of this project, not validated
    """
    lengths = _lengths(study.points(0, 1, 2, 3))
    return float(lengths[2] / lengths[:2].mean())


def _angle(first: FloatArray, middle: FloatArray, last: FloatArray) -> float:
    """Signed angle in degrees between the vectors that meet at the ``middle`` point, lordosis positive."""
    upper, lower = middle - first, last - middle
    cross = upper[1] * lower[2] - upper[2] * lower[1]
    dot = upper[1] * lower[1] + upper[2] * lower[2]
    return float(np.degrees(np.arctan2(cross, dot)))


@study_metric("geometry")
def angle_l2_l3(study: StudyContext) -> float:
    """Angle of the line of points at L2/L3.

    Formula: phi_1 = signed angle(v_1, v_2) in the sagittal plane, lordosis positive
    Unit: degree
    Range: -180 to 180
    Direction: none by itself
    Undefined: one of L1/L2, L2/L3, L3/L4 not found (flags {level}_not_found)
    Source: proposal of this project, not validated
    """
    return _angle(*study.points(0, 1, 2))


@study_metric("geometry")
def angle_l3_l4(study: StudyContext) -> float:
    """Angle of the line of points at L3/L4.

    Formula: p = phi_2 = signed angle(v_2, v_3) in the sagittal plane, lordosis positive
    Unit: degree
    Range: -180 to 180
    Direction: none by itself
    Undefined: one of L2/L3, L3/L4, L4/L5 not found (flags {level}_not_found)
    Source: proposal of this project, not validated
    """
    return _angle(*study.points(1, 2, 3))


@study_metric("geometry")
def angle_l4_l5(study: StudyContext) -> float:
    """Angle of the line of points at L4/L5.

    Formula: c = phi_3 = signed angle(v_3, v_4) in the sagittal plane, lordosis positive
    Unit: degree
    Range: -180 to 180
    Direction: low = the lumbosacral bend is flat or lies one level lower
    Undefined: one of L3/L4, L4/L5, L5/S1 not found (flags {level}_not_found)
    Source: proposal of this project, not validated
    """
    return _angle(*study.points(2, 3, 4))


@study_metric("geometry")
def angle_difference(study: StudyContext) -> float:
    """How much sharper the line of points bends at L4/L5 than one level above.

    Formula: dphi = c - p = phi_3 - phi_2
    Unit: degree
    Range: -360 to 360
    Direction: either way from the cohort's median; the literature reports smaller differences in transitional vertebrae
    Undefined: one of L2/L3 .. L5/S1 not found (flags {level}_not_found)
    Source: proposal of this project by analogy with differences of posterior vertebral angles (EOS study, European Spine
        Journal 2020, doi 10.1007/s00586-020-06565-7; Farshad); their cut-offs do not apply
    """
    study.need(1, 2, 3, 4)
    return angle_l4_l5(study) - angle_l3_l4(study)
