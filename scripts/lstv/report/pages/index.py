"""What all pages share: the list of them, the viewer and the style; and the removal of pages that are no longer wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lstv.base import atomic
from lstv.base.errors import UserError
from lstv.base.text import capital
from lstv.report.inputs import read_json
from lstv.report.pages import assets
from lstv.report.pages.cohort import Cohort, Entry
from lstv.report.pages.names import COLUMNS, SUFFIXES
from lstv.report.pages.render import index_html


def records(paths: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """What the batches made, by study id. Raises UserError where a record cannot be read or is of another version."""
    found: dict[str, dict[str, Any]] = {}
    for path in paths:
        record = read_json(path)
        if not isinstance(record.get("studies"), dict):
            raise UserError(path, " is not a record of this version; run study_pages.py for its batch again.")
        found |= record["studies"]
    return found


def write(
    folder: Path, listed: Path, entries: Iterable[Entry], made: Mapping[str, dict[str, Any]], cohort: Cohort, title: str
) -> None:
    """Write ``index.html`` and the shared files into ``folder`` and the list of pages to ``listed``; files of studies that
    have no page any more are removed from ``folder``/studies."""
    known = [entry for entry in entries if entry.study_id in made]
    pages = [
        {
            "file": entry.file,
            "name": entry.name,
            "place": entry.place["text"],
            "group": entry.group.title,
            "why": capital(entry.row["reasons"]),
            "series": made[entry.study_id]["series"],
        }
        for entry in known
    ]
    assets.write(folder, assets.PAGES)
    atomic.write_text(folder / "index.html", index_html({"title": title, "pages": pages, "count": cohort.count}))
    atomic.write_csv(listed, COLUMNS, [{"study_id": entry.study_id, **made[entry.study_id]} for entry in known])
    _sweep(folder / "studies", {entry.file for entry in known})


def _sweep(folder: Path, wanted: set[str]) -> None:
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.suffix in SUFFIXES and path.stem not in wanted:
            path.unlink(missing_ok=True)
