"""Whether so many studies failed that the run as a whole must be taken for failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lstv.base.text import counted
from lstv.cohort.selection import outcome


@dataclass(frozen=True)
class Limits:
    """A run is bad where more than ``share`` of the studies that were to be analysed failed, and at least ``studies``."""

    share: float
    studies: int


@dataclass(frozen=True)
class Failures:
    """``failed`` of ``wanted`` studies; ``reason`` is the most frequent one, of ``same`` studies."""

    wanted: int
    failed: int
    reason: str = ""
    same: int = 0

    def too_many(self, limits: Limits) -> bool:
        return self.failed >= limits.studies and self.failed > limits.share * self.wanted

    def sentence(self, limits: Limits) -> str:
        return (
            f"{self.failed} of {self.wanted} studies failed, more than the {limits.share:.0%} that this run allows; the "
            f"most frequent reason ({counted(self.same, 'study')}): {self.reason or 'none was recorded'}"
        )


def count(table: Iterable[Mapping[str, str]]) -> Failures:
    """Count the rows of a cohort table; studies that were not selected or are excluded were not to be analysed."""
    outcomes: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for row in table:
        outcomes[outcome(row)] += 1
        if row["status"] == "failed":
            reasons[row["reason"]] += 1
    reason, same = min(reasons.items(), key=lambda item: (-item[1], item[0])) if reasons else ("", 0)
    return Failures(outcomes["ok"] + outcomes["failed"], outcomes["failed"], reason, same)
