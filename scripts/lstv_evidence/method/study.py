"""The method study: the cohort table of phantoms of known truth -> how well each metric tells the transitional ones.

Everything here was fixed before a result was seen: the groups (design.py), the ranking (uncertainty/ranking.py), what is
compared with what, and the two questions:
  1. Does ``score`` separate the transitional spines from all others better than the plain L5/S1 entropy does?
  2. Does a nuisance rank above the transitional group?
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lstv.base.errors import UserError
from lstv.evaluation import bootstrap, curves, output
from lstv.evaluation.discrimination import Judge
from lstv.ranking.evidence import COMPONENTS
from lstv.ranking.score import GROUPS
from lstv.ranking.table_columns import PLAIN, PRIMARY, Column, numeric, score_columns
from lstv.uncertainty.registry import Metric
from lstv_evidence.method import contrasts, score_v1
from lstv_evidence.method.design import ORDINARY, TRANSITIONAL, MethodStudy, group_of, method_study_of
from lstv_evidence.phantom.spec import PhantomSpec

SCHEMA_VERSION = 1

AGAINST = ("all", ORDINARY)
"""What the transitional spines are compared with: ``all`` others with the nuisances (primary), or only ``ordinary`` ones."""

CONFIDENCE = "l5_s1_confidence"
"""The other plain measure that was asked for; lower = more suspicious."""

ANGLE = "angle_difference (distance from the median)"
"""The angle as it enters the score."""

PLAIN_FIRST = "l5_s1_entropy (not found first)"
"""The plain entropy as an order of all studies: those without L5/S1 before the others, as the final rank has them."""

SCORE_V1 = "score_v1"
"""The score before the picture was looked at (score_v1.py), so that both stand side by side."""

SIDE_BY_SIDE = {PRIMARY: 1, SCORE_V1: 1, "rank": -1, PLAIN: 1, CONFIDENCE: -1}
"""What each group is compared by, and the sign with which higher is more suspicious; those that the table lacks are left
out. ``rank`` orders all studies, also those without a score."""

COLUMNS = ("against", *(name for name in output.COLUMNS if not name.startswith("cv_")))
"""Columns of the flat table of metrics."""

_DERIVED = tuple(Column(name, 1, nuisance=False) for name in (ANGLE, PLAIN_FIRST, SCORE_V1))


def evaluate(
    table: list[dict[str, str]],
    truth: dict[str, PhantomSpec],
    components: dict[str, dict[str, float]],
    registered: dict[tuple[str, str], Metric],
    *,
    seed: int,
    replicates: int,
) -> dict:
    """The study's record: plain numbers, texts, lists and None.

    ``table`` from ``cohort_table.read_cohort_table``; ``truth`` the phantom of each study id; ``components`` the
    evidence that made each study's score, by id. Raises UserError where they do not name the same studies, or no
    study was analysed.
    """
    _check(table, truth)
    rows = [row for row in table if row["status"] == "ok"]
    if not rows:
        raise UserError("no phantom of the study was analysed; see the reasons in its cohort table.")
    phantoms = [truth[row["study_id"]] for row in rows]
    study, groups = method_study_of(truth.values()), np.array([group_of(spec) for spec in phantoms])
    positive = np.isin(groups, TRANSITIONAL)
    columns = [*score_columns(rows, registered), *_DERIVED]
    values = {column.name: numeric(rows, column.name) for column in columns}
    if PRIMARY not in values or PLAIN not in values:
        raise UserError("no phantom has both a score and an L5/S1 entropy; the localizer does not find its levels.")
    values[ANGLE], values[PLAIN_FIRST] = _angle(rows, values), _plain_first(values[PLAIN])
    values[SCORE_V1] = _score_v1(rows, values)
    places = _places(rows, components)
    options = {"seed": seed, "replicates": replicates}

    record: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "generator": study.generator,
        "settings": options | {"studies": len(table), "analysed": len(rows)},
        "primary": PRIMARY,
        "compared_with": PLAIN,
        "not_analysed": sorted(row["study_id"] for row in table if row["status"] != "ok"),
        "metrics": {},
        "final_order": {},
        "against_confidence": {},
        "without_component": [],
    }
    for name in AGAINST:
        kept = positive | (groups == ORDINARY) if name == ORDINARY else np.ones(len(rows), bool)
        judge = _judge(positive[kept], **options)
        record["metrics"][name] = _measured(judge, columns, values, kept)
        record["final_order"][name] = _order(judge, values, kept)
        if CONFIDENCE in values:
            record["against_confidence"][name] = judge.compare(values[PRIMARY][kept], -values[CONFIDENCE][kept])
        record["without_component"].append({"against": name, "components": _ablation(judge, places, kept)})
    compared = {name: values[name] * sign for name, sign in SIDE_BY_SIDE.items() if name in values}
    degrees = np.array([spec.degree for spec in phantoms])
    record["contrasts"] = contrasts.measure(study, groups, degrees, compared, places)
    record["by_degree"] = _by_degree(study, phantoms, positive, values, options)
    record["groups"] = _groups(study, groups, positive, rows, values, options)
    record["roc"] = {name: _roc(values[name], positive) for name in (PRIMARY, PLAIN)}
    record["studies"] = [
        {"group": group, "degree": spec.degree, "score": _number(score), "entropy": _number(entropy), "rank": int(rank)}
        for group, spec, score, entropy, rank in zip(
            groups.tolist(), phantoms, values[PRIMARY], values[PLAIN], values["rank"]
        )
    ]
    return record


def metric_rows(record: dict) -> list[dict[str, Any]]:
    """One row a metric and comparison, with ``COLUMNS``."""
    return [
        {"against": against} | {key: value for key, value in row.items() if key in COLUMNS}
        for against, found in record["metrics"].items()
        for row in output.metric_rows({"metrics": found})
    ]


def _check(table: list[dict[str, str]], truth: dict[str, PhantomSpec]) -> None:
    listed, measured = set(truth), {row["study_id"] for row in table}
    strange = sorted(listed ^ measured)
    if strange:
        where = "the list of phantoms" if strange[0] in listed else "the cohort table"
        raise UserError(
            f"study {strange[0]} is only in {where} ({len(strange)} such studies); give table and list of the same run."
        )


def _judge(labels: np.ndarray, *, seed: int, replicates: int) -> Judge:
    return Judge(labels, np.ones(len(labels)), labels.astype(int), seed=seed, replicates=replicates)


def _angle(rows: list[dict[str, str]], values: dict[str, np.ndarray]) -> np.ndarray:
    """|angle_difference - median of the studies of good quality|, as the ranking takes it."""
    angle = values.get("angle_difference", np.full(len(rows), np.nan))
    known = angle[np.isfinite(angle) & _fit(rows)]
    return np.abs(angle - np.median(known)) if known.size else np.full(len(rows), np.nan)


def _fit(rows: list[dict[str, str]]) -> np.ndarray:
    return np.array([row["quality"] == "ok" for row in rows])


def _plain_first(entropy: np.ndarray) -> np.ndarray:
    known = entropy[np.isfinite(entropy)]
    return np.where(np.isfinite(entropy), entropy, known.max() + 1 if known.size else 0.0)


def _measured(
    judge: Judge, columns: list[Column], values: dict[str, np.ndarray], kept: np.ndarray
) -> list[dict[str, Any]]:
    """A record for each column, by area; without the operating points, which belong to labelled patients."""
    plain = values[PLAIN][kept]
    measured = []
    for column in columns:
        found = judge.measure(column, values[column.name][kept], None if column.name == PLAIN else plain)
        found.pop("operating_points", None)
        measured.append(found)
    return sorted(measured, key=lambda entry: (-entry.get("auc", -1.0), entry["metric"]))


def _order(judge: Judge, values: dict[str, np.ndarray], kept: np.ndarray) -> dict[str, Any]:
    """The final rank against the plain entropy as an order of all studies: no study is left out of either."""
    rank, plain = -values["rank"][kept], values[PLAIN_FIRST][kept]
    first = int(judge.labels.sum())

    def hits(order: np.ndarray) -> int:
        return int(judge.labels[np.argsort(-order, kind="stable")[:first]].sum())

    return judge.compare(rank, plain) | {
        "looked_at": first,
        "transitional_by_rank": hits(rank),
        "transitional_by_entropy": hits(plain),
        "expected_by_chance": first * first / len(judge.labels),
    }


def _places(rows: list[dict[str, str]], components: dict[str, dict[str, float]]) -> dict[str, np.ndarray]:
    """Each component's evidence, as it enters the score; NaN where it is undefined."""
    ids = [row["study_id"] for row in rows]
    absent = [study_id for study_id in ids if study_id not in components]
    if absent:
        raise UserError(f"study {absent[0]} has no components of its score; give table and components of the same run.")
    return {name: np.array([components[study_id].get(name, np.nan) for study_id in ids]) for name in COMPONENTS}


