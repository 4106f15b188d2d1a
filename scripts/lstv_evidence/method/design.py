"""The phantoms of the method studies: which groups, how many, how far gone. Fixed before any result was seen.

There are two studies, one with each generator of phantoms. Seeds of the first start between those that the demo localizer
was measured with (from 500,000) and those that it was trained on (from 1,000,000); those of the second are far above.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lstv.base.atomic import write_csv
from lstv.base.errors import Setting, UserError
from lstv_evidence.phantom.cohort import COLUMNS, GENERATOR
from lstv_evidence.phantom.spec import Nuisances, PhantomSpec
from lstv_evidence.phantoms_by_patient.spec import Controls, PatientSpec

_SEEDS_A_STUDY = 1_000
_STUDIES = 400

TRANSITIONAL = ("sacralized", "lumbarized")
SEVERITIES = (0.5, 1.0)
"""Lowest and highest severity of a nuisance; from 0.5 on most are stronger than what the demo localizer was trained with."""

ORDINARY = "ordinary"


@dataclass(frozen=True)
class Design:
    """Number of ordinary spines, of transitional ones for each kind and degree, and of spines for each nuisance."""

    ordinary: int = 200
    each_degree: int = 10
    each_nuisance: int = 20


@dataclass(frozen=True)
class MethodStudy:
    """A study of the method: the generator of its phantoms and its groups. ``first_seed``: of the study with seed 0."""

    generator: str
    degrees: tuple[float, ...]
    nuisances: tuple[str, ...]
    first_seed: int
    design: Design = field(default_factory=Design)

    def spec(self, seed: int, kind: str, degree: float, nuisance: str = "", severity: float = 0.0) -> PhantomSpec:
        """A phantom of the study's generator with at most one nuisance."""

        def chosen(names: type) -> dict[str, float]:
            return {nuisance: severity} if nuisance in {item.name for item in fields(names)} else {}

        nuisances = Nuisances(**chosen(Nuisances))
        if self.generator == PatientSpec.GENERATOR:
            return PatientSpec(seed, kind, degree, nuisances, Controls(**chosen(Controls)))
        return PhantomSpec(seed, kind, degree, nuisances)


_SHARED = tuple(item.name for item in fields(Nuisances))
FIRST = MethodStudy(PhantomSpec.GENERATOR, (0.2, 0.4, 0.6, 0.8, 1.0), _SHARED, 600_000)
SECOND = MethodStudy(
    PatientSpec.GENERATOR,
    (0.2, 0.4, 0.6, 0.8),
    tuple(item.name for item in fields(Controls)) + _SHARED,
    400_000_000,
    Design(each_degree=15),
)
METHOD_STUDIES = {study.generator: study for study in (FIRST, SECOND)}


class ListedPhantom(NamedTuple):
    """A phantom of a study: its id, how it is drawn, and its group (see ``group_of``)."""

    study_id: str
    spec: PhantomSpec
    group: str

    @property
    def kind(self) -> str:
        """``normal``, ``sacralized`` or ``lumbarized``."""
        return self.spec.kind

    @property
    def degree(self) -> float:
        """0 to 1: how far the junction has moved."""
        return self.spec.degree


def group_of(spec: PhantomSpec) -> str:
    """``ordinary``, the transitional kind, or the name of the one nuisance of an otherwise ordinary spine.

    Raises UserError for a spine with several nuisances, or with a nuisance and a transitional vertebra.
    """
    present = list(spec.present)
    if len(present) + (spec.kind in TRANSITIONAL) > 1:
        raise UserError(
            f"phantom {spec.seed} is in several groups at once ({', '.join([spec.kind, *present])}); "
            "a study of the method has at most one departure from the ordinary."
        )
    return spec.kind if spec.kind in TRANSITIONAL else present[0] if present else ORDINARY


def method_study_of(phantoms: Iterable[PhantomSpec]) -> MethodStudy:
    """The study that phantoms belong to. Raises UserError where they are of several generators."""
    generators = sorted({spec.GENERATOR for spec in phantoms})
    if len(generators) != 1:
        raise UserError(f"the phantoms are of several generators ({', '.join(generators)}); give those of one study.")
    return METHOD_STUDIES[generators[0]]


def method_study_of_record(record: dict) -> MethodStudy:
    """The study that a record of ``study.evaluate`` is of; the oldest records name no generator."""
    return METHOD_STUDIES[record.get("generator", FIRST.generator)]


def specs(design: Design, seed: int, study: MethodStudy = FIRST) -> list[PhantomSpec]:
    """All phantoms of a study, group by group, each with a seed of its own. Raises UserError for impossible numbers."""
    for name, number in asdict(design).items():
        if number < 0:
            raise UserError(f"the number of phantoms {name} is {number}; give 0 or more.")
    wanted: list[tuple] = [("normal", 0.0)] * design.ordinary
    wanted += [(kind, degree) for kind in TRANSITIONAL for degree in study.degrees for _ in range(design.each_degree)]
    wanted += [
        ("normal", 0.0, name, round(float(severity), 3))
        for name in study.nuisances
        for severity in np.linspace(*SEVERITIES, design.each_nuisance)
    ]
    if not 0 < len(wanted) <= _SEEDS_A_STUDY:
        raise UserError(f"the method study would have {len(wanted)} phantoms; give 1 to {_SEEDS_A_STUDY}.")
    if not 0 <= seed < _STUDIES:
        raise UserError(
            Setting("seed", "the seed"), f" is {seed}; give 0 to {_STUDIES - 1}, so that no phantom was trained on."
        )
    first = study.first_seed + seed * _SEEDS_A_STUDY
    return [study.spec(first + k, *what) for k, what in enumerate(wanted)]


def listed(phantoms: Iterable[PhantomSpec], seed: int) -> list[ListedPhantom]:
    """The phantoms under ids that tell nothing of the group, in name or order, because the ranking breaks ties by id."""
    phantoms = list(phantoms)
    ids = np.random.default_rng([seed, 1]).permutation(len(phantoms))
    found = [ListedPhantom(f"p{number:04d}", spec, group_of(spec)) for number, spec in zip(ids, phantoms)]
    return sorted(found, key=lambda item: item.study_id)


def write_list(phantoms: Iterable[PhantomSpec], seed: int, path: Path) -> None:
    """Write the list of phantoms that ``make_demo_cohort.py`` reads: uncompressed, sagittal T2 only."""
    rows = [
        {
            "study_id": item.study_id,
            "seed": item.spec.seed,
            "kind": item.kind,
            "degree": f"{item.degree:g}",
            "nuisances": ";".join(f"{name}={severity:g}" for name, severity in item.spec.present.items()),
            "transfer_syntax": "explicit_le",
            "instances": "plain",
            "series": "t2",
            "remark": item.group,
            GENERATOR: item.spec.GENERATOR,
        }
        for item in listed(phantoms, seed)
    ]
    write_csv(path, (*COLUMNS, GENERATOR), rows)
