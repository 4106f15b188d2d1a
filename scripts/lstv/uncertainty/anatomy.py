"""What the picture shows at the points: do they lie on discs, how many discs do they span, how much of a disc is L5/S1?

These are the signs that the network's own doubt does not hold. They are read from the strip that inference has laid along
the discs (``lstv.anatomy``). D = distance between neighbouring discs of the chain; u_k = the point of level k as a
fractional number of discs along the chain.
"""

from __future__ import annotations

import numpy as np

from lstv.anatomy import signs, strip
from lstv.anatomy.signs import Signs
from lstv.anatomy.symmetry import asymmetry
from lstv.base.levels import GRID, LEVELS
from lstv.uncertainty.context import StudyContext
from lstv.uncertainty.flags import Undefined
from lstv.uncertainty.registry import level_metric, study_metric, warning

OFF_DISC = 0.3
"""From here on, in distances between discs, a point lies in a vertebra: half a disc with its endplate takes up less."""

STANDING_STILL = 0.5
"""Two names that are less than this number of discs apart are names of one disc."""

WHOLE_BODY = 0.6
"""Picture beyond the outermost disc, in distances between discs, that a vertebra takes up, nearly."""

SACRAL_SLOPE_DEG, SACRAL_REACH = 20.0, 0.3
"""A lowest disc that is turned by more than this is L5/S1, and not L4/L5 above a field that ends in L5: then the sacrum need
not be seen whole."""


def _signs(study: StudyContext) -> Signs:
    """All signs of the strip. Raises Undefined where there is no strip, or no chain of discs on it."""
    if study.maps.strip is None:
        raise Undefined("no_strip")
    found = signs.read(study.maps.strip)
    if found is None:
        raise Undefined("no_disc_chain")
    return found


def discs(study: StudyContext) -> list[list[float]]:
    """Discs of the chain, cranial to caudal, each [x, y, turn]: see ``anatomy.disc_score.Disc.place``. Undefined where there
    is no strip, or no chain of discs on it."""
    return [disc.place() for disc in study.once(_signs).discs]


def junction_disc(study: StudyContext) -> list[float]:
    """The L5/S1 disc as it was found, [x, y, turn]. Undefined as ``junction_disc_contrast``."""
    study.need(len(LEVELS) - 1)
    found = study.once(_signs).junction
    if found is None:
        raise Undefined("junction_disc_not_measured")
    return found.place()


@level_metric("anatomy")
def disc_distance(study: StudyContext, level: int) -> float:
    """Distance of the level's point from the nearest disc in the picture, along the column.

    Formula: |u_k - round(u_k)|
    Unit: distances between discs
    Range: 0 to 0.5
    Direction: high = the point lies in a vertebra (from 0.3 on, flag points_off_discs)
    Undefined: the level is not found (flag {level}_not_found), its point coincides with another's (flag
        {level}_no_place), or there is no strip or chain of discs (flags no_strip, no_disc_chain)
    Source: proposal of this project; the chain: dynamic programming over disc-like places, as pictorial structures
        (Felzenszwalb & Huttenlocher 2005)
    """
    study.need(level)
    found = study.once(_signs)
    if level not in found.levels:
        raise Undefined(f"{LEVELS[level]}_no_place")
    return float(found.away[found.levels.index(level)])


@study_metric("anatomy")
def step_dev(study: StudyContext) -> float:
    """Largest disagreement between the step of two neighbouring points in names and in discs.

    Formula: max over neighbouring points of |(u_b - u_a) / (b - a) - 1|, a and b their levels
    Unit: discs a level
    Range: 0 upwards
    Direction: high = a disc between two points has no name, two names are of one disc, or a point is off its disc
    Undefined: no strip or chain of discs (flags no_strip, no_disc_chain)
    Source: proposal of this project
    """
    return float(np.abs(study.once(_signs).steps - 1).max())


@study_metric("anatomy")
def off_disc(study: StudyContext) -> float:
    """Largest distance of a point from the nearest disc in the picture.

    Formula: max_k |u_k - round(u_k)|
    Unit: distances between discs
    Range: 0 to 0.5
    Direction: high = a level was marked inside a vertebra
    Undefined: no strip or chain of discs (flags no_strip, no_disc_chain)
    Source: proposal of this project
    """
    return float(study.once(_signs).away.max())


