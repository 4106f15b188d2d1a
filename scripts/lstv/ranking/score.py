"""One ranking of a cohort: scores by the rule of ``evidence``, groups, places and reasons.

The order has four groups. First the studies whose L4/L5 or L5/S1 is not found; then the other candidates; then those on
the list "look at the localizer": the picture ends too near to the named discs, an upper level is not found, or one was
marked inside a vertebra, so that nothing can be said of the junction before somebody has looked at the points; last those
with a quality problem. Two names at one disc put no study on the list: a spine with a disc less does that too.
Within a group the higher score comes first, then the unscored. Studies that are alike in group and score share a place.
The score says who is unusual in this cohort. It is no probability.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lstv.ranking import evidence
from lstv.ranking.evidence import LIMITS
from lstv.ranking.reasons import BESIDE_SLICES, LOCALIZER_FLAGS, junction_missing, reasons
from lstv.uncertainty.records import StudyRecord

GROUPS = ("not_found", "scored", "localizer", "quality")
"""In the order of the ranks; the first two are candidates."""

_DIGITS = 9


@dataclass(frozen=True)
class Standing:
    """A study's place: ``rank`` 1 = first to look at, shared by studies alike in group and score; ``group`` of ``GROUPS``;
    ``rank_entropy`` by the L5/S1 entropy alone (None where it is undefined or L5/S1 is not found); ``evidence`` 0 to 1 of
    the components that are defined; ``not_counted`` says in words what takes no part in the score, and why."""

    study_id: str
    rank: int
    score: float | None
    group: str
    rank_entropy: int | None
    evidence: dict[str, float]
    reasons: tuple[str, ...]
    not_counted: str = ""


def rank_studies(records: Iterable[StudyRecord]) -> list[Standing]:
    """Rank the metrics records with status ok; the others are left out. The list is in the order of ranks, then ids."""
    records = sorted((r for r in records if r["status"] == "ok"), key=lambda r: r["study_id"])
    if not records:
        return []
    groups = [_group(record) for record in records]
    norm_group = np.array([group in ("scored", "not_found") for group in groups])
    found, leaves = evidence.evidence(records, norm_group)
    by_entropy = _ranks_by_entropy(records)
    placed = []
    for record, group, own, beside, entropy_rank in zip(records, groups, found, leaves, by_entropy):
        score = evidence.score(own)
        order = (GROUPS.index(group), 1.0 if score is None else -round(score, _DIGITS))
        by_column = {limit.column: float(value) for limit, value in zip(LIMITS, own)}
        words = reasons(record, by_column), BESIDE_SLICES if beside else ""
        placed.append((order, record, group, score, entropy_rank, own, words))
    placed.sort(key=lambda item: (item[0], item[1]["study_id"]))
    orders = [item[0] for item in placed]
    return [
        Standing(
            record["study_id"], 1 + orders.index(order), score, group, entropy_rank, evidence.by_component(own), *words
        )
        for order, record, group, score, entropy_rank, own, words in placed
    ]


def _group(record: StudyRecord) -> str:
    if record["study"]["quality"] != "ok":
        return "quality"
    if any(flag in record["flags"] for flag in LOCALIZER_FLAGS):
        return "localizer"
    return "not_found" if junction_missing(record) else "scored"


def _ranks_by_entropy(records: list[StudyRecord]) -> list[int | None]:
    """1 = highest L5/S1 entropy; equal ones in the order of their ids."""
    known = [
        index
        for index, record in enumerate(records)
        if record["levels"]["l5_s1"]["point_px"] is not None and record["levels"]["l5_s1"]["entropy"] is not None
    ]
    known.sort(key=lambda index: -records[index]["levels"]["l5_s1"]["entropy"])
    ranks: list[int | None] = [None] * len(records)
    for rank, index in enumerate(known, start=1):
        ranks[index] = rank
    return ranks
