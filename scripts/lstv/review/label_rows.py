"""The label file that the evaluation takes, made of saved verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lstv.base.errors import UserError
from lstv.base.tables import parsed
from lstv.cohort.labels import read_labels
from lstv.cohort.verdicts import NAMES
from lstv.review.store import SavedVerdict, VerdictStore

COLUMNS = (
    *("study_id", "label", "reader", "castellvi", "queue", "repeat"),
    *(name for name in NAMES if name != "castellvi"),
    *("read_at", "seconds", "blinded"),
)
"""What ``cohort.labels`` reads comes first; the rest is the reading in full."""


def rows(verdicts: Iterable[SavedVerdict]) -> list[dict[str, Any]]:
    """One row per verdict with ``COLUMNS``."""
    return [_row(saved) for saved in verdicts]


def of_store(store: VerdictStore, queue: str | None = None) -> list[dict[str, Any]]:
    """The rows of the verdicts that hold, of all readers; with ``queue``, a digest, of what was read in that queue."""
    return [row for reader in store.readers() for row in rows(store.latest(reader, queue).values())]


def of_file(path: Path) -> list[dict[str, Any]]:
    """The rows of a label file that have a label, with ``COLUMNS``. Raises UserError as ``cohort.labels.read_labels``."""
    read_labels(path)
    _, _, rows = parsed(Path(path), semicolons=True)
    named = [{name.lower(): value for name, value in row.items()} for _, row in rows]
    return [{name: row.get(name, "") for name in COLUMNS} for row in named if row["label"]]


def together(parts: Sequence[tuple[str, list[dict[str, Any]]]]) -> list[dict[str, Any]]:
    """The rows of several files, each part with its name for people; a verdict that is in two of them is there once.

    Raises UserError where two parts have different verdicts of one reader on one study, or are of different queues.
    """
    found: dict[tuple[str, str, str], tuple[str, dict[str, Any]]] = {}
    queues: dict[str, str] = {}
    for name, rows in parts:
        for row in rows:
            queues.setdefault(str(row["queue"]), name)
            key = (row["study_id"], str(row["reader"]).casefold(), str(row["repeat"] or 0))
            where, other = found.setdefault(key, (name, row))
            if _said(other) != _said(row):
                raise UserError(
                    f"{where} and {name} have different verdicts by reader {row['reader'] or '(no name)'} on study "
                    f"{row['study_id']}; if these are two people, give one of them another name in the column reader, else "
                    "keep one of the rows."
                )
    if len(queues) > 1:
        (one, first), (other_queue, second) = list(queues.items())[:2]
        raise UserError(
            f"{first} is of the review queue {one or '(none named)'} and {second} of {other_queue or '(none named)'}; put "
            "together only what was read from one queue."
        )
    return [row for _, row in found.values()]


def _said(row: dict[str, Any]) -> list[str]:
    return [str(row[name]) for name in ("label", *NAMES)]


def _row(saved: SavedVerdict) -> dict[str, Any]:
    verdict = saved.verdict
    return {
        **verdict.record(),
        "study_id": saved.study_id,
        "label": verdict.label,
        "reader": saved.reader,
        "castellvi": verdict.castellvi_type,
        "queue": saved.queue,
        "repeat": saved.repeat,
        "read_at": saved.at,
        "seconds": saved.seconds,
        "blinded": "yes" if saved.blinded else "no",
    }
