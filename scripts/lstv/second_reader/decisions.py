"""Which masks are to be moved by a level, and why: a reader's word, or the rule that one program is outvoted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lstv.base import tables
from lstv.base.errors import UserError
from lstv.second_reader.numbering import PROGRAMS

RULES = ("outvoted",)


@dataclass(frozen=True)
class Decision:
    """To move a program's mask of a study by ``shift`` levels; 0 = it stays as it is, and ``why`` says so."""

    study_id: str
    program: str
    shift: int
    why: str


def outvoted(table: Iterable[Mapping[str, str]]) -> list[Decision]:
    """Programs whose numbering is one level off the point net's while the other program's is not. ``table``: rows of the
    second readers' table."""
    found = []
    for row in table:
        for program, other in zip(PROGRAMS, reversed(PROGRAMS)):
            offset, agrees = row.get(f"{program}_offset", ""), row.get(f"{other}_offset", "")
            if offset in ("1", "-1") and agrees == "0":
                against = f"the point net and {PROGRAMS[other]} agree, {PROGRAMS[program]} differs by {int(offset):+d}"
                why = f"rule outvoted: {against}"
                found.append(Decision(row["study_id"], program, -int(offset), why))
    return found


def by_readers(path: Path, table: Sequence[Mapping[str, str]], programs: Sequence[str]) -> list[Decision]:
    """What readers say of the numbering.

    ``path``: CSV with ``study_id`` and ``shift`` (-1, 1; for all programs, or that of a column ``program``), or with
    ``lumbar_vertebrae`` as the reading page writes it: a program that counts one more or one less is moved. Optional:
    ``reader``. Raises UserError for a value that is none of these.
    """
    header, _, rows = tables.parsed(path, semicolons=True)
    if "study_id" not in header or not {"shift", "lumbar_vertebrae"} & set(header):
        raise UserError(path, " needs the columns study_id and shift, or study_id and lumbar_vertebrae.")
    counts = {row["study_id"]: row for row in table}
    wanted: dict[tuple[str, str], dict[int, str]] = {}
    for line, row in rows:
        who = f"reader {row['reader']}" if row.get("reader") else "a reader"
        for program in programs if not row.get("program") else [row["program"]]:
            if program not in PROGRAMS:
                raise UserError(path, f", line {line}: program {program!r} is not one of {', '.join(PROGRAMS)}.")
            shift, said = _said(path, line, row, counts.get(row["study_id"], {}), program)
            if said:
                wanted.setdefault((row["study_id"], program), {}).setdefault(shift, f"{who} says {said}")
    return [_agreed(study_id, program, told) for (study_id, program), told in wanted.items()]


def _said(path: Path, line: int, row: Mapping[str, str], counted: Mapping[str, str], program: str) -> tuple[int, str]:
    """Shift that a row asks for and in which words; no words = it says nothing of this program."""
    if row.get("shift"):
        if row["shift"].removeprefix("+") not in ("1", "-1", "0"):
            raise UserError(path, f", line {line}: shift {row['shift']!r} is not -1, 0 or 1.")
        shift = int(row["shift"])
        return shift, f"the numbering is off by one: move it by {shift:+d}" if shift else "the numbering is right"
    count, own = row.get("lumbar_vertebrae", ""), counted.get(f"{program}_lumbar", "")
    if not count or not own:
        return 0, ""
    if not count.isdigit():
        raise UserError(path, f", line {line}: lumbar_vertebrae {count!r} is not a number.")
    shift = int(count) - int(own)
    return shift, f"there are {count} lumbar vertebrae, {PROGRAMS[program]} counts {own}"


def _agreed(study_id: str, program: str, told: Mapping[int, str]) -> Decision:
    if len(told) > 1:
        return Decision(study_id, program, 0, f"not moved, for readers differ: {'; '.join(told.values())}")
    ((shift, why),) = told.items()
    if abs(shift) > 1:
        return Decision(study_id, program, 0, f"not moved, for it is more than one level: {why}")
    return Decision(study_id, program, shift, why)


def together(*lists: Iterable[Decision]) -> list[Decision]:
    """One decision for each study and program, by study; the first list that has one counts."""
    chosen: dict[tuple[str, str], Decision] = {}
    for decisions in lists:
        for decision in decisions:
            chosen.setdefault((decision.study_id, decision.program), decision)
    return [chosen[key] for key in sorted(chosen)]
