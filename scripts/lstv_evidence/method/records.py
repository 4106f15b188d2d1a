"""Metrics of all studies of a heatmap file at once, where a file for each study would only be in the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2

from lstv.base.pool import Pool
from lstv.localizer import heatmap_file
from lstv.uncertainty import study_record
from lstv.uncertainty.records import StudyRecord


def measure(
    path: Path, study_ids: Sequence[str], jobs: int, step: Callable[[str], None] = lambda status: None
) -> list[StudyRecord]:
    """Metrics records as ``study_metrics.py`` writes them, in the order of ``study_ids``, with ``jobs`` processes.

    Raises UserError where the file is no heatmap file or lacks a study.
    """
    of_run = heatmap_file.read_run(path)
    found = []
    with Pool(jobs, mp_context=get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        for record in pool.map(partial(_measure, path, of_run), study_ids, chunksize=8):
            found.append(record)
            step(record["status"])
    return found


def _measure(path: Path, of_run: dict, study_id: str) -> StudyRecord:
    return study_record.rounded_record(study_record.study_record(heatmap_file.read_study(path, study_id), of_run))
