"""Is the picture fit for the question? Kept apart from uncertainty: a cropped spine is no doubtful junction.

Motion is not judged: on one slice resized to 160 x 160 pixels, ghosting and blur cannot be told from anatomy and coil
falloff by any rule that we could defend, and blur shows in the entropies of all levels alike.
"""

from __future__ import annotations

import numpy as np

from lstv.base.arrays import ByteArray
from lstv.uncertainty.registry import metric

BORDER_MM = 12.0
"""A first or last point nearer to the edge than this (about half a vertebra) cannot be told from a cropped one."""

LOW_CONTRAST = 0.1
BLANK = 0.02
MIN_LEVELS = 3


@metric("image_contrast", scope="study", family="quality")
def image_contrast(image: ByteArray) -> float:
    """Range of intensities of the centre slice as the network saw it.

    Formula: (percentile 99 - percentile 1) / 255
    Unit: share of the full range
    Range: 0 to 1
    Direction: low = blank or flat picture (flags quality_blank_image, quality_low_contrast)
    Undefined: never
    Source: this project
    """
    low, high = np.percentile(image, [1, 99])
    return float(high - low) / 255


def content_rows(image: ByteArray) -> tuple[int, int]:
    """First and last row that is not empty padding (no pixel above 2 of 255); the whole image where all rows are."""
    filled = np.flatnonzero((image > 2).any(axis=1))
    return (int(filled[0]), int(filled[-1])) if filled.size else (0, len(image) - 1)


@metric("cranial_border_distance", scope="study", family="quality")
def cranial_border_distance(rows: list[float | None], edge: float, row_spacing: float) -> float | None:
    """Distance of L1/L2 from the cranial edge of the picture; where it is not found, of the place where it should be.

    Formula: |row of L1/L2 - edge row| * row spacing; a missing level is placed at the spacing of the next two
    Unit: mm
    Range: negative where the level would lie outside
    Direction: below 12 = the field of view may be cropped (flag quality_cropped_cranial)
    Undefined: fewer than two levels found (flags {level}_not_found)
    Source: this project
    """
    return _border_distance(rows, edge, row_spacing)


@metric("caudal_border_distance", scope="study", family="quality")
def caudal_border_distance(rows: list[float | None], edge: float, row_spacing: float) -> float | None:
    """Distance of L5/S1 from the caudal edge of the picture; where it is not found, of the place where it should be.

    Formula: |row of L5/S1 - edge row| * row spacing; a missing level is placed at the spacing of the two above it
    Unit: mm
    Range: negative where the level would lie outside
    Direction: below 12 = the field of view may be cropped (flag quality_cropped_caudal)
    Undefined: fewer than two levels found (flags {level}_not_found)
    Source: this project
    """
    return _border_distance(rows[::-1], edge, row_spacing)


def _border_distance(rows: list[float | None], edge: float, row_spacing: float) -> float | None:
    """``rows`` from the outermost level inwards, None where not found; the sign is positive inside."""
    found = [(index, row) for index, row in enumerate(rows) if row is not None]
    if len(found) < 2:
        return None
    (first, row), (second, inner) = found[:2]
    outermost = row + first * (row - inner) / (second - first)
    inward = 1.0 if inner > row else -1.0
    return float(inward * (outermost - edge) * row_spacing)


def quality_flags(contrast: float, found: int, cranial: float | None, caudal: float | None) -> list[str]:
    """Flags for what makes a study unfit; empty where it is fit. ``found`` is the number of levels found."""
    flags = []
    if contrast < BLANK:
        flags.append("quality_blank_image")
    elif contrast < LOW_CONTRAST:
        flags.append("quality_low_contrast")
    if found == 0:
        flags.append("quality_no_level_found")
    elif found < MIN_LEVELS:
        flags.append("quality_few_levels_found")
    if cranial is not None and cranial < BORDER_MM:
        flags.append("quality_cropped_cranial")
    if caudal is not None and caudal < BORDER_MM:
        flags.append("quality_cropped_caudal")
    return flags
