"""The whole evaluation: cohort table and labels -> the record that becomes evaluation.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from lstv.cohort.labels import LabelFile, consensus
from lstv.evaluation import crossvalidation, curves, delong, probability
from lstv.evaluation.discrimination import MIN_CLASS, Judge, operating_point, too_few
from lstv.evaluation.rates import confusion
from lstv.evaluation.sample import Sample, join, verification
from lstv.evaluation.subgroups import subgroups
from lstv.ranking.table_columns import PLAIN, PRIMARY, Column, numeric, score_columns
from lstv.uncertainty.registry import Metric

SCHEMA_VERSION = 1

SHOWN = (PRIMARY, PLAIN, "l5_s1_confidence")
"""Columns whose curves are drawn; fixed, so that the figures don't show whatever came out best."""

MIN_FIT = 20
"""Positives and negatives needed to fit a probability: ten for each of its two parameters."""


def evaluate(
    table: list[dict[str, str]],
    file: LabelFile,
    registered: dict[tuple[str, str], Metric],
    *,
    seed: int,
    replicates: int,
    groups: Mapping[str, Mapping[str, str]] | None = None,
) -> dict:
    """Everything docs/evaluation.md describes, as plain numbers, texts, lists and None.

    ``table`` from ``cohort_table.read_cohort_table``, ``registered`` from ``cohort_table.registered_metrics``,
    ``groups`` from ``subgroups.read_groups``. Raises UserError where no label can be used. With fewer than ``MIN_CLASS``
    positives or negatives ``status`` is ``refused`` and no number is given.
    """
    sample, account = join(table, file, consensus(file.readings))
    record = {
        "schema_version": SCHEMA_VERSION,
        "status": "ok",
        "reason": too_few(sample.labels),
        "settings": {"seed": seed, "replicates": replicates, "minimum_of_each": MIN_CLASS},
        "labels": account,
        "verification": None,
        "primary": PRIMARY,
        "compared_with": PLAIN,
        "expected_half_width": None,
        "metrics": [],
        "rules": [],
        "castellvi": [],
        "subgroups": [],
        "nuisance": None,
        "probability": [],
        "curves": {},
        "notes": [],
    }
    if record["reason"]:
        record["status"] = "refused"
        return record
    columns = {column.name: column for column in score_columns(table, registered)}
    values = {name: numeric(sample.rows, name) for name in columns}
    plain = values[PLAIN] * (columns[PLAIN].sign or 1) if PLAIN in columns else None
    judge = Judge(sample.labels, sample.weights, sample.strata, seed=seed, replicates=replicates)
    metrics = [judge.measure(column, values[name], plain) for name, column in columns.items()]
    scores = {name: values[name] * columns[name].sign for name in SHOWN if name in columns and columns[name].sign}
    record["verification"] = verification(sample)
    record["expected_half_width"] = _half_width(account["positive"], account["negative"])
    record["metrics"] = sorted(metrics, key=lambda entry: (-entry.get("auc", -1.0), entry["metric"]))
    record["rules"] = _rules(sample)
    record["castellvi"] = _castellvi(sample, columns, values, seed, replicates)
    if PRIMARY in columns:
        record["subgroups"] = subgroups(sample, columns[PRIMARY], groups or {}, seed=seed, replicates=replicates)
    record["nuisance"] = _nuisance(table, sample, columns, values, judge)
    record["probability"] = [_probability(name, scores[name], sample, seed) for name in scores]
    drawn = {name: _points(scores[name], sample) for name in scores}
    primary = drawn.get(PRIMARY)
    if primary is not None:
        primary |= judge.bands(scores[PRIMARY])
    record["curves"] = drawn
    record["notes"] = _notes(record)
    return record


def _half_width(positives: int, negatives: int) -> dict:
    """What precision these numbers of studies allow, whatever the metric."""
    return {"auc": 0.8, "half_width": float(delong.Z * delong.hanley_mcneil(0.8, positives, negatives))}


def _rules(sample: Sample) -> list[dict]:
    """The strata that were fixed without labels, as rules."""
    risk = np.array([row["risk"] for row in sample.rows])
    rules = {"risk is high": ["high"], "risk is high, or a level was not found": ["high", "not_found"]}
    return [
        {"rule": name} | operating_point(confusion(np.isin(risk, strata), sample.labels, sample.weights))
        for name, strata in rules.items()
    ]


def _castellvi(
    sample: Sample, columns: dict[str, Column], values: dict[str, np.ndarray], seed: int, replicates: int
) -> list[dict]:
    """The primary score for the grades apart: a midline image shows III and IV at best, I and II lie lateral of it."""
    if PRIMARY not in columns or not set(sample.castellvi) & {"I", "II", "III", "IV"}:
        return []
    records = []
    for grades in (["I", "II"], ["III", "IV"]):
        kept = ~sample.labels | np.isin(sample.castellvi, grades)
        judge = Judge(sample.labels[kept], sample.weights[kept], sample.strata[kept], seed=seed, replicates=replicates)
        measured = judge.measure(columns[PRIMARY], values[PRIMARY][kept], None)
        records.append({"grades": grades} | measured)
    return records


