"""A study's masks -> what each program says; whatever is wrong with one is a flag and a sentence, never an end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lstv.localizer.heatmap_file import Analysed
from lstv.second_reader import flags, study
from lstv.second_reader.files import Found
from lstv.second_reader.masks import Grid, Mask, MaskProblem, read_mask
from lstv.second_reader.numbering import PROGRAMS
from lstv.second_reader.structures import spine
from lstv.second_reader.study import Reading


def grid_of(maps: Analysed) -> Grid | None:
    """The series' grid from its heatmaps; None where they do not hold it."""
    centre, slices = maps.provenance.get("centre_slice"), maps.provenance.get("n_slices")
    return None if centre is None or slices is None else Grid(maps.geometry, int(centre), int(slices))


def read(
    program: str,
    found: Found,
    levels: Mapping[str, Mapping[str, object]],
    grid: Grid | None,
    reason: str | None = None,
) -> tuple[Reading, Mask | None]:
    """What a program says of a study, and its mask where that can be used.

    ``found``: its files; ``levels``: of the study's metrics file; ``reason``: why the program ended without a mask, where it
    did: a mask that lies there all the same is not of that run, and is not read.
    """
    if reason is not None:
        return Reading(program, flags.FAILED, flags=("failed",), sentence=reason), None
    if not found.mask:
        return Reading(program, flags.NOT_RUN, flags=("not_run",)), None
    try:
        if len(found.mask) > 1:
            raise MaskProblem("several", _several(program, found.mask))
        mask = read_mask(found.mask[0], program, grid)
        own = spine(mask)
        if study.off_points(levels, own):
            raise MaskProblem(
                "not_at_points",
                f"{found.mask[0].name} shows a spine more than {study.OFF_SPINE_MM:.0f} mm from the point net's: it is "
                "flipped, or of another patient.",
            )
    except MaskProblem as problem:
        return Reading(program, flags.REFUSED, flags=(problem.flag,), sentence=problem.sentence), None
    return Reading(program, flags.OK, own, numbering=mask.numbering.name), mask


def _several(program: str, paths: list[Path]) -> str:
    names = " and ".join(path.name for path in paths[:2])
    return f"there are {len(paths)} masks of {PROGRAMS[program]} for this study ({names}); keep one."
