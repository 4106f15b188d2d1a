"""One phantom of the second generator: the patient, the scan and the look drawn together, its pixels and its truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lstv_evidence.phantom import masks, render, scan
from lstv_evidence.phantom.scan import Acquisition
from lstv_evidence.phantom.study import Phantom, Truth
from lstv_evidence.phantoms_by_patient import anatomy, picture
from lstv_evidence.phantoms_by_patient.spec import PatientSpec

_OTHER_MATRICES = ((512, 512), (288, 288), (512, 384), (256, 208), (400, 320))
"""(rows, columns) that no phantom scanner uses otherwise."""


@dataclass(frozen=True)
class PatientTruth(Truth):
    """``Truth`` with the number of lumbar vertebrae (5 or 6) and of lumbar discs that move (4 to 6)."""

    lumbar: int
    mobile_segments: int


@dataclass(frozen=True)
class PatientPhantom(Phantom):
    """A drawn phantom; see ``draw``. ``plan`` is what is stored; ``whole`` is the scan of which it is the part ``rows``,
    ``columns``."""

    spec: PatientSpec
    whole: Acquisition
    rows: slice
    columns: slice

    @property
    def truth(self) -> PatientTruth:
        """Kind, degree, numbers and points in patient millimetres."""

        spec = self.spec
        discs, canal = (self.points(where) for where in ("disc", "canal"))
        return PatientTruth(spec.kind, spec.degree, discs, canal, spec.lumbar, spec.mobile_segments)

    def body_points(self, where: str) -> dict[str, np.ndarray]:
        """(u, v, w) in mm of every counted disc by level name, where the picture shows it."""
        return picture.moved(super().body_points(where), self.spec, self.body)

    def sagittal(self, weighting: str = "T2", slices: tuple[int, ...] | None = None) -> np.ndarray:
        """Stored values uint16 (n, height, width), 0..4095, of the given slices (all by default); ``T2`` or ``T1``."""
        drawn = render.render(self.body, self.whole, self.look, weighting=weighting, slices=slices)
        altered = [picture.altered(image, self.spec, self.body, self.whole) for image in drawn]
        return np.stack([image[self.rows, self.columns] for image in altered])

    def masks(self, slices: tuple[int, ...] | None = None) -> np.ndarray:
        """Label masks uint8 (n, height, width) of the given slices (all by default), numbers as in ``phantom.masks``; the
        vertebra S1 is L6 where the lumbarization is complete."""
        values = masks.values(self.spec.lumbar)
        drawn = render.labels(self.body, self.whole, self.look, *values, slices=slices)
        altered = [picture.altered_labels(mask, self.spec, self.body, self.whole) for mask in drawn]
        return np.stack([mask[self.rows, self.columns] for mask in altered])


def draw(spec: PatientSpec) -> PatientPhantom:
    """Draw a phantom; the same spec gives the same phantom."""
    body = anatomy.build(spec)
    controls = spec.controls
    zoom = 1.0 - 0.2 * controls.small_field + 0.4 * controls.large_field
    rng = np.random.default_rng([spec.seed, 22])
    matrix = _OTHER_MATRICES[rng.integers(len(_OTHER_MATRICES))] if controls.other_matrix else None
    whole = scan.plan(body, zoom, matrix)
    rows, columns = slice(0, whole.height), slice(0, whole.width)
    if controls.five_levels:
        rows, columns = picture.window(controls.five_levels, body, whole)
    return PatientPhantom(spec, body, _part(whole, rows, columns), scan.look(body), whole, rows, columns)


def _part(whole: Acquisition, rows: slice, columns: slice) -> Acquisition:
    """The scan of some rows and columns of another."""
    u, v = whole.corner
    corner = (u + columns.start * whole.column_spacing, v - rows.start * whole.row_spacing)
    return replace(whole, corner=corner, height=rows.stop - rows.start, width=columns.stop - columns.start)
