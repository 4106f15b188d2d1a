"""Members: the neighbouring slices and the structured views of a slice that show how stable the numbering is.

A view is a fixed affine change of the field of view (shift, crop, zoom, small rotation) or of the intensities (gamma,
noise). There is no anterior-posterior flip: no scanner shows a spine that way. All is fixed, the noise by its seed, so that
the same slice gives the same members. Structured test-time augmentation: Wang et al. 2019, arXiv 1807.07356.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from lstv.levels import GRID

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


class ViewMaker:
    """Makes all views of a batch of slices on one device and maps their heatmaps back."""

    def __init__(self, device: torch.device) -> None:
        matrices = torch.tensor([view.matrix for view in VIEWS], dtype=torch.float32).reshape(-1, 2, 3)
        square = torch.cat([matrices, torch.tensor([[[0.0, 0.0, 1.0]]]).expand(len(VIEWS), 1, 3)], dim=1)
        inverse = torch.linalg.inv(square)[:, :2]
        size = [len(VIEWS), 1, GRID, GRID]
        self._forward = F.affine_grid(matrices, size, align_corners=False).to(device)
        self._backward = F.affine_grid(inverse, size, align_corners=False).to(device)
        self._gamma = torch.tensor([view.gamma for view in VIEWS], device=device).reshape(-1, 1, 1, 1)
        # drawn on the CPU so that every device adds the same noise
        noise = torch.randn(size, generator=torch.Generator().manual_seed(NOISE_SEED))
        strength = torch.tensor([view.noise for view in VIEWS]).reshape(-1, 1, 1, 1)
        self._noise = (noise * strength).to(device)
        seen = F.grid_sample(torch.ones(size, device=device), self._backward, align_corners=False)
        self.valid = (seen > 0.99)[:, 0].cpu().numpy()
        """bool (V, 160, 160): pixels of the centre slice that each view saw."""

    def make(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 (B, 160, 160) -> uint8 (B, V, 160, 160). What lies outside the slice is black."""
        batch = len(images)
        stacked = images[:, None, None].expand(-1, len(VIEWS), -1, -1, -1).reshape(-1, 1, GRID, GRID).float()
        grid = self._forward.repeat(batch, 1, 1, 1)
        views = F.grid_sample(stacked, grid, align_corners=False).reshape(batch, len(VIEWS), 1, GRID, GRID)
        views = 255 * (views / 255).clamp(0, 1) ** self._gamma + self._noise
        return views.round().clamp(0, 255).to(torch.uint8)[:, :, 0]

    def map_back(self, probability: torch.Tensor) -> torch.Tensor:
        """float (B, V, C, 160, 160) of the views -> the same on the centre slice's grid; 0 where a view did not look."""
        batch, count, channels = probability.shape[:3]
        grid = self._backward.repeat(batch, 1, 1, 1)
        flat = probability.reshape(batch * count, channels, GRID, GRID).float()
        return F.grid_sample(flat, grid, align_corners=False).reshape(batch, count, channels, GRID, GRID)
