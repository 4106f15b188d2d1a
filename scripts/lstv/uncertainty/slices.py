"""What neighbouring slices say of the junction: where L5/S1 is, whether it jumps, and what the lowest disc is called.

A column that leaves the slices, or is turned against them, does so to one side or evenly; a junction that is hard to name is
so on both sides and by jumps. These metrics take the slices by their place in the stack, where those of ``stability`` take
all readings alike.
"""

from __future__ import annotations

import numpy as np

from lstv.base.arrays import IndexArray
from lstv.base.levels import LEVELS
from lstv.uncertainty.context import StudyContext
from lstv.uncertainty.flags import Undefined
from lstv.uncertainty.registry import study_metric
from lstv.uncertainty.stability import (
    KINDS,
    MIN_VOTES,
    level_predictions,
    mean_dice_distance,
    member_predictions,
    mutual_information_of,
    votes,
)

_JUNCTION = len(LEVELS) - 1
_MIN_PLACES = 3
"""Of two places nothing can be off the straight line through them."""


def _places(study: StudyContext) -> IndexArray:
    """Number of each reading's slice in the stack, counted from the centre slice, which is the first reading, (T,). Raises
    Undefined where none ran."""
    members = study.maps.members
    if members is None:
        raise Undefined("members_centre_only")
    names = [name for name, of in zip(members.names, members.kinds) if of == KINDS["slices"]]
    return np.array([0, *(int(name.removeprefix(KINDS["slices"])) for name in names)])


def _sides(study: StudyContext) -> list[IndexArray]:
    """Indices of the readings on each side of the centre slice, with it; it is alone where the stack ends. Raises Undefined
    where none ran."""
    places = _places(study)
    return [np.flatnonzero(sign * places >= 0) for sign in (-1, 1)]


@study_metric("stability")
def junction_place_disagreement(study: StudyContext) -> float:
    """Disagreement of neighbouring slices about the region of L5/S1, on the side of the centre slice where they agree
    better.

    Formula: min over the two sides of (1 - mean Dice of all pairs of the centre slice and the neighbours on that side),
        Dice as in dice_disagreement
    Unit: share
    Range: 0 to 1
    Direction: high = on neither side do the slices agree where L5/S1 is; a column that leaves them does so to one side
    Undefined: no slices (flag members_centre_only or members_no_slices); L5/S1 not found (flag {level}_not_found); no side
        with a neighbour that saw 80 % of the region (flag {level}_few_votes_slices)
    Source: proposal of this project, not validated; Dice of readings: Zenk et al., Medical Image Analysis 2025
    """
    seen = study.once(level_predictions, "slices", _JUNCTION)
    sides = [np.isin(seen.seen_by, side) for side in _sides(study)]
    measured = [mean_dice_distance(seen.masks[side], seen.valid[side]) for side in sides if side.sum() >= MIN_VOTES]
    if not measured:
        raise Undefined(f"{LEVELS[_JUNCTION]}_few_votes_slices")
    return min(measured)


@study_metric("stability")
def junction_jump(study: StudyContext) -> float:
    """How far L5/S1 jumps along the column from slice to slice: the scatter of its places off a straight course.

    Formula: sqrt(sum_t (y_t - a - b t)^2 / (T - 2)), y_t = mu_5^t . (mu_5 - mu_4) / ||mu_5 - mu_4||, t the number of the
        slice in the stack, a and b by least squares, T the slices in which L5/S1 is found
    Unit: mm
    Range: 0 upwards
    Direction: high = the slices mark different places; a tilted column moves evenly, and a straight course counts nothing
    Undefined: no slices (flag members_centre_only or members_no_slices); L4/L5 or L5/S1 not found (flags {level}_not_found);
        L5/S1 found in fewer than 3 slices (flag junction_few_places_slices)
    Source: proposal of this project, not validated; scatter of places: Schobs et al., IEEE TMI 2023, arXiv 2203.02351
    """
    found = study.once(level_predictions, "slices", _JUNCTION)
    above = study.centre(_JUNCTION - 1)
    along = (np.asarray(study.centre(_JUNCTION)) - above) * (study.spacing[1], study.spacing[0])
    if len(found.found_by) < _MIN_PLACES:
        raise Undefined("junction_few_places_slices")
    height = found.centres_mm @ (along / np.linalg.norm(along))
    number = _places(study)[found.found_by].astype(np.float64)
    course = np.stack([np.ones_like(number), number], axis=1)
    off = height - course @ np.linalg.lstsq(course, height, rcond=None)[0]
    return float(np.sqrt(off @ off / (len(off) - 2)))


@study_metric("stability")
def junction_name_disagreement(study: StudyContext) -> float:
    """Disagreement of neighbouring slices about the class mixture of the lowest disc blob, on the side of the centre slice
    where they agree better.

    Formula: min over the two sides of MI_J over the centre slice and the neighbours on that side that have a vote
    Unit: nat
    Range: 0 to ln 5 = 1.61
    Direction: high = on neither side do the slices agree what the lowest disc is called
    Undefined: no slices (flag members_centre_only or members_no_slices); no disc blob (flag no_disc_blob); no side with 2
        votes (flag junction_few_votes_slices)
    Source: as mutual_information
    """
    study.once(member_predictions, "slices")
    found = study.once(votes, "slices", study.lowest_blob())
    sides = [found.shares[np.isin(found.readings, side)] for side in _sides(study)]
    measured = [mutual_information_of(shares) for shares in sides if len(shares) >= MIN_VOTES]
    if not measured:
        raise Undefined("junction_few_votes_slices")
    return min(measured)
