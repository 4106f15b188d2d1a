"""Uncertainty metrics of a disc-level localizer, one module for each family; ``measure`` computes all of one study."""

from __future__ import annotations

from lstv.uncertainty.assemble import measure
from lstv.uncertainty.localization import Thresholds
from lstv.uncertainty.registry import FAMILIES, Metric, metrics

__all__ = ["FAMILIES", "Metric", "Thresholds", "measure", "metrics"]
