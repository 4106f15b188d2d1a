"""Analytic variances of the area under the ROC curve, for studies of equal weight."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import rankdata

Z = 1.959963984540054  # two-sided 95 %


def components(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Structural components of positives (m,) and negatives (n,): the share of the other group each one is ordered
    rightly against, ties half. In O(N log N) from mid-ranks (Sun & Xu 2014, IEEE Signal Process Lett 21:1389)."""
    positives, negatives = scores[labels], scores[~labels]
    ranks = rankdata(np.r_[positives, negatives])
    m, n = len(positives), len(negatives)
    return (ranks[:m] - rankdata(positives)) / n, 1 - (ranks[m:] - rankdata(negatives)) / m


def variance(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """AUC and its variance (DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44:837); needs two of each group."""
    cases, controls = components(scores, labels)
    return float(cases.mean()), float(cases.var(ddof=1) / len(cases) + controls.var(ddof=1) / len(controls))


def interval(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float] | None:
    """95 % interval of the AUC on the logit scale, so that it stays in (0, 1); None where the variance is 0."""
    area, spread = variance(scores, labels)
    if spread <= 0 or area in (0.0, 1.0):
        return None
    half = Z * np.sqrt(spread) / (area * (1 - area))
    return float(expit(logit(area) - half)), float(expit(logit(area) + half))


def difference(first: np.ndarray, second: np.ndarray, labels: np.ndarray) -> tuple[float, tuple[float, float] | None]:
    """AUC of ``first`` minus AUC of ``second`` on the same studies and its 95 % interval (DeLong, paired).

    No interval where the variance is 0, as for two scores that order all pairs alike.
    """
    (cases, controls), (other_cases, other_controls) = components(first, labels), components(second, labels)
    cases, controls = cases - other_cases, controls - other_controls
    estimate = float(cases.mean())
    spread = cases.var(ddof=1) / len(cases) + controls.var(ddof=1) / len(controls)
    if spread <= 1e-15:
        return estimate, None
    half = Z * np.sqrt(spread)
    return estimate, (float(max(-1.0, estimate - half)), float(min(1.0, estimate + half)))


def hanley_mcneil(area: float, positives: float, negatives: float) -> float:
    """Standard error of an AUC from the group sizes alone (Hanley & McNeil 1982, Radiology 143:29)."""
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (positives - 1) * (q1 - area**2) + (negatives - 1) * (q2 - area**2)
    return float(np.sqrt(spread / (positives * negatives)))


def newcombe(area: float, positives: float, negatives: float) -> tuple[float, float]:
    """95 % score interval of an AUC for small groups and for areas of 0 or 1, where the others have no width.

    The areas that lie within 1.96 of their own standard error of the one seen; that error is Hanley & McNeil's with both
    group sizes less one replaced by their mean (Newcombe 2006, Stat Med 25:559, method 5).
    """
    size = (positives + negatives) / 2 - 1

    def distance(true: float) -> float:
        spread = true * (1 - true) * (1 + size * (1 - true) / (2 - true) + size * true / (1 + true))
        return (area - true) ** 2 - Z**2 * spread / (positives * negatives)

    inside = min(max(area, 1e-9), 1 - 1e-9)  # 0 and 1 are roots of their own, and not the ones wanted
    low = 0.0 if area <= 0 else brentq(distance, 0.0, inside)
    high = 1.0 if area >= 1 else brentq(distance, inside, 1.0)
    return float(low), float(high)
