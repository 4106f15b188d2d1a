"""How far readers of a cohort agree on numbering: studies alike in all names, and kappa of the names of discs.

Kappa is Cohen's (1960, Educ Psychol Meas 20:37), unweighted, over the names that two readers give to the same disc; its
interval is the percentile bootstrap of whole studies, because the discs of one spine are named together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lstv.base.arrays import FloatArray
from lstv.evaluation.bootstrap import REPLICATES, percentile, resample
from lstv.evaluation.rates import wilson

Named = Sequence[tuple[int, int]]
"""The names, as indices, that the first and the second reader give to each disc of a study."""


def agreement(studies: Sequence[Named], seed: int) -> dict[str, Any]:
    """Agreement of two readers: ``studies`` that could be compared, ``same`` of them alike in every disc's name, the share
    with its 95 % interval (Wilson), ``discs``, ``kappa`` with its interval; None where it is undefined. ``offsets``: number
    of studies by the difference of most of their levels' names, second less first."""
    compared = [named for named in studies if named]
    same = sum(all(one == other for one, other in named) for named in compared)
    share = wilson(same / len(compared) if compared else None, len(compared))
    tables = _tables(compared)
    estimate = _kappa(tables.sum(axis=0)[None])[0] if len(tables) else float("nan")
    interval = None
    if len(compared) > 1:
        counts = resample(np.zeros(len(compared), int), REPLICATES, seed)
        interval = percentile(_kappa(np.tensordot(counts.astype(float), tables, axes=1)))
    return {
        "studies": len(compared),
        "same": same,
        "share": share.value,
        "share_low": share.low,
        "share_high": share.high,
        "discs": sum(map(len, compared)),
        "kappa": float(estimate) if np.isfinite(estimate) else None,
        "kappa_low": interval[0] if interval else None,
        "kappa_high": interval[1] if interval else None,
        "offsets": _offsets(compared),
    }


def _offsets(studies: Sequence[Named]) -> dict[str, int]:
    """Studies by offset, -2 to 2; a study whose levels differ unevenly counts with the offset of most of them."""
    counts = {str(offset): 0 for offset in range(-2, 3)}
    for named in studies:
        differences = [other - one for one, other in named]
        most = max(map(differences.count, differences))
        # where as many levels say one as the other, the lowest counts: the junction is what is asked about
        offset = str(next(value for value in reversed(differences) if differences.count(value) == most))
        counts[offset] = counts.get(offset, 0) + 1
    return counts


def _tables(studies: Sequence[Named]) -> FloatArray:
    """Table (studies, names, names) of how often each pair of names was given."""
    names = sorted({name for named in studies for pair in named for name in pair})
    place = {name: index for index, name in enumerate(names)}
    tables = np.zeros((len(studies), len(names), len(names)))
    for row, named in enumerate(studies):
        for one, other in named:
            tables[row, place[one], place[other]] += 1
    return tables


def _kappa(tables: FloatArray) -> FloatArray:
    """Kappa (R,) of tables (R, names, names); NaN where chance alone gives 1 or there is nothing."""
    total = tables.sum(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = np.trace(tables, axis1=1, axis2=2) / total
        chance = (tables.sum(axis=1) * tables.sum(axis=2)).sum(axis=1) / total**2
        kappa: FloatArray = np.where(chance < 1, (observed - chance) / (1 - chance), np.nan)
    return kappa
