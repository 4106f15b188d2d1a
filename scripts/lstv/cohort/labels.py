"""The label file: readers' verdicts -> one label per study."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from lstv.base.errors import UserError
from lstv.base.tables import parsed
from lstv.cohort.verdicts import castellvi_of

_LABELS = {"1": True, "1.0": True, "lstv": True, "0": False, "0.0": False, "normal": False}
_UNCLEAR = ("unclear", "uncertain")
_REPEAT = {"": 0, "0": 0, "0.0": 0, "1": 1, "1.0": 1}


@dataclass(frozen=True)
class Reading:
    """One reader's verdict on one study; ``label`` None = unclear; ``castellvi`` I to IV, ``none`` or empty.

    ``verdict`` is the reader's word in full (``verdicts.VERDICT``) where the file has it.
    """

    study_id: str
    label: bool | None
    reader: str
    castellvi: str
    weight: float
    verdict: str = ""


@dataclass(frozen=True)
class LabelFile:
    """All verdicts of a label file; ``weighted`` says whether it had a weight or a sampling_fraction column.

    ``repeats`` are second readings of a study by the same reader, which serve the agreement with oneself and do not vote.
    ``queue`` is the digest of the review queue that was read, empty where the file names none; ``not_blinded`` the studies
    whose reader knew more than the pictures, by a column ``blinded`` that says no.
    """

    readings: tuple[Reading, ...]
    unread_rows: int
    weighted: bool
    repeats: tuple[Reading, ...] = ()
    queue: str = ""
    not_blinded: tuple[str, ...] = ()


@dataclass(frozen=True)
class StudyLabel:
    """The label of a study; ``castellvi`` empty where not given or where readers differ."""

    label: bool
    weight: float
    castellvi: str


@dataclass(frozen=True)
class Consensus:
    """One label a study, and the studies without one: ``tied`` between readers, or ``unclear`` to all of them."""

    studies: dict[str, StudyLabel]
    tied: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()


def read_labels(path: Path) -> LabelFile:
    """Read a label file: columns study_id and label, optionally reader, castellvi, weight, sampling_fraction, patient_id,
    and those of a blinded reading: queue, repeat, verdict.

    Rows without a label (a queue not read to its end) are counted. Other columns are ignored. Raises UserError, naming the
    line, for a value that is none of those allowed, for two verdicts of a reader on a study, for two studies a patient and
    for labels of two queues.
    """
    path = Path(path)
    header, rows = _rows(path)
    weighted = "weight" in header or "sampling_fraction" in header
    readings: tuple[list[Reading], list[Reading]] = ([], [])
    seen: dict[tuple[str, str, int], int] = {}
    queues: dict[str, int] = {}
    not_blinded: set[str] = set()
    patients: dict[str, str] = {}
    unread = 0
    for line, row in rows:
        where = f"{path.name}, line {line}"
        if row.get("queue"):
            queues.setdefault(row["queue"], line)
        if not row["label"]:
            unread += 1
            continue
        reading, repeat = _reading(row, where, weighted), _repeat(row, where)
        key = (reading.study_id, reading.reader, repeat)
        if key in seen:
            who = f"reader {reading.reader}" if reading.reader else "an unnamed reader"
            raise UserError(
                f"{where}: study {reading.study_id} has a second label by {who} (first in line {seen[key]}); "
                "keep one, or name the readers in a column reader."
            )
        seen[key] = line
        owner = patients.setdefault(row.get("patient_id") or f"study {reading.study_id}", reading.study_id)
        if owner != reading.study_id:
            raise UserError(
                f"{where}: patient {row['patient_id']} has studies {owner} and {reading.study_id}; keep one study a "
                "patient, because the intervals take studies as independent."
            )
        readings[repeat].append(reading)
        if row.get("blinded", "").lower() == "no" and not repeat:
            not_blinded.add(reading.study_id)
    if len(queues) > 1:
        (one, first), (other, second) = list(queues.items())[:2]
        raise UserError(
            f"{path.name} has labels from two review queues, {one} (line {first}) and {other} (line {second}), whose "
            "weights differ; evaluate each queue with a file of its own."
        )
    return LabelFile(
        tuple(readings[0]), unread, weighted, tuple(readings[1]), next(iter(queues), ""), tuple(sorted(not_blinded))
    )


def consensus(readings: tuple[Reading, ...]) -> Consensus:
    """The majority of the readers of each study; unclear verdicts don't vote. Raises UserError where weights differ."""
    by_study = defaultdict(list)
    for reading in readings:
        by_study[reading.study_id].append(reading)
    studies, tied, unclear = {}, [], []
    for study_id in sorted(by_study):
        group = by_study[study_id]
        weights = {reading.weight for reading in group}
        if len(weights) > 1:
            raise UserError(
                f"study {study_id} has different weights in the label file; give each of its rows the same."
            )
        votes = Counter(reading.label for reading in group if reading.label is not None)
        if not votes:
            unclear.append(study_id)
        elif votes[True] == votes[False]:
            tied.append(study_id)
        else:
            grades = {reading.castellvi for reading in group} - {""}
            grade = grades.pop() if len(grades) == 1 else ""
            studies[study_id] = StudyLabel(votes[True] > votes[False], weights.pop(), grade)
    return Consensus(studies, tuple(tied), tuple(unclear))


