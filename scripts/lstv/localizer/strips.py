"""The strip of a study: cut once the network has said where the discs are, from slices kept in their own resolution."""

from __future__ import annotations

import cv2
import numpy as np

from lstv.anatomy import offset, points, strip
from lstv.anatomy.picture import Picture
from lstv.anatomy.strip import Strip
from lstv.base.arrays import ByteArray, RealArray
from lstv.base.levels import GRID
from lstv.dicom.geometry import SliceGeometry
from lstv.dicom.series import SagittalVolume

LARGEST = 512
"""Longest side of the slices that are kept: a strip has 1 mm pixels, and a lumbar field of view is 250 to 500 mm."""

_LEAST_STEP_MM = 1.0
"""Pixels of the strip have 1 mm; no curve is laid through points that are closer."""


def kept_slices(series: SagittalVolume) -> ByteArray:
    """The centre slice and its neighbours, uint8 (1 to 3, H, W), none of its sides longer than 512."""
    centre, depth = series.centre, len(series.volume)
    indices = [centre, *(index for index in (centre - 1, centre + 1) if 0 <= index < depth)]
    return shrunken(series.volume[indices])


def shrunken(slices: ByteArray) -> ByteArray:
    """Slices (n, H, W) of which no side is longer than 512."""
    height, width = slices.shape[1:]
    share = min(1.0, LARGEST / max(height, width))
    if share == 1.0:
        return np.ascontiguousarray(slices)
    size = (max(1, round(width * share)), max(1, round(height * share)))
    return np.stack([cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in slices]).astype(
        np.uint8, copy=False
    )


def cut(slices: ByteArray, plane: SliceGeometry, logits: RealArray, marks: str) -> Strip | None:
    """The strip along the discs of a study; None where its points make no column (``strip.column``).

    ``slices`` from ``kept_slices`` of a series whose centre slice lies in ``plane``; ``logits`` (6, 160, 160) of that slice;
    ``marks`` canal | disc.
    """
    plane = plane.resized(*slices.shape[1:])
    column = strip.column(points.level_points(logits), GRID, plane)
    if column is None:
        return None
    picture = Picture(slices[0].astype(np.float32), plane.row_spacing, plane.column_spacing)
    forward = offset.disc_offset(picture, column, marks)
    if column.moved(forward).lengths().min() < _LEAST_STEP_MM:  # bent so much that the discs would fall together
        return None
    return strip.lay(slices, plane, column, forward)
