"""What a study's page says, as plain data: nothing here knows of HTML or pixels."""

from __future__ import annotations

from typing import Any

from lstv import uncertainty
from lstv.base.levels import LEVEL_LABELS, LEVELS
from lstv.report import candidates, formats, provenance, wording
from lstv.report.content import thresholds_of
from lstv.report.pages.cohort import Cohort, Entry
from lstv.report.pages.distribution import Among, among
from lstv.report.palette import JUNCTION

_LEVEL_NUMBERS = (("confidence", "Peak", 3), ("entropy", "Entropy (nats)", 2), ("area_px", "Area (pixels)", 0))
"""Metrics of the table of levels, by their column, with decimals."""

_PROVENANCE = ("software_version", "checkpoint_file", "checkpoint_sha256", "preprocessing", "members", "device")


def make(entry: Entry, document: dict[str, Any], cohort: Cohort, title: str) -> dict[str, Any]:
    """The content of a page but for its pictures. ``document`` is the study's metrics JSON."""
    row = entry.row
    card = candidates.card(row, document, cohort.names, thresholds_of({}, [document]))
    return {
        "title": title,
        "called": f"Study {entry.name}" if cohort.names.shown else f"Study in {entry.name} of the cohort table",
        "file": entry.file,
        "number": entry.number,
        "before": entry.before,
        "after": entry.after,
        "group": entry.group,
        "place": entry.place,
        "count": cohort.count,
        "reasons": [*card["reasons"], *card["more_reasons"]],
        "notes": card["notes"],
        "flags": [
            {"name": wording.flag_words(flag), "meaning": wording.flag_meaning(flag)}
            for flag in candidates.flags_of(row)
            if wording.is_note(flag)
        ],
        "not_found": card["not_found"],
        "stratum": card["risk_title"],
        "numbers": _numbers(row, cohort),
        "levels": [_level(row, level, cohort) for level in reversed(LEVELS)],
        "level_heads": [head for _, head, _ in _LEVEL_NUMBERS],
        "measures": _measures(document, cohort),
        "demo": provenance.uses_demo_weights([], [document]),
        "provenance": {name: str(document.get("provenance", {}).get(name, "")) for name in _PROVENANCE},
    }


def _numbers(row: dict[str, Any], cohort: Cohort) -> list[dict[str, Any]]:
    """What enters the ranking, and the entropy of L5/S1: each with its place in the cohort and what high or low says."""
    wanted = [*candidates.MEASURES, (f"{JUNCTION}_entropy", "L5/S1 entropy", 2)]
    rows = []
    for column, label, digits in wanted:
        value = row.get(column)
        if column.startswith(JUNCTION) and not candidates.is_found(row, JUNCTION):
            value = None  # of a level that was not found the number is not one of a disc
        metric = candidates.documented().get(column)
        rows.append(
            {
                "label": label,
                "value": formats.number(value, digits) if candidates.is_number(value) else formats.UNDEFINED,
                "unit": candidates.unit_of(column),
                "among": _among(cohort, column, value),
                "says": "" if metric is None else metric.direction,
            }
        )
    return rows


def _among(cohort: Cohort, column: str, value: Any) -> Among | None:
    return among(cohort.spread(column), float(value)) if candidates.is_number(value) else None


def _level(row: dict[str, Any], level: str, cohort: Cohort) -> dict[str, Any]:
    found = candidates.is_found(row, level)
    cells = []
    for name, _, digits in _LEVEL_NUMBERS:
        value = row.get(f"{level}_{name}")
        shown = candidates.is_number(value) and (found or name == "confidence")
        cells.append(formats.number(value, digits) if shown else formats.UNDEFINED)
    entropy = row.get(f"{level}_entropy")
    return {
        "label": LEVEL_LABELS[level],
        "found": found,
        "cells": cells,
        "among": _among(cohort, f"{level}_entropy", entropy) if found else None,
    }


def _measures(document: dict[str, Any], cohort: Cohort) -> list[dict[str, Any]]:
    """All documented study metrics of the JSON, with their place in the cohort."""
    values = document.get("study", {})
    rows = []
    for metric in uncertainty.metrics("study"):
        if metric.name in values:
            value = values[metric.name]
            rows.append(
                {
                    "name": metric.name,
                    "title": metric.title,
                    "value": formats.significant(value),
                    "unit": metric.unit,
                    "among": _among(cohort, metric.name, value),
                }
            )
    return rows
