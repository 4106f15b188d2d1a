"""ROC and precision-recall curves of weighted studies, for one set of weights or for many at once.

All functions start from the weight of the positives and of the negatives at each distinct score, highest score first
(``tied_masses``). Weights may carry a leading axis R, so that one sort serves all bootstrap resamples.
A study is called positive where its score is at or above the threshold; tied studies are always called alike.
"""

from __future__ import annotations

import numpy as np

_TINY = 1e-12  # a sensitivity of 4/5 must count as reaching 0.8 whatever the rounding of the sums


def tied_masses(
    scores: np.ndarray, labels: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Thresholds (G,), highest first, and the weight of positives and of negatives at each, both (..., G).

    ``scores`` finite float (n,), higher = more suspicious; ``labels`` bool (n,); ``weights`` float (..., n).
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    mass = weights[..., order]
    positive = np.add.reduceat(np.where(labels[order], mass, 0.0), starts, axis=-1)
    negative = np.add.reduceat(np.where(labels[order], 0.0, mass), starts, axis=-1)
    return ordered[starts], positive, negative


def auc(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Area under the ROC curve = P(score of a positive > of a negative) + P(tie) / 2 (Mann-Whitney); NaN without both.

    Bamber 1975, J Math Psychol 12:387; weighted: each pair counts the product of its weights.
    """
    above = np.cumsum(positive, axis=-1) - positive / 2
    pairs = positive.sum(-1) * negative.sum(-1)
    return _ratio((above * negative).sum(-1), pairs)


def average_precision(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Sum over thresholds of (recall gained) x precision, without interpolation; chance = prevalence; NaN without positives.

    Davis & Goadrich 2006, ICML (why the PR curve must not be interpolated linearly).
    """
    true, false = np.cumsum(positive, axis=-1), np.cumsum(negative, axis=-1)
    precision = np.divide(true, true + false, out=np.zeros_like(true), where=true + false > 0)
    return _ratio((positive * precision).sum(-1), positive.sum(-1))


def sensitivity_at(positive: np.ndarray, negative: np.ndarray, specificity: float) -> np.ndarray:
    """Highest sensitivity of any threshold whose specificity is at least ``specificity``; 0 if only flagging nobody is."""
    true, false = _rates(positive, negative)
    return np.where(false <= 1 - specificity + _TINY, true, 0.0).max(-1)


def specificity_at(positive: np.ndarray, negative: np.ndarray, sensitivity: float) -> np.ndarray:
    """Highest specificity of any threshold whose sensitivity is at least ``sensitivity``."""
    true, false = _rates(positive, negative)
    return 1 - np.where(true >= sensitivity - _TINY, false, 1.0).min(-1)


def precision_at(positive: np.ndarray, negative: np.ndarray, recall: float) -> np.ndarray:
    """Precision of the highest threshold whose recall is at least ``recall``; NaN without positives."""
    true, false = np.cumsum(positive, axis=-1), np.cumsum(negative, axis=-1)
    reached = _ratio(true, positive.sum(-1, keepdims=True)) >= recall - _TINY
    first = np.argmax(reached, axis=-1)[..., None]
    precision = _ratio(np.take_along_axis(true, first, -1), np.take_along_axis(true + false, first, -1))[..., 0]
    return np.where(reached.any(-1), precision, np.nan)


def roc_points(positive: np.ndarray, negative: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False-positive rate and sensitivity (G + 1,) from (0, 0), flag nobody, to (1, 1), flag all."""
    true, false = _rates(positive, negative)
    return np.r_[0.0, false], np.r_[0.0, true]


def pr_points(positive: np.ndarray, negative: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Recall and precision (G,) at each threshold, highest first."""
    true, false = np.cumsum(positive), np.cumsum(negative)
    return true / true[-1], true / (true + false)


def threshold_for(
    thresholds: np.ndarray, positive: np.ndarray, negative: np.ndarray, rule: str, target: float
) -> float:
    """The cut a rule picks, half-way to the next lower score so that it does not hang on one study's value.

    ``rule``: ``sensitivity`` (the highest cut that reaches ``target``) or ``specificity`` (the lowest cut that keeps it).
    """
    true, false = _rates(positive, negative)
    reached, kept = true >= target - _TINY, false <= 1 - target + _TINY
    cut = int(np.argmax(reached)) if rule == "sensitivity" else int(kept.sum()) - 1
    if cut < 0:
        return float(np.nextafter(thresholds[0], np.inf))
    if cut + 1 == len(thresholds):
        return float(thresholds[-1])
    return float((thresholds[cut] + thresholds[cut + 1]) / 2)


def _rates(positive: np.ndarray, negative: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    true = _ratio(np.cumsum(positive, axis=-1), positive.sum(-1, keepdims=True))
    return true, _ratio(np.cumsum(negative, axis=-1), negative.sum(-1, keepdims=True))


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """The quotient, NaN where the denominator is 0 (a resample without positives or without negatives)."""
    safe = np.where(denominator > 0, denominator, 1.0)
    return np.where(denominator > 0, numerator / safe, np.nan)
