"""What is usual in a cohort, for each study: a value, and how far ordinary studies like it lie from theirs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstv.base.arrays import BoolArray, FloatArray, IndexArray

AS_STUDIES = 10
"""How many studies the value and spread known beforehand weigh as."""

ALIKE, FROM_STUDIES = 30, 40
"""How many studies are a study's like, and how many a cohort needs for that."""

_MAD_TO_SD = 1.4826
_QUARTILE_TO_SD = _MAD_TO_SD
_LEAST_SHARE = 0.5


@dataclass(frozen=True)
class Alike:
    """For each study the indices (studies, ALIKE) of those of the norm group most like it by ``scan`` and by ``size``; None
    where the cohort is too small to choose from, or all are alike."""

    scan: IndexArray | None
    size: IndexArray | None


def usual(
    outward: FloatArray, prior: float, prior_spread: float, norm_group: BoolArray, alike: Alike
) -> tuple[FloatArray, FloatArray]:
    """The usual value of each study (studies,) and the spread around it (studies,), both on the scale of ``outward``.

    ``outward`` float64 (studies,): a metric, higher = more suspicious, NaN where it is undefined; ``prior`` and
    ``prior_spread``: known beforehand; ``norm_group`` bool (studies,): the studies that say what is usual.
    """
    known = norm_group & np.isfinite(outward)
    count = int(known.sum())
    if not count:
        return np.full(len(outward), prior), np.full(len(outward), prior_spread)
    middle = np.full(len(outward), float(np.median(outward[known])))
    for group in (alike.scan, alike.size):
        middle = middle + _differs(outward - middle, known, group)
    chosen = alike.scan is not None or alike.size is not None
    # studies alike are drawn from a cohort that is large enough to decide for itself
    weight, of_middle = (AS_STUDIES / 5, ALIKE) if chosen else (AS_STUDIES, count)
    usual_values = (of_middle * middle + weight * prior) / (of_middle + weight)
    own = _MAD_TO_SD * float(np.median(np.abs(outward[known] - middle[known])))
    spread = _drawn(np.array(own), count, prior_spread)
    spread = np.full(len(outward), max(float(spread), _LEAST_SHARE * prior_spread))
    if alike.size is not None:
        spread = np.maximum(spread, _wider(outward - usual_values, known, alike.size, spread))
    return usual_values, spread


def _differs(rest: FloatArray, known: BoolArray, group: IndexArray | None) -> FloatArray:
    """By how much each study's like differ from the whole in what is left (studies,); 0 where none of them is known."""
    if group is None:
        return np.zeros(len(rest))
    middle, some = _of_alike(rest, known, group, 0.5)
    return np.where(some, middle - float(np.median(rest[known])), 0.0)


def _wider(away: FloatArray, known: BoolArray, group: IndexArray, spread: FloatArray) -> FloatArray:
    """The spread among each study's like, by the upper quartile of their departures, drawn towards the whole's."""
    quartile, some = _of_alike(away, known, group, 0.75)
    own = np.where(some, _QUARTILE_TO_SD * np.maximum(quartile, 0.0), spread)
    return _drawn(own, ALIKE, spread)


def _of_alike(values: FloatArray, known: BoolArray, group: IndexArray, share: float) -> tuple[FloatArray, BoolArray]:
    """A quantile of each study's like (studies,), and whether any of them is known (studies,); 0 where none is."""
    ordered = np.sort(np.where(known[group], values[group], np.nan), axis=1)  # what is not known comes last
    count = known[group].sum(axis=1)
    place = share * np.maximum(count - 1, 0)
    below, above = (
        np.take_along_axis(ordered, each(place).astype(int)[:, None], 1)[:, 0] for each in (np.floor, np.ceil)
    )
    some: BoolArray = count > 0
    return np.where(some, below + (place - np.floor(place)) * (above - below), 0.0), some


def _drawn(own: FloatArray, count: int, prior: float | FloatArray) -> FloatArray:
    """Spreads of ``count`` studies drawn towards one known beforehand."""
    drawn: FloatArray = np.sqrt((count * own**2 + AS_STUDIES * np.square(prior)) / (count + AS_STUDIES))
    return drawn


def most_alike(facts: FloatArray, norm_group: BoolArray) -> IndexArray | None:
    """For each study the indices (studies, ALIKE) of those of the norm group nearest in ``facts`` (studies, facts), itself
    left out: it must not be what it is compared with. Each fact counts in robust spreads; one that is not known counts as
    the usual one. None with fewer than FROM_STUDIES, or where all facts are the same."""
    known = np.flatnonzero(norm_group)
    if len(known) < FROM_STUDIES:
        return None
    facts = facts[:, np.isfinite(facts[known]).any(axis=0)]
    facts = facts - np.nanmedian(facts[known], axis=0)
    spread = _MAD_TO_SD * np.nanmedian(np.abs(facts[known]), axis=0)
    facts = np.nan_to_num(facts / np.where(spread > 0, spread, 1.0))
    if not facts[known].any():
        return None
    result = np.empty((len(facts), ALIKE), dtype=np.int64)
    for index, own in enumerate(facts):
        others = known[known != index]
        distance = ((facts[others] - own) ** 2).sum(axis=1)
        result[index] = others[np.argsort(distance, kind="stable")[:ALIKE]]
    return result
