"""Series as they are and with every planted change, through the localizer and the metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lstv.anatomy import strip
from lstv.base.errors import Setting, StudyError, UserError
from lstv.base.levels import GRID, LEVELS
from lstv.cohort.study_sheet import Row
from lstv.dicom.series import SagittalVolume, read_volume
from lstv.localizer.inference import Runner
from lstv.localizer.options import Options
from lstv.localizer.prepare import Prepared, of_series
from lstv.uncertainty import study_record
from lstv.uncertainty.anatomy import OFF_DISC
from lstv.uncertainty.records import StudyRecord
from lstv_evidence.method.changes import CHANGES

ORIGINAL = "original"
_NO_PLACE = ("points_off_discs", "levels_at_one_disc", "no_strip", "no_disc_chain")


@dataclass(frozen=True)
class Planted:
    """One study: metrics ``records`` by change (``original`` among them) and the slice shown, uint8 (160, 160), in
    ``images``; or the reason why nothing could be planted."""

    study_id: str
    reason: str
    records: dict[str, StudyRecord]
    images: dict[str, np.ndarray]


def plant(
    rows: Iterable[Row],
    runner: Runner,
    options: Options,
    of_run: dict,
    step: Callable[[str], None] = lambda status: None,
) -> list[Planted]:
    """Metrics of each study with and without the changes.

    The discs are where the localizer finds them on the original, moved to the front where it marks the canal. A change is
    planted only where all five points lie on discs, or it would be in the wrong place. A study that fails on the way is left
    out with its reason. Raises UserError where a demo localizer meets a real series.
    """
    found = []
    for row in rows:
        found.append(_plant(row, runner, options, of_run))
        step("left out" if found[-1].reason else "planted")
    return found


def _plant(row: Row, runner: Runner, options: Options, of_run: dict) -> Planted:
    if row.use != "yes" or not row.series_dir:
        return Planted(row.study_id, row.reason or "not used by the study sheet", {}, {})
    try:
        return _planted(row, runner, options, of_run)
    except StudyError as error:
        return Planted(row.study_id, str(error), {}, {})


def _planted(row: Row, runner: Runner, options: Options, of_run: dict) -> Planted:
    series = read_volume(Path(row.series_dir))
    if of_run.get("demo_weights") and not series.phantom:
        raise UserError(
            f"study {row.study_id} is no phantom and the demo's localizer knows only those; give another ",
            Setting("checkpoint", "checkpoint"),
            ".",
        )
    original = of_series(row, series, options.offsets)
    record = _measured([original], runner, options, of_run)[0]
    reason = why_not(record)
    if reason:
        return Planted(row.study_id, reason, {ORIGINAL: record}, {ORIGINAL: original.images[0]})
    points = disc_points(record, series)
    names = [change.name for change in CHANGES]
    prepared = [of_series(row, change.make(series, points), options.offsets) for change in CHANGES]
    records = dict(zip(names, _measured(prepared, runner, options, of_run)))
    images = {name: study.images[0] for name, study in zip(names, prepared)}
    return Planted(row.study_id, "", {ORIGINAL: record} | records, {ORIGINAL: original.images[0]} | images)


def why_not(record: StudyRecord) -> str:
    """Why nothing can be planted in a study; empty where all five points lie on discs."""
    missing = [level for level in LEVELS if record["levels"][level]["point_px"] is None]
    if missing:
        return f"{missing[0]} is not found on the original"
    failed = [flag for flag in record["flags"] if flag in _NO_PLACE]
    if failed:
        return f"its points do not lie on discs (flag {failed[0]})"
    away = record["study"]["off_disc"]
    return f"a point is {away:.2f} distances from its disc" if away >= OFF_DISC else ""


def disc_points(record: StudyRecord, series: SagittalVolume) -> np.ndarray:
    """(column, row) in pixels of the series, float64 (5, 2), of the discs at the record's points."""
    plane = series.slices[series.centre]
    points = strip.column([record["levels"][level]["point_px"] for level in LEVELS], GRID, plane)
    if points is None or len(points.levels) < len(LEVELS):
        raise StudyError("its points do not make a column")
    moved = points.moved(record["study"]["disc_offset"]).points
    return moved / [plane.column_spacing, plane.row_spacing]


def _measured(prepared: list[Prepared], runner: Runner, options: Options, of_run: dict) -> list[StudyRecord]:
    maps = runner.study_maps(prepared, options.members == "full", options.marks)
    records = [study_record.study_record(study, of_run) for study in maps]
    failed = [record["reason"] for record in records if record["status"] != "ok"]
    if failed:
        raise StudyError(failed[0])
    return records


def in_cohort(planted: list[Planted], index: int, change: str) -> list[StudyRecord]:
    """Records of all studies in which something was planted: the one at ``index`` with the change, the others without."""
    usable = [study for study in planted if not study.reason]
    return [study.records[change if place == index else ORIGINAL] for place, study in enumerate(usable)]
