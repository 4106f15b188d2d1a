"""What is measured on a program's mask, and what each measure is: read from the docstring of its function.

A measure is a function of the study's ``Cuts`` registered with ``@measure``, or with the names of levels one for each. It
raises ``NotMeasured`` where the mask does not show what it needs; the value is then null. Definitions are those of sources
that were read; see docs/second_reader.md for those that were left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from lstv.anatomy.mask_shape import ANTERIOR, LOWER, MIDDLE, POSTERIOR, UPPER
from lstv.base.documented import Documented, title_and_fields
from lstv.base.levels import LEVELS
from lstv.second_reader.cuts import Cuts, NotMeasured
from lstv.second_reader.masks import Mask
from lstv.second_reader.numbering import SACRUM

SQUARED = 1.37
"""S1 ratio up to which the first sacral vertebra is called squared in the literature; named beside the value, never used."""
WHOLE_DEPTH = 0.9
"""Share of S1's depth from which a disc counts as going through the whole of it: a tenth of some 30 mm is what a width on a
mask is good to."""


@dataclass(frozen=True)
class Measure(Documented):
    """One measure: ``name`` as in the tables behind the program's name, and its documented fields."""

    name: str
    function: Callable[[Cuts], float]


MEASURES: dict[str, Measure] = {}


def measure(kinds: tuple[str, ...] = ()) -> Callable[[Callable[..., float]], Callable[..., float]]:
    """Register ``function(cuts)``; with ``kinds`` it is ``function(cuts, kind)`` and one measure for each, ``kind_name``."""

    def register(function: Callable[..., float]) -> Callable[..., float]:
        title, fields = title_and_fields(function)
        name = function.__name__
        named = {f"{kind}_{name}": partial(function, kind=kind) for kind in kinds} if kinds else {name: function}
        for own_name, own in named.items():
            MEASURES[own_name] = Measure(title, **fields, name=own_name, function=own)
        return function

    return register


def measured(mask: Mask, *, eroded: bool = False) -> dict[str, float | None]:
    """Every measure of a mask by name; None where the mask does not show what it needs."""
    cuts = Cuts(mask, eroded)
    values: dict[str, float | None] = {}
    for name, entry in MEASURES.items():
        try:
            value = entry.function(cuts)
        except NotMeasured:
            value = float("nan")
        values[name] = value if np.isfinite(value) else None
    return values


def _upper(level: str) -> str:
    return level.split("_")[0].upper()


_LOWER = dict(zip(LEVELS, ("L2", "L3", "L4", "L5", "S1")))


@measure(kinds=("l5", "s1"))
def ap_superior_mm(cuts: Cuts, kind: str) -> float:
    """Anteroposterior width of the body near its upper surface.

    Formula: area of the midsagittal cut between 75 and 95 % of the body's height, divided by the height of that band
    Unit: mm
    Range: above 0
    Direction: shown, not ranked
    Undefined: the mask has no such vertebra, or the sacrum in one piece (S1)
    Source: this project
    """
    return cuts.body(kind.upper()).width(UPPER)


@measure(kinds=("l5", "s1"))
def ap_inferior_mm(cuts: Cuts, kind: str) -> float:
    """Anteroposterior width of the body near its lower surface.

    Formula: area of the midsagittal cut between 5 and 25 % of the body's height, divided by the height of that band
    Unit: mm
    Range: above 0
    Direction: shown, not ranked
    Undefined: the mask has no such vertebra, or the sacrum in one piece (S1)
    Source: this project
    """
    return cuts.body(kind.upper()).width(LOWER)


@measure()
def s1_ratio(cuts: Cuts) -> float:
    """Squaring of S1: its anteroposterior width above against that below.

    Formula: s1_ap_superior_mm / s1_ap_inferior_mm
    Unit: ratio
    Range: above 0
    Direction: low = S1 is squared, as a lumbar vertebra; the published cut-off is 1.37
    Undefined: S1 has no number of its own (the programs label the sacrum in one piece)
    Source: the cut-off as it is passed on in reviews of LSTV, whose original was not read; it is not used here. Widths
        within the rims, so values are somewhat nearer to 1 than between the corners
    """
    body = cuts.body(SACRUM)
    return body.width(UPPER) / body.width(LOWER)


@measure()
def l5_taper(cuts: Cuts) -> float:
    """Change of L5's anteroposterior width on the way down.

    Formula: Theil-Sen slope of the width in eight bands between 15 and 85 % of the height over the way down
    Unit: mm a mm
    Range: unbounded, ordinarily -0.3 to 0.3
    Direction: low = L5 narrows downwards, as S1 does
    Undefined: the mask has no L5
    Source: proposal of this project
    """
    return cuts.body("L5").taper


@measure()
def l5_wedge_deg(cuts: Cuts) -> float:
    """Wedge of L5: the angle between its upper and its lower surface.

    Formula: slope of the lower surface - slope of the upper surface, least squares over the middle 70 % of the depth
    Unit: degrees
    Range: -90 to 90
    Direction: shown, not ranked; positive = the front is taller
    Undefined: the mask has no L5
    Source: this project
    """
    return cuts.body("L5").wedge


@measure()
def l5_height_ratio(cuts: Cuts) -> float:
    """Height of L5 against its anteroposterior width.

    Formula: mean of the heights in front, in the middle and at the back / mean of the widths near both surfaces
    Unit: ratio
    Range: above 0
    Direction: shown, not ranked
    Undefined: the mask has no L5
    Source: this project
    """
    body = cuts.body("L5")
    return body.mean_height / body.mean_width


