"""One study as two more programs see it, set beside the point net: offsets, counts, discs, and what that means in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lstv.base.levels import LEVEL_LABELS, LEVELS
from lstv.second_reader import compare, flags
from lstv.second_reader.compare import Discs, Matching
from lstv.second_reader.numbering import PROGRAMS, SPINEPS, TOTALSPINESEG, disc_label
from lstv.second_reader.structures import Spine

USUAL_LUMBAR = 5
OFF_SPINE_MM = 45.0
"""A mask whose discs lie farther from the points than this, in the middle, is not of the spine that the net saw: the canal
lies at most 40 mm behind a disc's middle."""

_OF_PROGRAM = (
    *("status", "numbering", "lumbar", "thirteenth_thoracic", "offset"),
    *("discs_without_level", "levels_without_disc"),
)
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven")


@dataclass(frozen=True)
class Reading:
    """What one program says of a study; ``spine`` where the status is ok. ``flags`` without the program's name."""

    program: str
    status: str
    spine: Spine | None = None
    flags: tuple[str, ...] = ()
    sentence: str = ""
    measures: Mapping[str, float | None] = field(default_factory=dict)
    numbering: str | None = None


def off_points(levels: Mapping[str, Mapping[str, object]], spine: Spine) -> bool:
    """Whether a mask's spine is elsewhere than the point net's: the nearest discs lie too far from most points."""
    points, discs = compare.of_points(levels), compare.of_spine(spine)
    if not len(points.places) or not len(discs.places):
        return False
    nearest = np.linalg.norm(points.places[:, None] - discs.places[None], axis=2).min(axis=1)
    return float(np.median(nearest)) > OFF_SPINE_MM


def comparison(levels: Mapping[str, Mapping[str, object]], readings: Mapping[str, Reading]) -> dict[str, Any]:
    """The columns of one study (``columns``), with None for what is not known.

    ``levels``: of the study's metrics file; ``readings`` by program, those of PROGRAMS that were asked for.
    """
    points = compare.of_points(levels)
    row: dict[str, Any] = {}
    raised: list[str] = []
    words: list[str] = []
    left_out = [
        f"{PROGRAMS[program]} is left out: {reading.sentence.rstrip('.')}"
        for program, reading in readings.items()
        if reading.sentence
    ]
    for program, reading in readings.items():
        own, own_flags, own_words = _of_program(program, reading, points)
        row |= own
        raised += [f"{program}_{flag}" for flag in own_flags]
        words += own_words
    row |= _between(readings)
    row["second_reader_disagreement"] = disagreement(row, raised)
    row["second_reader_flags"] = ";".join(flags.in_order(raised))
    row["second_reader_words"] = "; ".join(words)
    row["second_reader_left_out"] = "; ".join(left_out)
    return row


def columns(programs: list[str] | tuple[str, ...] = tuple(PROGRAMS), measures: tuple[str, ...] = ()) -> list[str]:
    """Names of the columns, in their order, for the programs that were asked for."""
    names = ["second_reader_words", "second_reader_left_out", "second_reader_flags", "second_reader_disagreement"]
    both = all(program in programs for program in PROGRAMS)
    if both:
        names += ["spineps_totalspineseg_offset", "discs_only_spineps", "discs_only_totalspineseg"]
    for program in programs:
        names += [f"{program}_{name}" for name in _OF_PROGRAM]
        names += [f"{level}_{program}_distance_mm" for level in LEVELS]
        names += [f"{program}_{name}" for name in measures]
    return names


