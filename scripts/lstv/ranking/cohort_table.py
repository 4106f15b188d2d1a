"""The cohort table: a row for every study of the sheet, ok or not."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lstv import uncertainty
from lstv.base.atomic import write_csv
from lstv.base.errors import UserError
from lstv.base.levels import LEVELS
from lstv.cohort.study_sheet import Row
from lstv.ranking import second_reader
from lstv.ranking.score import Standing, rank_studies
from lstv.uncertainty import study_record
from lstv.uncertainty.records import StudyRecord

REFERENCE_METRICS = ("confidence", "entropy", "spatial_entropy")
"""Metrics of the reference implementation; their columns come first."""

ACQUISITION = ("n_slices", "row_spacing", "column_spacing")
"""Facts of the series that a score should not depend on."""

_POINT_PARTS = {
    "point_px": ("point_column_px", "point_row_px"),
    "point_mm": ("point_x_mm", "point_y_mm", "point_z_mm"),
}


def columns(added: Iterable[str] = ()) -> list[str]:
    """Column names in their order: those of the reference implementation, status and ranking, then all other metrics, and
    those of second readers, which are ``added``."""
    reference = [f"{level}_{name}" for level in LEVELS for name in REFERENCE_METRICS]
    own = [entry.name for entry in uncertainty.metrics("level") if entry.name not in REFERENCE_METRICS]
    own += [part for parts in _POINT_PARTS.values() for part in parts]
    return [
        "study_id",
        "series_id",
        *reference,
        "status",
        "reason",
        "flags",
        "split",
        *ACQUISITION,
        "risk",
        "quality",
        "rank",
        "score",
        "rank_entropy",
        "rank_group",
        "reasons",
        "not_counted",
        *(f"{level}_{name}" for level in LEVELS for name in own),
        *(entry.name for entry in uncertainty.metrics("study")),
        *added,
    ]


def rows(
    sheet: Iterable[Row], records: Iterable[StudyRecord], second: second_reader.Rows | None = None
) -> list[dict[str, Any]]:
    """Rows sorted by study_id (as text), with None for what is undefined.

    ``second``: rows of the second readers by study id, where they ran. A study of the sheet without a record is excluded
    with the sheet's reason. Raises UserError for a study with two records, with one but not in the sheet, or to be used but
    without one.
    """
    by_id: dict[str, StudyRecord] = {}
    for record in records:
        if record["study_id"] in by_id:
            raise UserError(f"study {record['study_id']} has two metrics files; give each study's file once.")
        by_id[record["study_id"]] = record
    sheet = sorted(sheet, key=lambda row: row.study_id)
    strangers = sorted(set(by_id) - {row.study_id for row in sheet})
    if strangers:
        raise UserError(
            f"study {strangers[0]} has a metrics file but no row in the study sheet; give the sheet it is of."
        )
    absent = [row.study_id for row in sheet if row.use == "yes" and row.study_id not in by_id]
    if absent:
        raise UserError(
            f"study {absent[0]} is to be used but has no metrics file"
            f"{f' ({len(absent)} such studies)' if len(absent) > 1 else ''}; run study_metrics for it."
        )
    standings = {standing.study_id: standing for standing in rank_studies(by_id.values())}
    found = [_row(row, by_id.get(row.study_id), standings.get(row.study_id)) for row in sheet]
    if second is not None:
        cells = second_reader.values(second, standings.values())
        found = [row | cells.get(row["study_id"], {}) for row in found]
    return found


def _row(row: Row, record: StudyRecord | None, standing: Standing | None) -> dict[str, Any]:
    if record is None:
        return {
            "study_id": row.study_id,
            "series_id": row.series_id,
            "status": "excluded",
            "reason": row.reason or "not selected: the study sheet says use = no",
            "split": row.split,
        }
    result = {
        "study_id": row.study_id,
        "series_id": record["series_id"] or row.series_id,
        "status": record["status"],
        "reason": record["reason"],
        "flags": ";".join(record["flags"]),
        "split": row.split,
        **{name: record["provenance"].get(name) for name in ACQUISITION},
    }
    if standing is not None:
        result |= {
            "rank": standing.rank,
            "score": None if standing.score is None else study_record.rounded(standing.score),
            "rank_entropy": standing.rank_entropy,
            "rank_group": standing.group,
            "reasons": "; ".join(standing.reasons),
            "not_counted": standing.not_counted,
        }
    for level, values in record["levels"].items():
        for name, value in values.items():
            parts = _POINT_PARTS.get(name)
            if parts is None:
                result[f"{level}_{name}"] = value
            else:
                result |= {f"{level}_{part}": number for part, number in zip(parts, value or [None] * len(parts))}
    return result | {name: value for name, value in record["study"].items() if name not in study_record.DRAWN}


def write(
    path: Path, sheet: Iterable[Row], records: Iterable[StudyRecord], second: Path | None = None
) -> list[dict[str, Any]]:
    """Write the cohort table and return its rows. Numbers are those of the metrics files, undefined ones empty.

    ``second``: table of the second readers, whose columns are added at the end.
    """
    added, second_rows = second_reader.read(second) if second is not None else ([], None)
    table = rows(sheet, records, second_rows)
    write_csv(path, columns(second_reader.columns(added) if second is not None else ()), table)
    return table
