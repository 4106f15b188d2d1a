"""Polygons in millimetres painted into an 8-bit signal canvas and a texture canvas."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from matplotlib.path import Path

from lstv_evidence.phantom.scan import Scan

UNIT = 150.0
"""Canvas value of signal 1 (CSF)."""
_SUBPIXEL_BITS = 4

PLAIN, MARROW, MUSCLE, FAT, BELLY, LIGAMENT, FLUID = range(7)
"""Texture classes of the second canvas."""


class Painter:
    """Two uint8 canvases (height, width): ``signal`` in units of 1 / UNIT, ``texture`` with the classes above."""

    def __init__(self, scan: Scan) -> None:
        self._scan = scan
        self.signal = np.zeros((scan.height, scan.width), np.uint8)
        self.texture = np.zeros((scan.height, scan.width), np.uint8)

    def fill(self, outlines: Iterable[np.ndarray], signal: float, texture: int = PLAIN) -> None:
        """Fill polygons (K, 2) of (u, v) mm; later ones cover earlier ones."""
        for points in _fixed(self._scan, outlines):
            cv2.fillPoly(self.signal, [points], _value(signal), cv2.LINE_AA, _SUBPIXEL_BITS)
            cv2.fillPoly(self.texture, [points], texture, cv2.LINE_8, _SUBPIXEL_BITS)

    def lines(self, paths: Iterable[np.ndarray], signal: float, thickness: int = 1) -> None:
        """Draw open lines (K, 2) of (u, v) mm, ``thickness`` in pixels."""
        cv2.polylines(
            self.signal, _fixed(self._scan, paths), False, _value(signal), thickness, cv2.LINE_AA, _SUBPIXEL_BITS
        )


def mark(mask: np.ndarray, scan: Scan, outlines: Iterable[np.ndarray], values: Iterable[int]) -> None:
    """Give the pixels of ``mask`` uint8 (height, width) whose middle lies in a polygon (K, 2) of (u, v) mm its value;
    0 leaves them as they are. (``cv2.fillPoly`` also fills the pixels under the edge, which is half a pixel too much.)"""
    size = np.array([scan.width, scan.height])
    for points, value in zip(outlines, values):
        corners = scan.pixels(points)
        low = np.clip(np.floor(corners.min(axis=0)), 0, size).astype(int)
        high = np.clip(np.ceil(corners.max(axis=0)) + 1, 0, size).astype(int)
        if value and (high > low).all():
            columns, rows = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
            inside = Path(corners).contains_points(np.stack([columns, rows], axis=-1).reshape(-1, 2))
            mask[low[1] : high[1], low[0] : high[0]][inside.reshape(rows.shape)] = value


def _fixed(scan: Scan, outlines: Iterable[np.ndarray]) -> list[np.ndarray]:
    """Polygons in pixels, as fixed-point numbers."""
    scale = 1 << _SUBPIXEL_BITS
    return [np.rint(scan.pixels(points) * scale).astype(np.int32) for points in outlines]


def _value(signal: float) -> int:
    return min(max(round(float(signal) * UNIT), 0), 255)
