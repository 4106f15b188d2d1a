"""What the report says, as plain data: nothing here knows of HTML."""

from __future__ import annotations

import math
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas

from lstv import uncertainty
from lstv.base.errors import UserError
from lstv.base.levels import LEVELS
from lstv.cohort import selection, study_sheet
from lstv.report import accounting, candidates, provenance, summaries, wording
from lstv.report.inputs import Inputs
from lstv.report.palette import JUNCTION
from lstv.uncertainty import Thresholds


@dataclass(frozen=True)
class Options:
    """What was asked for: ``top`` candidates with images, whether study ids may be shown, and where the page will lie."""

    title: str
    top: int
    show_ids: bool
    out: Path
    table: Path


def make(inputs: Inputs, runs: list[dict], options: Options) -> dict:
    """The whole content of the report but for images and figures. ``runs`` are the records of the heatmap files."""
    table = inputs.table
    names = accounting.Names(
        options.show_ids, {study_id: line for line, study_id in enumerate(table["study_id"], start=2)}
    )
    outcomes = table.apply(selection.outcome, axis=1) if len(table) else pandas.Series(dtype=str)
    analysed = candidates.ordered(table[outcomes == "ok"])
    documents = [inputs.studies[study_id] for study_id in sorted(inputs.studies)]
    thresholds = thresholds_of(inputs.settings, documents)
    rows = analysed.to_dict("records")
    for row in rows:
        row["own_choice"] = inputs.sheet[row["study_id"]].reason == study_sheet.CHOSEN_BY_USER
    fit = [row for row in rows if not candidates.has_quality_problem(row)]
    good = [row for row in fit if not candidates.is_localizers(row)]
    doubted = [row for row in fit if candidates.is_localizers(row)]
    away = table[outcomes.isin(("failed", "excluded"))] if len(table) else table
    reasons, more_reasons = accounting.grouped_reasons(away, inputs.sheet, names)
    unselected, _ = accounting.grouped_reasons(table[outcomes == "not_selected"], inputs.sheet, names)
    counts = accounting.counts(outcomes)
    link = _Links(inputs.json_paths, options)
    return {
        "title": options.title,
        "show_ids": options.show_ids,
        "table_name": link.name(options.table),
        "demo": provenance.uses_demo_weights(runs, documents),
        "thresholds": thresholds,
        "effective_area": round(math.exp(thresholds["high"])),
        "counts": {
            **counts,
            "quality": len(rows) - len(fit),
            "localizer": len(doubted),
            "training": int((analysed["split"] == "train").sum()),
            "split_unknown": int((analysed["split"] == "unknown").sum()),
        },
        "strata": _strata(analysed, thresholds),
        "agreement": candidates.agreement(analysed, options.top),
        "combined": "score" in analysed and bool(analysed["score"].notna().any()),
        "both_ranks": "rank_entropy" in analysed and bool(analysed["rank_entropy"].notna().any()),
        "ranked": "rank" in analysed and bool(analysed["rank"].notna().any()),
        "candidates": [
            {
                **candidates.card(row, inputs.studies.get(row["study_id"]), names, thresholds),
                "json": link.json(row["study_id"]),
                "anchor": f"study-{number}",
            }
            for number, row in enumerate(good[: options.top], start=1)
        ],
        "n_rankable": len(good),
        "rows": [_line(row, names, link) for row in rows],
        "localizer": [
            {**_line(row, names, link), "study_id": row["study_id"], "reasons": row["reasons"].split("; ")}
            for row in doubted
        ],
        "quality": [
            {
                **_line(row, names, link),
                "problems": [wording.flag_meaning(f) for f in candidates.flags_of(row) if wording.is_quality(f)],
            }
            for row in rows
            if candidates.has_quality_problem(row)
        ],
        "flags": _flags(rows),
        "reasons": reasons,
        "more_reasons": more_reasons,
        "unselected": [
            {**group, "reason": group["reason"].removeprefix(selection.NOT_SELECTED).lstrip(": ")}
            for group in unselected
        ],
        "levels": summaries.level_table(analysed),
        "study_metrics": summaries.study_table(analysed),
        "definitions": uncertainty.metrics(),
        "provenance": provenance.facts(runs, documents),
        "settings": provenance.settings_rows(inputs.settings),
        "analysed": analysed,
    }


