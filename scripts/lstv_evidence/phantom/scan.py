"""How a phantom is scanned: field of view, matrix, slices, contrast, coil, and the position of the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstv.base.arrays import triple
from lstv.dicom.geometry import SliceGeometry
from lstv_evidence.phantom.anatomy import L1, L3, L5, S1, Anatomy


@dataclass(frozen=True)
class Acquisition:
    """One sagittal acquisition. Frame of the body (see anatomy.py) and patient differ by ``turn`` and ``origin``.

    ``corner`` (u, v) in mm: centre of the first pixel; ``offsets`` (D,) in mm: lateral position of each slice, from
    right to left; ``row_spacing``, ``column_spacing`` in mm; ``turn`` in radians about the long axis of the patient;
    ``origin`` (3,) in mm: patient coordinates of the body frame's origin.
    """

    height: int
    width: int
    row_spacing: float
    column_spacing: float
    corner: tuple[float, float]
    offsets: np.ndarray
    thickness: float
    turn: float
    origin: np.ndarray

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Body coordinates (..., >= 2) in mm -> (column, row) indices (..., 2)."""
        scale = np.array([1 / self.column_spacing, -1 / self.row_spacing])
        return (points[..., :2] - self.corner) * scale

    def patient(self, points: np.ndarray) -> np.ndarray:
        """Body coordinates (..., 3) (u, v, w) in mm -> patient coordinates (..., 3) in mm."""
        points = np.asarray(points, dtype=np.float64)
        row, normal = self._axes()
        vertical = np.array([0.0, 0.0, 1.0])
        return self.origin + points[..., :1] * row + points[..., 1:2] * vertical + points[..., 2:3] * normal

    def slices(self) -> tuple[SliceGeometry, ...]:
        """Geometry of every slice, in the order of ``offsets``."""
        row, _ = self._axes()
        return tuple(
            SliceGeometry(
                position=triple(self.patient(np.array([*self.corner, offset]))),
                row_direction=triple(row),
                column_direction=(0.0, 0.0, -1.0),
                row_spacing=self.row_spacing,
                column_spacing=self.column_spacing,
                height=self.height,
                width=self.width,
            )
            for offset in self.offsets
        )

    def _axes(self) -> tuple[np.ndarray, np.ndarray]:
        """Patient directions of u (posterior) and w (left)."""
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        return np.array([sin, cos, 0.0]), np.array([cos, -sin, 0.0])


@dataclass(frozen=True)
class Look:
    """What the scanner makes of the tissue: signals relative to CSF, noise, coil.

    ``reach`` mm over which the surface coil's signal falls by e in front of the canal; ``saturation`` factor left of the
    signal of the belly under the saturation band; ``sharpness`` px of blur; ``phase_rows``: ghosts along the rows.
    """

    csf: float
    marrow: float
    muscle: float
    fat: float
    noise: float
    reach: float
    saturation: float
    sharpness: float
    ghost: float
    phase_rows: bool
    gain: float


MATRICES = ((256, 256), (320, 320), (384, 384), (448, 448), (320, 256), (384, 320), (448, 384), (352, 384))
"""(rows, columns) a phantom scanner may use."""


def plan(anatomy: Anatomy, zoom: float = 1.0, matrix: tuple[int, int] | None = None) -> Acquisition:
    """Place the field of view on an anatomy as a technologist would; crops leave the rest of the plan as it is.

    ``zoom``: factor on the size of the field; ``matrix``: (rows, columns) in place of those that are drawn, with the same
    field.
    """
    spec = anatomy.spec
    rng = np.random.default_rng([spec.seed, 3])
    rows, columns = MATRICES[rng.integers(len(MATRICES))]
    low, high = max(0.6, 235.0 / rows), min(0.9, 320.0 / rows)
    spacing = round(float(rng.uniform(low, max(low, high))), 4)
    stretch = round(spacing * float(rng.choice([1.0, 1.0, 1.0, 1.04])), 4)
    if zoom != 1.0 or matrix:
        drawn, (rows, columns) = (rows, columns), matrix or (rows, columns)
        spacing = round(spacing * zoom * drawn[0] / rows, 4)
        stretch = round(stretch * zoom * drawn[1] / columns, 4)
    field = rows * spacing
    # the field is centred below L3 and must hold L1 and the upper sacrum
    top = anatomy.height_of(L1) + 25.0
    bottom = anatomy.height_of(S1) - 40.0
    middle = anatomy.height_of(L3) + float(rng.normal(-20.0, 16.0))
    middle = min(max(middle, top - field / 2), bottom + field / 2) if field > top - bottom else (top + bottom) / 2
    crops = spec.nuisances
    if crops.crop_bottom:
        edge = np.interp(crops.crop_bottom, [0.0, 0.5, 1.0], [bottom, anatomy.height_of(S1), anatomy.height_of(L5)])
        middle = max(middle, edge + field / 2)
    if crops.crop_top:
        edge = np.interp(crops.crop_top, [0.0, 0.5, 1.0], [top, anatomy.height_of(L1), anatomy.height_of(L1 + 1)])
        middle = min(middle, edge - field / 2)
    left = -columns * stretch * float(np.clip(rng.normal(0.43, 0.05), 0.3, 0.56))
    count = int(rng.choice([11, 13, 15, 15, 17]))
    gap = float(rng.choice([4.0, 4.4, 4.8]))
    return Acquisition(
        height=int(rows),
        width=int(columns),
        row_spacing=spacing,
        column_spacing=stretch,
        corner=(left, middle + field / 2),
        offsets=(np.arange(count) - count // 2) * gap + float(rng.normal(0.0, 0.8)),
        thickness=4.0,
        turn=float(np.deg2rad(rng.normal(0.0, 2.0))),
        origin=np.round(rng.uniform([-12.0, -40.0, -60.0], [12.0, 20.0, 60.0]), 2),
    )


def look(anatomy: Anatomy) -> Look:
    """Draw contrast, coil and noise of a study."""
    nuisances = anatomy.spec.nuisances
    rng = np.random.default_rng([anatomy.spec.seed, 4])
    return Look(
        csf=1.0 - 0.5 * nuisances.low_contrast,
        marrow=float(np.clip(rng.normal(0.36, 0.06), 0.24, 0.5)) + 0.06 * nuisances.low_contrast,
        muscle=float(np.clip(rng.normal(0.14, 0.025), 0.09, 0.2)) + 0.06 * nuisances.low_contrast,
        fat=float(np.clip(rng.normal(0.82, 0.1), 0.6, 1.05)),
        noise=float(rng.uniform(0.010, 0.028)) + 0.07 * nuisances.noise,
        reach=float(rng.uniform(60.0, 200.0)),
        saturation=float(rng.uniform(0.12, 0.7)),
        sharpness=float(rng.uniform(0.45, 0.8)),
        ghost=0.16 * nuisances.ghosting,
        phase_rows=bool(rng.random() < 0.6),
        gain=float(rng.uniform(350.0, 1100.0)),
    )
