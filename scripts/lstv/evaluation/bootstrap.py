"""Bootstrap of studies (one study a patient) as weights, with percentile and BCa intervals.

Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapters 13-14; stratified: Davison & Hinkley 1997, section 5.3.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtr, ndtri

REPLICATES = 2000
_CELLS = 4_000_000  # resamples x studies held at once: 32 MB an array

Statistic = Callable[[np.ndarray], np.ndarray]
"""Weights (R, n) -> values (R, S)."""


def resample(strata: np.ndarray, replicates: int, seed: int) -> np.ndarray:
    """How often each study is drawn, uint16 (replicates, n): with replacement within each stratum, sizes kept.

    ``strata`` int (n,): the label (intervals given the numbers of cases, as DeLong's), the sampling fraction (partly
    verified samples, whose design fixed those sizes) or all the same (plain bootstrap).
    """
    rng = np.random.default_rng(seed)
    counts = np.zeros((replicates, len(strata)), dtype=np.uint16)
    rows = np.arange(replicates)[:, None]
    for stratum in np.unique(strata):
        indices = np.flatnonzero(strata == stratum)
        drawn = rng.integers(len(indices), size=(replicates, len(indices)))
        flat = np.bincount((rows * len(indices) + drawn).ravel(), minlength=replicates * len(indices))
        counts[:, indices] = flat.reshape(replicates, len(indices))
    return counts


def replicate(statistic: Statistic, weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The statistic of each resample, float (replicates, S)."""
    step = max(1, _CELLS // counts.shape[1])
    blocks = [statistic(weights * counts[i : i + step]) for i in range(0, len(counts), step)]
    return np.concatenate(blocks)


def influence(statistic: Statistic, weights: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """Jackknife influence of each study divided by its stratum's size, float (n, S); 0 in strata of one study."""
    n = len(weights)
    step = max(1, _CELLS // n)
    blocks = []
    for start in range(0, n, step):
        left_out = np.repeat(weights[None, :].astype(float), min(step, n - start), axis=0)
        left_out[np.arange(len(left_out)), np.arange(start, start + len(left_out))] = 0.0
        blocks.append(statistic(left_out))
    values = np.concatenate(blocks)
    result = np.zeros_like(values)
    for stratum in np.unique(strata):
        indices = np.flatnonzero(strata == stratum)
        size = len(indices)
        result[indices] = (size - 1) * (values[indices].mean(0) - values[indices]) / size
    return result


def percentile(values: np.ndarray, level: float = 0.95) -> tuple[float, float] | None:
    """The central ``level`` of the resamples that are defined; None where they do not vary."""
    values = values[np.isfinite(values)]
    if not len(values) or np.ptp(values) == 0:
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bca(values: np.ndarray, estimate: float, influences: np.ndarray, level: float = 0.95) -> tuple[float, float] | None:
    """Bias-corrected and accelerated interval (Efron 1987, JASA 82:171); None where the resamples do not vary.

    ``influences`` float (n,) from ``influence``. Falls back on the percentiles where the estimate lies outside all
    resamples, since the bias correction is then infinite.
    """
    values = values[np.isfinite(values)]
    if not len(values) or np.ptp(values) == 0:
        return None
    below = ((values < estimate).sum() + 0.5 * (values == estimate).sum()) / len(values)
    if below in (0.0, 1.0):
        return percentile(values, level)
    spread = (influences**2).sum()
    acceleration = (influences**3).sum() / (6 * spread**1.5) if spread > 0 else 0.0
    bias = ndtri(below)
    z = bias + ndtri(np.array([(1 - level) / 2, (1 + level) / 2]))
    low, high = np.quantile(values, ndtr(bias + z / (1 - acceleration * z)))
    return float(low), float(high)
