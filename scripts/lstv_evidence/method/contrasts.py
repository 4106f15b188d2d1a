"""Each group of a method study against its ordinary spines: transitional ones by kind and degree, nuisances, controls.

A nuisance is no transitional vertebra: an area above 0.5 says that it ranks before ordinary spines all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from lstv.evaluation import delong
from lstv.evaluation.discrimination import FEW_CLASS, MIN_CLASS
from lstv_evidence.method.design import ORDINARY, TRANSITIONAL, MethodStudy

CLEAR = 0.4
"""From this degree on a transition should be seen; below it nothing honest can tell it from an ordinary spine."""


def measure(
    study: MethodStudy,
    groups: np.ndarray,
    degrees: np.ndarray,
    columns: dict[str, np.ndarray],
    components: dict[str, np.ndarray],
) -> list[dict[str, Any]]:
    """A record for each group: ``group``, ``degree`` (None: all), ``at_least`` (None, or CLEAR), ``studies``, and by name
    the areas of ``columns`` and ``components`` (float (n,), higher = more suspicious, NaN where undefined) against the
    ordinary spines."""
    ordinary = groups == ORDINARY
    return [
        {"group": name, "degree": degree, "at_least": least, "studies": int(chosen.sum())}
        | {
            key: {column: area(values[chosen], values[ordinary]) for column, values in found.items()}
            for key, found in (("areas", columns), ("components", components))
        }
        for name, degree, least, chosen in _chosen(study, groups, degrees)
    ]


def _chosen(
    study: MethodStudy, groups: np.ndarray, degrees: np.ndarray
) -> Iterator[tuple[str, float | None, float | None, np.ndarray]]:
    transitional = np.isin(groups, TRANSITIONAL)
    clear = degrees >= CLEAR - 1e-9
    yield "transitional", None, CLEAR, transitional & clear
    yield "transitional", None, None, transitional
    for kind in TRANSITIONAL:
        yield kind, None, CLEAR, (groups == kind) & clear
        for degree in study.degrees:
            yield kind, degree, None, (groups == kind) & np.isclose(degrees, degree)
    for name in study.nuisances:
        yield name, None, None, groups == name


def area(positive: np.ndarray, negative: np.ndarray) -> dict[str, Any]:
    """``auc`` of two groups with its 95 % interval ``low``, ``high`` (DeLong's on the logit scale; Newcombe's where a group
    is small or the area has no variance), and how many are ``undefined`` in either. All None with fewer than five."""
    undefined = [int((~np.isfinite(values)).sum()) for values in (positive, negative)]
    positive, negative = positive[np.isfinite(positive)], negative[np.isfinite(negative)]
    sizes = len(positive), len(negative)
    if min(sizes) < MIN_CLASS:
        return {"auc": None, "auc_low": None, "auc_high": None, "undefined": undefined}
    scores = np.concatenate([positive, negative])
    labels = np.arange(len(scores)) < len(positive)
    found, _ = delong.variance(scores, labels)
    limits = delong.interval(scores, labels) if min(sizes) >= FEW_CLASS else None
    low, high = limits or delong.newcombe(found, *sizes)
    return {"auc": found, "auc_low": low, "auc_high": high, "undefined": undefined}
