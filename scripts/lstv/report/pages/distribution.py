"""Where a study's number lies among those of its cohort, in words and as a small drawing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FEWEST = 5
"""Other studies below which nothing is said."""

_ENDS = 0.01
"""Share of the studies at either end that the drawing does not stretch for."""


@dataclass(frozen=True)
class Among:
    """``words`` such as ``higher than 93 % of the 411 others``; places in the drawing, 0 to 100 from its left end: the
    middle half of the cohort (``low``, ``high``), its ``median``, and the study itself (``here``)."""

    words: str
    low: float
    median: float
    high: float
    here: float


class Spread:
    """The values of a cohort, float64 without undefined ones and in any order: sorted, and where most of them lie."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = np.sort(values)
        if len(values):
            places = np.quantile(self.values, (0.25, 0.5, 0.75, _ENDS, 1 - _ENDS))
            self.quarters, self.ends = places[:3], places[3:]


def among(spread: Spread, value: float) -> Among | None:
    """A study's ``value`` among those of the cohort, its own included; None where there are too few others."""
    values = spread.values
    others = len(values) - 1
    if others < FEWEST:
        return None
    below = int(np.searchsorted(values, value, side="left"))
    above = int(len(values) - np.searchsorted(values, value, side="right"))
    first, last = min(float(spread.ends[0]), value), max(float(spread.ends[1]), value)
    low, median, high, here = (
        round(100 * (float(x) - first) / (last - first), 1) if last > first else 50.0 for x in (*spread.quarters, value)
    )
    return Among(_words(below, above, others), max(low, 0.0), median, min(high, 100.0), here)


def _words(below: int, above: int, others: int) -> str:
    if below == above == 0:
        return f"the same as in all {others:,} others"
    if below == others:
        return f"higher than in all {others:,} others"
    if above == others:
        return f"lower than in all {others:,} others"
    same = others - below - above
    if same > others / 2:
        return f"the same as in {100 * same // others} % of {others:,} others"
    if max(below, above) < others / 2:
        return f"near the middle of {others:,} others"
    word, count = ("higher", below) if below >= above else ("lower", above)
    return f"{word} than in {100 * count // others} % of {others:,} others"
