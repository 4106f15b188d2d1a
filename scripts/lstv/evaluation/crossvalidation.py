"""Thresholds and probabilities for studies that had no part in choosing them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstv.evaluation import curves
from lstv.evaluation.logistic import fit, platt_targets, predict

FOLDS = 10


def folds(labels: np.ndarray, seed: int, count: int = FOLDS) -> np.ndarray:
    """Fold of each study, int (n,), both labels spread evenly; at most as many folds as the rarer label has studies."""
    count = min(count, int(labels.sum()), int((~labels).sum()))
    rng = np.random.default_rng(seed)
    fold = np.empty(len(labels), dtype=int)
    for group in (labels, ~labels):
        indices = rng.permutation(np.flatnonzero(group))
        fold[indices] = np.arange(len(indices)) % count
    return fold


def flags(
    scores: np.ndarray, labels: np.ndarray, weights: np.ndarray, fold: np.ndarray, rule: str, target: float
) -> tuple[np.ndarray, list[float]]:
    """Whether each study is flagged by the threshold chosen on the other folds, bool (n,), and those thresholds.

    ``rule`` and ``target`` as in ``curves.threshold_for``.
    """
    flagged = np.empty(len(labels), dtype=bool)
    cuts = []
    for train, test in _splits(fold):
        masses = curves.tied_masses(scores[train], labels[train], weights[train])
        cuts.append(curves.threshold_for(*masses, rule, target))
        flagged[test] = scores[test] >= cuts[-1]
    return flagged, cuts


def probabilities(features: np.ndarray, labels: np.ndarray, weights: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Probability of a positive for each study by a logistic model of ``features`` (n, p) fitted on the other folds.

    With one feature this is Platt's scaling (1999), with his smoothed targets. Features are standardised by the training
    folds' mean and standard deviation; a feature that is constant there has no influence.
    """
    result = np.empty(len(labels))
    for train, test in _splits(fold):
        mean, spread = features[train].mean(0), features[train].std(0)
        scaled = np.where(spread > 0, (features - mean) / np.where(spread > 0, spread, 1.0), 0.0)
        coefficients, _ = fit(scaled[train], platt_targets(labels[train]), weights[train])
        result[test] = predict(scaled[test], coefficients)
    return result


def _splits(fold: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for number in np.unique(fold):
        yield fold != number, fold == number
