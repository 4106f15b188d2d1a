"""The two files of an evaluation: one rounding for both, and a flat table of the metrics."""

from __future__ import annotations

from typing import Any

_AREAS: tuple[str, ...] = ("auc", "average_precision", "sensitivity_at_specificity_80", "sensitivity_at_specificity_90")
_AREAS += ("specificity_at_sensitivity_80", "specificity_at_sensitivity_90")
_FOLDED = (("specificity", "cv_at_specificity_80"), ("sensitivity", "cv_at_sensitivity_80"))

COLUMNS: tuple[str, ...]
COLUMNS = (
    "metric",
    "direction",
    "nuisance",
    "positive",
    "negative",
    "undefined_positive",
    "undefined_negative",
)
COLUMNS += ("prevalence", *(f"{name}{end}" for name in _AREAS for end in ("", "_low", "_high")), "auc_interval")
COLUMNS += ("delong_low", "delong_high", "difference", "difference_low", "difference_high", "difference_interval")
COLUMNS += ("difference_studies",)
COLUMNS += tuple(
    f"{prefix}_{rate}{end}"
    for _, prefix in _FOLDED
    for rate in ("sensitivity", "specificity")
    for end in ("", "_low", "_high")
)
COLUMNS += ("note",)


def rounded(value: Any) -> Any:
    """The record with its floats at six significant digits, more than any label set supports."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: rounded(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(entry) for entry in value]
    return value


def metric_rows(record: dict) -> list[dict]:
    """One row a metric with ``COLUMNS``; ``cv_*`` are the rates of the threshold chosen on other folds."""
    rows = []
    for entry in record["metrics"]:
        row = {key: entry[key] for key in COLUMNS if key in entry} | {"nuisance": "yes" if entry["nuisance"] else "no"}
        for point, (_, prefix) in zip(entry.get("operating_points", []), _FOLDED):
            row |= {
                f"{prefix}_{rate}{end}": point[f"{rate}{end}"]
                for rate in ("sensitivity", "specificity")
                for end in ("", "_low", "_high")
            }
        rows.append(row)
    return rows