@study_metric("anatomy")
def discs_spanned(study: StudyContext) -> int:
    """Number of discs in the picture from the first point to the last, both counted.

    Formula: round(u_last - u_first) + 1
    Unit: discs
    Range: 1 upwards
    Direction: other than the number of levels from first to last (5) = a disc too many or too few for the names
    Undefined: no strip or chain of discs (flags no_strip, no_disc_chain)
    Source: proposal of this project
    """
    indices = study.once(_signs).indices
    return int(round(float(indices[-1] - indices[0]))) + 1


@study_metric("anatomy")
def gap_dev(study: StudyContext) -> float:
    """Largest departure of a distance between neighbouring points from the patient's usual one.

    Formula: max_k |ln g_k - median ln g|, g_k = distance a level along the strip
    Unit: logarithm of a ratio
    Range: 0 upwards
    Direction: high = unevenly spaced points: 0.69 = one distance is twice or half the others
    Undefined: no strip (flag no_strip)
    Source: proposal of this project
    """
    if study.maps.strip is None:
        raise Undefined("no_strip")
    gaps = np.log(study.maps.strip.gaps_mm())
    return float(np.abs(gaps - np.median(gaps)).max())


@study_metric("anatomy")
def junction_disc_contrast(study: StudyContext) -> float:
    """How much the L5/S1 disc departs from marrow, dark or bright, against the patient's three discs above.

    Formula: c_5 / mean(c of up to three discs above), c = rms of (signal / marrow - 1) over the disc's height in the mean
        across 16 mm; median over the centre slice and its neighbours
    Unit: ratio
    Range: 0 upwards
    Direction: low = L5/S1 is hardly to be told from marrow: fused, or rudimentary
    Undefined: L5/S1 not found (flag {level}_not_found), fewer than two discs above it or too little of it shown (flag
        junction_disc_not_measured), no strip or chain of discs (flags no_strip, no_disc_chain)
    Source: proposal of this project; a disc that is absent or rudimentary at a fused junction: O'Driscoll et al. 1996
    """
    study.need(len(LEVELS) - 1)
    found = study.once(_signs)
    measured = np.isfinite(found.contrast) & (found.contrast_above > 0)
    if not measured.any():
        raise Undefined("junction_disc_not_measured")
    return float(np.median(found.contrast[measured] / found.contrast_above[measured]))


@study_metric("anatomy")
def junction_slope(study: StudyContext) -> float:
    """Turn of the L5/S1 disc's axis from inferior to posterior: about the slope of the sacrum.

    Formula: angle between the axis of the disc as it was found and the patient's long axis
    Unit: degrees
    Range: -180 to 180
    Direction: shown, not ranked; below 20 = hardly L5/S1
    Undefined: as junction_disc_contrast (flags {level}_not_found, junction_disc_not_measured, no_strip, no_disc_chain)
    Source: proposal of this project
    """
    study.need(len(LEVELS) - 1)
    slope = study.once(_signs).slope_deg
    if not np.isfinite(slope):
        raise Undefined("junction_disc_not_measured")
    return slope


@study_metric("anatomy")
def junction_asymmetry(study: StudyContext) -> float:
    """How little the slices to the left and to the right of the centre slice look alike around L5/S1.

    Formula: 1 - r, r = correlation of the pixels of the two neighbours on the strip, up to half a usual distance between
        points above and below that of L5/S1
    Unit: 1
    Range: 0 to 2
    Direction: no sign of the junction; high = the column leaves the slices there, as in scoliosis
    Undefined: L5/S1 not found (flag {level}_not_found) or its point coincides with another's (flag {level}_no_place), no
        strip (flag no_strip), or a neighbour is missing or next to nothing seen in it (flag junction_sides_not_seen)
    Source: proposal of this project: left and right of a column that stands on the centre slice the body is the same
    """
    level = len(LEVELS) - 1
    study.need(level)
    laid = study.maps.strip
    if laid is None:
        raise Undefined("no_strip")
    if level not in laid.levels:
        raise Undefined(f"{LEVELS[level]}_no_place")
    found = asymmetry(laid, laid.places_mm[laid.levels.index(level)], laid.usual_gap() / 2)
    if not np.isfinite(found):
        raise Undefined("junction_sides_not_seen")
    return found