@measure(kinds=LEVELS)
def disc_height_mm(cuts: Cuts, kind: str) -> float:
    """Mean height of the disc.

    Formula: (A + M + P) / 3, heights at 15, 50 and 85 % of the disc's depth, each over a fifth of it
    Unit: mm
    Range: above 0
    Direction: low = a narrowed or rudimentary disc
    Undefined: the mask has no such disc
    Source: SpineBase, Disc-Height Index (Chen et al. 2022, J Clin Neurosci 103:153); places of A, M and P by this project
    """
    disc = cuts.disc(_upper(kind))
    return (disc.height(ANTERIOR) + disc.height(MIDDLE) + disc.height(POSTERIOR)) / 3


@measure(kinds=LEVELS)
def disc_height_index(cuts: Cuts, kind: str) -> float:
    """Height of the disc against that of its vertebrae.

    Formula: (A + M + P) / 3 / ((V1 + V2) / 2), V = height of the body above and below in the middle
    Unit: ratio
    Range: above 0
    Direction: low = a narrowed or rudimentary disc
    Undefined: the mask lacks the disc or a body beside it; L5/S1 where the sacrum is in one piece
    Source: SpineBase, Disc-Height Index (Chen et al. 2022, J Clin Neurosci 103:153)
    """
    bodies = [cuts.body(_upper(kind)), cuts.body(_LOWER[kind])]
    return disc_height_mm(cuts, kind) / (sum(body.height(MIDDLE) for body in bodies) / 2)


@measure()
def a_angle_deg(cuts: Cuts) -> float:
    """A-angle: slope of the sacrum's upper surface.

    Formula: angle between the superior surface of the sacrum and a line perpendicular to the axis of the scan table, which
        is the patient's anteroposterior axis; positive where the back is higher
    Unit: degrees
    Range: -180 to 180
    Direction: high = more often LSTV; published cut-off 39.8 (sensitivity and specificity 80 %, 100 patients)
    Undefined: the mask has no sacrum, or no disc above one in one piece
    Source: Chalian et al. 2012, World J Radiol 4:97
    """
    return cuts.sacral_surface().slope("upper")


@measure()
def b_angle_deg(cuts: Cuts) -> float:
    """B-angle: between the upper surfaces of L3 and of the sacrum.

    Formula: a_angle_deg - slope of the superior endplate of L3
    Unit: degrees
    Range: -180 to 180
    Direction: high = more often LSTV; published cut-off 35.9 (sensitivity 80 %, specificity 54 %, 100 patients)
    Undefined: as a_angle_deg, or the mask has no L3
    Source: Chalian et al. 2012, World J Radiol 4:97
    """
    return cuts.sacral_surface().slope("upper") - cuts.body("L3").slope("upper")


@measure()
def s1_s2_extent(cuts: Cuts) -> float:
    """Anteroposterior extent of the S1/S2 disc against S1.

    Formula: depth of the S1/S2 disc / s1_ap_inferior_mm
    Unit: ratio
    Range: above 0
    Direction: high = S1 is separated from S2 as a lumbar vertebra
    Undefined: the mask has no S1/S2 disc (the programs label the sacrum in one piece)
    Source: proposal of this project, after the extent by which the types of O'Driscoll et al. 1996 are told apart
    """
    return cuts.disc(SACRUM).depth / cuts.body(SACRUM).width(LOWER)


@measure()
def s1_s2_disc_type(cuts: Cuts) -> float:
    """Type of the S1/S2 disc after O'Driscoll, of which types 3 and 4 are not told apart.

    Formula: 1 = no disc; 2 = a disc of less than the whole depth (s1_s2_extent below 0.9); 3 = a disc of the whole depth,
        which is type 3 or, where the outline of the upper sacrum is abnormal too, type 4
    Unit: type
    Range: 1 to 3
    Direction: high = S1 is separated from S2 as a lumbar vertebra; type 4 went with a fused LSTV
    Undefined: the mask has no S1 and S2 of their own (the programs label the sacrum in one piece), or no discs at all
    Source: O'Driscoll et al. 1996, Skeletal Radiol 25:225 (abstract), which gives no number for the abnormal outline;
        s1_ratio stands beside it. The limit of the whole depth is this project's
    """
    cuts.body(SACRUM)
    if not cuts.has_disc(SACRUM):
        if not cuts.labels_discs:
            raise NotMeasured
        return 1.0
    return 3.0 if s1_s2_extent(cuts) >= WHOLE_DEPTH else 2.0


@measure()
def vmva_difference_deg(cuts: Cuts) -> float:
    """Difference of the vertical mid-vertebral angles (VMVA) of the two lowest segments.

    Formula: (tilt of S1 - tilt of the lowest lumbar vertebra) - (tilt of the lowest lumbar vertebra - tilt of the one
        above), tilt = angle of the line through the middles of the upper and the lower endplate
    Unit: degrees
    Range: -360 to 360
    Direction: low = more often LSTV; at most 10 in fused ones (Castellvi III and IV: sensitivity 100 %, specificity 89 % on
        midsagittal MRI), because the angle ordinarily grows from segment to segment on the way down
    Undefined: the mask lacks one of the three vertebrae, or has the sacrum in one piece
    Source: Farshad et al. 2013, definition and cut-off as given by Radiopaedia (rID 47531)
    """
    upper, lowest, sacral = (body.tilt for body in cuts.caudal_bodies())
    return (sacral - lowest) - (lowest - upper)
