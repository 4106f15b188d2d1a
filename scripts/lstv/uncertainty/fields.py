"""What the families share: positions on the grid, entropy of a distribution."""

from __future__ import annotations

import cv2
import numpy as np

from lstv.anatomy.points import FOUND, level_point
from lstv.base.arrays import FloatArray


def shannon(weights: FloatArray) -> float:
    """Shannon entropy in nats of non-negative weights normalised to sum 1, with 0 ln 0 = 0; the sum must be positive."""
    share = weights[weights > 0] / weights.sum()
    return max(0.0, -float((share * np.log(share)).sum()))


def is_found(probability: FloatArray) -> bool:
    """Whether any pixel of a level's map (H, W) exceeds 0.5."""
    return bool(probability.max() > FOUND)


def centre(probability: FloatArray) -> FloatArray | None:
    """(column, row) in grid pixels of a level's point (``anatomy.points``); None where the level is not found."""
    point = level_point(probability)
    return None if point is None else np.array(point)


def main_part_centre(probability: FloatArray) -> FloatArray:
    """(column, row) of the middle of the region around the peak where p is at least half the peak.

    The trained targets are plateaus, on which the position of the very maximum is arbitrary; this is not.
    """
    mask = (probability >= probability.max() / 2).astype(np.uint8)
    _, labels = cv2.connectedComponents(mask, connectivity=8)
    peak = np.unravel_index(probability.argmax(), probability.shape)
    rows, columns = np.nonzero(labels == labels[peak])
    return np.array([columns.mean(), rows.mean()])


def squared_distances(
    shape: tuple[int, ...], centre_px: FloatArray, spacing: tuple[float, float] = (1.0, 1.0)
) -> FloatArray:
    """Squared distance of every pixel from (column, row) ``centre_px``, float64 (H, W), in the unit of ``spacing``."""
    rows = (np.arange(shape[0])[:, None] - centre_px[1]) * spacing[0]
    columns = (np.arange(shape[1])[None, :] - centre_px[0]) * spacing[1]
    squared: FloatArray = rows**2 + columns**2
    return squared
