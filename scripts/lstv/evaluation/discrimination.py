"""How well one column of the cohort table separates the labels: areas, fixed points, difference from the plain entropy."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from lstv.evaluation import bootstrap, crossvalidation, curves, delong
from lstv.evaluation.rates import (
    Confusion,
    Rate,
    confusion,
    effective_size,
    likelihood_ratios,
    predictive_table,
    wilson,
)
from lstv.ranking.table_columns import Column

MIN_CLASS = 5
"""Fewer positives or negatives than this and no number is given: a bootstrap of so few cannot give an interval."""

FEW_CLASS = 20
"""Below this the AUC's interval is Newcombe's, since bootstrap and DeLong intervals are too narrow for so few."""

FIXED = (0.8, 0.9)
RULES = (("specificity", 0.8), ("sensitivity", 0.8))
"""What a threshold is chosen for by cross-validation."""

GRID = tuple(round(0.05 * step, 2) for step in range(21))
"""False-positive rates and recalls at which the curves have intervals."""

_MEASURES: tuple[str, ...] = ("auc", "average_precision")
_MEASURES += tuple(f"sensitivity_at_specificity_{round(100 * target)}" for target in FIXED)
_MEASURES += tuple(f"specificity_at_sensitivity_{round(100 * target)}" for target in FIXED)


def too_few(labels: np.ndarray) -> str:
    """The sentence that refuses a number, or an empty text."""
    positives, negatives = int(labels.sum()), int((~labels).sum())
    if min(positives, negatives) >= MIN_CLASS:
        return ""
    return f"{positives} positive and {negatives} negative studies; no number is given with fewer than {MIN_CLASS} of each."


class Judge:
    """Measures columns against one set of labels; all columns meet the same resamples.

    ``labels`` bool (n,), ``weights`` float (n,), ``strata`` int (n,) as ``bootstrap.resample`` takes them.
    """

    def __init__(
        self, labels: np.ndarray, weights: np.ndarray, strata: np.ndarray, *, seed: int, replicates: int
    ) -> None:
        self.labels, self.weights, self.strata = labels, weights, strata
        self.weighted = np.ptp(weights) > 1e-9
        self.seed, self.replicates = seed, replicates
        self._drawn = lru_cache(maxsize=2)(self._draw)

    def measure(self, column: Column, values: np.ndarray, baseline: np.ndarray | None) -> dict:
        """One record of evaluation.json; ``values`` and ``reference`` float (n,), NaN where undefined.

        ``values`` are turned by the column's sign; ``reference`` is already higher = more suspicious.
        """
        scores = values * (column.sign or 1)
        known = np.isfinite(scores)
        labels = self.labels[known]
        record = {
            "metric": column.name,
            "direction": {1: "higher", -1: "lower", 0: "two-sided"}[column.sign],
            "nuisance": column.nuisance,
            "positive": int(labels.sum()),
            "negative": int((~labels).sum()),
            "undefined_positive": int((~known & self.labels).sum()),
            "undefined_negative": int((~known & ~self.labels).sum()),
            "note": too_few(labels),
        }
        if record["note"]:
            return record
        if np.ptp(scores[known]) == 0:
            return record | {"note": "one value for all labelled studies, so it orders nothing."}
        if column.sign == 0:
            record["note"] = "no direction was stated beforehand: AUC of the raw value, not compared, no threshold."
        record |= self._curves(scores[known], known, directed=column.sign != 0)
        if column.sign != 0:
            record["operating_points"] = self._operating_points(scores[known], known)
            if baseline is not None:
                record |= self.compare(scores, baseline)
        return record

    def compare(self, scores: np.ndarray, baseline: np.ndarray) -> dict:
        """AUC of ``scores`` minus AUC of ``reference`` on the studies where both are defined, with its interval.

        DeLong's paired interval; with weights the percentiles of the paired bootstrap.
        """
        known = np.isfinite(scores) & np.isfinite(baseline)
        labels, first, second = self.labels[known], scores[known], baseline[known]
        if too_few(labels) or np.array_equal(first, second):
            return {}
        if self.weighted:

            def gain(weights: np.ndarray) -> np.ndarray:
                areas = [curves.auc(*curves.tied_masses(one, labels, weights)[1:]) for one in (first, second)]
                return (areas[0] - areas[1])[:, None]

            weights = self.weights[known]
            estimate = float(gain(weights[None])[0, 0])
            limits = bootstrap.percentile(bootstrap.replicate(gain, weights, self._drawn(known.tobytes()))[:, 0])
        else:
            estimate, limits = delong.difference(first, second, labels)
        low, high = limits or (None, None)
        return {
            "difference": estimate,
            "difference_low": low,
            "difference_high": high,
            "difference_interval": "paired bootstrap" if self.weighted else "DeLong",
            "difference_studies": int(known.sum()),
        }

    def bands(self, scores: np.ndarray) -> dict:
        """Pointwise 95 % percentile intervals of the ROC curve and of the precision-recall curve, from the resamples.

        ``scores`` float (n,), higher = more suspicious, NaN where undefined. None where the resamples do not vary.
        """
        known = np.isfinite(scores)
        labels, weights = self.labels[known], self.weights[known]

        def statistic(weights: np.ndarray) -> np.ndarray:
            _, positive, negative = curves.tied_masses(scores[known], labels, weights)
            found = [curves.sensitivity_at(positive, negative, 1 - rate) for rate in GRID]
            found += [curves.precision_at(positive, negative, recall) for recall in GRID]
            return np.stack(found, axis=-1)

        values = bootstrap.replicate(statistic, weights, self._drawn(known.tobytes()))
        limits = [bootstrap.percentile(column) or (None, None) for column in values.T]
        roc, pr = limits[: len(GRID)], limits[len(GRID) :]
        return {
            "grid": list(GRID),
            "sensitivity_low": [low for low, _ in roc],
            "sensitivity_high": [high for _, high in roc],
            "precision_low": [low for low, _ in pr],
            "precision_high": [high for _, high in pr],
        }

    def _curves(self, scores: np.ndarray, known: np.ndarray, *, directed: bool) -> dict:
        labels, weights = self.labels[known], self.weights[known]
        measures = _MEASURES if directed else _MEASURES[:2]

        def statistic(weights: np.ndarray) -> np.ndarray:
            _, positive, negative = curves.tied_masses(scores, labels, weights)
            found = [curves.auc(positive, negative), curves.average_precision(positive, negative)]
            if directed:
                found += [curves.sensitivity_at(positive, negative, target) for target in FIXED]
                found += [curves.specificity_at(positive, negative, target) for target in FIXED]
            return np.stack(found, axis=-1)

        estimates = statistic(weights[None])[0]
        values = bootstrap.replicate(statistic, weights, self._drawn(known.tobytes()))
        influences = bootstrap.influence(statistic, weights, self.strata[known])
        record: dict[str, Any] = {"prevalence": float(weights[labels].sum() / weights.sum())}
        record |= self._area(scores, labels, weights, values[:, 0], influences[:, 0], float(estimates[0]))
        for index, measure in enumerate(measures[1:], start=1):
            value = float(estimates[index])
            limits: tuple[float | None, float | None] | None
            if measure == "average_precision":
                limits = bootstrap.bca(values[:, index], value, influences[:, index])
            else:  # a step function of the data, for which BCa has no theory
                limits = bootstrap.percentile(values[:, index])
            if limits is None and measure != "average_precision":
                group = labels if measure.startswith("sensitivity") else ~labels
                rate = wilson(value, effective_size(weights[group]))
                limits = rate.low, rate.high
            low, high = limits or (None, None)
            record |= {measure: value, f"{measure}_low": low, f"{measure}_high": high}
        return record

    def _area(
        self,
        scores: np.ndarray,
        labels: np.ndarray,
        weights: np.ndarray,
        values: np.ndarray,
        influences: np.ndarray,
        area: float,
    ) -> dict:
        sizes = effective_size(weights[labels]), effective_size(weights[~labels])
        limits, name = bootstrap.bca(values, area, influences), "bootstrap (BCa)"
        if limits is None or min(sizes) < FEW_CLASS:
            limits, name = delong.newcombe(area, *sizes), "Newcombe"
        analytic = None if self.weighted else delong.interval(scores, labels)
        return {
            "auc": area,
            "auc_low": limits[0],
            "auc_high": limits[1],
            "auc_interval": name,
            "delong_low": analytic[0] if analytic else None,
            "delong_high": analytic[1] if analytic else None,
        }

    def _operating_points(self, scores: np.ndarray, known: np.ndarray) -> list[dict]:
        labels, weights = self.labels[known], self.weights[known]
        fold = crossvalidation.folds(labels, self.seed)
        points = []
        for rule, target in RULES:
            flagged, cuts = crossvalidation.flags(scores, labels, weights, fold, rule, target)
            points.append(
                {"rule": f"threshold for {rule} {target:g}, chosen on other folds", "folds": len(cuts)}
                | {"threshold_low": min(cuts), "threshold_high": max(cuts)}
                | operating_point(confusion(flagged, labels, weights))
            )
        return points

    def _draw(self, known: bytes) -> np.ndarray:
        return bootstrap.resample(self.strata[np.frombuffer(known, dtype=bool)], self.replicates, self.seed)


def operating_point(table: Confusion) -> dict:
    """Cells, rates, likelihood ratios and predictive values of a yes/no rule, as evaluation.json has them."""
    positive_ratio, negative_ratio = likelihood_ratios(table)
    return {
        "true_positive": table.true_positive,
        "false_negative": table.false_negative,
        "false_positive": table.false_positive,
        "true_negative": table.true_negative,
        "flagged": table.flagged,
        **_ends("sensitivity", table.sensitivity),
        **_ends("specificity", table.specificity),
        **_ends("lr_positive", positive_ratio),
        **_ends("lr_negative", negative_ratio),
        "predictive_values": predictive_table(table.sensitivity, table.specificity),
    }


def _ends(name: str, rate: Rate) -> dict:
    return {name: rate.value, f"{name}_low": rate.low, f"{name}_high": rate.high}
