"""Uncertainty metrics of a disc-level localizer, one module for each family; ``measure`` computes all of one study."""

from __future__ import annotations

from lstv.uncertainty import registry
from lstv.uncertainty.assemble import measure
from lstv.uncertainty.localization import Thresholds
from lstv.uncertainty.registry import Metric

__all__ = ["FAMILIES", "Metric", "Thresholds", "measure", "metrics"]

FAMILIES = (
    "localization",
    "identity",
    "stability",
    "patches",
    "count",
    "geometry",
    "shape",
    "margins",
    "features",
    "quality",
)
"""Families in the order in which they are shown: what the users asked for, then the most promising first."""


def metrics(scope: str | None = None) -> list[Metric]:
    """All metrics, or those of one scope (level | study), by family and within it in the order of definition."""
    return sorted(registry.metrics(scope), key=lambda entry: FAMILIES.index(entry.family))
