"""A result as its page shows it: words and drawings, no number of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lstv import uncertainty
from lstv.base.levels import LEVEL_LABELS, LEVELS
from lstv.localizer import heatmap_file
from lstv.report import formats, overlay, wording
from lstv.report.palette import JUNCTION
from lstv.review.analysis import HEATMAPS, Result, sentences
from lstv.uncertainty.records import StudyRecord

_MEMBERS = {
    "centre": "the centre slice alone",
    "slices": "the centre slice and its neighbours",
    "full": "the centre slice, its neighbours and transformed views",
}


def page(result: Result, out: Path) -> dict[str, Any]:
    """What the template needs. The pictures come from the heatmap file that the analysis left in ``out``."""
    record = result.record
    reasons = sentences(result.reasons)
    maps = heatmap_file.read_study(out / HEATMAPS, record["study_id"], members=False)
    points = {level: values["point_px"] for level, values in record["levels"].items()}
    return {
        "record": record,
        "ok": record["status"] == "ok",
        "reasons": reasons,
        "drawn": overlay.overlay(maps, record, reasons) if record["status"] == "ok" else None,
        "levels": [_level(level, record) for level in LEVELS] if record["levels"] else [],
        "not_found": [LEVEL_LABELS[level] for level, point in points.items() if point is None],
        "flags": [wording.flag_meaning(flag) for flag in record["flags"] if wording.is_note(flag)],
        "measures": _measures(record),
        "stratum": wording.STRATUM_TITLES.get(record["study"].get("risk", ""), ""),
        "network": result.network,
        "ran_on": _MEMBERS[result.network["members"]],
        "series": result.series,
        "chosen": result.chosen,
        "passed_over": result.passed_over,
        "notes": result.notes,
    }


def _level(level: str, record: StudyRecord) -> dict[str, Any]:
    values = record["levels"][level]
    return {
        "name": level,
        "label": LEVEL_LABELS[level],
        "junction": level == JUNCTION,
        "found": values["point_px"] is not None,
        "entropy": formats.number(values["entropy"], 2),
        "confidence": formats.number(values["confidence"], 3),
    }


def _measures(record: StudyRecord) -> list[dict[str, str]]:
    return [
        {
            "name": entry.name.replace("_", " "),
            "value": formats.significant(record["study"][entry.name]),
            "unit": entry.unit,
        }
        for entry in uncertainty.metrics("study")
        if entry.name in record["study"]
    ]
