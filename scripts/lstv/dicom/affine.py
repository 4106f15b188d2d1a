"""Affines: where the voxels of an image lie in the patient, and the slices of one as an affine.

An affine leads from voxel indices to millimetres to the patient's right, anterior and superior (RAS), as NIfTI has it; what
is called *patient* is DICOM's system, to the left, posterior and superior (LPS).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lstv.base.arrays import FloatArray, triple
from lstv.dicom.geometry import SliceGeometry

EXACT_MM = 0.01
"""An affine that puts every voxel this near to where the slices have it is exact: headers round no better."""
MOST_MISPLACED_MM = 0.1
"""Further away no voxel may come; in ``stacks`` images nearer to each other than this are of one place."""
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


class UnevenSlices(Exception):
    """No affine puts all slices where they lie; the text is a clause that says why."""


def to_patient(affine: FloatArray, voxels: npt.ArrayLike) -> FloatArray:
    """Patient coordinates, float64 (..., 3) in mm (LPS), of voxel indices (..., 3) under an affine to RAS mm."""
    points: FloatArray = np.asarray(voxels, dtype=np.float64) @ affine[:3, :3].T + affine[:3, 3]
    return points * [-1.0, -1.0, 1.0]


def to_voxels(affine: FloatArray, patient: npt.ArrayLike) -> FloatArray:
    """(Fractional) voxel indices, float64 (..., 3), of patient coordinates (..., 3) in mm (LPS)."""
    points = np.asarray(patient, dtype=np.float64) * [-1.0, -1.0, 1.0]
    indices: FloatArray = (points - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    return indices


def affine_of(planes: Sequence[SliceGeometry]) -> FloatArray:
    """The affine, float64 (4, 4) to RAS mm, of slices in order whose voxels are (column, row, slice).

    Raises UnevenSlices where no affine puts all of them within ``MOST_MISPLACED_MM`` of where they lie: slices at
    unequal distances, turned against each other or of unlike size or spacing.
    """
    sizes = {(plane.height, plane.width) for plane in planes}
    if len(sizes) > 1 or len(planes) < 2:
        raise UnevenSlices("its slices are not all of one size" if len(sizes) > 1 else "it has a single slice")
    positions = np.array([plane.position for plane in planes], dtype=np.float64)
    number = np.arange(len(planes), dtype=np.float64)
    step, first = np.polyfit(number, positions, 1)
    rows = np.mean([plane.column_spacing * np.asarray(plane.row_direction) for plane in planes], axis=0)
    columns = np.mean([plane.row_spacing * np.asarray(plane.column_direction) for plane in planes], axis=0)
    patient = np.eye(4)
    patient[:3] = np.column_stack([rows, columns, step, first])
    affine: FloatArray = _LPS @ patient
    away = misplacement(affine, planes)
    if away > MOST_MISPLACED_MM:
        raise UnevenSlices(
            f"its slices do not lie evenly: one affine for all would misplace some by {away:.2f} mm (slices are missing or "
            "lie askew)"
        )
    return affine


def misplacement(affine: FloatArray, planes: Sequence[SliceGeometry]) -> float:
    """Largest distance in mm between where an affine of voxels (column, row, slice) and the slices have a corner."""
    away = 0.0
    for index, plane in enumerate(planes):
        corners = [(column, row) for column in (0, plane.width - 1) for row in (0, plane.height - 1)]
        own = np.array([plane.to_patient(*corner) for corner in corners])
        made = to_patient(affine, [(*corner, index) for corner in corners])
        away = max(away, float(np.linalg.norm(own - made, axis=1).max()))
    return away


def planes_of(affine: FloatArray, shape: Sequence[int], slice_axis: int) -> list[SliceGeometry]:
    """The slices along ``slice_axis`` of an image of three axes: a row runs along the first, a column along the second of
    its other axes."""
    along_row, along_column = (axis for axis in range(3) if axis != slice_axis)
    patient = (_LPS @ affine)[:3]
    spacings = np.linalg.norm(patient[:, :3], axis=0)
    unit = patient[:, :3] / spacings
    return [
        SliceGeometry(
            triple(patient[:, 3] + index * patient[:, slice_axis]),
            triple(unit[:, along_row]),
            triple(unit[:, along_column]),
            float(spacings[along_column]),
            float(spacings[along_row]),
            int(shape[along_column]),
            int(shape[along_row]),
        )
        for index in range(shape[slice_axis])
    ]


def apart(one: FloatArray, other: FloatArray, shape: Sequence[int]) -> float:
    """Largest distance in mm between where two affines put a corner of an image of ``shape``."""
    corners = list(itertools.product(*((0, length - 1) for length in (*shape, 1, 1)[:3])))
    return float(np.linalg.norm(to_patient(one, corners) - to_patient(other, corners), axis=1).max())