def _score_v1(rows: list[dict[str, str]], values: dict[str, np.ndarray]) -> np.ndarray:
    nothing = np.full(len(rows), np.nan)
    return score_v1.scores({name: values.get(name, nothing) for name in score_v1.COMPONENTS}, _fit(rows))


def _ablation(judge: Judge, places: dict[str, np.ndarray], kept: np.ndarray) -> list[dict[str, Any]]:
    """The score with one component left out, against the full one. Exploratory: the ranking is not changed by it."""
    full = _mean(list(places.values()))
    entries = []
    for name in places:
        rest = _mean([places[other] for other in places if other != name])
        alone = judge.measure(Column(name, 1, nuisance=False), places[name][kept], None)
        gain = judge.compare(full[kept], rest[kept])
        entries.append(
            {"component": name}
            | {
                key: alone.get(key)
                for key in ("auc", "auc_low", "auc_high", "undefined_positive", "undefined_negative")
            }
            | {"gain": gain.get("difference"), "gain_low": gain.get("difference_low")}
            | {"gain_high": gain.get("difference_high")}
        )
    return entries


def _mean(columns: list[np.ndarray]) -> np.ndarray:
    stack = np.array(columns)
    known = np.isfinite(stack).sum(axis=0)
    return np.where(known > 0, np.nansum(stack, axis=0) / np.maximum(known, 1), np.nan)


