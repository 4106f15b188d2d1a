"""Members: the neighbouring slices and the structured views of a slice that show how stable the numbering is.

A view is a fixed small rotation of the slice, or a change of its intensities (gamma, noise). There is no
anterior-posterior flip: no scanner shows a spine that way. Shifts, crops and zooms are not among them: the place that
they give to L5/S1 depends more on whether a field is cut to the five levels than on a changed junction, so they measure
the field of view (docs/evidence.md, "What the views tell"). All is fixed, the noise by its seed, so that the same slice
gives the same members. Structured test-time augmentation: Wang et al. 2019, arXiv 1807.07356.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

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


def _rotation(degrees: float) -> View:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return View(f"rotation{degrees:+g}", (c, -s, 0.0, s, c, 0.0))


VIEWS = (
    *(_rotation(degrees) for degrees in (-10, -5, 5, 10)),
    *(View(f"gamma-{gamma:g}", gamma=gamma) for gamma in (0.7, 1.4)),
    *(View(f"noise-{noise:g}", noise=noise) for noise in (5.0, 12.0)),
)
"""The structured views, in the order of the heatmap file."""
