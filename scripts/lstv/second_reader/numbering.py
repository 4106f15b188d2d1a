"""Which label number is which structure, in the programs whose masks are read.

Sources, all of them the programs' own files:

- SPINEPS 2.1.3: its vertebra mask ``seg-vert`` has the numbers of ``Vertebra_Instance`` in TPTBox 1.1.0
  (``TPTBox/core/vert_constants.py``): C1 to C7 1 to 7, T1 to T12 8 to 19, T13 28, L1 to L6 20 to 25, S1 26, coccyx 27,
  S2 to S6 29 to 33; a disc has 100, an endplate 200 more than the vertebra above (``spineps/phase_post.py``). The sacrum is
  one piece with the number of S1. Its mask of parts ``seg-spine`` has those of ``Location``: 49 and 50 are the body.
- TotalSpineSeg from 20241107 to 20260807 (README, "List of Classes", and ``inference.py``): C1 to C7 11 to 17, T1 to T12 21
  to 32, L1 to L6 41 to 46, sacrum 50; discs by the vertebra below: C2/C3 63 and so on, C7/T1 71, T12/L1 91 to L5/L6 96, the
  one above the sacrum 100; cord 1, canal 2.
- TotalSpineSeg before its first release (README of its repository up to September 2024), counted upwards: L5 18 to C1 41,
  sacrum 92, cord 200, canal 201, disc L5/S1 202 to C2/C3 224.

A disc is named by the vertebra above it. In TotalSpineSeg's masks the disc above the sacrum has one number however many
lumbar vertebrae there are, so its name follows from the lowest lumbar vertebra of the mask.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

VERTEBRAE = tuple(
    [f"C{n}" for n in range(1, 8)]
    + [f"T{n}" for n in range(1, 14)]
    + [f"L{n}" for n in range(1, 7)]
    + [f"S{n}" for n in range(1, 7)]
)
"""Names, cranial to caudal."""

LUMBAR = tuple(name for name in VERTEBRAE if name.startswith("L"))
SACRUM = "S1"
"""Name under which a sacrum in one piece is kept; its upper surface is that of S1."""

BODY_PARTS = (49, 50)
"""Numbers of the vertebral body in SPINEPS' mask of parts."""

SPINEPS, TOTALSPINESEG = "spineps", "totalspineseg"
PROGRAMS = {SPINEPS: "SPINEPS", TOTALSPINESEG: "TotalSpineSeg"}
"""Programs whose masks are read, and how they are called in words."""


@dataclass(frozen=True)
class Numbering:
    """Numbers of one program: ``vertebrae`` and ``discs`` (by the vertebra above) by number, ``others`` of what is not used
    here, ``above_sacrum``: number of the disc above the sacrum where it tells nothing of the vertebra above, or None."""

    name: str
    vertebrae: dict[int, str]
    discs: dict[int, str]
    others: frozenset[int] = frozenset()
    above_sacrum: int | None = None

    @property
    def known(self) -> frozenset[int]:
        """Every number that a mask in this numbering may have."""
        return frozenset(self.vertebrae) | frozenset(self.discs) | self.others

    @property
    def lumbar(self) -> frozenset[int]:
        """Numbers of the lumbar vertebrae and their discs, and of the sacrum."""
        below = {number for number, name in self.vertebrae.items() if name in (*LUMBAR, SACRUM)}
        return frozenset(below | {number for number, name in self.discs.items() if name in LUMBAR})

    def disc_names(self, numbers: Iterable[int]) -> dict[int, str]:
        """Names of those of the ``numbers`` of one mask that are discs."""
        present = set(numbers)
        names = {number: name for number, name in self.discs.items() if number in present}
        if self.above_sacrum in names:
            names[self.above_sacrum] = self._lowest(present)
        return names

    def _lowest(self, present: set[int]) -> str:
        """The vertebra on the sacrum: the lowest lumbar one of the mask, by its body or by the disc above it."""
        bodies = [LUMBAR.index(name) for number, name in self.vertebrae.items() if number in present and name in LUMBAR]
        own = present - {self.above_sacrum}
        below = [LUMBAR.index(name) + 1 for number, name in self.discs.items() if number in own and name in LUMBAR]
        lowest = max([*bodies, *(index for index in below if index < len(LUMBAR))], default=4)
        return LUMBAR[lowest]


def _spineps() -> Numbering:
    vertebrae = dict(enumerate(_names("C", 7) + _names("T", 12) + _names("L", 6), start=1))
    vertebrae |= {26: "S1", 28: "T13", **{27 + n: f"S{n}" for n in range(2, 7)}}
    discs = {100 + number: name for number, name in vertebrae.items()}
    return Numbering(SPINEPS, vertebrae, discs, frozenset({27, 127, 227, *(200 + number for number in vertebrae)}))


def _totalspineseg() -> Numbering:
    vertebrae = {10 + n: f"C{n}" for n in range(1, 8)} | {20 + n: f"T{n}" for n in range(1, 13)}
    vertebrae |= {40 + n: f"L{n}" for n in range(1, 7)} | {50: SACRUM}
    discs = {61 + n: f"C{n}" for n in range(2, 7)} | {71: "C7"} | {71 + n: f"T{n}" for n in range(1, 12)}
    discs |= {91: "T12"} | {91 + n: f"L{n}" for n in range(1, 6)} | {100: "L5"}
    return Numbering(TOTALSPINESEG, vertebrae, discs, frozenset({1, 2}), above_sacrum=100)


def _totalspineseg_first() -> Numbering:
    names = _names("C", 7) + _names("T", 12) + _names("L", 5)
    upwards = names[::-1]
    vertebrae = {18 + index: name for index, name in enumerate(upwards)} | {92: SACRUM}
    discs = {202 + index: name for index, name in enumerate(upwards[:-1])}
    return Numbering("totalspineseg_first", vertebrae, discs, frozenset({200, 201}))


def _names(region: str, count: int) -> list[str]:
    return [f"{region}{n}" for n in range(1, count + 1)]


NUMBERINGS = {SPINEPS: (_spineps(),), TOTALSPINESEG: (_totalspineseg(), _totalspineseg_first())}
"""The numberings that a program's masks may have."""


def fitting(program: str, numbers: Iterable[int]) -> list[Numbering]:
    """The numberings of a ``program`` that know all ``numbers`` (without 0) of a mask and see something lumbar among them.

    None = the mask is of another program; two = it cannot be told which is meant.
    """
    present = set(numbers)
    return [numbering for numbering in NUMBERINGS[program] if present <= numbering.known and present & numbering.lumbar]


def disc_label(above: str, names: Iterable[str] = ()) -> str:
    """A disc as a radiologist writes it: L4 -> L4/L5; the mask's ``names`` say whether L6, T13 or S1 lies below it."""
    present = set(names)
    later = VERTEBRAE[VERTEBRAE.index(above) + 1 :]
    usual = {"T12": "T13" if "T13" in present else "L1", "T13": "L1", "L6": "S1"}
    usual["L5"] = "L6" if "L6" in present else "S1"
    if above == "L4" and "L5" not in present and present & {"S1"} and "L4" in present:
        usual["L4"] = "S1"
    return f"{above}/{usual.get(above, later[0] if later else '')}"
