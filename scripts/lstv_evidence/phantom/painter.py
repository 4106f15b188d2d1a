"""Polygons in millimetres painted into an 8-bit signal canvas and a texture canvas."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from lstv_evidence.phantom.scan import Acquisition

UNIT = 150.0
"""Canvas value of signal 1 (CSF)."""
_SUBPIXEL_BITS = 4

PLAIN, MARROW, MUSCLE, FAT, BELLY, LIGAMENT, FLUID = range(7)
"""Texture classes of the second canvas."""


class Painter:
    """Two uint8 canvases (height, width): ``signal`` in units of 1 / UNIT, ``texture`` with the classes above."""

    def __init__(self, scan: Acquisition) -> None:
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


def mark(mask: np.ndarray, scan: Acquisition, outlines: Iterable[np.ndarray], values: Iterable[int]) -> None:
    """Give the pixels of ``mask`` uint8 (height, width) that polygons (K, 2) of (u, v) mm cover their values; 0 leaves them
    as they are. Covered is what ``Painter.fill`` paints by half or more: its brush reaches 0.6 pixels beyond a polygon."""
    for points, value in zip(_fixed(scan, outlines), values):
        if value:
            brush = np.zeros_like(mask)
            cv2.fillPoly(brush, [points], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
            mask[brush > 127] = value


def _fixed(scan: Acquisition, outlines: Iterable[np.ndarray]) -> list[np.ndarray]:
    """Polygons in pixels, as fixed-point numbers."""
    scale = 1 << _SUBPIXEL_BITS
    return [np.rint(scan.pixels(points) * scale).astype(np.int32) for points in outlines]


def _value(signal: float) -> int:
    return min(max(round(float(signal) * UNIT), 0), 255)
