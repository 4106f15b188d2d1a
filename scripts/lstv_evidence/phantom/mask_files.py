"""A phantom's truth as the programs of the second reader would write it: their label numbers, NIfTI voxels and affine."""

from __future__ import annotations

import numpy as np

from lstv.base.arrays import FloatArray
from lstv.second_reader.numbering import NUMBERINGS, SPINEPS, TOTALSPINESEG, VERTEBRAE, Numbering
from lstv_evidence.phantom import masks, render
from lstv_evidence.phantom.study import Phantom

SEGMENTS = "spineps_segments"
"""SPINEPS' numbers with a number for each sacral segment, as TPTBox has them; SPINEPS itself makes the sacrum one piece."""
STYLES = (SPINEPS, SEGMENTS, TOTALSPINESEG, "totalspineseg_first")
_TO_NIFTI = np.diag([-1.0, -1.0, 1.0, 1.0])


def volume(phantom: Phantom, style: str = SPINEPS, lumbar: int | None = None) -> tuple[np.ndarray, FloatArray]:
    """Labels uint8 (column, row, slice) in a program's numbers, and the affine (4, 4) to RAS mm.

    ``style`` of STYLES; ``lumbar``: how many lumbar vertebrae the program counts (default: as the phantom's own masks).
    Only SPINEPS numbers say L6 and S2 to S5; the first numbering of TotalSpineSeg has no L6, whose voxels are left out.
    """
    if lumbar is None:
        labels = phantom.masks()
    else:
        labels = render.labels(phantom.body, phantom.plan, phantom.look, *masks.values(lumbar))
    if style != SEGMENTS:
        labels = _translation(style, int(labels.max()))[_in_one_piece(labels)]
    return np.ascontiguousarray(labels.transpose(2, 1, 0)), affine(phantom)


def affine(phantom: Phantom) -> FloatArray:
    """Voxel (column, row, slice) -> RAS mm of a phantom's sagittal series."""
    first, last = phantom.geometry[0], phantom.geometry[-1]
    result = np.eye(4)
    result[:3, 0] = np.multiply(first.row_direction, first.column_spacing)
    result[:3, 1] = np.multiply(first.column_direction, first.row_spacing)
    result[:3, 2] = np.subtract(last.position, first.position) / (len(phantom.geometry) - 1)
    result[:3, 3] = first.position
    nifti: FloatArray = _TO_NIFTI @ result
    return nifti


def _in_one_piece(labels: np.ndarray) -> np.ndarray:
    """The sacrum as one structure: its segments and the discs between them."""
    sacral = [number for number, name in _spineps().vertebrae.items() if name.startswith("S")]
    inside = np.isin(labels, [*sacral, *(masks.DISC + number for number in sacral)])
    return np.where(inside, masks.S1_LABEL, labels)


def _spineps() -> Numbering:
    (numbering,) = NUMBERINGS[SPINEPS]
    return numbering


def _translation(style: str, largest: int) -> np.ndarray:
    """Number in another numbering of each of SPINEPS' numbers up to ``largest``; 0 where it has none."""
    other = next(entry for group in NUMBERINGS.values() for entry in group if entry.name == style)
    own = _spineps()
    table = np.zeros(max(largest, masks.S1_LABEL) + 1, np.uint8)
    for wanted, given in ((other.vertebrae, own.vertebrae), (other.discs, own.discs)):
        by_name = {name: number for number, name in wanted.items()}
        for number, name in given.items():
            if number < len(table) and name in by_name and name in VERTEBRAE:
                table[number] = by_name[name]
    six = masks.L6_LABEL + masks.DISC
    if other.above_sacrum is not None and largest >= six:
        # with six lumbar vertebrae L5/L6 has a number of its own
        table[six], table[masks.DISC + _LUMBAR_5] = other.above_sacrum, _L5_L6
    return table


_LUMBAR_5, _L5_L6 = 24, 96
