"""Label masks of a schematic straight spine: every structure a box, in the numbers of a program, with the series' grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lstv.base.levels import LEVELS
from lstv.dicom import nifti
from lstv.dicom.geometry import SliceGeometry
from lstv.second_reader.masks import Grid
from lstv.second_reader.numbering import NUMBERINGS

SPACING, GAP = 1.0, 4.0
SHAPE = (80, 330, 7)
"""Columns, rows, slices."""
BODY_ROWS, DISC_ROWS, COLUMNS = 26, 10, slice(20, 54)
AFFINE = np.array(
    [[0.0, 0.0, -GAP, 12.0], [-SPACING, 0.0, 0.0, 40.0], [0.0, -SPACING, 0.0, 160.0], [0.0, 0.0, 0.0, 1.0]]
)
"""A column leads to posterior, a row to inferior, a slice to the left."""

USUAL = ("T12", "L1", "L2", "L3", "L4", "L5", "S1")
SIX = ("T12", "L1", "L2", "L3", "L4", "L5", "L6", "S1")
FOUR = ("T12", "L1", "L2", "L3", "L4", "S1")
THIRTEEN = ("T12", "T13", "L1", "L2", "L3", "L4", "L5", "S1")


def numbering(name: str):
    return next(entry for group in NUMBERINGS.values() for entry in group if entry.name == name)


def labels(names=USUAL, style="spineps", first_row=4, discs=True, bodies=True) -> np.ndarray:
    """Labels uint8 (column, row, slice): the vertebrae ``names`` from top to bottom and the discs between them."""
    known = numbering(style)
    body = {name: number for number, name in known.vertebrae.items()}
    disc = {name: number for number, name in known.discs.items() if number != known.above_sacrum}
    result = np.zeros(SHAPE, np.uint8)
    row = first_row
    for index, name in enumerate(names):
        # the sacrum lies further back than the lumbar vertebrae, and L3 the furthest in front
        shift = 12 if name == "S1" else 0
        columns = slice(COLUMNS.start + shift, COLUMNS.stop + shift)
        if bodies:
            result[columns, row : row + BODY_ROWS, 1:6] = body[name]
        row += BODY_ROWS
        if discs and index + 1 < len(names):
            above_sacrum = names[index + 1] == "S1" and known.above_sacrum
            result[COLUMNS, row : row + DISC_ROWS, 1:6] = above_sacrum or disc[name]
        row += DISC_ROWS
    return result


def disc_mm(index: int, first_row=4) -> tuple[float, float, float]:
    """Middle of the disc below the vertebra of this index, in mm of the patient (LPS)."""
    row = first_row + index * (BODY_ROWS + DISC_ROWS) + BODY_ROWS + (DISC_ROWS - 1) / 2
    column = (COLUMNS.start + COLUMNS.stop - 1) / 2
    x, y, z, _ = AFFINE @ [column, row, 3, 1]
    return float(-x), float(-y), float(z)


def levels(first_disc=1, first_row=4, behind_mm=0.0, missing=()) -> dict[str, dict[str, object]]:
    """The point net's levels on five discs from the one of index ``first_disc`` on; ``behind_mm``: in the canal."""
    found = {}
    for index, level in enumerate(LEVELS):
        x, y, z = disc_mm(first_disc + index, first_row)
        found[level] = {"point_mm": None if level in missing else [x, y + behind_mm, z]}
    return found


def grid() -> Grid:
    """The series' grid of these masks, as the heatmap file has it."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ AFFINE
    centre = SHAPE[2] // 2
    return Grid(
        SliceGeometry(
            tuple((lps @ [0, 0, centre, 1])[:3]),
            (0.0, 1.0, 0.0),
            (0.0, 0.0, -1.0),
            SPACING,
            SPACING,
            SHAPE[1],
            SHAPE[0],
        ),
        centre,
        SHAPE[2],
    )


def write(path: Path, values: np.ndarray, affine: np.ndarray = AFFINE, **scale: float) -> Path:
    nifti.write(path, values, affine, **scale)
    return path
