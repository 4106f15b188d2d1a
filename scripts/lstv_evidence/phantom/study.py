"""One phantom study: anatomy, scan and look drawn together, its pixels and its truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstv.base.arrays import triple
from lstv.dicom.geometry import SliceGeometry
from lstv_evidence.phantom import anatomy, axial, masks, render, scan
from lstv_evidence.phantom.spec import PhantomSpec


@dataclass(frozen=True)
class Truth:
    """What is known of a phantom. ``discs`` and ``canal``: (x, y, z) in mm of the patient by level name: the disc's centre
    and the middle of the thecal sac behind it. Five levels, and ``s1_s2`` as a sixth where S1 is lumbarized."""

    kind: str
    degree: float
    discs: dict[str, tuple[float, float, float]]
    canal: dict[str, tuple[float, float, float]]


@dataclass(frozen=True)
class Phantom:
    """A drawn phantom; see ``draw``."""

    spec: PhantomSpec
    body: anatomy.Anatomy
    plan: scan.Acquisition
    look: scan.Look

    @property
    def geometry(self) -> tuple[SliceGeometry, ...]:
        """Plane of each sagittal slice, from the patient's right to left."""
        return self.plan.slices()

    @property
    def truth(self) -> Truth:
        """Kind, degree and points in patient millimetres."""
        return Truth(self.spec.kind, self.spec.degree, self.points("disc"), self.points("canal"))

    def points(self, where: str) -> dict[str, tuple[float, float, float]]:
        """(x, y, z) in mm of the patient by level name, ``where`` = ``disc`` (centre) or ``canal``."""
        found = self.body_points(where)
        return {level: triple(self.plan.patient(point)) for level, point in found.items()}

    def body_points(self, where: str) -> dict[str, np.ndarray]:
        """(u, v, w) in mm of every counted disc by level name."""
        return self.body.points(where)

    def sagittal(self, weighting: str = "T2", slices: tuple[int, ...] | None = None) -> np.ndarray:
        """Stored values uint16 (n, height, width), 0..4095, of the given slices (all by default); ``T2`` or ``T1``."""
        return render.render(self.body, self.plan, self.look, weighting=weighting, slices=slices)

    def masks(self, slices: tuple[int, ...] | None = None) -> np.ndarray:
        """Label masks uint8 (n, height, width) of the given slices (all by default): vertebral bodies and discs by the
        numbers of ``masks.py``, 0 elsewhere."""
        return render.labels(self.body, self.plan, self.look, *masks.values(), slices=slices)

    def axial(self) -> tuple[np.ndarray, tuple[SliceGeometry, ...]]:
        """Axial T2 slices uint16 (5, 224, 224) through the lumbar discs, cranial to caudal, and their planes."""
        return axial.render(self.body, self.plan, self.look)


def draw(spec: PhantomSpec) -> Phantom:
    """Draw a phantom; the same spec gives the same phantom."""
    body = anatomy.build(spec)
    return Phantom(spec, body, scan.plan(body), scan.look(body))
