"""A small cohort to read blinded: DICOM series, study sheet, cohort table, queue, and the bundle made of them."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

from dicom_files import textured_volume, write_series
from lstv.cohort.study_sheet import Row
from lstv.ranking.review_queue import Queue, build_queue
from lstv.review import bundle


@dataclass(frozen=True)
class Cases:
    """Where they are; ``queue`` is also in ``queue.json``, ``rows`` are those of the study sheet."""

    folder: Path
    queue: Queue
    rows: dict[str, Row]

    @property
    def bundle(self) -> Path:
        return self.folder / "reading"

    @property
    def in_order(self) -> list[str]:
        """Study ids in reading order."""
        studies = sorted(self.queue["studies"], key=lambda study: study["reading_order"])
        return [study["study_id"] for study in studies]


def table(count: int) -> list[dict[str, str]]:
    """A cohort table, the first study the most ambiguous."""
    return [
        {
            "study_id": f"{90210 + 7 * i}",
            "series_id": f"{555000 + i}",
            "status": "ok",
            "reason": "",
            "flags": "",
            "risk": "high" if i < count // 2 else "moderate",
            "rank": str(i + 1),
            "score": f"{0.987123 - 0.0314159 * i:.6f}",
            "rank_group": "scored",
            "reasons": f"label changes in {9 - i % 5} of 25 views",
            "l5_s1_entropy": f"{5.31 - 0.07 * i:.5f}",
        }
        for i in range(count)
    ]


def write_table(path: Path, rows: list[dict[str, str]]) -> None:
    """Write a cohort table."""
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def make(folder: Path, count: int = 12, *, ambiguous: int = 5, seed: int = 7) -> Cases:
    """Write series, table, queue and bundle of ``count`` studies, all of them queued."""
    rows = table(count)
    write_table(folder / "table.csv", rows)
    queue = build_queue(rows, ambiguous=ambiguous, sample=count - ambiguous, localizer=0, seed=seed)
    (folder / "queue.json").write_text(json.dumps(queue), encoding="utf-8")
    known = {}
    for index, row in enumerate(rows):
        series = folder / "dicom" / row["study_id"]
        volume = textured_volume((5, 48, 40))
        volume[:, 4:9, 4 : 6 + 2 * index] = volume.max()  # each study looks different
        write_series(series, volume)
        known[row["study_id"]] = Row(row["study_id"], row["series_id"], str(series), n_slices="5")
    cases = Cases(folder, queue, known)
    bundle.write(cases.bundle, queue, known, cohort="made")
    return cases
