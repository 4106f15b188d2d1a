"""What differs from patient to patient: how each trait is distributed, and which traits go together.

Means of heights and depths are those of the first generator's tables (``lstv_evidence.phantom.anatomy``). A source names
where a figure was read; "proposal" marks a figure of this project, chosen to be plausible, which nobody has measured.
Nothing here was fitted to any result of the product.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

PROPOSAL = "proposal of this project"


@dataclass(frozen=True)
class Trait:
    """A normal distribution cut off at ``low`` and ``high``, and where its figures come from."""

    name: str
    mean: float
    deviation: float
    low: float
    high: float
    unit: str
    source: str


TRAITS = (
    Trait("size", 1.0, 0.06, 0.86, 1.15, "factor on all lengths", PROPOSAL),
    Trait("slender", 1.0, 0.05, 0.88, 1.12, "factor on heights of bodies, its inverse on depths", PROPOSAL),
    Trait(
        "disc_thickness", 1.0, 0.09, 0.72, 1.28, "factor on all disc heights",
        "with 0.09 more of each disc: 95 % reference ranges of 169 adults, J Orthop Surg Res 2018;13:34",
    ),
    Trait(
        "sacral_slope", 38.0, 8.0, 18.0, 58.0, "degrees, upper plate of S1 against the horizontal",
        "proposal; 44.5 (9.9) on supine films of 274, Okpala, Ann Med Health Sci Res",
    ),
    Trait(
        "lordosis", 49.0, 11.0, 20.0, 78.0, "degrees from L1's to S1's upper plate",
        "proposal; T12 to S1 36.8 (13.2) lying and 49.8 (11.2) standing in 627 adults, PMC6680033",
    ),
    Trait("s1_ratio", 1.49, 0.14, 1.12, 1.95, "depth of S1's upper plate to its lower one", PROPOSAL),
    Trait(
        "s1_s2", 0.0, 1.0, -3.0, 3.0, "standard normal value: how much of a disc there is between S1 and S2",
        "types 1 to 4 in 30, 42, 16, 12 of 100, O'Driscoll 1996; type 4 mostly LSTV",
    ),
    Trait("l5_wedge", 9.0, 2.6, 1.0, 16.0, "degrees between the plates of L5", PROPOSAL),
    Trait("l5_taper", 0.985, 0.03, 0.9, 1.07, "depth of L5's lower plate to its upper one", PROPOSAL),
    Trait("sacral_curve", 1.0, 0.3, 0.4, 1.6, "factor on the wedges of the sacrum", PROPOSAL),
    Trait("wear", 0.0, 1.0, -3.0, 3.0, "standard normal value: wear that all discs share, age above all", PROPOSAL),
)  # fmt: skip

CORRELATIONS = (
    ("lordosis", "sacral_slope", 0.8),
    ("lordosis", "l5_wedge", 0.4),
    ("sacral_slope", "l5_wedge", 0.3),
    ("s1_ratio", "s1_s2", -0.45),
    ("s1_ratio", "l5_taper", -0.25),
    ("l5_wedge", "l5_taper", -0.2),
    ("size", "disc_thickness", 0.3),
    ("slender", "disc_thickness", 0.2),
    ("s1_s2", "sacral_curve", -0.2),
)
"""Pairs of traits that go together: proposals of this project. That lordosis follows the slope of the sacrum, and that a
good S1/S2 disc lies below a square S1 (O'Driscoll's type 4), is known; the coefficients are not. Wear goes with no other
trait: a worn L5/S1 disc is the confounder of a transitional one and must be independent of form."""

LEVEL_DEVIATION = {"body_height": 0.035, "body_depth": 0.02, "body_wedge": 1.2, "disc_height": 0.09, "disc_wedge": 1.3}
"""Standard deviation of each level's own part (relative; wedges in degrees). Neighbours correlate by ``NEIGHBOURS``."""
NEIGHBOURS = 0.5

WORN = {"L1": 0.07, "L2": 0.12, "L3": 0.155, "L4": 0.495, "L5": 0.53}
"""Share of discs, by the vertebra above, that are worn (grade above 0.5): 200 healthy adults of 30 to 55 years, Kanayama,
J Neurosurg Spine 2009;11:501. Discs higher up: 0.05, proposal."""
MARROW_CHANGE = 0.35
"""Share of lumbar discs of a grade above 0.6 with changed marrow beside them (Modic): three in four brighter, the others
darker. Proposal."""
SHARED_WEAR = 0.45
"""Part of the variance of wear that a patient's discs share. Proposal."""


@cache
def correlation() -> np.ndarray:
    """Correlation matrix (T, T) of TRAITS."""
    names = [trait.name for trait in TRAITS]
    matrix = np.eye(len(names))
    for first, second, value in CORRELATIONS:
        i, j = names.index(first), names.index(second)
        matrix[i, j] = matrix[j, i] = value
    return matrix


def draw(rng: np.random.Generator) -> dict[str, float]:
    """The traits of one patient by name."""
    scores = np.linalg.cholesky(correlation()) @ rng.standard_normal(len(TRAITS))
    return {
        trait.name: float(np.clip(trait.mean + trait.deviation * score, trait.low, trait.high))
        for trait, score in zip(TRAITS, scores)
    }


def neighbours(rng: np.random.Generator, count: int) -> np.ndarray:
    """Standard normal values (count,) of which neighbours correlate by NEIGHBOURS."""
    fresh = rng.standard_normal(count)
    values = fresh.copy()
    for k in range(1, count):
        values[k] = NEIGHBOURS * values[k - 1] + np.sqrt(1 - NEIGHBOURS**2) * fresh[k]
    return values
