"""What a localizer is shown and should say: the slices of phantoms on the network's grid, with canal points as targets."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lstv.base.levels import GRID, LEVELS
from lstv.dicom import intensities
from lstv_evidence.phantom.generators import draw
from lstv_evidence.phantom.spec import Nuisances, PhantomSpec
from lstv_evidence.phantom.study import Phantom

TARGET_RADIUS = 5.6
"""Radius in grid pixels of the disc that marks a level. With the soft edge that training leaves, the entropy of a found
level is then near 5.0, where the published point net's lies; a hard disc of radius 7 has it too, the logarithm of 149."""


@dataclass(frozen=True)
class Sample:
    """Slices of one phantom as the network sees them, the centre slice first.

    ``images`` uint8 (n, 160, 160); ``points`` (6, 2): (column, row) on the grid of L1/L2 .. L5/S1 and S1/S2, NaN where
    there is no such disc (S1/S2 unless lumbarized) or it lies outside the field; ``spacing``: (row, column) mm of a
    grid pixel.
    """

    spec: PhantomSpec
    images: np.ndarray
    points: np.ndarray
    spacing: tuple[float, float]


def make(spec: PhantomSpec, neighbours: int = 1, whole_series: bool = False) -> Sample:
    """Render a phantom's centre slice and ``neighbours`` slices on either side, prepared as at inference.

    With ``whole_series`` the intensity percentiles are those of all slices, as at inference; otherwise those of the
    shown slices and four lateral ones, which moves them by little and takes half the time.
    """
    phantom = draw(spec)
    count = len(phantom.plan.offsets)
    centre = count // 2
    shown = [centre, *(centre + side * k for k in range(1, neighbours + 1) for side in (-1, 1))]
    others = range(count) if whole_series else (1, count // 4, count - 1 - count // 4, count - 2)
    order = shown + [k for k in others if k not in shown]
    volume = phantom.sagittal(slices=tuple(order))
    scaled, _, _ = intensities.scale(
        list(volume), [intensities.IDENTITY] * len(volume), intensities.TRAINED_PERCENTILES
    )
    images = np.stack([cv2.resize(s, (GRID, GRID), interpolation=cv2.INTER_LINEAR) for s in scaled[: len(shown)]])
    return Sample(spec, images, grid_points(phantom), phantom.geometry[0].grid_spacing(GRID))


def grid_points(phantom: Phantom) -> np.ndarray:
    """Canal points (6, 2) (column, row) on the network's grid; NaN where absent or outside the field."""
    points = np.full((len(LEVELS) + 1, 2), np.nan)
    canal = phantom.body_points("canal")
    for k, level in enumerate((*LEVELS, "s1_s2")):
        if level in canal:
            pixel = phantom.plan.pixels(canal[level])
            points[k] = (pixel + 0.5) * GRID / np.array([phantom.plan.width, phantom.plan.height]) - 0.5
    outside = ~((points >= 0) & (points <= GRID - 1)).all(axis=1)
    points[outside] = np.nan
    return points


def training_spec(seed: int) -> PhantomSpec:
    """A normal phantom with mild nuisances, as the demo localizer is trained on."""
    rng = np.random.default_rng([seed, 7])

    def sometimes(chance: float, most: float) -> float:
        return float(rng.uniform(0.0, most)) if rng.random() < chance else 0.0

    return PhantomSpec(
        seed,
        nuisances=Nuisances(
            degeneration=sometimes(0.4, 0.8),
            scoliosis=sometimes(0.25, 0.6),
            crop_bottom=sometimes(0.15, 0.4),
            crop_top=sometimes(0.25, 1.0),
            low_contrast=sometimes(0.25, 0.7),
            ghosting=sometimes(0.2, 0.6),
            noise=sometimes(0.3, 0.6),
        ),
    )


def augment(image: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Random shift (mostly along the spine), zoom, tilt, contrast and noise; points outside the result become NaN."""
    zoom = float(np.exp(rng.normal(0.0, 0.09)))
    stretch = float(np.exp(rng.normal(0.0, 0.04)))
    angle = float(np.deg2rad(rng.normal(0.0, 4.0)))
    shift = np.array([rng.normal(0.0, 6.0), rng.normal(0.0, 18.0)])
    linear = zoom * np.array([[np.cos(angle) * stretch, -np.sin(angle)], [np.sin(angle), np.cos(angle) / stretch]])
    middle = (GRID - 1) / 2
    offset = middle + shift - linear @ [middle, middle]
    border = cv2.BORDER_CONSTANT if rng.random() < 0.5 else cv2.BORDER_REPLICATE
    moved = cv2.warpAffine(
        image, np.column_stack([linear, offset]), (GRID, GRID), flags=cv2.INTER_LINEAR, borderMode=border
    ).astype(np.float32)
    moved = 255.0 * (moved / 255.0) ** float(np.exp(rng.normal(0.0, 0.2))) * float(rng.uniform(0.85, 1.1))
    if rng.random() < 0.5:
        moved += rng.normal(0.0, rng.uniform(1.0, 9.0), moved.shape).astype(np.float32)
    points = points @ linear.T + offset
    points = np.where(((points >= 0) & (points <= GRID - 1)).all(axis=1, keepdims=True), points, np.nan)
    return np.clip(moved, 0, 255).astype(np.uint8), points


def target(points: np.ndarray) -> np.ndarray:
    """Classes uint8 (160, 160): k within TARGET_RADIUS of the k-th of the five points and nearest to it, else 0."""
    rows, columns = np.mgrid[:GRID, :GRID]
    known = points[: len(LEVELS)]
    distance = np.hypot(columns - known[:, :1, None], rows - known[:, 1:, None])
    distance = np.where(np.isfinite(distance), distance, np.inf)
    nearest = distance.argmin(axis=0)
    return np.where(distance.min(axis=0) <= TARGET_RADIUS, nearest + 1, 0).astype(np.uint8)
