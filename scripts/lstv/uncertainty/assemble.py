"""All metrics of one study from its heatmaps: a loop over the registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from lstv.base.levels import LEVELS
from lstv.localizer.heatmap_file import Analysed

# a family registers its metrics where it is imported
from lstv.uncertainty import (  # noqa: F401
    anatomy,
    count,
    features,
    identity,
    localization,
    margins,
    patches,
    quality,
    registry,
    shape,
    slices,
    spine_geometry,
    stability,
)
from lstv.uncertainty.context import StudyContext
from lstv.uncertainty.flags import Undefined, in_order
from lstv.uncertainty.localization import Thresholds
from lstv.uncertainty.records import Values

if TYPE_CHECKING:  # the feature bank is made with this package's distances
    from lstv.uncertainty.feature_bank import FeatureBank

T = TypeVar("T")


def measure(
    maps: Analysed, thresholds: Thresholds | None = None, feature_bank: FeatureBank | None = None
) -> tuple[dict[str, Values], Values, list[str]]:
    """Metrics of one analysed study: (levels, study, flags).

    ``levels`` maps each level to its metrics, ``point_px`` ([column, row] on the 160 grid) and ``point_mm`` (patient
    [x, y, z]); ``study`` holds the study's metrics, ``risk``, ``quality``, and the ``discs`` on the strip with
    ``junction_disc``. Metrics come in the order of the registry.
    Undefined values are None and a flag says why. ``feature_bank`` is what the feature distance is taken from.
    """
    study = StudyContext(maps, feature_bank)
    raised: set[str] = set()

    def value(function: Callable[..., T], *level: int) -> T | None:
        try:
            return study.once(function, *level)
        except Undefined as undefined:
            raised.update(undefined.flags)
            return None

    levels = {
        name: {entry.name: value(entry.function, index) for entry in registry.metrics("level")}
        | {"point_px": value(localization.point_px, index), "point_mm": value(localization.point_mm, index)}
        for index, name in enumerate(LEVELS)
    }
    whole = {entry.name: value(entry.function) for entry in registry.metrics("study")}
    for warning in registry.warnings():
        raised.update(value(warning) or ())
    whole["risk"] = localization.risk(levels[LEVELS[-1]]["entropy"], thresholds or Thresholds())
    whole |= {"discs": value(anatomy.discs), "junction_disc": value(anatomy.junction_disc)}
    whole["quality"] = "problem" if any(flag.startswith("quality_") for flag in raised) else "ok"
    return levels, whole, in_order(raised)
