"""Count and order of the discs found, and disc-like responses above and below the five named levels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstv.base.arrays import FloatArray
from lstv.base.levels import LEVELS
from lstv.uncertainty.context import StudyContext
from lstv.uncertainty.flags import Undefined
from lstv.uncertainty.localization import region_px
from lstv.uncertainty.registry import study_metric

_NEAR, _FAR, _HALF_WIDTH = 0.5, 1.3, 0.35
_CLEAR = 1.5
_LOWEST = 3
_INSIDE = 0.5


@study_metric("count")
def blob_count(study: StudyContext) -> int:
    """Number of disc blobs, whatever level they are called.

    Formula: J = number of 8-connected parts of {S >= 0.5} with at least 30 pixels, touching discs divided
    Unit: blobs
    Range: 0 upwards
    Direction: other than 5 = a disc is missing, or there is one too many
    Undefined: never
    Source: proposal of this project, not validated
    """
    return len(study.blobs)


@study_metric("count")
def missing_levels(study: StudyContext) -> int:
    """Number of levels that are not found.

    Formula: #{k: max_x p_k(x) <= 0.5}
    Unit: levels
    Range: 0 to 5
    Direction: above 0 = a level has no place of its own, or the field of view is cropped
    Undefined: never
    Source: proposal of this project, not validated
    """
    return sum(centre is None for centre in study.centres)


@study_metric("count")
def duplicate_labels(study: StudyContext) -> int:
    """Number of disc blobs that are called by a level which already has one.

    Formula: sum_k max(0, #{j: argmax q_j = k} - 1)
    Unit: blobs
    Range: 0 upwards
    Direction: above 0 = two discs bear one name
    Undefined: no disc blob (flag no_disc_blob)
    Source: proposal of this project, not validated
    """
    return int(len(study.shares) - len(np.unique(study.shares.argmax(axis=1))))


@study_metric("count")
def order_violations(study: StudyContext) -> int:
    """Number of neighbouring disc blobs whose levels do not descend.

    Formula: #{j: argmax q_{j+1} <= argmax q_j}
    Unit: pairs of blobs
    Range: 0 upwards
    Direction: above 0 = the numbering contradicts the anatomy
    Undefined: no disc blob (flag no_disc_blob)
    Source: proposal of this project, not validated
    """
    return int((np.diff(study.shares.argmax(axis=1)) <= 0).sum())


@study_metric("count")
def count_anomaly(study: StudyContext) -> int:
    """How far the discs depart from five, each called once and in order.

    Formula: |J - 5| + duplicate_labels + order_violations
    Unit: departures
    Range: 0 upwards
    Direction: above 0 = a disc too many or too few, or a numbering that contradicts the anatomy
    Undefined: no disc blob (flag no_disc_blob)
    Source: proposal of this project, not validated
    """
    return abs(len(study.shares) - 5) + study.once(duplicate_labels) + study.once(order_violations)


@study_metric("count")
def junction_names_in_order(study: StudyContext) -> int:
    """How many of the three lowest discs are called L5/S1, L4/L5 and L3/L4, counted from the lowest up to the first that is
    not.

    Formula: max n <= 3: argmax q_{J-i} = 5 - i for i = 0 .. n - 1
    Unit: discs
    Range: 0 to 3
    Direction: low = the names break at the junction, where the column above may be named in order
    Undefined: no disc blob (flag no_disc_blob)
    Source: proposal of this project, not validated
    """
    named = study.shares.argmax(axis=1)[::-1][:_LOWEST]
    wrong = np.flatnonzero(named != len(LEVELS) - 1 - np.arange(len(named)))
    return int(wrong[0]) if wrong.size else len(named)


def _mass(study: StudyContext, level: int) -> float:
    return float(study.found_map(level).sum())


@study_metric("count")
def mass_ratio(study: StudyContext) -> float:
    """Mass of the L5/S1 map against that of the other levels of the same patient.

    Formula: rho = M_5 / median(M_1..M_4), M_k = sum_x p_k, the median over the levels found
    Unit: ratio
    Range: 0 upwards
    Direction: low = L5/S1 is partly or wholly missing; high = it is spread over more than one disc
    Undefined: fewer than two of L1/L2 .. L4/L5 found (flags {level}_not_found)
    Source: proposal of this project, not validated
    """
    return float(study.probability[4].sum() / study.upper_median(_mass))


@dataclass(frozen=True)
class Residual:
    """Strongest disc-like response in a window beyond the last level: its ``value`` and its distance in mm."""

    value: float
    distance_mm: float


def residual(
    support: FloatArray, spacing: tuple[float, float], end_px: FloatArray, before_px: FloatArray, radius_mm: float
) -> Residual | None:
    """Strongest S beyond the level at ``end_px``, in the direction from the one at ``before_px``, both (column, row).

    With v the vector in mm between the two, the window reaches from max(0.5 |v|, 1.5 ``radius_mm``) to 1.3 |v| beyond
    the end and 0.35 |v| to either side; ``radius_mm`` keeps the end's own blob out. None where less than half of the
    window lies inside the image, or where the radius leaves no window.
    """
    scale = np.array([spacing[1], spacing[0]])
    step = (end_px - before_px) * scale
    length = float(np.hypot(*step))
    near = max(_NEAR * length, _CLEAR * radius_mm)
    if near >= _FAR * length:
        return None
    direction = step / length
    across = (np.arange(support.shape[1])[None, :] - end_px[0]) * scale[0]
    down = (np.arange(support.shape[0])[:, None] - end_px[1]) * scale[1]
    along = across * direction[0] + down * direction[1]
    aside = np.abs(down * direction[0] - across * direction[1])
    window = (along >= near) & (along <= _FAR * length) & (aside <= _HALF_WIDTH * length)
    whole = (_FAR * length - near) * 2 * _HALF_WIDTH * length / (scale[0] * scale[1])
    if window.sum() < _INSIDE * whole:
        return None
    index = int(np.argmax(np.where(window, support, -1.0)))
    return Residual(float(support.ravel()[index]), float(np.hypot(along.ravel()[index], aside.ravel()[index])))


_ENDS = {"caudal": (4, 3), "cranial": (0, 1)}
"""The last level on either side and the one before it."""


def _beyond(study: StudyContext, side: str) -> Residual:
    end, before = _ENDS[side]
    study.need(end, before)
    radius_mm = float(np.sqrt(study.once(region_px, end) * study.spacing[0] * study.spacing[1] / np.pi))
    found = residual(study.support, study.spacing, study.centre(end), study.centre(before), radius_mm)
    if found is None:
        raise Undefined(f"{side}_window_outside")
    return found


@study_metric("count")
def caudal_residual(study: StudyContext) -> float:
    """Strongest disc-like response below L5/S1, where an S1/S2 disc or a sixth lumbar level would be.

    Formula: R = max S(x) beyond mu_5 along v = mu_5 - mu_4 by 0.5 to 1.3 |v| (at least 1.5 radii of the L5/S1 region),
        within 0.35 |v| to either side
    Unit: probability
    Range: 0 to 1
    Direction: high = another disc below the last named level
    Undefined: L4/L5 or L5/S1 not found (flags {level}_not_found); more than half of the window outside the image (flag
        caudal_window_outside)
    Source: proposal of this project, not validated; a well-formed S1/S2 disc goes with lumbarization: Tokgoz et al. 2014
    """
    return study.once(_beyond, "caudal").value


@study_metric("count")
def caudal_residual_distance(study: StudyContext) -> float:
    """Distance of the strongest disc-like response below L5/S1 from L5/S1.

    Formula: ||x_R - mu_5||, x_R the pixel of caudal_residual
    Unit: mm
    Range: 0 upwards
    Direction: only read where caudal_residual is high
    Undefined: as caudal_residual
    Source: proposal of this project
    """
    return study.once(_beyond, "caudal").distance_mm


@study_metric("count")
def cranial_residual(study: StudyContext) -> float:
    """Strongest disc-like response above L1/L2, as a control: T12/L1 is there in everybody.

    Formula: as caudal_residual, beyond mu_1 along mu_1 - mu_2
    Unit: probability
    Range: 0 to 1
    Direction: high = a disc above the first named level is taken for a lumbar one
    Undefined: L1/L2 or L2/L3 not found (flags {level}_not_found); more than half of the window outside the image (flag
        cranial_window_outside)
    Source: proposal of this project, not validated
    """
    return study.once(_beyond, "cranial").value
