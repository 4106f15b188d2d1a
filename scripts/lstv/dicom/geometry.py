"""Where pixels of a slice lie in the patient (DICOM PS3.3 C.7.6.2.1.1, Image Plane Module)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lstv.base.arrays import FloatArray, triple


@dataclass(frozen=True)
class SliceGeometry:
    """Plane of one slice of ``height`` x ``width`` pixels.

    ``position`` is the centre of the first pixel (row 0, column 0) in mm of the DICOM patient system (x to the left,
    y to posterior, z to superior). ``row_direction`` is the unit vector along a row (column index grows),
    ``column_direction`` the one along a column (row index grows). ``row_spacing`` is the distance between rows and
    ``column_spacing`` the distance between columns, both in mm, as PixelSpacing orders them.
    """

    position: tuple[float, float, float]
    row_direction: tuple[float, float, float]
    column_direction: tuple[float, float, float]
    row_spacing: float
    column_spacing: float
    height: int
    width: int

    def to_patient(self, column: npt.ArrayLike, row: npt.ArrayLike) -> FloatArray:
        """Patient coordinates, float64 (..., 3) in mm, of (possibly fractional) column and row indices."""
        column = np.asarray(column, dtype=np.float64)[..., None]
        row = np.asarray(row, dtype=np.float64)[..., None]
        return (
            np.asarray(self.position, dtype=np.float64)
            + column * self.column_spacing * np.asarray(self.row_direction, dtype=np.float64)
            + row * self.row_spacing * np.asarray(self.column_direction, dtype=np.float64)
        )

    def resized(self, height: int, width: int) -> SliceGeometry:
        """The plane of the slice resized to ``height`` x ``width`` pixels, which keeps its outer edges in place."""
        return replace(
            self,
            position=triple(self.to_patient(0.5 * self.width / width - 0.5, 0.5 * self.height / height - 0.5)),
            row_spacing=self.row_spacing * self.height / height,
            column_spacing=self.column_spacing * self.width / width,
            height=height,
            width=width,
        )

    def grid_spacing(self, grid: int) -> tuple[float, float]:
        """(row, column) spacing in mm of this slice resized to ``grid`` x ``grid`` pixels."""
        return self.row_spacing * self.height / grid, self.column_spacing * self.width / grid

    def grid_to_patient(self, column: npt.ArrayLike, row: npt.ArrayLike, grid: int) -> FloatArray:
        """Patient coordinates in mm of indices on the ``grid`` x ``grid`` resized slice.

        Resizing keeps the image's outer edges in place, so a grid index u is the slice index (u + 0.5) * W / grid - 0.5.
        """
        column = (np.asarray(column, dtype=np.float64) + 0.5) * self.width / grid - 0.5
        row = (np.asarray(row, dtype=np.float64) + 0.5) * self.height / grid - 0.5
        return self.to_patient(column, row)
