"""A picture read at places in millimetres, and directions in its plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import scipy  # its parts are loaded where they are used

_OPENCV_ROUNDS = int(cv2.__version__.split(".")[0]) < 5
_OPENCVS_LONGEST = 32766
"""Most rows or columns that OpenCV's remap takes, of a picture and of places."""


@dataclass(frozen=True)
class Picture:
    """``pixels`` float32 (H, W), NaN where there is no picture; ``row_spacing``, ``column_spacing`` in mm."""

    pixels: np.ndarray
    row_spacing: float = 1.0
    column_spacing: float = 1.0

    def patches(
        self, centres: np.ndarray, axes: np.ndarray, across: np.ndarray, along_mm: np.ndarray, aside_mm: np.ndarray
    ) -> np.ndarray:
        """Intensities float32 (..., T, A) on small grids around ``centres`` (..., 2), bilinear; NaN where the picture
        ends.

        ``centres`` = (x, y) in mm from the first pixel's centre; ``along_mm`` (T,) is measured on ``axes`` (..., 2) and
        ``aside_mm`` (A,) on ``across`` (..., 2), all three of the same shape.
        """
        spacing = (self.column_spacing, self.row_spacing)
        columns, rows = (
            _grid(centres[..., i] / step, axes[..., i] / step, across[..., i] / step, along_mm, aside_mm)
            for i, step in enumerate(spacing)
        )
        read = bilinear(self.pixels, columns, rows, "constant")
        return read.reshape(*centres.shape[:-1], len(along_mm), len(aside_mm))


def bilinear(
    pixels: np.ndarray, columns: np.ndarray, rows: np.ndarray, beyond: Literal["constant", "nearest"]
) -> np.ndarray:
    """Intensities float32 at fractional places of the same shape (1-d or 2-d); beyond the picture NaN (``constant``) or its
    edge (``nearest``). OpenCV 4 rounds the places to a 32nd of a pixel, which shows in ratios: there SciPy reads, and takes
    fifteen times as long; so too where there is nothing, or more than OpenCV takes."""
    sides = (*pixels.shape, *columns.shape)
    if _OPENCV_ROUNDS or min(sides) == 0 or max(sides) > _OPENCVS_LONGEST:
        return scipy.ndimage.map_coordinates(
            pixels, np.stack([rows, columns]), output=np.float32, order=1, mode=beyond, cval=np.nan, prefilter=False
        )
    # of other types OpenCV 5 rounds the places too
    pixels, columns, rows = (np.asarray(values, dtype=np.float32) for values in (pixels, columns, rows))
    read = cv2.remap(pixels, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).reshape(columns.shape)
    if beyond == "constant":
        height, width = pixels.shape
        read[(columns < 0) | (columns > width - 1) | (rows < 0) | (rows > height - 1)] = np.nan
    return read


def _grid(centre: np.ndarray, axis: np.ndarray, across: np.ndarray, along: np.ndarray, aside: np.ndarray) -> np.ndarray:
    """One coordinate of all grids, float32 (N, T * A)."""
    line = (centre.reshape(-1, 1) + axis.reshape(-1, 1) * along).astype(np.float32)
    step = (across.reshape(-1, 1) * aside).astype(np.float32)
    return (line[:, :, None] + step[:, None, :]).reshape(len(line), -1)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., 2) of length 1."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def turned(axis: np.ndarray, posterior: np.ndarray, degrees: np.ndarray | float) -> np.ndarray:
    """``axis`` (..., 2) turned towards ``posterior`` (..., 2), both of length 1 and at right angles."""
    angle = np.deg2rad(np.asarray(degrees, dtype=np.float64))[..., None]
    return np.cos(angle) * axis + np.sin(angle) * posterior
