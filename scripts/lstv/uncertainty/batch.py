"""The metrics of all studies of a heatmap file, by one process: its start costs more than the metrics of ten studies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lstv.base import forked, manifest
from lstv.base.errors import UserError
from lstv.localizer import heatmap_file
from lstv.localizer.outcome import NotAnalysed
from lstv.uncertainty import Thresholds, study_record
from lstv.uncertainty.feature_bank import FeatureBank
from lstv.uncertainty.records import StudyRecord


def measure(
    heatmaps: Path,
    folder: Path,
    manifest_file: Path,
    thresholds: Thresholds,
    reference: FeatureBank | None,
    step: Callable[[str], None] = lambda status: None,
    made_by: Mapping[str, Any] | None = None,
    jobs: int = 1,
) -> dict[str, str]:
    """Write ``folder``/<study_id>.json for every study of a heatmap file with ``jobs`` processes, then the manifest; returns
    the studies' statuses.

    A study whose metrics cannot be had is written as failed, with the reason. ``step`` hears of each that is written.
    ``made_by`` is added to each one's provenance. Raises UserError where the heatmap file cannot be opened, the
    reference is of another localizer, or a process ends.
    """
    study_ids = heatmap_file.study_ids(heatmaps)
    run = heatmap_file.read_run(heatmaps)
    if reference is not None and study_ids:
        reference.check(run, study_ids[0])

    def status(index: int) -> str:
        path = folder / f"{study_ids[index]}.json"
        written: str = _write(heatmaps, study_ids[index], path, run, thresholds, reference, made_by)["status"]
        return written

    statuses: dict[str, str] = {}
    for study_id, written in zip(study_ids, forked.mapped(status, len(study_ids), jobs), strict=True):
        statuses[study_id] = written
        step(written)
    manifest.write(manifest_file, folder, statuses)
    return statuses


def measure_one(
    heatmaps: Path,
    study_id: str,
    out: Path,
    thresholds: Thresholds,
    reference: FeatureBank | None,
    made_by: Mapping[str, Any] | None = None,
) -> StudyRecord:
    """Write the metrics of one study of a heatmap file, and return them; as ``measure`` writes them for all.

    Raises UserError where the heatmap file cannot be opened or has no such study, or the reference is of another localizer.
    """
    if study_id not in heatmap_file.study_ids(heatmaps):
        heatmap_file.read_study(heatmaps, study_id)  # which says so
    run = heatmap_file.read_run(heatmaps)
    if reference is not None:
        reference.check(run, study_id)
    return _write(heatmaps, study_id, out, run, thresholds, reference, made_by)


def _write(
    heatmaps: Path,
    study_id: str,
    out: Path,
    run: dict[str, Any],
    thresholds: Thresholds,
    reference: FeatureBank | None,
    made_by: Mapping[str, Any] | None,
) -> StudyRecord:
    record = one(heatmaps, study_id, run, thresholds, reference, made_by)
    try:
        study_record.write(record, out)
    except ValueError as error:  # it does not fit its schema
        record = _failed(study_id, error, run, thresholds, made_by)
        study_record.write(record, out)
    return record


def one(
    heatmaps: Path,
    study_id: str,
    run: dict[str, Any],
    thresholds: Thresholds,
    reference: FeatureBank | None,
    made_by: Mapping[str, Any] | None = None,
) -> StudyRecord:
    """The record of one study of a heatmap file, whatever comes of it."""
    try:
        maps = heatmap_file.read_study(heatmaps, study_id)
        return study_record.study_record(maps, run, thresholds, reference, made_by)
    except Exception as error:  # one study's defect must not take the others with it
        return _failed(study_id, error, run, thresholds, made_by)


def _failed(
    study_id: str, error: Exception, run: dict[str, Any], thresholds: Thresholds, made_by: Mapping[str, Any] | None
) -> StudyRecord:
    reason = str(error) if isinstance(error, UserError) else f"its metrics failed: {type(error).__name__}: {error}"
    return study_record.study_record(NotAnalysed(study_id, "failed", reason), run, thresholds, None, made_by)
