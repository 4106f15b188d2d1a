"""Studies in the layout of the RSNA 2024 competition: a series table beside a folder of images."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lstv.base.ids import problem, safe_id
from lstv.base.tables import read_table
from lstv.cohort.study_sheet import Row

SERIES_TABLE = "train_series_descriptions.csv"

IMAGES = "train_images"

SAGITTAL_T2 = "Sagittal T2/STIR"


def rsna_rows(root: Path, wanted: Callable[[str], bool] = lambda study_id: True) -> list[Row]:
    """A row for each study of a folder in the RSNA 2024 layout; of ``wanted`` ids with the series chosen.

    Chosen is, of the series called ``Sagittal T2/STIR``, the one with most files, then the one with the lowest id.
    """
    root = Path(root)
    series: dict[str, list[dict[str, str]]] = {}
    for row in read_table(root / SERIES_TABLE, ("study_id", "series_id", "series_description")):
        series.setdefault(row["study_id"], []).append(row)
    return [
        _rsna_row(root, study_id, series[study_id]) if wanted(safe_id(study_id)) else Row(safe_id(study_id))
        for study_id in sorted(series)
    ]


def _rsna_row(root: Path, study_id: str, series: list[dict[str, str]]) -> Row:
    if wrong := problem(study_id):
        return Row(safe_id(study_id), reason=wrong)
    candidates, refused = [], ""
    for entry in series:
        if entry["series_description"] != SAGITTAL_T2:
            continue
        if wrong := problem(entry["series_id"], "series id"):
            refused = f"{wrong} ({SAGITTAL_T2})"
        else:
            folder = root / IMAGES / study_id / entry["series_id"]
            files = sum(1 for item in os.scandir(folder) if item.is_file()) if folder.is_dir() else 0
            candidates.append((-files, _as_number(entry["series_id"]), entry["series_id"], folder))
    if not candidates and refused:
        return Row(study_id, reason=refused)
    if not candidates:
        found = ", ".join(sorted({entry["series_description"] for entry in series}))
        return Row(study_id, use="no", reason=f"no series is called {SAGITTAL_T2!r} (there are: {found})")
    files, _, series_id, folder = min(candidates)
    row = Row(study_id, series_id, str(folder), SAGITTAL_T2, str(-files))
    if len(candidates) > 1:
        row = replace(row, reason=f"chosen of {len(candidates)} sagittal T2 series: most files, then lowest id")
    return row


def _as_number(identifier: str) -> tuple[int, str]:
    return (int(identifier), "") if identifier.isdigit() else (1 << 63, identifier)
