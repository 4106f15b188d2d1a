"""Making the structured views of slices and mapping their heatmaps back, on the device."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from lstv.base.levels import GRID
from lstv.localizer.views import NOISE_SEED, VIEWS


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
