"""A made-up cohort (``report_inputs``) of which some studies have a series on the disk, and the pages of its studies."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

import report_inputs
from dicom_files import write_series
from lstv.cohort import study_sheet

SECRETS = {
    "PatientName": "DOE^JANE",
    "PatientID": "4711-0815",
    "SeriesDescription": "SECRET WORDS",
    "StudyDate": "19991231",
}


def make(folder: Path, *, with_series: int = 3, **cohort) -> report_inputs.Files:
    """A cohort whose first ``with_series`` studies by id have a series in the plane of their heatmaps; that of the others is
    gone. The review queue is of the whole cohort."""
    files = report_inputs.make(folder, **cohort)
    frame = [line.split(",")[0] for line in (files.table).read_text(encoding="utf-8").splitlines()[1:]]
    measured = {path.stem for path in files.studies} & set(frame)
    documents = {study: json.loads((folder / "studies" / f"{study}.json").read_text()) for study in measured}
    first = sorted(study for study, document in documents.items() if document["status"] == "ok")[:with_series]
    for number, study in enumerate(first):
        write_series(
            folder / "dicom" / study,
            _spine(number),
            origin=(11.0, -140.0, 150.0),
            pixel_spacing=(0.75, 0.7),
            slice_spacing=4.0,
            **SECRETS,
        )
    rows = study_sheet.read_sheet(files.sheet)
    study_sheet.write_sheet(
        [replace(row, series_dir=str(folder / "dicom" / row.study_id)) if row.use == "yes" else row for row in rows],
        files.sheet,
    )
    queue = {"studies": [{"study_id": study} for study in sorted(documents) if documents[study]["status"] == "ok"]}
    (folder / "review_queue.json").write_text(json.dumps(queue), encoding="utf-8")
    return files


def arguments(files: report_inputs.Files, *more: str, show_ids: str = "yes") -> list[str]:
    """Those of ``study_pages.py`` for the whole cohort."""
    folder = files.folder
    named = {
        "sheet": files.sheet,
        "table": files.table,
        "queue": folder / "review_queue.json",
        "heatmaps": files.heatmaps,
        "studies-dir": folder / "studies",
        "show-ids": show_ids,
        "title": "Made-up cohort",
        "out-dir": folder / "pages" / "studies",
        "record": folder / "page_files" / "all.json",
        "manifest": folder / "page_files" / "all.csv",
    }
    return [*(word for name, value in named.items() for word in (f"--{name}", str(value))), *more]


def index_arguments(files: report_inputs.Files, *, show_ids: str = "yes") -> list[str]:
    """Those of ``pages_index.py``."""
    folder = files.folder
    named = {
        "table": files.table,
        "records": folder / "page_files" / "all.json",
        "show-ids": show_ids,
        "title": "Made-up cohort",
        "out-dir": folder / "pages",
        "list": folder / "page_list.csv",
    }
    return [word for name, value in named.items() for word in (f"--{name}", str(value))]


def _spine(number: int) -> np.ndarray:
    """Five slices (400, 384) with something to see in each."""
    y, x = np.mgrid[:400, :384]
    return np.stack(
        [
            np.clip(900 + 700 * np.sin(y / (14 + number)) * (np.abs(x - 170 - 6 * index) < 40) + x, 0, 4095).astype(
                np.int64
            )
            for index in range(5)
        ]
    )
