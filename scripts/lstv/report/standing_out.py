"""Which studies stand out: those with a reason of their own, their places, and what is reported for the rest."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from lstv.report import candidates, wording

MOST = 5
"""Studies on the first screen."""


@dataclass(frozen=True)
class Group:
    """What a study belongs to in front of a reader; every analysed study belongs to one."""

    name: str
    title: str


STANDS_OUT = Group("stands_out", "Stands out")
USUAL = Group("usual", "Nothing unusual")
LOCALIZER = Group("localizer", "Look at the localizer")
QUALITY = Group("quality", "Image quality")


def group_of(row: dict, *, ranked: bool) -> Group:
    """The group of a row of the table. Without a ranking, a study stands out by the stratum of its entropy alone."""
    if candidates.has_quality_problem(row):
        return QUALITY
    if candidates.is_localizers(row):
        return LOCALIZER
    own = bool(row["reasons"]) if ranked else row["risk"] in ("high", "not_found")
    return STANDS_OUT if own else USUAL


GROUPS = (STANDS_OUT, USUAL, LOCALIZER, QUALITY)


def strata_by_group(rows: list[dict], group: dict[str, Group]) -> dict:
    """The strata by entropy beside the groups: ``titles`` of the groups, ``rows`` (a stratum and a count per group), and
    of those that stand out how many there are (``standing``) and how many the rule calls high (``high``)."""
    counts = Counter((row["risk"], group[row["study_id"]]) for row in rows)
    return {
        "titles": [entry.title for entry in GROUPS],
        "rows": [
            {"name": stratum.name, "title": stratum.title, "counts": [counts[stratum.name, each] for each in GROUPS]}
            for stratum in wording.STRATA
        ],
        "standing": sum(count for (_, each), count in counts.items() if each == STANDS_OUT),
        "high": counts["high", STANDS_OUT],
    }


def places(rows: list[dict]) -> dict[str, dict]:
    """study_id -> ``rank`` (None where the table has none), how many studies share it (``shared``, 1 = nobody else), and
    ``text`` such as ``3`` or, shared, ``3 =``."""
    ranks = {row["study_id"]: int(row["rank"]) if candidates.is_number(row.get("rank")) else None for row in rows}
    together = Counter(ranks.values())
    return {
        study_id: {
            "rank": rank,
            "shared": 1 if rank is None else together[rank],
            "text": "–" if rank is None else f"{rank:,}{' =' if together[rank] > 1 else ''}",
        }
        for study_id, rank in ranks.items()
    }


def first_screen(cards: list[dict], n_candidates: int) -> dict:
    """``cards`` of at most five studies, how many with a reason follow (``more``), and how many of these share the place of
    the last one shown (``tied``): the choice among them is by their ids alone."""
    shown = cards[:MOST]
    last = shown[-1]["place"] if shown else None
    of_last = sum(card["place"] == last for card in shown)
    return {
        "cards": shown,
        "more": n_candidates - len(shown),
        "tied": 0 if last is None or last["rank"] is None else last["shared"] - of_last,
    }
