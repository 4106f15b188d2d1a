"""Is the picture fit for the question? Kept apart from uncertainty: a cropped spine is no doubtful junction.

Motion is not judged: on one slice resized to 160 x 160 pixels, ghosting and blur cannot be told from anatomy and coil
falloff by any rule that we could defend, and blur shows in the entropies of all levels alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstv.base.arrays import ByteArray
from lstv.base.levels import LEVELS
from lstv.uncertainty.context import StudyContext
from lstv.uncertainty.count import missing_levels
from lstv.uncertainty.registry import study_metric, warning

BORDER_MM = 12.0
"""A first or last point nearer to the edge than this (about half a vertebra) cannot be told from a cropped one."""

LOW_CONTRAST = 0.1
BLANK = 0.02
MIN_LEVELS = 3


@study_metric("quality")
def image_contrast(study: StudyContext) -> float:
    """Range of intensities of the centre slice as the network saw it.

    Formula: (percentile 99 - percentile 1) / 255
    Unit: share of the full range
    Range: 0 to 1
    Direction: low = blank or flat picture (flags quality_blank_image, quality_low_contrast)
    Undefined: never
    Source: this project
    """
    low, high = np.percentile(study.maps.image, [1, 99])
    return float(high - low) / 255


@study_metric("quality")
def field_of_view(study: StudyContext) -> float:
    """Height of the picture.

    Formula: rows of the slice * row spacing
    Unit: mm
    Range: above 0
    Direction: a fact of the acquisition, which a score should not depend on
    Undefined: never
    Source: DICOM PS3.3 C.7.6.2.1.1
    """
    return study.maps.geometry.row_spacing * study.maps.geometry.height


def content_rows(image: ByteArray) -> tuple[int, int]:
    """First and last row that is not empty padding (no pixel above 2 of 255); the whole image where all rows are."""
    filled = np.flatnonzero((image > 2).any(axis=1))
    return (int(filled[0]), int(filled[-1])) if filled.size else (0, len(image) - 1)


@study_metric("quality")
def cranial_border_distance(study: StudyContext) -> float:
    """Distance of L1/L2 from the cranial edge of the picture; where it is not found, of the place where it should be.

    Formula: |row of L1/L2 - edge row| * row spacing; a missing level is placed at the spacing of the next two
    Unit: mm
    Range: negative where the level would lie outside
    Direction: low = the field of view may be cropped; below 12 flagged (field_cropped_cranial) where there is no strip
    Undefined: fewer than two levels found (flags {level}_not_found)
    Source: this project
    """
    edge, _ = study.once(_edges)
    return _border_distance(study, range(len(LEVELS)), edge)


@study_metric("quality")
def caudal_border_distance(study: StudyContext) -> float:
    """Distance of L5/S1 from the caudal edge of the picture; where it is not found, of the place where it should be.

    Formula: |row of L5/S1 - edge row| * row spacing; a missing level is placed at the spacing of the two above it
    Unit: mm
    Range: negative where the level would lie outside
    Direction: low = the field of view may be cropped; below 12 flagged (field_cropped_caudal) where there is no strip
    Undefined: fewer than two levels found (flags {level}_not_found)
    Source: this project
    """
    _, edge = study.once(_edges)
    return _border_distance(study, range(len(LEVELS))[::-1], edge)


def _edges(study: StudyContext) -> tuple[int, int]:
    """The cranial and the caudal row at which the picture ends."""
    top, bottom = content_rows(study.maps.image)
    return (top, bottom) if study.superior[1] <= 0 else (bottom, top)


def _border_distance(study: StudyContext, inwards: Sequence[int], edge: int) -> float:
    """Distance in mm of the first of the levels ``inwards`` from the ``edge`` row, positive inside."""
    found = [(index, study.centre(level)[1]) for index, level in enumerate(inwards) if study.centres[level] is not None]
    if len(found) < 2:
        study.need(*inwards)
    (first, row), (second, inner) = found[:2]
    outermost = row + first * (row - inner) / (second - first)
    inward = 1.0 if inner > row else -1.0
    return float(inward * (outermost - edge) * study.spacing[0])


@warning
def cut_field(study: StudyContext) -> list[str]:
    """A large field was cut to the lumbar spine."""
    return [] if study.whole is study else ["field_cut_to_lumbar"]


@warning
def poor_contrast(study: StudyContext) -> list[str]:
    """The picture is blank or flat."""
    contrast = study.once(image_contrast)
    if contrast < BLANK:
        return ["quality_blank_image"]
    return ["quality_low_contrast"] if contrast < LOW_CONTRAST else []


@warning
def few_levels(study: StudyContext) -> list[str]:
    """No or hardly any level is found."""
    found = len(LEVELS) - study.once(missing_levels)
    if found == 0:
        return ["quality_no_level_found"]
    return ["quality_few_levels_found"] if found < MIN_LEVELS else []


@warning
def cropped_without_strip(study: StudyContext) -> list[str]:
    """The first or last level is near the edge; asked only where no strip tells what lies beyond it."""
    if study.maps.strip is not None:
        return []
    cranial, caudal = study.once(cranial_border_distance), study.once(caudal_border_distance)
    return ["field_cropped_cranial"] * (cranial < BORDER_MM) + ["field_cropped_caudal"] * (caudal < BORDER_MM)
