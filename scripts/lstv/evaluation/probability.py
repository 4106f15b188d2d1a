"""Calibration and net benefit of probabilities that were fitted on other studies."""

from __future__ import annotations

import numpy as np
from scipy.special import logit

from lstv.evaluation.delong import Z
from lstv.evaluation.logistic import fit

THRESHOLDS = tuple(round(0.01 * i, 2) for i in range(2, 21))
"""Probabilities at which a whole-spine localizer might be asked for: .02 (missing one costs 49 needless ones) to .20."""


def calibration(probability: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> dict:
    """Calibration intercept (0 is right), slope (1 is right) and Brier score beside that of the prevalence for everybody.

    The intercept is fitted with the slope held at 1, the slope with a free intercept (Cox 1958; Van Calster et al. 2016,
    J Clin Epidemiol 74:167); Wald intervals. Raises ArithmeticError where the fit has no maximum.
    """
    weights = weights / weights.sum()
    prevalence = float((weights * labels).sum())
    log_odds = logit(np.clip(probability, 1e-12, 1 - 1e-12))
    level, level_spread = fit(np.empty((len(labels), 0)), labels.astype(float), weights, offset=log_odds)
    slope, slope_spread = fit(log_odds[:, None], labels.astype(float), weights)
    return {
        "intercept": float(level[0]),
        **_ends("intercept", level[0], level_spread[0, 0]),
        "slope": float(slope[1]),
        **_ends("slope", slope[1], slope_spread[1, 1]),
        "brier": float((weights * (probability - labels) ** 2).sum()),
        "brier_of_prevalence": prevalence * (1 - prevalence),
    }


def net_benefit(flagged: np.ndarray, labels: np.ndarray, weights: np.ndarray, threshold: float) -> float:
    """True positives minus false positives times t / (1 - t), per study (Vickers & Elkin 2006, Med Decis Making 26:565)."""
    true, false = (weights * (flagged & labels)).sum(), (weights * (flagged & ~labels)).sum()
    return float((true - false * threshold / (1 - threshold)) / weights.sum())


def decision_curve(probability: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> list[dict]:
    """Net benefit of flagging at each of ``THRESHOLDS`` beside flagging everybody; flagging nobody is 0 by definition."""
    everybody = np.ones(len(labels), dtype=bool)
    return [
        {
            "threshold": threshold,
            "net_benefit": net_benefit(probability >= threshold, labels, weights, threshold),
            "flag_all": net_benefit(everybody, labels, weights, threshold),
            "flag_none": 0.0,
        }
        for threshold in THRESHOLDS
    ]


def _ends(name: str, value: float, spread: float) -> dict:
    half = Z * np.sqrt(spread)
    return {f"{name}_low": float(value - half), f"{name}_high": float(value + half)}
