"""What is known of how a study was acquired: the facts in which studies are compared with their like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstv.anatomy.points import level_distance
from lstv.base.arrays import FloatArray
from lstv.base.levels import LEVELS
from lstv.uncertainty.records import StudyRecord


def scan(records: Sequence[StudyRecord]) -> FloatArray:
    """Contrast of the picture and number of slices, float64 (studies, 2); NaN where one is not known."""
    return np.array(
        [
            [_number(record["study"].get("image_contrast")), _number(record["provenance"].get("n_slices"))]
            for record in records
        ]
    ).reshape(-1, 2)


def size(records: Sequence[StudyRecord]) -> FloatArray:
    """Logarithm of ``levels_in_view``, float64 (studies, 1); NaN where it is not known."""
    return np.log([[levels_in_view(record)] for record in records]).reshape(-1, 1)


def levels_in_view(record: StudyRecord) -> float:
    """Height of the picture in distances between discs; NaN with fewer than two levels found.

    The network sees every picture on a grid of the same size, so this says how large the spine is for it: a large field
    of a tall patient is as good as a usual field of a short one.
    """
    placed = {index: record["levels"][name]["point_mm"] for index, name in enumerate(LEVELS)}
    distance = level_distance({index: point for index, point in placed.items() if point is not None})
    height = _number(record["study"].get("field_of_view"))
    return float(height / distance) if distance > 0 and height > 0 else float("nan")


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
