"""The pages of a batch's studies: each an HTML file and its series, and a manifest of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lstv.base import atomic, forked, manifest
from lstv.base.errors import StudyError
from lstv.cohort import study_sheet
from lstv.cohort.study_sheet import Row
from lstv.localizer import heatmap_file
from lstv.report import overlay
from lstv.report.inputs import locate, read_metrics
from lstv.report.pages import content, series_pack
from lstv.report.pages.cohort import Cohort, Entry
from lstv.report.pages.layers import is_upright, layers, slice_of
from lstv.report.pages.names import SUFFIXES
from lstv.report.pages.render import page_html


@dataclass(frozen=True)
class Made:
    """What was made of a study: ``series`` empty or why its series is not shown; ``picture`` the index of the slice of the
    series that the network saw, None where the series has no such slice in the same position."""

    series: str
    picture: int | None


def make(
    entries: Iterable[Entry],
    cohort: Cohort,
    *,
    rows: dict[str, Row],
    heatmap_files: Iterable[Path],
    studies_dir: Path,
    folder: Path,
    title: str,
    jobs: int = 1,
    step: Callable[[str], None] = lambda status: None,
) -> dict[str, Made]:
    """Write the pages of ``entries`` into ``folder`` with ``jobs`` processes (1: in this one); returns what was made, by
    study id.

    ``rows`` are the studies' lines of the study sheet. A series that cannot be read makes a page that says so. ``step``
    hears of each page, by ``ok`` or ``without series``. Raises UserError where a metrics file cannot be read or
    is of an earlier version, or a process ends.
    """
    entries = list(entries)
    files_of = locate(heatmap_files, [entry.study_id for entry in entries])

    def one(index: int) -> Made:
        entry = entries[index]
        study_id = entry.study_id
        entry.row["own_choice"] = rows[study_id].reason == study_sheet.CHOSEN_BY_USER
        document = read_metrics(studies_dir / f"{study_id}.json")
        page = content.make(entry, document, cohort, title)
        maps = heatmap_file.read_study(files_of[study_id], study_id, members=False) if study_id in files_of else None
        pack, drawn, over, picture = _pictures(rows[study_id], maps, document, page["reasons"])
        series_pack.write(folder / f"{entry.file}.js", pack, entry.file)
        atomic.write_text(folder / f"{entry.file}.html", page_html(page, drawn, over, pack.get("reason", "")))
        return Made(pack.get("reason", ""), picture)

    made: dict[str, Made] = {}
    for entry, page in zip(entries, forked.mapped(one, len(entries), jobs), strict=True):
        made[entry.study_id] = page
        step("without series" if page.series else "ok")
    return made


def _pictures(
    row: Row, maps: heatmap_file.StudyMaps | None, document: dict[str, Any], reasons: list[str]
) -> tuple[dict[str, Any], overlay.Overlay | None, dict[str, Any] | None, int | None]:
    """The series, the drawing of the centre slice, the viewer's layers, and which slice of the series the network saw."""
    known = overlay.points(document)
    analysed = maps if isinstance(maps, heatmap_file.Analysed) else None
    drawn = None if analysed is None else overlay.overlay(analysed, document, reasons)
    try:
        series = series_pack.read_series(row)
        pack = series_pack.of_volume(series)
    except StudyError as error:
        return series_pack.unreadable(str(error)), drawn, None, None
    except Exception as error:  # one study's defect must not take the others with it; its words may hold a path
        return series_pack.unreadable(f"unexpected {type(error).__name__} while it was read"), drawn, None, None
    if analysed is None or drawn is None:
        return pack, drawn, None, None
    index = slice_of(analysed.geometry, series.slices)
    upright = index is not None and is_upright(analysed.geometry, series.slices[index])
    return pack, drawn, layers(analysed, drawn, known, series.slices), index if upright else None


def write_manifest(path: Path, folder: Path, entries: Iterable[Entry]) -> None:
    """Write the manifest of the files of ``entries``."""
    manifest.write_files(path, folder, [f"{entry.file}{suffix}" for entry in entries for suffix in SUFFIXES])


def write_record(path: Path, entries: Iterable[Entry], made: dict[str, Made], provenance: Mapping[str, Any]) -> None:
    """Write what was made of each study, as JSON: in ``studies`` by id ``file``, ``series``, ``picture``; beside them
    ``provenance``."""
    studies = {
        entry.study_id: {
            "file": entry.file,
            "series": made[entry.study_id].series,
            "picture": made[entry.study_id].picture,
        }
        for entry in entries
    }
    record = {"provenance": provenance, "studies": studies}
    atomic.write_text(path, json.dumps(record, indent=1, sort_keys=True) + "\n")
