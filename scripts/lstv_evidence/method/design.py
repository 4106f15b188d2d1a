"""The phantoms of the method study: which groups, how many, how far gone. Fixed before any result was seen.

Seeds start at FIRST_SEED, between those that the demo localizer was measured with (from 500,000) and those that it was
trained on (from 1,000,000).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from lstv.base.atomic import write_csv
from lstv.base.errors import Setting, UserError
from lstv_evidence.phantom.cohort import COLUMNS
from lstv_evidence.phantom.spec import Nuisances, PhantomSpec

FIRST_SEED = 600_000
_SEEDS_A_STUDY = 1_000
_STUDIES = 400

TRANSITIONAL = ("sacralized", "lumbarized")
DEGREES = (0.2, 0.4, 0.6, 0.8, 1.0)
NUISANCES = tuple(item.name for item in fields(Nuisances))
SEVERITIES = (0.5, 1.0)
"""Lowest and highest severity of a nuisance; from 0.5 on most are stronger than what the demo localizer was trained with."""

ORDINARY = "ordinary"


@dataclass(frozen=True)
class Design:
    """Number of ordinary spines, of transitional ones for each kind and degree, and of spines for each nuisance."""

    ordinary: int = 200
    each_degree: int = 10
    each_nuisance: int = 20


def group_of(spec: PhantomSpec) -> str:
    """``ordinary``, the transitional kind, or the name of the one nuisance of an otherwise ordinary spine.

    Raises UserError for a spine with several nuisances, or with a nuisance and a transitional vertebra.
    """
    present = [name for name, severity in asdict(spec.nuisances).items() if severity > 0]
    if len(present) + (spec.kind in TRANSITIONAL) > 1:
        raise UserError(
            f"phantom {spec.seed} is in several groups at once ({', '.join([spec.kind, *present])}); "
            "a study of the method has at most one departure from the ordinary."
        )
    return spec.kind if spec.kind in TRANSITIONAL else present[0] if present else ORDINARY


def specs(design: Design, seed: int) -> list[PhantomSpec]:
    """All phantoms of the study, group by group, each with a seed of its own. Raises UserError for impossible numbers."""
    for name, number in asdict(design).items():
        if number < 0:
            raise UserError(f"the number of phantoms {name} is {number}; give 0 or more.")
    wanted: list[tuple[str, float, Nuisances]] = [("normal", 0.0, Nuisances())] * design.ordinary
    wanted += [
        (kind, degree, Nuisances()) for kind in TRANSITIONAL for degree in DEGREES for _ in range(design.each_degree)
    ]
    wanted += [
        ("normal", 0.0, Nuisances(**{name: round(float(severity), 3)}))
        for name in NUISANCES
        for severity in np.linspace(*SEVERITIES, design.each_nuisance)
    ]
    if not 0 < len(wanted) <= _SEEDS_A_STUDY:
        raise UserError(f"the method study would have {len(wanted)} phantoms; give 1 to {_SEEDS_A_STUDY}.")
    if not 0 <= seed < _STUDIES:
        raise UserError(
            Setting("seed", "the seed"), f" is {seed}; give 0 to {_STUDIES - 1}, so that no phantom was trained on."
        )
    first = FIRST_SEED + seed * _SEEDS_A_STUDY
    return [PhantomSpec(first + k, *what) for k, what in enumerate(wanted)]


def write_list(phantoms: Iterable[PhantomSpec], seed: int, path: Path) -> None:
    """Write the list of phantoms that ``make_demo_cohort.py`` reads: uncompressed, sagittal T2 only.

    The ids tell nothing of the group, in name or order, because the ranking breaks ties by id.
    """
    phantoms = list(phantoms)
    ids = np.random.default_rng([seed, 1]).permutation(len(phantoms))
    rows = []
    for number, spec in zip(ids, phantoms):
        present = [f"{name}={severity:g}" for name, severity in asdict(spec.nuisances).items() if severity > 0]
        rows.append(
            {
                "study_id": f"p{number:04d}",
                "seed": spec.seed,
                "kind": spec.kind,
                "degree": f"{spec.degree:g}",
                "nuisances": ";".join(present),
                "transfer_syntax": "explicit_le",
                "instances": "plain",
                "series": "t2",
                "remark": group_of(spec),
            }
        )
    write_csv(path, COLUMNS, sorted(rows, key=lambda row: row["study_id"]))
