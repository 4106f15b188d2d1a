"""Members: the neighbouring slices and the structured views of a slice that show how stable the numbering is.

A view is a fixed affine change of the field of view (shift, crop, zoom, small rotation) or of the intensities (gamma,
noise). There is no anterior-posterior flip: no scanner shows a spine that way. All is fixed, the noise by its seed, so that
the same slice gives the same members. Structured test-time augmentation: Wang et al. 2019, arXiv 1807.07356.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lstv.base.levels import GRID

SLICE_OFFSETS = (-2, -1, 1, 2)
"""Neighbours of the centre slice that serve as members."""

NOISE_SEED = 20240


@dataclass(frozen=True)
class View:
    """One view. ``matrix`` maps normalised output to input coordinates (x to the right, y down, -1 to 1 over the image),
    as torch's ``affine_grid`` takes it; ``gamma`` and ``noise`` (standard deviation in grey levels) change intensities."""

    name: str
    matrix: tuple[float, float, float, float, float, float] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    gamma: float = 1.0
    noise: float = 0.0


def _shift(pixels: int) -> View:
    return View(f"shift{pixels:+d}", (1.0, 0.0, 0.0, 0.0, 1.0, -2.0 * pixels / GRID))


def _crop(end: str, fraction: float) -> View:
    """The field of view loses ``fraction`` of its height at one end (and as much of its width, half at each side, so that
    the anatomy keeps its proportions)."""
    scale = 1.0 - fraction
    return View(
        f"crop-{end}-{fraction:.0%}", (scale, 0.0, 0.0, 0.0, scale, fraction if end == "cranial" else -fraction)
    )


def _zoom(factor: float) -> View:
    return View(f"zoom-{factor:g}", (1.0 / factor, 0.0, 0.0, 0.0, 1.0 / factor, 0.0))


def _rotation(degrees: float) -> View:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return View(f"rotation{degrees:+g}", (c, -s, 0.0, s, c, 0.0))


VIEWS = (
    *(_shift(pixels) for pixels in (-24, -16, -8, 8, 16, 24)),
    *(_crop(end, fraction) for end in ("cranial", "caudal") for fraction in (0.1, 0.2)),
    *(_zoom(factor) for factor in (0.9, 0.95, 1.05, 1.1)),
    *(_rotation(degrees) for degrees in (-10, -5, 5, 10)),
    *(View(f"gamma-{gamma:g}", gamma=gamma) for gamma in (0.7, 1.4)),
    *(View(f"noise-{noise:g}", noise=noise) for noise in (5.0, 12.0)),
)
"""The structured views, in the order of the heatmap file."""
