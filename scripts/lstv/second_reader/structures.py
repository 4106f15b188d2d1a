"""Where a mask's vertebrae and discs lie in the patient, and whether they can be a spine at all."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lstv.base.arrays import FloatArray
from lstv.second_reader.masks import Mask, MaskProblem
from lstv.second_reader.numbering import LUMBAR, PROGRAMS, SACRUM, VERTEBRAE

LEAST_VOXELS = 8
"""A structure of fewer voxels is a speck at the picture's edge: it has no middle that could be compared."""

_SUPERIOR, _POSTERIOR = 2, 1
_STEP_BACK_MM = 5.0
"""So far behind the right place a vertebra may come before the next one, as in a strong lordosis, and so far in front of
the lowest lumbar vertebra may the sacrum lie."""
_LONGEST_SHARE = 0.6


@dataclass(frozen=True)
class Spine:
    """Middles in mm of the DICOM patient system, by name, cranial to caudal; a disc by the vertebra above it.

    ``drawn``: whether the mask has discs of its own; otherwise they lie half-way between neighbouring vertebrae.
    """

    vertebrae: dict[str, FloatArray]
    discs: dict[str, FloatArray]
    drawn: bool = True

    @property
    def lumbar(self) -> list[str]:
        """The lumbar vertebrae that the mask names."""
        return [name for name in self.vertebrae if name in LUMBAR]

    @property
    def whole(self) -> bool:
        """Whether the mask shows all lumbar vertebrae: from a thoracic one to the sacrum, without a gap in the names."""
        names = list(self.vertebrae)
        lumbar = [LUMBAR.index(name) for name in self.lumbar]
        thoracic = "T12" in names or "T13" in names
        return thoracic and SACRUM in names and bool(lumbar) and lumbar == list(range(lumbar[-1] + 1))

    def index(self, disc: str) -> int:
        """Place of a disc in the names of the spine as this mask counts it: L1/L2 0, downwards 1, 2, ..., upwards -1, -2."""
        if disc in LUMBAR:
            return LUMBAR.index(disc)
        if disc.startswith("S"):
            lowest = LUMBAR.index(self.lumbar[-1]) if self.lumbar else 4
            return lowest + int(disc[1:])
        thirteen = "T13" in self.vertebrae or "T13" in self.discs
        last = VERTEBRAE.index("T13" if thirteen else "T12")
        return VERTEBRAE.index(disc) - last - 1


def spine(mask: Mask) -> Spine:
    """The structures of a mask. Raises MaskProblem where their order shows that the mask is flipped."""
    numbers = [int(number) for number in np.unique(mask.labels) if number]
    numbering = mask.numbering
    vertebrae = _in_order({numbering.vertebrae[n]: _middle(mask, n) for n in numbers if n in numbering.vertebrae})
    discs = _in_order({name: _middle(mask, number) for number, name in numbering.disc_names(numbers).items()})
    if not vertebrae and not discs:
        raise MaskProblem(
            "empty", f"the mask of {PROGRAMS[mask.program]} holds specks only; look at the program's log."
        )
    _check_order(mask.program, vertebrae, "vertebrae")
    _check_order(mask.program, discs, "discs")
    _check_front(mask.program, vertebrae)
    return Spine(vertebrae, discs, True) if discs else Spine(vertebrae, between(vertebrae), False)


def between(vertebrae: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Discs (3,) in mm half-way between vertebrae that are neighbours by name.

    Above the sacrum the way is at most 0.6 of that between the two vertebrae above, for the sacrum's middle lies deep.
    """
    found = {}
    names = list(vertebrae)
    for number, (upper, lower) in enumerate(pairwise(names)):
        if not _neighbours(upper, lower):
            continue
        way = vertebrae[lower] - vertebrae[upper]
        share = 0.5
        if lower == SACRUM and number > 0:
            above = float(np.linalg.norm(vertebrae[upper] - vertebrae[names[number - 1]]))
            share = min(share, _LONGEST_SHARE * above / float(np.linalg.norm(way)))
        found[upper] = vertebrae[upper] + share * way
    return found


def _neighbours(upper: str, lower: str) -> bool:
    """Whether nothing lies between two vertebrae that follow one another in a mask. T13 and the last lumbar vertebrae are
    not in every spine."""
    if (upper in ("T12", "T13") and lower == "L1") or (upper in ("L4", "L5", "L6") and lower == SACRUM):
        return True
    return VERTEBRAE.index(lower) - VERTEBRAE.index(upper) == 1


def _in_order(middles: dict[str, FloatArray | None]) -> dict[str, FloatArray]:
    """By anatomy, without those that have no middle."""
    return {name: middles[name] for name in VERTEBRAE if middles.get(name) is not None}  # type: ignore[misc]


def _middle(mask: Mask, number: int) -> FloatArray | None:
    """Mean place (3,) of a label's voxels in mm; None for a speck."""
    voxels = np.argwhere(mask.labels == number)
    if len(voxels) < LEAST_VOXELS:
        return None
    place: FloatArray = mask.to_patient[:3, :3] @ voxels.mean(axis=0) + mask.to_patient[:3, 3]
    return place


def _check_order(program: str, middles: dict[str, FloatArray], what: str) -> None:
    lumbar = [(name, middles[name]) for name in middles if not name.startswith("C")]
    for (upper, above), (lower, below) in pairwise(lumbar):
        if below[_SUPERIOR] > above[_SUPERIOR] + (_STEP_BACK_MM if upper.startswith("S") else 0.0):
            raise MaskProblem(
                "upside_down",
                f"in the mask of {PROGRAMS[program]} the {what} stand in the wrong order ({lower} lies above {upper}): "
                "it is flipped from head to foot, or of another program.",
            )


def _check_front(program: str, vertebrae: dict[str, FloatArray]) -> None:
    lumbar = [name for name in vertebrae if name in LUMBAR]
    if SACRUM in vertebrae and lumbar:
        lowest = lumbar[-1]
        if vertebrae[SACRUM][_POSTERIOR] < vertebrae[lowest][_POSTERIOR] - _STEP_BACK_MM:
            raise MaskProblem(
                "mirrored",
                f"in the mask of {PROGRAMS[program]} the sacrum lies in front of {lowest}: it is flipped from front to "
                "back.",
            )