def _by_degree(
    study: MethodStudy, phantoms: list[PhantomSpec], positive: np.ndarray, values: dict[str, np.ndarray], options: dict
) -> list[dict[str, Any]]:
    """Each kind, and each degree of it, against all spines that are not transitional."""
    kinds = np.array([spec.kind for spec in phantoms])
    degrees = np.array([spec.degree for spec in phantoms])
    entries = []
    for kind in TRANSITIONAL:
        for degree in (None, *study.degrees):
            chosen = (kinds == kind) & ((degrees == degree) if degree is not None else True)
            kept = chosen | ~positive
            judge = _judge(chosen[kept], **options)
            entry: dict[str, Any] = {"kind": kind, "degree": degree, "studies": int(chosen.sum())}
            for name in (PRIMARY, PLAIN):
                found = judge.measure(Column(name, 1, nuisance=False), values[name][kept], None)
                entry[name] = {key: found.get(key) for key in ("auc", "auc_low", "auc_high", "positive")}
            entry["median_rank"] = _number(np.median(values["rank"][chosen])) if chosen.any() else None
            entries.append(entry)
    return entries


def _groups(
    study: MethodStudy,
    groups: np.ndarray,
    positive: np.ndarray,
    rows: list[dict[str, str]],
    values: dict[str, np.ndarray],
    options: dict,
) -> list[dict[str, Any]]:
    """Scores and final ranks of each group beside those of the transitional spines."""
    masks = {"transitional": positive} | {kind: groups == kind for kind in TRANSITIONAL}
    masks |= {name: groups == name for name in (ORDINARY, *study.nuisances)}
    first = int(positive.sum())
    score, rank, entropy = values[PRIMARY], values["rank"], values[PLAIN]
    placed = np.array([row["rank_group"] for row in rows])
    target_scores = score[positive & np.isfinite(score)]
    entries = []
    for name, chosen in masks.items():
        own = score[chosen & np.isfinite(score)]
        entry: dict[str, Any] = {"group": name, "studies": int(chosen.sum()), "with_score": len(own)}
        entry |= _interval("mean_score", np.mean, own, options) | _interval("median_score", np.median, own, options)
        entry["mean_entropy"] = _number(np.nanmean(entropy[chosen])) if np.isfinite(entropy[chosen]).any() else None
        entry["median_rank"] = _number(np.median(rank[chosen])) if chosen.any() else None
        entry["in_first"] = int((rank[chosen] <= first).sum())
        entry["placed"] = {word: int((placed[chosen] == word).sum()) for word in GROUPS}
        if not (chosen & positive).any():
            entry |= _compared(target_scores, own, options)
            kept = positive | chosen
            for column in (PRIMARY, PLAIN):
                found = _judge(positive[kept], **options).measure(
                    Column(column, 1, nuisance=False), values[column][kept], None
                )
                entry |= {f"auc_{column}{end}": found.get(f"auc{end}") for end in ("", "_low", "_high")}
            entry["above_transitional"] = _above(entry, float(np.median(rank[positive])) if positive.any() else None)
        entries.append(entry)
    return entries


def _above(entry: dict[str, Any], median_rank: float | None) -> bool | None:
    """Whether a group ranks above the transitional one: its mean score is higher, or its median final rank earlier."""
    if entry["median_rank"] is None or median_rank is None:
        return None
    higher = entry["score_difference"] is not None and entry["score_difference"] < 0
    return bool(higher or entry["median_rank"] < median_rank)


def _interval(
    name: str, statistic: Callable[..., np.ndarray], values: np.ndarray, options: dict
) -> dict[str, float | None]:
    """A statistic of one group with the percentiles of its bootstrap."""
    if not len(values):
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    low, high = bootstrap.percentile(statistic(_resampled(values, options, 1), axis=1)) or (None, None)
    return {name: float(statistic(values)), f"{name}_low": low, f"{name}_high": high}


def _compared(target_scores: np.ndarray, own: np.ndarray, options: dict) -> dict[str, float | None]:
    """Mean score of the transitional spines minus that of a group, with the percentiles of the bootstrap of both."""
    names = ("score_difference", "score_difference_low", "score_difference_high")
    if not len(own) or not len(target_scores):
        return dict.fromkeys(names)
    drawn = _resampled(target_scores, options, 2).mean(axis=1) - _resampled(own, options, 3).mean(axis=1)
    return dict(zip(names, (float(target_scores.mean() - own.mean()), *(bootstrap.percentile(drawn) or (None, None)))))


def _resampled(values: np.ndarray, options: dict, stream: int) -> np.ndarray:
    rng = np.random.default_rng([options["seed"], stream])
    return values[rng.integers(len(values), size=(options["replicates"], len(values)))]


def _roc(scores: np.ndarray, labels: np.ndarray) -> dict[str, list[float]]:
    known = np.isfinite(scores)
    _, positive, negative = curves.tied_masses(scores[known], labels[known], np.ones(known.sum()))
    false, true = curves.roc_points(positive, negative)
    return {"false_positive_rate": false.tolist(), "sensitivity": true.tolist()}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