def _nuisance(
    table: list[dict[str, str]],
    sample: Sample,
    columns: dict[str, Column],
    values: dict[str, np.ndarray],
    judge: Judge,
) -> dict | None:
    """Whether the way the images were taken predicts the label, or the score; None without such columns."""
    nuisances = [name for name, column in columns.items() if column.nuisance]
    names = [name for name in nuisances if np.isfinite(values[name]).all() and np.ptp(values[name]) > 0]
    if not names:
        return None
    record: dict[str, Any] = {
        "columns": names,
        "left_out": sorted(set(nuisances) - set(names)),
        "correlation_with_score": _correlations(table, names),
        "note": "",
    }
    rarer = min(sample.labels.sum(), (~sample.labels).sum())
    if rarer < 10 * (len(names) + 1):
        return record | {
            "note": f"a model of {len(names)} nuisances needs {10 * (len(names) + 1)} of each label and there are {rarer}."
        }
    fold = crossvalidation.folds(sample.labels, judge.seed)
    features = np.column_stack([values[name] for name in names])
    chance = crossvalidation.probabilities(features, sample.labels, sample.weights, fold)
    model = judge.measure(Column("nuisance_model", 1, True), chance, None)
    record |= {key: model.get(key) for key in ("auc", "auc_low", "auc_high", "auc_interval")}
    if PRIMARY in columns:
        record["score_minus_model"] = judge.compare(values[PRIMARY], chance)
    return record


def _correlations(table: list[dict[str, str]], names: list[str]) -> dict[str, float | None]:
    """Spearman's correlation of each nuisance with the primary score over the whole cohort, which needs no label."""
    score = numeric(table, PRIMARY)
    result = {}
    for name in names:
        nuisance = numeric(table, name)
        known = np.isfinite(score) & np.isfinite(nuisance)
        varied = known.sum() > 2 and np.ptp(score[known]) > 0 and np.ptp(nuisance[known]) > 0
        result[name] = float(spearmanr(score[known], nuisance[known])[0]) if varied else None
    return result


def _probability(name: str, scores: np.ndarray, sample: Sample, seed: int) -> dict:
    """Calibration and decision curve of out-of-fold Platt probabilities, or why they are not given."""
    known = np.isfinite(scores)
    labels, weights = sample.labels[known], sample.weights[known]
    record: dict[str, Any] = {"metric": name, "note": "", "calibration": None, "decision_curve": []}
    positives, negatives = int(labels.sum()), int((~labels).sum())
    if min(positives, negatives) < MIN_FIT:
        return record | {
            "note": f"not assessed: {positives} positives and {negatives} negatives; "
            f"a probability is fitted from {MIN_FIT} of each on."
        }
    chance = crossvalidation.probabilities(scores[known, None], labels, weights, crossvalidation.folds(labels, seed))
    record["decision_curve"] = probability.decision_curve(chance, labels, weights)
    try:
        record["calibration"] = probability.calibration(chance, labels, weights)
    except ArithmeticError as error:
        record["note"] = f"calibration not assessed: {error}."
    return record


def _points(scores: np.ndarray, sample: Sample) -> dict | None:
    """ROC and PR curve of one column as lists of points; None where the column is refused."""
    known = np.isfinite(scores)
    labels, weights = sample.labels[known], sample.weights[known]
    if too_few(labels):
        return None
    _, positive, negative = curves.tied_masses(scores[known], labels, weights)
    roc, pr = curves.roc_points(positive, negative), curves.pr_points(positive, negative)
    return {
        "false_positive_rate": roc[0].tolist(),
        "sensitivity": roc[1].tolist(),
        "recall": pr[0].tolist(),
        "precision": pr[1].tolist(),
    }


def _notes(record: dict) -> list[str]:
    """What a reader must know before the numbers, as sentences."""
    labels, found = record["labels"], {entry["metric"]: entry for entry in record["metrics"]}
    notes = [
        f"{PRIMARY} was fixed before labels were seen and is the result; the best of the other {len(found) - 1} metrics "
        "is best partly by chance, and no interval is adjusted for their number."
        if PRIMARY in found
        else f"the cohort table has no column {PRIMARY}, so no result was fixed beforehand: all of this is exploratory."
    ]
    if PLAIN not in found:
        notes.append(f"the cohort table has no column {PLAIN}, so nothing is compared with it.")
    if not labels["weighted"] and labels["used"] < labels["studies_with_status_ok"]:
        notes.append(
            f"{labels['used']} of {labels['studies_with_status_ok']} analysed studies are labelled, with equal weights: the "
            "numbers hold for the whole cohort only if these were drawn at random, not if they were picked by their rank."
        )
    if labels["not_blinded"]:
        count = len(labels["not_blinded"])
        notes.append(
            f"the label of {count} {'study' if count == 1 else 'studies'} was given by a reader who had been unblinded; it "
            "may follow the score that it is compared with."
        )
    if labels["queue"] and not labels["has_weights"]:
        notes.append(
            f"the labels were read from the review queue {labels['queue']}, whose weights were not given: flagged and "
            "sampled studies count alike, so no number holds for the cohort. Give review_queue.json."
        )
    if labels["weighted"] and labels["rows_without_label"]:
        notes.append(
            f"{labels['rows_without_label']} rows of the label file have no label; the weights assume that all were read."
        )
    if record["verification"]:
        check = record["verification"]
        notes.append(
            f"{check['positives_among_sampled']} of {check['sampled']} sampled studies are positive and stand for "
            f"{check['stand_for']:.0f}; up to {check['missed_at_most']:.0f} positives among those are compatible with that "
            "(95 % limit), which the intervals may not show."
        )
    undefined = found.get(PRIMARY, {}).get("undefined_positive", 0) + found.get(PRIMARY, {}).get(
        "undefined_negative", 0
    )
    if undefined:
        notes.append(f"{undefined} labelled studies have no {PRIMARY} and are left out of its numbers.")
    return notes
