"""Made-up input for tests of the report: soft discs on a drawn spine, measured and ranked by the real code.

A large cohort is a few measured studies repeated with their numbers moved a little: measuring 5,000 would take minutes.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lstv.base.levels import GRID
from lstv.base.text import counted
from lstv.cohort import study_sheet
from lstv.dicom.geometry import SliceGeometry
from lstv.localizer import heatmap_file
from lstv.localizer.outcome import NotAnalysed
from lstv.ranking import cohort_table
from lstv.uncertainty import study_record
from made_maps import as_logits, soft_disc

RUN = {
    "software_version": "0.1.0",
    "checkpoint_file": "made_up.pth",
    "checkpoint_sha256": "ab" * 32,
    "demo_weights": True,
    "preprocessing": "trained",
    "members": "centre",
    "device": "cpu",
    "torch": "2.9.0",
}
SETTINGS = {
    "cohort": "made-up",
    "source": {"path": "/data/HOPE_FAITH"},
    "metrics": {"entropy_high": 5.0, "entropy_moderate": 4.0},
    "selection": {"mode": "trial"},
}
GEOMETRY = SliceGeometry((3.0, -140.0, 150.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0), 0.75, 0.7, 400, 384)
MEASURED = 24


@dataclass(frozen=True)
class Files:
    """Paths of one made-up cohort; ``arguments`` are those of ``build``."""

    folder: Path
    table: Path
    sheet: Path
    studies: list[Path]
    heatmaps: Path
    settings: Path

    def arguments(self, **more: object) -> dict:
        return {
            "table": self.table,
            "sheet": self.sheet,
            "studies": self.studies,
            "heatmap_files": [self.heatmaps],
            "settings": self.settings,
            "out": self.folder / "report.html",
            "title": "Made-up cohort",
            "top": 12,
            "show_ids": True,
        } | more


def make(
    folder: Path,
    *,
    ok: int = 20,
    failed: int = 2,
    excluded: int = 1,
    unselected: int = 5,
    drawn: int = 30,
    run: dict = RUN,
    all_files: bool = True,
) -> Files:
    """Write a cohort; the first ``drawn`` analysed studies by rank have heatmaps. Of every 20 analysed ones the first has
    no L5/S1, the second an L5/S1 shared with L4/L5, and the third a cropped field of view. ``all_files``: metrics JSONs
    of all studies, not only of those with heatmaps."""
    random = np.random.default_rng(7)
    ids = [str(4_003_000_000 + 7_003 * number) for number in range(ok + failed + excluded + unselected)]
    kinds = ["ok"] * ok + ["failed"] * failed + ["excluded"] * excluded + ["unselected"] * unselected
    kind_of = {ids[position]: kind for position, kind in zip(random.permutation(len(ids)), kinds)}
    sheet = [_sheet_row(number, study_id, kind_of[study_id], ok) for number, study_id in enumerate(ids)]
    measured = [_maps(number) for number in range(min(ok, MEASURED))]
    originals = [_record(number, json.dumps(run)) for number in range(len(measured))]
    records, origin = [], {}
    for number, study_id in enumerate(study_id for study_id in ids if kind_of[study_id] == "ok"):
        origin[study_id] = number % len(originals)
        record = _moved(originals[origin[study_id]], random if number >= len(originals) else None)
        records.append(record | {"study_id": study_id, "series_id": f"9{study_id}"})
    for row in sheet:
        if kind_of[row.study_id] == "failed":
            maps = NotAnalysed(row.study_id, "failed", row.reason, row.series_id)
            records.append(study_record.study_record(maps, run))
    folder.mkdir(parents=True, exist_ok=True)
    study_sheet.write_sheet(sheet, folder / "study_sheet.csv")
    rows = cohort_table.write(folder / "lstv_uncertainty_metrics.csv", sheet, records)
    ranked = sorted((row for row in rows if row["status"] == "ok"), key=lambda row: row["rank"])
    heatmaps = folder / "heatmaps" / "batch-0000-of-0001.h5"
    with heatmap_file.create(heatmaps, run) as writer:
        for row in ranked[:drawn]:
            writer.write(replace(measured[origin[row["study_id"]]], study_id=row["study_id"]))
    (folder / "studies").mkdir(exist_ok=True)
    first = {row["study_id"] for row in ranked[:drawn]}
    for record in records:
        if not all_files and record["study_id"] not in first:
            continue
        path = folder / "studies" / f"{record['study_id']}.json"
        path.write_text(json.dumps(study_record.rounded(record)), encoding="utf-8")
    (folder / "settings.json").write_text(json.dumps(SETTINGS), encoding="utf-8")
    paths = sorted((folder / "studies").glob("*.json"))
    return Files(
        folder,
        folder / "lstv_uncertainty_metrics.csv",
        folder / "study_sheet.csv",
        paths,
        heatmaps,
        folder / "settings.json",
    )


def _sheet_row(number: int, study_id: str, kind: str, ok: int) -> study_sheet.Row:
    where = f"/data/HOPE_FAITH/{study_id}"
    reason = {
        "ok": "",
        "failed": f"{3 + number % 4} of 17 files of study {study_id} in {where} are unreadable",
        "excluded": "no series is called 'Sagittal T2/STIR' (there are: Axial T2)",
        "unselected": f"not selected: trial of {counted(ok, 'study')}",
    }[kind]
    use = "no" if kind in ("excluded", "unselected") else "yes"
    split = "train" if number == 1 else "unknown"
    return study_sheet.Row(study_id, f"9{study_id}", where, "Sagittal T2/STIR", "17", split, use, reason)


def _moved(record: dict, random: np.random.Generator | None) -> dict:
    """A copy of a record, its numbers moved by a few per cent."""
    record = json.loads(json.dumps(record))
    if random is None:
        return record
    for level in record["levels"].values():
        if level["point_px"] is not None:
            level["entropy"] += random.normal(0, 0.03)
            level["confidence"] = min(0.999, level["confidence"] + random.normal(0, 0.004))
            level["area_px"] = round(level["area_px"] * random.normal(1, 0.04))
    for name in ("entropy_difference", "junction_identity_entropy", "angle_difference"):
        if record["study"][name] is not None:
            record["study"][name] *= random.normal(1, 0.2)
    return record


@functools.cache
def _record(number: int, run: str) -> dict:
    return study_record.study_record(_maps(number), json.loads(run))


@functools.cache  # most tests of the report make a cohort, all of the same studies
def _maps(number: int) -> heatmap_file.Analysed:
    """A drawn slice and its heatmaps; every 20 studies are alike in what is unusual about them."""
    random = np.random.default_rng((3, number))
    lost, shared, cropped = (number % 20 == kind for kind in range(3))
    rows = (30 if cropped else 20) + 26 * np.arange(5) + random.normal(0, 0.8, 5) + (20 if cropped else 0)
    image, columns = _spine(rows, random)
    levels = np.stack(
        [
            soft_disc(column, row, radius=random.normal(7, 0.35), edge=0.5, peak=random.uniform(0.95, 0.995))
            for column, row in zip(columns, rows)
        ]
    )
    if lost:
        levels[4] *= 0.04
    if shared:
        levels[3], levels[4] = levels[3] + 0.55 * levels[4], 0.44 * levels[4]
        levels[4] = np.where(levels[4] > 0.4, levels[4] + 0.08, levels[4])
    return heatmap_file.Analysed(f"measured-{number}", "s", GEOMETRY, image=image, logits=as_logits(levels))


def _spine(rows: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (160, 160) with a column of vertebrae and a bright canal behind it; the canal's columns at the rows."""
    y, x = np.mgrid[:GRID, :GRID].astype(np.float64)

    def front(row: np.ndarray) -> np.ndarray:
        return 62 + 9 * np.sin((row - 10) / 36) + 0.0015 * (row - 80) ** 2

    bend = front(y)
    body = np.abs(x - bend) < 14
    disc = np.min(np.abs(y[..., None] - rows), axis=-1) < 3
    image = 55 + 60 * np.exp(-((x - 152) ** 2) / 200) + 110 * np.exp(-((x - bend - 21) ** 2) / 22)
    image = np.where(body, np.where(disc, 45, 120), image) + random.normal(0, 5, x.shape)
    return np.clip(image, 0, 255).astype(np.uint8), front(rows) + 18
