"""Many studies -> a BIDS folder: the images in parallel, and what describes the whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from lstv import __version__
from lstv.base import atomic
from lstv.base.pool import Pool
from lstv.bids.export import export
from lstv.bids.exported import Exported
from lstv.bids.names import label_of
from lstv.cohort.study_sheet import Row

BIDS_VERSION = "1.9.0"
LIBRARIES = ("numpy", "nibabel", "pydicom")
"""Libraries that the images are written with."""
GENERATOR = "lstv-uncertainty"
PARTICIPANTS = "participants.tsv"
DESCRIPTION = "dataset_description.json"

_COLUMNS_EXPLAINED = {
    "participant_id": {"Description": "sub- and the label that was made of the study id"},
    "study_id": {"Description": "Id of the study in the cohort table; every study is a participant of its own"},
    "split": {
        "Description": "What the study is with regard to the localizer's training",
        "Levels": {
            "train": "the localizer was trained on it",
            "validation": "the localizer was not trained on it",
            "unknown": "not known",
        },
    },
}
_README = """Sagittal T2-weighted MR images of the lumbar spine, one per study, written by lstv-uncertainty for research use.

Values and positions are those of the DICOM series that the study sheet names. participants.tsv leads from each label back to
the study id.
"""


def export_all(rows: Sequence[Row], folder: Path, jobs: int, step: Callable[[str], None]) -> list[Exported]:
    """Export the studies of ``rows`` with ``jobs`` processes, in their order; ``step`` hears of each one's status."""
    done: dict[str, Exported] = {}

    def note(exported: Exported) -> None:
        done[exported.study_id] = exported
        step(exported.status)

    if jobs == 1:
        for row in rows:
            note(export(row, folder))
        return list(done.values())
    try:
        with _pool(jobs) as pool:
            waiting: list[Future[Exported]] = [pool.submit(export, row, folder) for row in rows]
            for future in as_completed(waiting):
                note(future.result())
    except BrokenProcessPool:  # a decoder crashed: the others one by one, to tell which study it was
        for row in rows:
            if row.study_id not in done:
                note(_alone(row, folder))
    return [done[row.study_id] for row in rows]


def _pool(jobs: int) -> Pool:
    return Pool(jobs, mp_context=get_context("spawn"))


def _alone(row: Row, folder: Path) -> Exported:
    try:
        with _pool(1) as pool:
            return pool.submit(export, row, folder).result()
    except BrokenProcessPool:
        reason = (
            "the process that decoded its images ended (a decoder crashed or memory was short); export the series again"
        )
        return Exported(row.study_id, "failed", reason)


def describe(
    exported: Iterable[Exported], folder: Path, name: str, provenance: Mapping[str, Any] | None = None
) -> list[Exported]:
    """Write what a BIDS folder has beside its images: description, participants with their explanation, README. Returns the
    studies by id. ``provenance`` goes into the description's GeneratedBy, where BIDS has its place."""
    studies = sorted(exported, key=lambda study: study.study_id)
    by: dict[str, Any] = {"Name": GENERATOR, "Version": __version__}
    generated = [by if provenance is None else {**by, "Provenance": provenance}]
    description = {"Name": name, "BIDSVersion": BIDS_VERSION, "DatasetType": "raw", "GeneratedBy": generated}
    lines = ["\t".join(_COLUMNS_EXPLAINED)]
    lines += [
        f"sub-{label_of(study.study_id)}\t{study.study_id}\t{study.split}" for study in studies if study.status == "ok"
    ]
    atomic.write_text(folder / PARTICIPANTS, "".join(f"{line}\n" for line in lines))
    for file, content in (("participants.json", _COLUMNS_EXPLAINED), (DESCRIPTION, description)):
        atomic.write_text(folder / file, json.dumps(content, indent=2) + "\n")
    atomic.write_text(folder / "README", _README)
    return studies
