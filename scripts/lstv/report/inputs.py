"""Read what the report is made from, and check that the files belong to one run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas

from lstv import uncertainty
from lstv.base import atomic, run_record
from lstv.base.errors import UserError, cause
from lstv.base.levels import LEVELS
from lstv.cohort import study_sheet
from lstv.localizer import heatmap_file
from lstv.ranking.table_columns import TEXT
from lstv.uncertainty import study_record

REQUIRED = (
    "study_id",
    *(f"{level}_{name}" for level in LEVELS for name in ("confidence", "entropy")),
    "status",
    "reason",
)
OF_SECOND_READERS = ("second_reader_words", "spineps_status", "totalspineseg_status")
"""Text columns that are there only where second readers were asked."""


@dataclass(frozen=True)
class Inputs:
    """``table`` is the cohort table (text columns as str without missing values, the others as numbers), ``sheet`` the
    study sheet by study id, ``studies`` the metrics JSONs by study id, ``json_paths`` where they lie,
    ``software`` what is recorded of the run."""

    table: pandas.DataFrame
    sheet: dict[str, study_sheet.Row]
    studies: dict[str, dict] = field(default_factory=dict)
    json_paths: dict[str, Path] = field(default_factory=dict)
    settings: dict = field(default_factory=dict)
    software: dict = field(default_factory=dict)


def read(
    table: Path, sheet: Path, studies: Iterable[Path], settings: Path | None, software: Path | None = None
) -> Inputs:
    """Read all but the heatmaps. Raises UserError where a file is unreadable or two of them contradict each other."""
    frame = read_table(table)
    rows = {row.study_id: row for row in study_sheet.read_sheet(sheet)}
    in_table = set(frame["study_id"])
    for here, there, where, elsewhere in ((rows, in_table, sheet, table), (in_table, rows, table, sheet)):
        lacking = sorted(set(here) - set(there))
        if lacking:
            raise UserError(
                f"{where} has study {lacking[0]}, which {elsewhere} has not ({len(lacking)} such studies); they are of "
                "different runs: make the table again from this sheet."
            )
    documents: dict[str, dict[str, Any]] = {}
    paths: dict[str, Path] = {}
    for path in studies:
        document = read_metrics(path)
        study_id = str(document.get("study_id"))
        if study_id not in in_table:
            raise UserError(
                f"{path} is of study {study_id}, which {table} has not; give only the studies of this table."
            )
        documents[study_id], paths[study_id] = document, Path(path)
    given = read_json(settings) if settings else {}
    return Inputs(frame, rows, documents, paths, given, run_record.read(software))


def read_table(path: Path) -> pandas.DataFrame:
    """The cohort table, one row per study, in the order of the file; ids stay text."""
    try:
        # text is text: NULL, NA, nan or 007 are ids like others, and only an empty cell is a missing value
        frame = pandas.read_csv(
            path,
            dtype=dict.fromkeys((*TEXT, *OF_SECOND_READERS), str),
            encoding="utf-8-sig",
            keep_default_na=False,
            na_values=[""],
        )
    except (OSError, ValueError) as error:
        raise UserError(f"the cohort table {path} cannot be read ({cause(error)}); make it again.") from error
    absent = [name for name in REQUIRED if name not in frame]
    if absent:
        raise UserError(f"the cohort table {path} has no column {absent[0]}; make it again with this version.")
    missing = [name for name in TEXT if name not in frame]  # in a table of an earlier version
    frame = frame.reindex(columns=[*frame.columns, *missing], fill_value="")
    for name in (*TEXT, *(name for name in OF_SECOND_READERS if name in frame)):
        frame[name] = frame[name].fillna("").map(atomic.original)
    twice = frame["study_id"][frame["study_id"].duplicated()]
    if len(twice):
        raise UserError(f"the cohort table {path} has study {twice.iloc[0]} twice; make it again.")
    unknown = frame[~frame["status"].isin(("ok", "failed", "excluded"))]
    if len(unknown):
        row = unknown.iloc[0]
        raise UserError(
            f"the cohort table {path} gives study {row['study_id']} the status {row['status']!r}, but it must be ok, failed "
            "or excluded; make it again."
        )
    _refuse_words_for_numbers(path, frame)
    return frame


def _refuse_words_for_numbers(path: Path, frame: pandas.DataFrame) -> None:
    """Raise UserError where a column of a metric, a score or a rank holds anything but numbers."""
    metrics = uncertainty.metrics()
    numbers = {"score", "rank", "rank_entropy", "n_slices", "row_spacing", "column_spacing"}
    numbers |= {metric.name for metric in metrics if metric.scope == "study"}
    numbers |= {f"{level}_{metric.name}" for level in LEVELS for metric in metrics if metric.scope == "level"}
    for name in frame.columns[~frame.dtypes.map(pandas.api.types.is_numeric_dtype)]:
        if name in numbers:
            wrong = frame[pandas.to_numeric(frame[name], errors="coerce").isna() & frame[name].notna()]
            if len(wrong):
                row = wrong.iloc[0]
                raise UserError(
                    f"the cohort table {path} gives study {row['study_id']} the {name} {row[name]!r}, which is not a "
                    "number; make it again."
                )


def read_json(path: Path) -> dict:
    """A JSON object. Raises UserError where the file is missing or holds anything else."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(path, f" cannot be read as JSON ({cause(error)}); delete it and make it again.") from error
    if not isinstance(document, dict):
        raise UserError(path, " is not a JSON object; delete it and make it again.")
    return document


def read_metrics(path: Path) -> dict:
    """The metrics of a study. Raises UserError as ``read_json``, and where an earlier version wrote them without the discs
    that are drawn: a picture without them would say that none was found."""
    document = read_json(path)
    study = document.get("study")
    if study and isinstance(study, dict) and not set(study_record.DRAWN) <= set(study):
        raise UserError(
            path,
            " is of an earlier version, which did not write where the discs are; run study_metrics for this study again.",
        )
    return document


def locate(heatmap_files: Iterable[Path], study_ids: Iterable[str]) -> dict[str, Path]:
    """Which heatmap file holds which of the studies; files are opened only until all are found."""
    wanted = set(study_ids)
    found: dict[str, Path] = {}
    # with one file a study its name is the study's: those first, so that thousands need not be opened
    for path in sorted(map(Path, heatmap_files), key=lambda path: (path.stem not in wanted, str(path))):
        if len(found) == len(wanted):
            break
        found.update(dict.fromkeys(sorted((wanted - set(found)) & set(heatmap_file.study_ids(path))), path))
    return found
