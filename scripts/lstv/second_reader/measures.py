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
from scipy import ndimage

from lstv.anatomy.mask_section import Plane, Section
from lstv.anatomy.mask_shape import ANTERIOR, LOWER, MIDDLE, POSTERIOR, UPPER, Shape, shape
from lstv.base.arrays import FloatArray
from lstv.base.documented import title_and_fields
from lstv.base.levels import LEVELS
from lstv.second_reader.masks import Mask
from lstv.second_reader.numbering import SACRUM, VERTEBRAE

SQUARED = 1.37
"""S1 ratio up to which the first sacral vertebra is called squared in the literature; named beside the value, never used."""
_SURFACE_MM = 28.0
"""Depth of a sacrum in one piece that belongs to S1, about; its upper surface is all that is measured on it."""


class NotMeasured(Exception):
    """The mask does not show what a measure needs."""


@dataclass(frozen=True)
class Measure:
    """One measure: ``name`` as in the tables behind the program's name, and its documented fields."""

    name: str
    title: str
    formula: str
    unit: str
    range: str
    direction: str
    undefined: str
    source: str
    function: Callable[[Cuts], float]


MEASURES: dict[str, Measure] = {}


def measure(kinds: tuple[str, ...] = ()) -> Callable[[Callable[..., float]], Callable[..., float]]:
    """Register ``function(cuts)``; with ``kinds`` it is ``function(cuts, kind)`` and one measure for each, ``kind_name``."""

    def register(function: Callable[..., float]) -> Callable[..., float]:
        title, fields = title_and_fields(function)
        name = function.__name__
        named = {f"{kind}_{name}": partial(function, kind=kind) for kind in kinds} if kinds else {name: function}
        for own_name, own in named.items():
            MEASURES[own_name] = Measure(own_name, title, **fields, function=own)
        return function

    return register


class Cuts:
    """The cuts of one mask's structures, each made once. ``eroded``: with one voxel taken off around every structure."""

    def __init__(self, mask: Mask, eroded: bool = False) -> None:
        self._mask, self._eroded = mask, eroded
        self._plane = Plane.of(mask.to_patient, mask.sagittal_axis)
        numbers = [int(number) for number in np.unique(mask.labels) if number]
        self._bodies = {mask.numbering.vertebrae[n]: n for n in numbers if n in mask.numbering.vertebrae}
        self._discs = {name: number for number, name in mask.numbering.disc_names(numbers).items()}
        self._sections: dict[int, Section | None] = {}
        self._shapes: dict[tuple[str, str], Shape] = {}

    @property
    def sacrum_in_segments(self) -> bool:
        """Whether S1 has a number of its own, and not that of the whole sacrum."""
        return "S2" in self._bodies

    def body(self, name: str) -> Shape:
        """A vertebral body. Raises NotMeasured where it is not there, or is the whole sacrum."""
        if name == SACRUM and not self.sacrum_in_segments:
            raise NotMeasured
        return self._shape("body", name)

    def disc(self, name: str) -> Shape:
        """The disc below a vertebra. Raises NotMeasured where it is not there."""
        return self._shape("disc", name)

    def sacral_surface(self) -> Shape:
        """S1, or what of a sacrum in one piece lies next to the disc above it: only its upper surface means something."""
        if self.sacrum_in_segments:
            return self.body(SACRUM)
        key = ("surface", SACRUM)
        if key not in self._shapes:
            section, up = self._section(self._bodies, SACRUM, body=True), self._up_at_sacrum()
            along = (section.points - self._disc_middle()) @ up
            near = section.points[along > -_SURFACE_MM]
            if len(near) < len(section.points) / 10:
                raise NotMeasured
            self._shapes[key] = shape(Section(near, section.area), up)
        return self._shapes[key]

    def _shape(self, kind: str, name: str) -> Shape:
        if (kind, name) not in self._shapes:
            section = self._section(self._bodies if kind == "body" else self._discs, name, body=kind == "body")
            self._shapes[kind, name] = shape(section, self._up(kind, name))
        return self._shapes[kind, name]

    def _section(self, numbers: dict[str, int], name: str, body: bool) -> Section:
        number = numbers.get(name)
        if number is None:
            raise NotMeasured
        if number not in self._sections:
            inside = self._mask.labels == number
            if self._eroded:
                inside = _eroded(inside, self._plane.axis)
            self._sections[number] = self._plane.section(inside, body)
        found = self._sections[number]
        if found is None:
            raise NotMeasured
        return found

    def _up(self, kind: str, name: str) -> FloatArray:
        """About the direction from lower to upper surface: that of the column there."""
        if kind == "body" and name == SACRUM:
            return self._disc_middle() - self._middle("body", SACRUM)
        if kind == "disc" and name in self._bodies:
            lower = self._neighbour(name, 1)
            deep = lower is None or (lower == SACRUM and not self.sacrum_in_segments)
            below = self._middle("disc", name) if deep else self._middle("body", str(lower))
            return self._middle("body", name) - below
        known = "body" if kind == "body" else "disc"  # a mask of discs only
        order = [upper for upper in VERTEBRAE if upper in (self._bodies if known == "body" else self._discs)]
        place = order.index(name)
        upper, lower = order[max(place - 1, 0)], order[min(place + 1, len(order) - 1)]
        if known == "body" and lower == SACRUM and not self.sacrum_in_segments:
            lower = name
        if upper == lower:
            raise NotMeasured
        return self._middle(known, upper) - self._middle(known, lower)

    def _neighbour(self, name: str, step: int) -> str | None:
        order = [upper for upper in VERTEBRAE if upper in self._bodies]
        place = order.index(name) + step
        return order[place] if 0 <= place < len(order) else None

    def _middle(self, kind: str, name: str) -> FloatArray:
        place: FloatArray = self._section(self._bodies if kind == "body" else self._discs, name, kind == "body").middle
        return place

    def _lowest(self) -> str:
        """The vertebra whose disc lies above the sacrum."""
        lumbar = [name for name in VERTEBRAE if name in self._discs and name.startswith("L")]
        if not lumbar:
            raise NotMeasured
        return lumbar[-1]

    def _disc_middle(self) -> FloatArray:
        return self._middle("disc", self._lowest())

    def _up_at_sacrum(self) -> np.ndarray:
        """Across the disc above the sacrum, whose lower surface is the sacrum's upper one."""
        up: np.ndarray = self.disc(self._lowest()).up
        return up


def _eroded(inside: np.ndarray, axis: int) -> np.ndarray:
    """One voxel less around a structure, within the sagittal slices."""
    element = np.ones((3, 3, 3), bool)
    element[tuple(slice(None) if k != axis else slice(0, None, 2) for k in range(3))] = False
    cross = np.zeros((3, 3, 3), bool)
    cross[1, 1, 1] = True
    for k in range(3):
        if k != axis:
            cross |= np.roll(_centre(), 1, axis=k) | np.roll(_centre(), -1, axis=k)
    eroded: np.ndarray = ndimage.binary_erosion(inside, cross & element)
    return eroded


def _centre() -> np.ndarray:
    centre = np.zeros((3, 3, 3), bool)
    centre[1, 1, 1] = True
    return centre


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
    Source: proposal of this project, after the extent that the four types of O'Driscoll et al. 1996 tell apart; the types
        themselves are left out
    """
    return cuts.disc(SACRUM).depth / cuts.body(SACRUM).width(LOWER)
