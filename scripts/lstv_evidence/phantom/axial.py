"""Axial T2 slices through the lumbar discs, plain ones: a decoy beside the sagittal series."""

from __future__ import annotations

import cv2
import numpy as np

from lstv.base.arrays import triple
from lstv.base.levels import LEVELS
from lstv.dicom.geometry import SliceGeometry
from lstv_evidence.phantom.anatomy import L1, Anatomy
from lstv_evidence.phantom.render import MAXIMUM, palette
from lstv_evidence.phantom.scan import Acquisition, Look

SIDE = 224
SPACING = 0.8
_ANGLES = np.linspace(0.0, 2 * np.pi, 48, endpoint=False)
_UNIT = 150.0


def render(anatomy: Anatomy, scan: Acquisition, look: Look) -> tuple[np.ndarray, tuple[SliceGeometry, ...]]:
    """Stored values uint16 (5, SIDE, SIDE) and planes (rows run to the left, columns to posterior)."""
    rng = np.random.default_rng([anatomy.spec.seed, 9])
    images, planes = [], []
    row_direction = scan.patient(np.array([0.0, 0.0, 1.0])) - scan.origin
    column_direction = scan.patient(np.array([1.0, 0.0, 0.0])) - scan.origin
    discs = anatomy.points("disc")
    for k, level in enumerate(LEVELS):
        u, v, w = discs[level]
        corner = np.array([u - 0.45 * SIDE * SPACING, v, w - 0.5 * SIDE * SPACING])
        images.append(_slice(anatomy, look, L1 + k, (w - corner[2], u - corner[0]), rng))
        planes.append(
            SliceGeometry(
                position=triple(scan.patient(corner)),
                row_direction=triple(row_direction),
                column_direction=triple(column_direction),
                row_spacing=SPACING,
                column_spacing=SPACING,
                height=SIDE,
                width=SIDE,
            )
        )
    return np.stack(images), tuple(planes)


def _slice(
    anatomy: Anatomy, look: Look, index: int, middle: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    tissue = palette(look, "T2")
    canvas = np.zeros((SIDE, SIDE), np.uint8)

    def blob(left: float, back: float, radii: tuple[float, float], signal: float, square: float = 1.0) -> None:
        circle = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
        outline = np.sign(circle) * np.abs(circle) ** square * radii + [middle[0] + left, middle[1] + back]
        points = np.rint(outline / SPACING * 16).astype(np.int32)
        cv2.fillPoly(canvas, [points], int(np.clip(signal * _UNIT, 0, 255)), cv2.LINE_AA, 4)

    size = anatomy.size
    depth = float(np.linalg.norm(anatomy.discs[index, 1] - anatomy.discs[index, 0]))
    half, wide = depth / 2, float(anatomy.half_width[index])
    blob(0, 20, (120, 72), tissue.fat, 0.8)
    blob(0, 12, (112, 70), tissue.belly, 0.8)
    for side in (-1, 1):
        blob(side * 24 * size, 46 * size, (23 * size, 22 * size), tissue.muscle, 0.8)
        blob(side * (wide + 15), 0, (15 * size, 18 * size), tissue.muscle)
    blob(9, -half - 11, (8, 8), tissue.vessel)
    blob(-13, -half - 10, (10, 7), tissue.vessel)
    blob(0, 0, (wide, half), tissue.annulus, 0.75)
    blob(0, 1, (0.72 * wide, 0.66 * half), float(anatomy.signal[index]) * tissue.disc)
    back = half + 8 * size
    blob(0, back + 13, (14 * size, 8 * size), 0.8 * tissue.fat)
    for side in (-1, 1):
        blob(side * 17 * size, back + 7, (7 * size, 9 * size), tissue.bone)
        blob(side * 17 * size, back + 7, (5.5 * size, 7.5 * size), tissue.marrow)
    blob(0, back, (9.5 * size, 7.5 * size), 0.12)
    blob(0, back, (8.7 * size, 6.8 * size), tissue.csf)
    for _ in range(14):
        blob(rng.uniform(-6, 6), back + rng.uniform(0, 5), (0.8, 0.8), tissue.roots)
    blob(0, back + 30, (4, 15), tissue.bone)
    blob(0, back + 30, (2.8, 13.5), tissue.marrow)
    image = cv2.GaussianBlur(canvas.astype(np.float32) / _UNIT, (5, 5), 0.8)
    grid = rng.standard_normal((28, 28), dtype=np.float32)
    image = image * (1 + 0.12 * cv2.resize(grid, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC))
    noise = look.noise * rng.standard_normal((2, SIDE, SIDE), dtype=np.float32)
    image = cv2.magnitude(image + noise[0], noise[1])
    return np.clip(np.rint(image * look.gain), 0, MAXIMUM).astype(np.uint16)
