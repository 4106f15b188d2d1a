"""What is asked of one phantom: its kind, how far it has gone, and what makes the picture harder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import ClassVar

from lstv.base.errors import UserError

KINDS = ("normal", "sacralized", "lumbarized")
"""``sacralized``: L5 takes the form of S1; ``lumbarized``: S1 takes the form of L5."""


@dataclass(frozen=True)
class Severities:
    """A dataclass of severities by name, each from 0 (absent) to 1."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not 0.0 <= value <= 1.0:
                raise UserError(f"phantom nuisance {item.name} is {value}; give a severity between 0 and 1.")


@dataclass(frozen=True)
class Nuisances(Severities):
    """Severity 0 (only the natural variation of every phantom) to 1 of what is no transitional vertebra but disturbs.

    ``degeneration`` dark narrow discs; ``scoliosis`` the column leaves the mid-sagittal plane by up to about 15 mm;
    ``crop_bottom`` the field ends in S1 (0.5) or in L5 (1); ``crop_top`` the field starts in L1 (0.5) or L2 (1);
    ``low_contrast`` grey CSF and discs; ``ghosting`` motion copies along the phase direction; ``noise``.
    """

    degeneration: float = 0.0
    scoliosis: float = 0.0
    crop_bottom: float = 0.0
    crop_top: float = 0.0
    low_contrast: float = 0.0
    ghosting: float = 0.0
    noise: float = 0.0


@dataclass(frozen=True)
class PhantomSpec:
    """One phantom. The same spec gives the same phantom; a nuisance leaves the anatomy of its seed as it is.

    ``degree`` 0..1: how far L5 (or S1) has changed over; 0 for ``normal``. 1 is as far as the phantom goes: a narrow but
    real S1/S2 disc above a squared S1 for ``lumbarized``, a rudimentary L5/S1 disc for ``sacralized``.
    """

    GENERATOR: ClassVar[str] = "tables"
    """Name of the generator that draws such a spec, as in the study lists."""

    seed: int
    kind: str = "normal"
    degree: float = 0.0
    nuisances: Nuisances = field(default_factory=Nuisances)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f"phantom kind {self.kind!r} is unknown; use one of {', '.join(KINDS)}.")
        if not 0.0 <= self.degree <= 1.0:
            raise UserError(f"phantom degree is {self.degree}; give a number between 0 and 1.")
        if self.seed < 0:
            raise UserError(f"phantom seed is {self.seed}; give a non-negative integer.")

    @property
    def shift(self) -> float:
        """Signed degree: positive where the junction moves up (sacralized), negative where it moves down."""
        return {"normal": 0.0, "sacralized": self.degree, "lumbarized": -self.degree}[self.kind]

    @property
    def present(self) -> dict[str, float]:
        """Nuisances of a severity above 0, by name."""
        return {name: severity for name, severity in asdict(self.nuisances).items() if severity > 0}


def parse_nuisances(text: str) -> Nuisances:
    """``"scoliosis=0.8;noise=0.5"`` -> Nuisances; an empty text means none. Raises UserError on an unknown name."""
    return Nuisances(**parse_severities(text, [item.name for item in fields(Nuisances)]))


def parse_severities(text: str, known: Iterable[str]) -> dict[str, float]:
    """``"scoliosis=0.8;noise=0.5"`` -> numbers by name. Raises UserError on a name that is not ``known``."""
    values = {}
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        name, _, value = part.partition("=")
        try:
            values[name] = float(value)
        except ValueError:
            raise UserError(f"phantom nuisance {part!r} is not of the form name=number.") from None
        if name not in known:
            raise UserError(f"phantom nuisance {name!r} is unknown; use one of {', '.join(sorted(known))}.")
    return values
