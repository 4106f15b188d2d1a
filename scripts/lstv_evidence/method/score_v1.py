"""The score before the picture was looked at, kept so that both stand side by side in the evidence.

Score = mean, over six components, of how far out in the upper tail of the cohort a study lies. The components are
  U1   junction_identity_entropy
  F_J  junction_flip_rate_views
  |z|  |angle_difference - cohort median|
  R    caudal_residual
  dH   entropy_difference
  N    count_anomaly
The upper tail of a value is t = (number above + half the number equal, itself included) / n over the studies of the
cohort that have the value and are of good quality, and its place ln t / ln(1 / (2 n + 2)): 0 for the lowest, near 1
for the highest. Below a floor a value counts as the floor. A value that is undefined takes no part: the mean is over those
there are, at least three, else there is no score.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lstv.uncertainty.records import StudyRecord

FLOORS = {
    "junction_identity_entropy": 0.1,
    "junction_flip_rate_views": 0.04,
    "angle_difference": 1.5,
    "caudal_residual": 0.05,
    "entropy_difference": 0.1,
    "count_anomaly": 0.0,
}
"""Component -> the value below which differences count nothing; of the angle in robust standard deviations."""

COMPONENTS = tuple(FLOORS)
MIN_COMPONENTS = 3
_MAD_TO_SD = 1.4826


def scores(values: Mapping[str, np.ndarray], reference: np.ndarray) -> np.ndarray:
    """Scores float64 (studies,) from the components (studies,), NaN = undefined; ``reference`` bool (studies,): those of
    good quality, which say what is usual."""
    tail_positions_of = [tail_positions(_floored(name, values[name], reference), reference) for name in COMPONENTS]
    stack = np.array(tail_positions_of)
    known = np.isfinite(stack).sum(axis=0)
    return np.where(known >= MIN_COMPONENTS, np.nansum(stack, axis=0) / np.maximum(known, 1), np.nan)


def of_records(records: list[StudyRecord]) -> np.ndarray:
    """Scores (studies,) of metrics records whose status is ok."""
    fit = np.array([record["study"]["quality"] == "ok" for record in records])
    values = {
        name: np.array([np.nan if r["study"][name] is None else r["study"][name] for r in records], dtype=np.float64)
        for name in COMPONENTS
    }
    return scores(values, fit if fit.any() else np.ones(len(records), bool))


def _floored(name: str, values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    if name != "angle_difference":
        return np.maximum(values, FLOORS[name])
    known = values[reference & np.isfinite(values)]
    if not known.size:
        return values
    away = np.abs(values - np.median(known))
    spread = _MAD_TO_SD * float(np.median(np.abs(known - np.median(known))))
    # rounded so that equal distances on both sides stay equal
    return np.maximum(away.round(9), FLOORS[name] * spread)


def percentile_ranks(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """(below + half of equal) / n of each value among the defined values of the ``reference`` studies, NaN = undefined.

    A study of the reference counts itself among the equal, so that its rank is that of average ranks: (r - 0.5) / n.
    """
    known = np.sort(values[np.asarray(reference, dtype=bool) & np.isfinite(values)])
    ranks = np.full(len(values), np.nan)
    if known.size:
        defined = np.isfinite(values)
        below = np.searchsorted(known, values[defined], side="left")
        up_to = np.searchsorted(known, values[defined], side="right")
        ranks[defined] = (below + up_to) / 2 / known.size
    return ranks


def tail_positions(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """ln t / ln(1 / (2 n + 2)) of each value, t its upper tail among the n defined values of the ``reference``.

    0 where all others are above, 1 where none of the reference is as high, NaN where the value is undefined.
    """
    count = int((np.asarray(reference, dtype=bool) & np.isfinite(values)).sum())
    least = 1 / (2 * count + 2)
    return np.log(np.clip(1 - percentile_ranks(values, reference), least, 1)) / np.log(least)