def thresholds_of(settings: dict, documents: list[dict]) -> dict[str, float]:
    """``high`` and ``moderate`` in nats: as recorded with the metrics, else from the settings, else the defaults.

    Raises UserError where studies were stratified by different thresholds.
    """
    used = sorted(
        {
            (record["risk_high"], record["risk_moderate"])
            for record in (document.get("provenance", {}) for document in documents)
            if "risk_high" in record and "risk_moderate" in record
        }
    )
    if len(used) > 1:
        raise UserError(
            f"the studies were stratified by different thresholds ({used[0][0]:g} and {used[1][0]:g} nats for high); run "
            "study_metrics for all of them again."
        )
    metrics = settings.get("metrics", {})
    default = Thresholds()
    high, moderate = (
        used[0]
        if used
        else (
            metrics.get("entropy_high", default.high),
            metrics.get("entropy_moderate", default.moderate),
        )
    )
    return {"high": float(high), "moderate": float(moderate)}


def _strata(analysed: pandas.DataFrame, thresholds: dict[str, float]) -> list[dict]:
    known: list[dict[str, Any]] = [
        {
            "name": stratum.name,
            "title": stratum.title,
            "rule": stratum.rule.format(**thresholds),
            "n": int((analysed["risk"] == stratum.name).sum()),
        }
        for stratum in wording.STRATA
    ]
    other = len(analysed) - sum(entry["n"] for entry in known)
    if other:
        known.append({"name": "none", "title": "No stratum", "rule": "the table gives none", "n": other})
    return known


def _line(row: dict, names: accounting.Names, link: _Links) -> dict:
    """A study's line in the table of all analysed studies."""
    notes = wording.study_notes(row)
    # that L5/S1 was not found is the stratum already
    flags = [flag for flag in candidates.flags_of(row) if wording.is_note(flag) and flag != f"{JUNCTION}_not_found"]
    return {
        "name": names(row["study_id"]),
        "json": link.json(row["study_id"]),
        "rank": int(row["rank"]) if candidates.is_number(row.get("rank")) else None,
        "rank_entropy": int(row["rank_entropy"]) if candidates.is_number(row.get("rank_entropy")) else None,
        "score": row.get("score"),
        "risk": wording.STRATUM_WORDS.get(row["risk"], "None"),
        "entropy": [row[f"{level}_entropy"] if candidates.is_found(row, level) else None for level in LEVELS],
        "confidence": row[f"{JUNCTION}_confidence"],
        "found": sum(candidates.is_found(row, level) for level in LEVELS),
        "notes": notes + [wording.flag_words(flag) for flag in flags],
    }


def _flags(rows: list[dict]) -> list[dict]:
    """The flags that occur among the analysed studies: ``name``, ``meaning``, in how many (``n``), most frequent first."""
    met = Counter(flag for row in rows for flag in candidates.flags_of(row))
    return [
        {"name": flag, "meaning": wording.flag_meaning(flag), "n": n}
        for flag, n in sorted(met.items(), key=lambda item: (-item[1], item[0]))
    ]


class _Links:
    """Relative links to what lies beside the page or below it; nothing else is linked."""

    def __init__(self, json_paths: dict[str, Path], options: Options) -> None:
        self._json_paths = json_paths
        self._show_ids = options.show_ids
        self._folder = os.path.abspath(options.out.parent)

    def name(self, path: Path) -> str | None:
        relative = os.path.relpath(os.path.abspath(path), self._folder)
        return None if relative.startswith(os.pardir) else relative.replace(os.sep, "/")

    def json(self, study_id: str) -> str | None:
        # the file is called like the study
        if not self._show_ids or study_id not in self._json_paths:
            return None
        return self.name(self._json_paths[study_id])
