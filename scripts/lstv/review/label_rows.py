"""The label file that the evaluation takes, made of saved verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

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


def of_store(store: VerdictStore) -> list[dict[str, Any]]:
    """The rows of the verdicts that hold, of all readers."""
    return [row for reader in store.readers() for row in rows(store.latest(reader).values())]


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