@study_metric("anatomy")
def cranial_reach(study: StudyContext) -> float:
    """Picture above the disc of the first point.

    Formula: length of the strip that the picture fills above the disc / D, less one for each level above that has no disc
    Unit: distances between discs
    Range: negative where a level would lie outside
    Direction: a fact of the picture; below 0.6, less the discs without a name between the points, no whole vertebra is seen
        above the first of the five lowest discs (flag field_cropped_cranial)
    Undefined: no strip or chain of discs (flags no_strip, no_disc_chain)
    Source: this project
    """
    return study.once(_signs).reach_cranial


@study_metric("anatomy")
def caudal_reach(study: StudyContext) -> float:
    """Picture below the disc of the last point.

    Formula: length of the strip that the picture fills below the disc / D, less one for each level below that has no disc
    Unit: distances between discs
    Range: negative where a level would lie outside
    Direction: a fact of the picture; below 0.6, or 0.3 where the last disc is turned as L5/S1, the sacrum is not seen (flag
        field_cropped_caudal)
    Undefined: no strip or chain of discs (flags no_strip, no_disc_chain)
    Source: this project
    """
    return study.once(_signs).reach_caudal


@study_metric("anatomy")
def disc_offset(study: StudyContext) -> float:
    """How far in front of the points the discs were found.

    Formula: 0 where the localizer marks discs; where it marks the canal, the offset from 14 to 36 mm at which the places but
        the lowest look most like discs
    Unit: mm
    Range: 0 to 36
    Direction: shown, not ranked
    Undefined: no strip (flag no_strip)
    Source: this project
    """
    if study.maps.strip is None:
        raise Undefined("no_strip")
    return study.maps.strip.offset_mm


@warning
def cropped_field(study: StudyContext) -> list[str]:
    """The picture ends where a vertebra beyond the named discs should be.

    Cranially that is above the five lowest: where six discs lie from the first name to the last, not the field is amiss,
    if the names are in order and of different discs.
    """
    found = study.once(_signs)
    in_order = bool((found.steps >= STANDING_STILL).all())
    unnamed = study.once(discs_spanned) - 1 - (found.levels[-1] - found.levels[0]) if in_order else 0
    sacral = found.slope_deg >= SACRAL_SLOPE_DEG and found.reach_caudal >= SACRAL_REACH
    flags = ["field_cropped_cranial"] * (found.reach_cranial + max(unnamed, 0) < WHOLE_BODY)
    return flags + ["field_cropped_caudal"] * (found.reach_caudal < WHOLE_BODY and not sacral)


@warning
def missing_upper_level(study: StudyContext) -> list[str]:
    """One of the upper levels is not found though others are: the names below it rest on the others alone."""
    found = [centre is not None for centre in study.centres]
    return ["upper_level_missing"] * (any(found) and not all(found[:3]))


@warning
def scattered_points(study: StudyContext) -> list[str]:
    """The points make no column, so that no strip could be laid: told from a heatmap file that holds none by the points."""
    points = [None if centre is None else (float(centre[0]), float(centre[1])) for centre in study.centres]
    enough = sum(point is not None for point in points) >= strip.MIN_POINTS
    return ["points_no_column"] * (enough and strip.column(points, GRID, study.maps.geometry) is None)


@warning
def failed_localization(study: StudyContext) -> list[str]:
    """The upper points do not follow the discs: one lies inside a vertebra, or two share a disc.

    Two points that share a disc may lie to either side of it, and are not taken for points inside a vertebra. L5/S1 takes
    no part: where it is fused there is no disc to lie on, and it may share that of L4/L5.
    """
    found = study.once(_signs)
    upper = np.array(found.levels) < len(LEVELS) - 1
    still = (found.steps < STANDING_STILL) & upper[:-1] & upper[1:]
    sharing = np.append(still, False) | np.append(False, still)
    inside = found.away[upper & ~sharing] >= OFF_DISC
    return ["points_off_discs"] * bool(inside.any()) + ["levels_at_one_disc"] * bool(still.any())
