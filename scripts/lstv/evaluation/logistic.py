"""Logistic regression of a few features by Newton's method, with weights and targets between 0 and 1."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

_RIDGE = 1e-6  # keeps the equations solvable for a constant or a repeated feature; far below any information in data
_STEPS = 100


def fit(
    features: np.ndarray, targets: np.ndarray, weights: np.ndarray, offset: np.ndarray | float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (p + 1,), the intercept first, and their covariance (p + 1, p + 1).

    ``features`` (n, p); ``offset`` (n,) is added to the linear predictor unchanged. The covariance is the inverse of the
    information with weights scaled to a mean of 1. Raises ArithmeticError where the likelihood has no maximum.
    """
    design = np.column_stack([np.ones(len(targets)), features])
    weights = weights / weights.mean()
    coefficients = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        chance = expit(design @ coefficients + offset)
        information = (design.T * (weights * chance * (1 - chance))) @ design + _RIDGE * np.eye(design.shape[1])
        step = np.linalg.solve(information, design.T @ (weights * (targets - chance)) - _RIDGE * coefficients)
        coefficients = coefficients + np.clip(step, -5.0, 5.0)
        if np.abs(coefficients).max() > 50:
            raise ArithmeticError("the scores separate the labels completely, so the slope is infinite")
        if np.abs(step).max() < 1e-9:
            return coefficients, np.linalg.inv(information)
    raise ArithmeticError("the fit did not converge")


def predict(features: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Probabilities (n,) of ``features`` (n, p)."""
    return expit(coefficients[0] + features @ coefficients[1:])


def platt_targets(labels: np.ndarray) -> np.ndarray:
    """(N+ + 1) / (N+ + 2) for positives and 1 / (N- + 2) for negatives, so that separated scores give a finite slope.

    Platt 1999, Advances in Large Margin Classifiers, 61-74.
    """
    positives, negatives = labels.sum(), (~labels).sum()
    return np.where(labels, (positives + 1) / (positives + 2), 1 / (negatives + 2))
