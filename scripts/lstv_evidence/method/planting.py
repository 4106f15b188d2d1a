"""Series as they are and with every planted change, through the localizer and the metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lstv.base.errors import Setting, StudyError, UserError
from lstv.base.levels import GRID, LEVELS
from lstv.cohort.study_sheet import Row
from lstv.dicom.series import Series, read_series
from lstv.localizer.inference import Runner
from lstv.localizer.options import Options
from lstv.localizer.prepare import Prepared
from lstv.uncertainty import study_record
from lstv.uncertainty.records import StudyRecord
from lstv_evidence.method.changes import CHANGES

ORIGINAL = "original"


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
    anterior_mm: float,
    step: Callable[[str], None] = lambda status: None,
) -> list[Planted]:
    """Metrics of each study with and without the changes.

    The discs are where the localizer finds them on the original, ``anterior_mm`` in front of its points. Raises UserError
    where a demo localizer meets a real series.
    """
    found = []
    for row in rows:
        found.append(_plant(row, runner, options, of_run, anterior_mm))
        step("left out" if found[-1].reason else "planted")
    return found


def _plant(row: Row, runner: Runner, options: Options, of_run: dict, anterior_mm: float) -> Planted:
    if row.use != "yes" or not row.series_dir:
        return Planted(row.study_id, row.reason or "not used by the study sheet", {}, {})
    try:
        series = read_series(Path(row.series_dir))
    except StudyError as error:
        return Planted(row.study_id, str(error), {}, {})
    if of_run.get("demo_weights") and not series.phantom:
        raise UserError(
            f"study {row.study_id} is no phantom and the demo's localizer knows only those; give another ",
            Setting("checkpoint", "checkpoint"),
            ".",
        )
    original = _prepared(row, series, options)
    record = _measured([original], runner, options, of_run)[0]
    missing = [level for level in LEVELS if record["levels"][level]["point_px"] is None]
    if missing:
        return Planted(row.study_id, f"{missing[0]} is not found on the original", {}, {})
    points = disc_points(record, series, anterior_mm)
    names = [change.name for change in CHANGES]
    prepared = [_prepared(row, change.make(series, points), options) for change in CHANGES]
    records = dict(zip(names, _measured(prepared, runner, options, of_run)))
    images = {name: study.images[0] for name, study in zip(names, prepared)}
    return Planted(row.study_id, "", {ORIGINAL: record} | records, {ORIGINAL: original.images[0]} | images)


def disc_points(record: StudyRecord, series: Series, anterior_mm: float) -> np.ndarray:
    """(column, row) in pixels of the series, float64 (5, 2), ``anterior_mm`` in front of the record's points."""
    plane = series.slices[series.centre]
    grid = np.array([record["levels"][level]["point_px"] for level in LEVELS], dtype=np.float64)
    points = (grid + 0.5) * np.array([plane.width, plane.height]) / GRID - 0.5
    points[:, 0] -= anterior_mm / plane.column_spacing
    return points


def _prepared(row: Row, series: Series, options: Options) -> Prepared:
    """The slices as ``prepare.prepare`` gives them for a series on disk."""
    present = tuple(offset for offset in options.offsets if 0 <= series.centre + offset < len(series.volume))
    slices = [series.volume[series.centre + offset] for offset in (0, *present)]
    images = np.stack([cv2.resize(image, (GRID, GRID), interpolation=cv2.INTER_LINEAR) for image in slices])
    geometry = series.slices[series.centre]
    return Prepared(row.study_id, row.series_id, images, present, geometry, series.flags, dict(series.provenance))


def _measured(prepared: list[Prepared], runner: Runner, options: Options, of_run: dict) -> list[StudyRecord]:
    maps = runner.study_maps(prepared, options.members == "full")
    records = [study_record.study_record(study, of_run) for study in maps]
    failed = [record["reason"] for record in records if record["status"] != "ok"]
    if failed:
        raise StudyError(f"study {prepared[0].study_id}: {failed[0]}.")
    return records


def in_cohort(planted: list[Planted], index: int, change: str) -> list[StudyRecord]:
    """Records of all studies in which something was planted: the one at ``index`` with the change, the others without."""
    usable = [study for study in planted if not study.reason]
    return [study.records[change if place == index else ORIGINAL] for place, study in enumerate(usable)]
