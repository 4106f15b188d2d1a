"""Which studies of a ranking the second readers are asked for: the first or the last, the review queue, or all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lstv.base.errors import Setting, UserError
from lstv.ranking.review_queue import build_queue

STUDIES = Setting("studies", "the choice of studies")
FORM = re.compile(r"(first|last) ([1-9][0-9]*)|queue|all")


@dataclass(frozen=True)
class QueueOptions:
    """How the review queue is drawn, as in ``build_queue``."""

    ambiguous: int
    sample: int
    localizer: int
    seed: int


def chosen(table: Sequence[dict[str, str]], choice: str, queue: QueueOptions) -> list[str]:
    """Ids of the chosen studies, in the order of the ranking; studies that share a rank by their ids.

    ``table``: rows of the cohort table; only studies that were analysed can be chosen. ``choice``: ``first N``, ``last N``,
    ``queue`` or ``all``. Raises UserError for any other.
    """
    found = FORM.fullmatch(choice)
    if found is None:
        raise UserError(STUDIES, f" is {choice!r}; use first N, last N, queue or all, such as first 20.")
    analysed = [row for row in table if row["status"] == "ok" and row["rank"].isdigit()]
    order = [row["study_id"] for row in sorted(analysed, key=lambda row: (int(row["rank"]), row["study_id"]))]
    if choice == "queue":
        drawn = build_queue(
            list(table), ambiguous=queue.ambiguous, sample=queue.sample, localizer=queue.localizer, seed=queue.seed
        )
        queued = {study["study_id"] for study in drawn["studies"]}
        return [study_id for study_id in order if study_id in queued]
    if choice == "all":
        return order
    count = int(found[2])
    return order[:count] if found[1] == "first" else order[-count:]