def _rows(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    names, _, entries = parsed(path, semicolons=True)
    header = [name.lower() for name in names]
    rows = [(line, {key.lower(): value for key, value in row.items()}) for line, row in entries]
    for name in ("study_id", "label"):
        if name not in header:
            raise UserError(
                path,
                f" has no column {name}; its first line must name study_id and label, "
                "optionally reader, castellvi, weight or sampling_fraction, patient_id.",
            )
    return header, rows


def _reading(row: dict[str, str], where: str, weighted: bool) -> Reading:
    if not row["study_id"]:
        raise UserError(f"{where} has a label but no study_id.")
    text = row["label"].lower()
    if text not in _LABELS and text not in _UNCLEAR:
        raise UserError(
            f"{where}: label {row['label']!r} is not one of 0, 1, normal, lstv, unclear; leave it empty if not yet read."
        )
    grade = castellvi_of(row.get("castellvi", "")) if row.get("castellvi") else ("", "")
    if grade is None:
        raise UserError(
            f"{where}: castellvi {row['castellvi']!r} is not one of none, I, II, III, IV (a or b may follow)."
        )
    weight = _weight(row, where) if weighted else 1.0
    reader, verdict = row.get("reader", ""), row.get("verdict", "").lower()
    return Reading(row["study_id"], _LABELS.get(text), reader, grade[0], weight, verdict)


def _repeat(row: dict[str, str], where: str) -> int:
    if row.get("repeat", "") not in _REPEAT:
        raise UserError(
            f"{where}: repeat {row['repeat']!r} is neither 0 (the first reading) nor 1 (the same reader again)."
        )
    return _REPEAT[row.get("repeat", "")]


def _weight(row: dict[str, str], where: str) -> float:
    weight, fraction = row.get("weight", ""), row.get("sampling_fraction", "")
    if not weight and not fraction:
        raise UserError(f"{where}: the study has no weight; give it one, as the review queue does, or drop the column.")
    if fraction:
        share = _number(fraction, "sampling_fraction", where)
        if not 0 < share <= 1:
            raise UserError(f"{where}: sampling_fraction {fraction} is not above 0 and at most 1.")
    if not weight:
        return 1 / share
    value = _number(weight, "weight", where)
    if value <= 0:
        raise UserError(f"{where}: weight {weight} is not above 0.")
    if fraction and not math.isclose(value * share, 1, rel_tol=0.01):
        raise UserError(f"{where}: weight {weight} is not 1 / sampling_fraction {fraction}; keep only one of the two.")
    return value


def _number(text: str, column: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{where}: {column} {text!r} is not a number.")
    return value
