"""A list of phantom studies -> a folder of DICOM in the layout of the RSNA 2024 lumbar spine competition.

``<root>/train_images/<study_id>/<series_id>/<instance>.dcm``, ``<root>/train_series_descriptions.csv`` and
``<root>/truth.csv`` (for tests and method studies; no stage of the workflow reads it).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from lstv.base.atomic import remove_leftovers, temporary_name, write_csv
from lstv.base.errors import UserError
from lstv.base.ids import is_safe
from lstv.base.pool import Pool
from lstv.base.tables import read_table
from lstv.cohort.rsna_layout import IMAGES, SAGITTAL_T2, SERIES_TABLE
from lstv.dicom.geometry import SliceGeometry
from lstv_evidence.phantom import dicom_writer, generators
from lstv_evidence.phantom.dicom_writer import SYNTAXES, TRUNCATED, SeriesHeader
from lstv_evidence.phantom.spec import PhantomSpec
from lstv_evidence.phantom.study import Truth

TRUTH_TABLE = "truth.csv"
TRUTH_COLUMNS = (
    "study_id", "kind", "degree", "level",
    "disc_x_mm", "disc_y_mm", "disc_z_mm", "canal_x_mm", "canal_y_mm", "canal_z_mm",
)  # fmt: skip
SERIES = ("t2", "t1", "axial")
"""Series a study may have: sagittal T2, sagittal T1 (every second slice), axial T2 (one slice a disc)."""
INSTANCES = ("plain", "reversed", "gaps")
COLUMNS = (
    "study_id", "seed", "kind", "degree", "nuisances", "transfer_syntax", "instances", "series", "damage", "remark",
)  # fmt: skip
"""Columns of a study list; a further one, GENERATOR, names the generator of each study (default: ``tables``)."""
GENERATOR = "generator"


@dataclass(frozen=True)
class PhantomStudy:
    """A line of a study list: a phantom and how it is written."""

    study_id: str
    spec: PhantomSpec
    syntax: str = "explicit_le"
    instances: str = "plain"
    series: tuple[str, ...] = SERIES
    damage: str = ""


def read_list(path: Path) -> list[PhantomStudy]:
    """Studies of a CSV list with the columns COLUMNS. Raises UserError naming the line and the fix."""
    studies = []
    for number, row in enumerate(read_table(path, COLUMNS), start=2):
        try:
            studies.append(_study(row))
        except UserError as error:
            raise UserError(f"{path}, line {number}: {error}") from error
    ids = [study.study_id for study in studies]
    repeated = sorted({study_id for study_id in ids if ids.count(study_id) > 1})
    if repeated:
        raise UserError(f"{path} lists study {repeated[0]} more than once; give each study its own id.")
    if not studies:
        raise UserError(f"{path} lists no study; add at least one line.")
    return studies


def _study(row: dict[str, str]) -> PhantomStudy:
    if not is_safe(row["study_id"]):
        raise UserError(f"study_id {row['study_id']!r} cannot name a folder; use letters, digits, '.', '_' and '-'.")
    try:
        seed, degree = int(row["seed"]), float(row["degree"])
    except ValueError:
        raise UserError(f"seed {row['seed']!r} or degree {row['degree']!r} is not a number; correct it.") from None
    series = tuple(filter(None, row["series"].split(";")))
    for value, name, allowed in (
        (row["transfer_syntax"], "transfer_syntax", SYNTAXES),
        (row["instances"], "instances", INSTANCES),
        (row["damage"], "damage", ("", TRUNCATED)),
        *((item, "series", SERIES) for item in series),
    ):
        if value not in allowed:
            raise UserError(f"{name} {value!r} is unknown; use one of {', '.join(filter(None, allowed))}.")
    spec = generators.parse(row.get(GENERATOR, ""), seed, row["kind"], degree, row["nuisances"])
    return PhantomStudy(row["study_id"], spec, row["transfer_syntax"], row["instances"], series, row["damage"])


def write(
    studies: list[PhantomStudy], root: Path, jobs: int, step: Callable[[str], None] = lambda status: None
) -> None:
    """Write all studies below ``root`` with ``jobs`` processes; ``step`` hears of each that is done.

    Everything is made in a temporary folder beside ``root`` and moved there at the end, the series table last. Raises
    UserError where ``root`` holds images that are no phantoms of an earlier run.
    """
    root = Path(root)
    if (root / IMAGES).exists() and any((root / IMAGES).iterdir()) and not (root / TRUTH_TABLE).is_file():
        raise UserError(root, f" holds images in {IMAGES} that are no phantoms; choose another folder.")
    root.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(root.parent)
    temporary = temporary_name(root)
    try:
        (temporary / IMAGES).mkdir(parents=True)
        tables = _write_studies(studies, temporary / IMAGES, jobs, step)
        described = [
            {"study_id": study_id, "series_id": series_id, "series_description": description}
            for study_id, found, _ in tables
            for series_id, description in found
        ]
        write_csv(temporary / SERIES_TABLE, ("study_id", "series_id", "series_description"), described)
        write_csv(temporary / TRUTH_TABLE, TRUTH_COLUMNS, [row for *_, rows in tables for row in rows])
        _move(temporary, root)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_studies(studies: list[PhantomStudy], images: Path, jobs: int, step: Callable[[str], None]) -> list[tuple]:
    tables = []
    with Pool(
        min(jobs, len(studies)), mp_context=get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,)
    ) as pool:
        for table in pool.map(write_study, studies, [images] * len(studies)):
            tables.append(table)
            step("written")
    return tables


def _move(temporary: Path, root: Path) -> None:
    root.mkdir(exist_ok=True)
    (root / SERIES_TABLE).unlink(missing_ok=True)
    for name in (TRUTH_TABLE, IMAGES, SERIES_TABLE):
        if (root / name).is_dir():
            shutil.rmtree(root / name)
        os.replace(temporary / name, root / name)


def write_study(study: PhantomStudy, images: Path) -> tuple[str, list[tuple[str, str]], list[dict]]:
    """Write one study below ``images``; returns its id, its series (id, description) and its rows of the truth table."""
    phantom = generators.draw(study.spec)
    gap = float(phantom.plan.offsets[1] - phantom.plan.offsets[0])
    count = len(phantom.plan.offsets)
    described = []

    def write_series(
        number: int,
        kind: str,
        volume: np.ndarray,
        planes: tuple[SliceGeometry, ...],
        description: str,
        times: tuple[float, float],
        spacing: float,
        syntax: str,
        damage: str,
    ) -> None:
        series_id = str(int(study.study_id) + number) if study.study_id.isdecimal() else f"{study.study_id}-{number}"
        header = SeriesHeader(
            study.study_id, series_id, study.spec.seed, number, kind, times[0], times[1], phantom.plan.thickness, spacing,
            _instances(study.instances, len(planes)),
        )  # fmt: skip
        dicom_writer.write_series(images / study.study_id / series_id, volume, planes, header, syntax, damage)
        described.append((series_id, description))

    (images / study.study_id).mkdir(parents=True)
    if "t2" in study.series:
        write_series(
            1, "t2_tse_sag", phantom.sagittal(), phantom.geometry, SAGITTAL_T2, (102.0, 3800.0), gap, study.syntax,
            study.damage,
        )  # fmt: skip
    if "t1" in study.series:
        half = tuple(range(0, count, 2))
        planes = tuple(phantom.geometry[k] for k in half)
        write_series(
            2,
            "t1_tse_sag",
            phantom.sagittal("T1", half),
            planes,
            "Sagittal T1",
            (11.0, 580.0),
            2 * gap,
            study.syntax,
            "",
        )
    if "axial" in study.series:
        volume, planes = phantom.axial()
        write_series(3, "t2_tse_tra", volume, planes, "Axial T2", (98.0, 4200.0), 35.0, "explicit_le", "")
    return study.study_id, described, truth_rows(study.study_id, phantom.truth)


def _instances(style: str, count: int) -> tuple[int, ...]:
    if style == "reversed":
        return tuple(range(count, 0, -1))
    if style == "gaps":
        return tuple(2 + k + k // 3 for k in range(count))
    return tuple(range(1, count + 1))


def truth_rows(study_id: str, truth: Truth) -> list[dict]:
    """A row of TRUTH_COLUMNS for each disc."""
    rows = []
    for level, disc in truth.discs.items():
        row = {"study_id": study_id, "kind": truth.kind, "degree": truth.degree, "level": level}
        for name, point in (("disc", disc), ("canal", truth.canal[level])):
            row.update({f"{name}_{axis}_mm": round(value, 3) for axis, value in zip("xyz", point)})
        rows.append(row)
    return rows
