"""Which metrics a planted change moves, and which it leaves alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.stats import binomtest

from lstv import uncertainty
from lstv.base.errors import UserError
from lstv.base.levels import LEVELS
from lstv.ranking.evidence import LIMITS, Limit
from lstv.ranking.score import GROUPS, rank_studies
from lstv.uncertainty.records import StudyRecord
from lstv_evidence.method import score_v1
from lstv_evidence.method.changes import CHANGES
from lstv_evidence.method.planting import ORIGINAL, Planted, in_cohort

SCHEMA_VERSION = 1
MIN_STUDIES = 3
MOVED_SD = 1.0
MOVED_P = 0.05
_MAD_TO_SD = 1.4826
_SAME = 1e-9
_REPLICATES = 2000


def effects(planted: list[Planted]) -> dict:
    """The record of the experiment: studies, each metric's change, flags that are new, and places in the cohort.

    Metrics are those of the study and of L5/S1. A change's median is in units of the robust standard deviation (1.4826
    times the median absolute deviation) of the originals, None where that is 0. ``moved``: the median is at least 1 such
    unit (any, where there is no unit) and the two-sided sign test over the studies gives p < 0.05. A metric that becomes
    undefined is counted as such and has no size. Raises UserError with fewer than MIN_STUDIES studies.
    """
    usable = [study for study in planted if not study.reason]
    if len(usable) < MIN_STUDIES:
        reasons = "; ".join(f"{study.study_id}: {study.reason}" for study in planted if study.reason)
        raise UserError(
            f"a change could be planted in {len(usable)} studies, at least {MIN_STUDIES} are needed"
            f"{f' ({reasons})' if reasons else ''}."
        )
    return {
        "schema_version": SCHEMA_VERSION,
        "studies": len(usable),
        "left_out": [{"study_id": study.study_id, "reason": study.reason} for study in planted if study.reason],
        "changes": [{"name": c.name, "title": c.title, "control": c.control} for c in CHANGES],
        "discrimination": discrimination(usable),
        "metrics": [_metric(scope, name, usable) for scope, name in _names()],
        "flags": {change.name: _new_flags(usable, change.name) for change in CHANGES},
        "places": {name: _places(usable, name) for name in (ORIGINAL, *(change.name for change in CHANGES))},
    }


def discrimination(studies: list[Planted]) -> list[dict]:
    """For each change: the area under the ROC curve of the changed studies against the originals of the others.

    By the score, by the score before (``score_v1``) and by each metric of the limits in its direction, each with the 2.5
    and 97.5 percentiles of a bootstrap over patients. Scores are computed with one study changed and the others as they
    are. Ties count half; a changed study without a value takes no part.
    """
    columns = {"score": _new_scores, "score_v1": _old_scores}
    columns |= {limit.column: partial(_outward, limit) for limit in LIMITS}
    return [
        {"change": change.name}
        | {name: _area(_above(studies, change.name, values_of)) for name, values_of in columns.items()}
        for change in CHANGES
    ]


def _new_scores(records: list[StudyRecord]) -> np.ndarray:
    by_id = {standing.study_id: standing.score for standing in rank_studies(records)}
    return np.array([np.nan if by_id[r["study_id"]] is None else by_id[r["study_id"]] for r in records])


def _old_scores(records: list[StudyRecord]) -> np.ndarray:
    return score_v1.of_records(records)


def _outward(limit: Limit, records: list[StudyRecord]) -> np.ndarray:
    return limit.outward(np.array([limit.value(record) for record in records]))


def _above(studies: list[Planted], change: str, values_of: Callable[[list[StudyRecord]], np.ndarray]) -> np.ndarray:
    """(n, n): 1 where the changed study i is above the original j, 0.5 where equal, 0 below; NaN on the diagonal or where
    one of the two has no value."""
    result = np.full((len(studies), len(studies)), np.nan)
    for index in range(len(studies)):
        values = values_of(in_cohort(studies, index, change)).round(9)
        known = np.isfinite(values) & np.isfinite(values[index])
        result[index] = np.where(known, (values[index] > values) + 0.5 * (values[index] == values), np.nan)
    np.fill_diagonal(result, np.nan)
    return result


def _area(above: np.ndarray) -> dict:
    if not np.isfinite(above).any():
        return {"auc": None, "low": None, "high": None, "studies": 0}
    rng = np.random.default_rng(1)
    drawn = []
    for chosen in rng.integers(len(above), size=(_REPLICATES, len(above))):
        part = above[np.ix_(chosen, chosen)]
        if np.isfinite(part).any():
            drawn.append(np.nanmean(part))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {
        "auc": float(np.nanmean(above)),
        "low": float(low),
        "high": float(high),
        "studies": int(np.isfinite(above).any(axis=1).sum()),
    }


COLUMNS: tuple[str, ...] = (
    "metric",
    "family",
    "original_median",
    "original_sd",
    "change",
    "median",
    "median_in_sd",
    "up",
    "down",
    "same",
)
COLUMNS += ("became_undefined", "became_defined", "sign_test_p", "moved")
"""Columns of the flat table."""


def rows(record: dict) -> list[dict]:
    """One row a metric and change, with ``COLUMNS``."""
    own = ("metric", "family", "original_median", "original_sd")
    return [
        {key: found[key] for key in own} | {"change": name} | effect | {"moved": "yes" if effect["moved"] else "no"}
        for found in record["metrics"]
        for name, effect in found["changes"].items()
    ]


def _names() -> list[tuple[str, str]]:
    return [(entry.scope, entry.name) for entry in uncertainty.metrics()]


def value(record: StudyRecord, scope: str, name: str) -> float:
    """A study's metric, or L5/S1's; NaN where it is undefined."""
    found = record["study"][name] if scope == "study" else record["levels"][LEVELS[-1]][name]
    return np.nan if found is None else float(found)


def _metric(scope: str, name: str, studies: list[Planted]) -> dict:
    original = np.array([value(study.records[ORIGINAL], scope, name) for study in studies])
    known = original[np.isfinite(original)]
    middle = float(np.median(known)) if known.size else None
    spread = _MAD_TO_SD * float(np.median(np.abs(known - middle))) if known.size else 0.0
    record: dict[str, Any] = {
        "metric": name if scope == "study" else f"{LEVELS[-1]}_{name}",
        "family": next(e.family for e in uncertainty.metrics(scope) if e.name == name),
        "original_median": middle,
        "original_sd": spread,
        "changes": {},
    }
    for change in CHANGES:
        changed = np.array([value(study.records[change.name], scope, name) for study in studies])
        record["changes"][change.name] = _effect(original, changed, spread)
    return record


def _effect(original: np.ndarray, changed: np.ndarray, spread: float) -> dict:
    both = np.isfinite(original) & np.isfinite(changed)
    difference = changed[both] - original[both]
    up, down = int((difference > _SAME).sum()), int((difference < -_SAME).sum())
    median = float(np.median(difference)) if difference.size else None
    size = median / spread if median is not None and spread > _SAME else None
    chance = float(binomtest(up, up + down).pvalue) if up + down else 1.0
    far = median is not None and (abs(size) >= MOVED_SD if size is not None else abs(median) > _SAME)
    return {
        "median": median,
        "median_in_sd": size,
        "up": up,
        "down": down,
        "same": int(both.sum()) - up - down,
        "became_undefined": int((np.isfinite(original) & ~np.isfinite(changed)).sum()),
        "became_defined": int((~np.isfinite(original) & np.isfinite(changed)).sum()),
        "sign_test_p": chance,
        "moved": bool(far and chance < MOVED_P),
    }


def _new_flags(studies: list[Planted], change: str) -> dict[str, int]:
    """Number of studies with a flag that their original does not have."""
    new = Counter(
        flag
        for study in studies
        for flag in set(study.records[change]["flags"]) - set(study.records[ORIGINAL]["flags"])
    )
    return dict(sorted(new.items()))


def _places(studies: list[Planted], change: str) -> dict:
    """Where the ranking and the plain entropy put a changed study among the originals of the others; 1 = first."""
    by_rank, by_entropy, scores = [], [], []
    placed: Counter[str] = Counter()
    for index, study in enumerate(studies):
        standings = {standing.study_id: standing for standing in rank_studies(in_cohort(studies, index, change))}
        own = standings[study.study_id]
        by_rank.append(own.rank)
        placed[own.group] += 1
        if own.score is not None:
            scores.append(own.score)
        if own.rank_entropy is not None:
            by_entropy.append(own.rank_entropy)
    return {
        "median_rank": float(np.median(by_rank)),
        "first_three": sum(rank <= 3 for rank in by_rank),
        "median_rank_entropy": float(np.median(by_entropy)) if by_entropy else None,
        "first_three_entropy": sum(rank <= 3 for rank in by_entropy),
        "without_entropy": len(studies) - len(by_entropy),
        "median_score": float(np.median(scores)) if scores else None,
        "placed": {word: placed[word] for word in GROUPS},
    }
