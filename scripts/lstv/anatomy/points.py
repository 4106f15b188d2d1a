"""The point of a level: the middle of the main blob of its map. The one definition for all that uses points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

FOUND = 0.5
"""A level is found where its probability exceeds this in at least one pixel."""


def main_blob(probability: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Rows and columns of the pixels of a level's main blob; None where no pixel of the map (H, W) exceeds 0.5.

    The blob is the 8-connected part of {p > 0.5} with the largest sum of p. The mean position of all pixels above 0.5 would
    lie between two blobs: inside a vertebra, where they are on neighbouring discs.
    """
    found = probability > FOUND
    if not found.any():
        return None
    count, labels = cv2.connectedComponents(found.astype(np.uint8), connectivity=8)
    if count > 2:
        mass = np.bincount(labels.ravel(), weights=probability.ravel(), minlength=count)
        found = labels == 1 + int(np.argmax(mass[1:]))
    rows, columns = np.nonzero(found)
    return rows, columns


def level_point(probability: np.ndarray) -> tuple[float, float] | None:
    """(column, row) of a level on its map's grid: the middle of its main blob; None where it is not found."""
    blob = main_blob(probability)
    return None if blob is None else (float(blob[1].mean()), float(blob[0].mean()))


def level_points(logits: np.ndarray) -> list[tuple[float, float] | None]:
    """``level_point`` of each level, from logits of background and levels (1 + n, H, W)."""
    weights = np.exp(logits - logits.max(axis=0))
    return [level_point(level) for level in weights[1:] / weights.sum(axis=0)]


def level_distance(found: Mapping[int, Sequence[float]]) -> float:
    """Usual distance between neighbouring discs, in the unit of the points; NaN with fewer than two.

    ``found``: points by index of the level (0 = L1/L2). The median over levels that follow one another, so that one level
    too many or too few hardly changes it.
    """
    indices = sorted(found)
    if len(indices) < 2:
        return float("nan")
    steps = np.linalg.norm(np.diff([found[index] for index in indices], axis=0), axis=1)
    return float(np.median(steps / np.diff(indices)))
