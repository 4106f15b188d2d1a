"""The generators of phantoms by name, as study lists name them."""

from __future__ import annotations

from lstv.base.errors import UserError
from lstv_evidence.phantom import study
from lstv_evidence.phantom.spec import PhantomSpec, parse_nuisances
from lstv_evidence.phantom.study import Phantom
from lstv_evidence.phantoms_by_patient import spec as by_patient
from lstv_evidence.phantoms_by_patient import study as patient_study
from lstv_evidence.phantoms_by_patient.spec import PatientSpec


def parse(generator: str, seed: int, kind: str, degree: float, nuisances: str) -> PhantomSpec:
    """The spec of a line of a study list; an empty ``generator`` is the first. Raises UserError on unknown names."""
    if generator == PatientSpec.GENERATOR:
        return PatientSpec(seed, kind, degree, *by_patient.parse_nuisances(nuisances))
    if generator in ("", PhantomSpec.GENERATOR):
        return PhantomSpec(seed, kind, degree, parse_nuisances(nuisances))
    known = ", ".join((PhantomSpec.GENERATOR, PatientSpec.GENERATOR))
    raise UserError(f"generator {generator!r} is unknown; use one of {known}.")


def draw(spec: PhantomSpec) -> Phantom:
    """The phantom of a spec, by the generator of its kind; the same spec gives the same phantom."""
    return patient_study.draw(spec) if isinstance(spec, PatientSpec) else study.draw(spec)
