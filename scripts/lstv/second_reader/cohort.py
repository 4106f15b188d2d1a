"""A cohort's masks, read and compared: a row and a record for every study that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from lstv.base import tables
from lstv.base.errors import UserError
from lstv.base.pool import Pool
from lstv.cohort.batches import batch_of
from lstv.localizer import heatmap_file
from lstv.localizer.heatmap_file import Analysed
from lstv.second_reader import compare, measures, outcomes, read, study
from lstv.second_reader.files import Found, masks_of
from lstv.second_reader.numbering import PROGRAMS, SPINEPS, TOTALSPINESEG

SCHEMA_VERSION = 1
POINT_NET = "point_net"
PAIRS = ((POINT_NET, SPINEPS), (POINT_NET, TOTALSPINESEG), (SPINEPS, TOTALSPINESEG))
SIGNIFICANT_DIGITS = 6


@dataclass(frozen=True)
class Asked:
    """Where things are: metrics files of the studies, heatmap files in ``batches``, and a folder of masks a program."""

    metrics: Path
    heatmaps: Path
    batches: int
    folders: Mapping[str, Path]


@dataclass(frozen=True)
class Compared:
    """One study: its ``row`` (study_id and ``study.columns``), its ``record`` (JSON), the names that two readers give to
    the same discs by pair, and by how much each measure changes under erosion of one voxel, by program."""

    row: dict[str, Any]
    record: dict[str, Any]
    pairs: dict[tuple[str, str], list[tuple[int, int]]]
    eroded: dict[str, dict[str, float]]


def columns(programs: Sequence[str]) -> list[str]:
    """Columns of the table, in their order."""
    return ["study_id", *study.columns(tuple(programs), tuple(measures.MEASURES))]


def read_list(path: Path) -> list[str]:
    """Ids of the studies that the programs were asked for: column study_id of a CSV file."""
    return [row["study_id"] for row in tables.read_table(path, ["study_id"])]


def compared(
    study_ids: Sequence[str],
    asked: Asked,
    load: Callable[[Path], Mapping[str, Any]],
    jobs: int,
    step: Callable[[str], None],
) -> list[Compared]:
    """Compare the readers of each study, with ``jobs`` processes; ``step`` hears each one's status.

    ``load`` reads a metrics file. Raises UserError for a study that has none.
    """
    found = {program: masks_of(folder, program, study_ids) for program, folder in asked.folders.items()}
    tasks = [(study_id, {program: found[program][study_id] for program in found}) for study_id in study_ids]
    one = partial(_one, asked=asked, load=load)
    results = []
    if jobs <= 1 or len(tasks) <= 1:
        mapped: Any = map(one, tasks)
        for result in mapped:
            results.append(result)
            step("compared")
        return results
    with Pool(min(jobs, len(tasks)), mp_context=get_context("spawn")) as pool:
        for result in pool.map(one, tasks):
            results.append(result)
            step("compared")
    return results


def _one(task: tuple[str, dict[str, Found]], asked: Asked, load: Callable[[Path], Mapping[str, Any]]) -> Compared:
    study_id, files = task
    record = load(asked.metrics / f"{study_id}.json")
    levels = record["levels"]
    maps = heatmap_file.read_study(asked.heatmaps / f"{batch_of(study_id, asked.batches)}.h5", study_id, members=False)
    grid = read.grid_of(maps) if isinstance(maps, Analysed) else None
    readings, eroded = {}, {}
    for program, found in files.items():
        reason = outcomes.reason(asked.folders[program], study_id)
        reading, mask = read.read(program, found, levels, grid, reason)
        if mask is not None:
            values = measures.measured(mask)
            changed = measures.measured(mask, eroded=True)
            eroded[program] = _changes(values, changed)
            reading = _with_measures(reading, values)
        readings[program] = reading
    row = {"study_id": study_id, **study.comparison(levels, readings)}
    row = {name: _rounded(value) for name, value in row.items()}
    return Compared(row, _record(row, readings), _pairs(levels, readings), eroded)


def _with_measures(reading: study.Reading, values: dict[str, float | None]) -> study.Reading:
    return study.Reading(
        reading.program, reading.status, reading.spine, reading.flags, reading.sentence, values, reading.numbering
    )


def _changes(values: Mapping[str, float | None], eroded: Mapping[str, float | None]) -> dict[str, float]:
    both = {name: (value, eroded[name]) for name, value in values.items()}
    return {name: after - before for name, (before, after) in both.items() if before is not None and after is not None}


def _record(row: Mapping[str, Any], readings: Mapping[str, study.Reading]) -> dict[str, Any]:
    """What one wants to look up of a study: everything of its row, and where each program has what."""
    spines = {program: reading.spine for program, reading in readings.items() if reading.spine is not None}
    return {
        "schema_version": SCHEMA_VERSION,
        **row,
        "structures_mm": {
            program: {
                "vertebrae": {name: _place(place) for name, place in spine.vertebrae.items()},
                "discs": {name: _place(place) for name, place in spine.discs.items()},
                "discs_drawn": spine.drawn,
            }
            for program, spine in spines.items()
        },
    }


def _place(place: Any) -> list[float]:
    return [round(float(value), 2) for value in place]


def _pairs(
    levels: Mapping[str, Mapping[str, object]], readings: Mapping[str, study.Reading]
) -> dict[tuple[str, str], list[tuple[int, int]]]:
    discs = {
        program: compare.of_spine(reading.spine) for program, reading in readings.items() if reading.spine is not None
    }
    discs[POINT_NET] = compare.of_points(levels)
    result = {}
    for one, other in PAIRS:
        if one in discs and other in discs:
            matched = compare.match(discs[one], discs[other]).levels
            result[one, other] = [(own, index) for own, (index, _) in matched.items()]
    return result


def _rounded(value: Any) -> Any:
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}") if isinstance(value, float) else value


def check_programs(folders: Mapping[str, Path]) -> None:
    """Raises UserError where no program is given or a folder is not one."""
    if not folders:
        raise UserError(f"no folder of masks is given; name that of {' or '.join(PROGRAMS)}.")
    for folder in folders.values():
        with suppress(OSError):
            if folder.is_dir():
                continue
        raise UserError(folder, " is not a directory; name the folder with the masks.")
