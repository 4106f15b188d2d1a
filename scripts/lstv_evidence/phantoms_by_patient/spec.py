"""What is asked of one phantom of the second generator: a transitional kind and degree, nuisances, and controls."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import ClassVar

from lstv_evidence.phantom.spec import Nuisances, PhantomSpec, Severities, parse_severities

COMPLETE = 0.8
"""From this degree on a transition counts as complete: a lumbarized S1 is a sixth lumbar vertebra, a sacralized L5 no
longer moves against the sacrum. A convention of these phantoms."""


@dataclass(frozen=True)
class Controls(Severities):
    """Severity 0 to 1 of what is no transitional vertebra and must not look like one.

    Of the patient: ``l5_s1_degenerated`` narrow and dark; ``l4_l5_narrowed`` to 0.62 (0.5) or 0.5 (1) of its height, not
    darker. Of the picture: ``marrow_painted`` a patch of L5's marrow over the middle of L4 and behind the column;
    ``resampled_twice`` turned and turned back; ``seam`` below the middle of L3 all is moved to the back by 1 to 2 mm;
    ``gamma`` brighter or darker middle tones; ``blur``. Of the scan: ``five_levels`` the field is cut to one vertebra
    (0.5) or 0.7 of one (1) above L1/L2 and as much below L5/S1; ``small_field``, ``large_field``; ``other_matrix`` the same
    field in other pixels.
    """

    l5_s1_degenerated: float = 0.0
    l4_l5_narrowed: float = 0.0
    marrow_painted: float = 0.0
    resampled_twice: float = 0.0
    seam: float = 0.0
    gamma: float = 0.0
    blur: float = 0.0
    five_levels: float = 0.0
    small_field: float = 0.0
    large_field: float = 0.0
    other_matrix: float = 0.0


@dataclass(frozen=True)
class PatientSpec(PhantomSpec):
    """One phantom of the second generator. The same spec gives the same phantom; the seed is the patient, whom degree,
    nuisances and controls leave the same in everything else.

    ``degree`` 0..1: how far the junction has moved; at 1 a sacralized L5 has the form of the patient's own S1 and lies on
    a disc like their own S1/S2 (which may be none), a lumbarized S1 has the form of L5 and a disc of full size below it.
    """

    GENERATOR: ClassVar[str] = "patients"

    controls: Controls = field(default_factory=Controls)

    @property
    def lumbar(self) -> int:
        """Number of lumbar vertebrae: 6 where S1 is completely lumbarized, else 5."""
        return 6 if self.kind == "lumbarized" and self.degree >= COMPLETE else 5

    @property
    def mobile_segments(self) -> int:
        """Number of lumbar discs that move: 4 where L5 is completely sacralized, 6 where S1 is lumbarized, else 5."""
        return 4 if self.kind == "sacralized" and self.degree >= COMPLETE else self.lumbar

    @property
    def present(self) -> dict[str, float]:
        """Nuisances and controls of a severity above 0, by name."""
        return super().present | {name: severity for name, severity in asdict(self.controls).items() if severity > 0}


def parse_nuisances(text: str) -> tuple[Nuisances, Controls]:
    """``"scoliosis=0.8;gamma=0.5"`` -> nuisances and controls. Raises UserError on an unknown name."""
    shared, own = ({item.name for item in fields(kind)} for kind in (Nuisances, Controls))
    values = parse_severities(text, shared | own)
    return (
        Nuisances(**{name: value for name, value in values.items() if name in shared}),
        Controls(**{name: value for name, value in values.items() if name in own}),
    )
