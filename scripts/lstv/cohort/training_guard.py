"""Whether a folder is of the RSNA 2024 studies: on most of them the point net was trained, so none may enter unmarked."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from lstv.base import private_files
from lstv.cohort.rsna_layout import IMAGES, SERIES_TABLE
from lstv.cohort.study_sheet import Row, sheet_rows

LAYOUT = "has the layout of the RSNA 2024 studies, on most of which the point net was trained"


def refusal(where: str | Path) -> str:
    """The sentence on a folder in that layout where its studies would enter without a mark of their training."""
    return (
        f"{where} {LAYOUT}: take it as a source of kind rsna with the ids of valid_id.npy (for studies of your own in this "
        "layout, with a text file of their ids)."
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


def tables(locations: Iterable[str | Path | None]) -> list[str]:
    """The tables by which ``root_of`` knows the roots of some folders, for who has to show them to a container."""
    return sorted({str(root / SERIES_TABLE) for location in locations if location and (root := root_of(location))})


def unmarked(sheet: Path) -> str | None:
    """A sentence on the studies of a sheet that ``refuse_unmarked`` would let fail; None without any.

    For who plans a run: in a container, which is shown the series and not what lies beside them, they are not known.
    """
    wrong = [(row, root) for row in sheet_rows(sheet) if (root := _unmarked_root(row))]
    if not wrong:
        return None
    row, root = wrong[0]
    return f"{sheet}: of study {row.study_id} {_reason(root)} ({len(wrong)} such studies)."


def refuse_unmarked(rows: list[Row]) -> list[Row]:
    """The rows of a supplied sheet, of which those of unknown split that lie in RSNA images fail with the reason."""
    return [replace(row, series_dir="", reason=_reason(root)) if (root := _unmarked_root(row)) else row for row in rows]


def _unmarked_root(row: Row) -> Path | None:
    if row.use != "yes" or row.split != "unknown" or not row.series_dir:
        return None
    locations = private_files.folders_of_lists([row.series_dir]) or [row.series_dir]
    return next((root for root in map(root_of, locations) if root), None)


def _reason(root: Path) -> str:
    return (
        f"its series lies in the RSNA 2024 images of {root}, but nothing tells whether the point net was trained on it: "
        "fill in the sheet's column split, or give the list of ids that it was not trained on"
    )