def disagreement(row: Mapping[str, Any], raised: Sequence[str]) -> float | None:
    """Share of the questions that were answered on which somebody disagrees with an ordinary spine or with another reader.

    Questions: does each program name all discs as the point net does, is the offset between the programs 0, does each
    program count five lumbar vertebrae and no T13? ``raised``: the study's flags. None unless both programs gave a mask
    that could be read.
    """
    if any(row.get(f"{program}_status") != flags.OK for program in PROGRAMS):
        return None
    between = row.get("spineps_totalspineseg_offset")
    answers = [] if between is None else [between != 0]
    for program in PROGRAMS:
        offset = row.get(f"{program}_offset")
        if offset is not None:
            answers.append(offset != 0 or f"{program}_uneven" in raised)
        count, thirteen = row.get(f"{program}_lumbar"), row.get(f"{program}_thirteenth_thoracic")
        if count is not None:
            answers.append(count != USUAL_LUMBAR or bool(thirteen))
    return sum(answers) / len(answers) if answers else None


def _of_program(program: str, reading: Reading, points: Discs) -> tuple[dict[str, Any], list[str], list[str]]:
    row: dict[str, Any] = {f"{program}_status": reading.status, f"{program}_numbering": reading.numbering}
    raised = list(reading.flags)
    if reading.spine is None:
        return row, raised, []
    spine, discs = reading.spine, compare.of_spine(reading.spine)
    found = compare.match(points, discs)
    if found.problem:
        raised.append(found.problem)
    elif not found.even:
        raised.append("uneven")
    counted = spine.whole
    if not counted:
        raised.append("lumbar_not_whole")
    row |= {
        f"{program}_lumbar": len(spine.lumbar) if counted else None,
        f"{program}_thirteenth_thoracic": int("T13" in spine.vertebrae) if counted else None,
        f"{program}_offset": found.offset,
        f"{program}_discs_without_level": _listed(disc_names(spine, compare.unmatched(discs, points))),
        f"{program}_levels_without_disc": _listed([f"{_level(name)}" for name in compare.unmatched(points, discs)]),
        **{f"{program}_{name}": value for name, value in reading.measures.items()},
    }
    away = compare.distances(points, discs)
    row |= {f"{level}_{program}_distance_mm": away.get(index) for index, level in enumerate(LEVELS)}
    return row, raised, _words(PROGRAMS[program], spine, found, counted)


def disc_names(spine: Spine, uppers: list[str]) -> list[str]:
    """Discs as written by a radiologist, for this mask."""
    return [disc_label(name, spine.vertebrae) for name in uppers]


def _level(upper: str) -> str:
    return next(LEVEL_LABELS[level] for level in LEVELS if level.startswith(f"{upper.lower()}_"))


def _listed(names: list[str]) -> str | None:
    return ", ".join(names) if names else None


def _words(called: str, spine: Spine, found: Matching, counted: bool) -> list[str]:
    words = []
    if counted and len(spine.lumbar) != USUAL_LUMBAR:
        words.append(f"{called} counts {_NUMBERS[len(spine.lumbar)]} lumbar vertebrae")
    if counted and "T13" in spine.vertebrae:
        words.append(f"{called} finds a thirteenth thoracic vertebra")
    by_index = {spine.index(name): name for name in spine.discs}
    lies_on = {own: disc_label(by_index[other], spine.vertebrae) for own, (other, _) in found.levels.items()}
    other_names = [own for own, name in lies_on.items() if name != LEVEL_LABELS[LEVELS[own]]]
    if other_names:
        own = max(other_names)  # the lowest: the junction is what is asked about
        whose = "its" if words else f"{called}'s"
        words.append(f"the point net's {LEVEL_LABELS[LEVELS[own]]} lies on {whose} {lies_on[own]}")
    return words


def _between(readings: Mapping[str, Reading]) -> dict[str, Any]:
    one, other = (readings.get(program) for program in (SPINEPS, TOTALSPINESEG))
    if one is None or other is None or one.spine is None or other.spine is None:
        return {}
    first, second = compare.of_spine(one.spine), compare.of_spine(other.spine)
    return {
        "spineps_totalspineseg_offset": compare.match(first, second).offset,
        "discs_only_spineps": _listed(disc_names(one.spine, compare.unmatched(first, second))),
        "discs_only_totalspineseg": _listed(disc_names(other.spine, compare.unmatched(second, first))),
    }
