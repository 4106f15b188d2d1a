"""A picture read at places in millimetres, and directions in its plane."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


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
        read = cv2.remap(
            self.pixels, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=float("nan")
        )
        return read.reshape(*centres.shape[:-1], len(along_mm), len(aside_mm))


def _grid(centre: np.ndarray, axis: np.ndarray, across: np.ndarray, along: np.ndarray, aside: np.ndarray) -> np.ndarray:
    """One coordinate of all grids, float32 (N, T * A): OpenCV reads maps of at most 32767 rows, so a row is a patch."""
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
