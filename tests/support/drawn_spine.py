"""A column of vertebrae and discs drawn by formula: every place, turn and contrast is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstv.dicom.geometry import SliceGeometry

MARROW, OUTSIDE = 100.0, 30.0


@dataclass(frozen=True)
class DrawnSpine:
    """``pixels`` uint8 (H, W) on ``plane``; ``discs`` (n, 2) = (x, y) in mm of the discs' middles, cranial to
    caudal."""

    pixels: np.ndarray
    plane: SliceGeometry
    discs: np.ndarray

    def grid(self, places: np.ndarray) -> list[tuple[float, float]]:
        """Places in mm as (column, row) on the 160 grid."""
        spacing = np.array([self.plane.column_spacing, self.plane.row_spacing])
        shape = np.array([self.plane.width, self.plane.height])
        return [tuple(point) for point in ((places / spacing + 0.5) / shape * 160 - 0.5)]


def draw(
    signals: list[float],
    *,
    gap: float = 36.0,
    first: float = 60.0,
    height: float = 10.0,
    tilt: float = 0.0,
    spacing: float = 0.8,
    size: tuple[float, float] = (300.0, 200.0),
    noise: float = 0.0,
    seed: int = 0,
) -> DrawnSpine:
    """Discs of ``signals`` (relative to marrow), ``gap`` mm apart from ``first`` mm below the upper edge, ``height`` mm
    tall, in a column 34 mm deep that is turned by ``tilt`` degrees to posterior about its first disc."""
    rows, columns = (int(round(side / spacing)) for side in size)
    y, x = np.mgrid[:rows, :columns] * spacing
    angle = np.deg2rad(tilt)
    axis, across = np.array([np.sin(angle), np.cos(angle)]), np.array([np.cos(angle), -np.sin(angle)])
    start = np.array([size[1] / 2, first])
    away = np.stack([x, y], axis=-1) - start
    along, aside = away @ axis, away @ across
    image = np.where(np.abs(aside) <= 17, MARROW, OUTSIDE)
    for number, signal in enumerate(signals):
        inside = (np.abs(along - number * gap) <= height / 2) & (np.abs(aside) <= 17)
        image = np.where(inside, MARROW * signal, image)
    image = image + np.random.default_rng(seed).normal(0, noise, image.shape) if noise else image
    plane = SliceGeometry((0.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0), spacing, spacing, rows, columns)
    discs = start + np.arange(len(signals))[:, None] * gap * axis
    return DrawnSpine(np.clip(np.rint(image), 0, 255).astype(np.uint8), plane, discs)
