"""Whether a folder is of the RSNA 2024 studies: on most of them the point net was trained, so none may enter unmarked."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from lstv.cohort import IMAGES, SERIES_TABLE, Row, sheet_rows
from lstv.folder import private

WHY = (
    "on most of which the point net was trained: set source.kind to rsna and source.valid_ids to valid_id.npy (for studies "
    "of your own in this layout, to a text file with their ids)."
)


def root_of(path: str | Path) -> Path | None:
    """The root folder in the RSNA layout (``train_series_descriptions.csv`` beside ``train_images``) that ``path`` is or in
    whose images it lies; None where there is none. Links are followed."""
    path = Path(os.path.realpath(path))  # where links are a loop, Path.resolve raises
    for folder in (path, *path.parents):
        if is_root(folder) and (path == folder or path.is_relative_to(os.path.realpath(folder / IMAGES))):
            return folder
    return None


@functools.cache
def is_root(folder: str | Path) -> bool:
    """Whether a folder has the table and the images of that layout."""
    return os.path.isfile(os.path.join(folder, SERIES_TABLE)) and os.path.isdir(os.path.join(folder, IMAGES))


def tables(places: Iterable[str | Path | None]) -> list[str]:
    """The tables by which ``root_of`` knows the roots of some folders, for who has to show them to a container."""
    return sorted({str(root / SERIES_TABLE) for place in places if place and (root := root_of(place))})


def unmarked(sheet: Path) -> str | None:
    """A sentence on the studies of a sheet that ``refuse_unmarked`` would let fail; None without any.

    For who plans a run: in a container, which is shown the series and not what lies beside them, they are not known.
    """
    wrong = [row for row in refuse_unmarked(sheet_rows(sheet)) if row.reason.startswith(_REASON)]
    if not wrong:
        return None
    return f"{sheet}: of study {wrong[0].study_id} {wrong[0].reason} ({len(wrong)} such studies)."


_REASON = "its series lies in the RSNA 2024 images of"


def refuse_unmarked(rows: list[Row]) -> list[Row]:
    """The rows of a supplied sheet, of which those of unknown split that lie in RSNA images fail with the reason."""
    return [_refused(row) if row.use == "yes" and row.split == "unknown" and row.series_dir else row for row in rows]


def _refused(row: Row) -> Row:
    places = private.folders_of_lists([row.series_dir]) or [row.series_dir]
    root = next((root for root in map(root_of, places) if root), None)
    if root is None:
        return row
    reason = (
        f"{_REASON} {root}, but nothing tells whether the point net was trained on it: "
        "fill in the sheet's column split, or set source.valid_ids"
    )
    return replace(row, series_dir="", reason=reason)
