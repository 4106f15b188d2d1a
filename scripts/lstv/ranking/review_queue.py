"""Which studies a reader looks at: the most ambiguous, a random sample of the others with known weights, and the list
"look at the localizer".

Reading the flagged studies alone would say nothing of the missed ones and make every rate wrong (partial-verification bias).
The sample is drawn by strata of the rank (deciles, where it is large enough), and each study carries its sampling fraction,
so that an evaluation can weight it by the inverse (Horvitz & Thompson 1952, JASA 47:663; Kohn 2022, J Clin Epidemiol
145:179).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

from lstv.base.defaults import default
from lstv.base.errors import UserError
from lstv.ranking.table_columns import is_quality_problem, number

SCHEMA_VERSION = 1
STRATA = 10
LOCALIZER = "localizer"
"""Group and stratum of the studies whose points somebody should look at before their names are believed."""

FOR_THE_READER = ("label", "reader", "castellvi")
"""Columns of the CSV that are left empty."""

COLUMNS = ("reading_order", "study_id", "series_id", *FOR_THE_READER, "queue")
"""Of the CSV that is handed out. It shows nothing of rank, score, stratum, reasons or weight; the JSON has them."""


class QueueEntry(TypedDict):
    """One study of the queue; ``stratum`` flagged | sample | localizer; ``weight`` = 1 / ``sampling_fraction``.

    ``reading_order`` is a random order over the whole queue, for readers who must not know which studies were flagged.
    """

    study_id: str
    series_id: str
    stratum: str
    rank: int
    score: float | None
    risk: str
    reasons: str
    sampling_fraction: float
    weight: float
    reading_order: int


class Queue(TypedDict):
    """The queue as its JSON has it (workflow/schemas/review_queue.schema.yaml)."""

    schema_version: int
    digest: str
    seed: int
    repeated: float
    asked: dict[str, int]
    counts: dict[str, int]
    not_queued: dict[str, int]
    studies: list[QueueEntry]
    provenance: NotRequired[dict[str, Any]]


def build_queue(
    table: list[dict[str, str]],
    *,
    ambiguous: int = 60,
    sample: int = 90,
    localizer: int = 30,
    seed: int = 2024,
    repeated: float = 0.1,
) -> Queue:
    """The queue of a cohort.

    ``table`` from ``cohort_table.read_cohort_table``. Flagged: the first ``ambiguous`` by rank. Sample: ``sample`` of the
    others, evenly from as many rank strata (at most ten), so that every study has a chance. Localizer: up to ``localizer``
    drawn from those whose localizer failed or whose field is cropped, who are in neither of the other two. Studies that
    are not ok, have no rank, or have a quality problem are counted and not queued. Studies that share a rank come in a
    random order. The same table and seed give the same queue anywhere. ``repeated`` is the share of the studies that each
    reader is shown a second time; it goes into the queue as it is.
    """
    ranked = sorted(
        (row for row in table if _why_not(row) is None),
        key=lambda row: (int(number(row["rank"])), _lot(seed, "tie", row["study_id"])),
    )
    failed = [row for row in ranked if row.get("rank_group") == LOCALIZER]
    candidates = [row for row in ranked if row.get("rank_group") != LOCALIZER]
    flagged, others = candidates[:ambiguous], candidates[ambiguous:]
    chosen = [(row, "flagged", 1.0) for row in flagged]
    for stratum, size in _strata(others, min(sample, len(others))):
        drawn = sorted(stratum, key=lambda row: _lot(seed, "sample", row["study_id"]))[:size]
        chosen += [
            (row, "sample", size / len(stratum)) for row in sorted(drawn, key=lambda row: int(number(row["rank"])))
        ]
    looked_at = sorted(failed, key=lambda row: _lot(seed, LOCALIZER, row["study_id"]))[:localizer]
    sampled = len(chosen) - len(flagged)
    chosen += [
        (row, LOCALIZER, len(looked_at) / len(failed))
        for row in sorted(looked_at, key=lambda row: int(number(row["rank"])))
    ]
    order = sorted((row["study_id"] for row, _, _ in chosen), key=lambda study_id: _lot(seed, "order", study_id))
    queue_position = {study_id: index for index, study_id in enumerate(order, start=1)}
    studies = [_entry(row, stratum, fraction, queue_position) for row, stratum, fraction in chosen]
    return {
        "schema_version": SCHEMA_VERSION,
        "digest": digest(studies),
        "seed": seed,
        "repeated": repeated,
        "asked": {"ambiguous": ambiguous, "sample": sample, "localizer": localizer},
        "counts": {
            "in_table": len(table),
            "ranked": len(ranked),
            "flagged": len(flagged),
            "unflagged": len(others),
            "sampled": sampled,
            "localizer": len(failed),
            "localizer_sampled": len(looked_at),
        },
        "not_queued": dict(sorted(Counter(why for why in map(_why_not, table) if why is not None).items())),
        "studies": studies,
    }


def digest(studies: Iterable[Mapping[str, Any]]) -> str:
    """What names a queue: 16 hexadecimal digits of the sha256 of its studies, their reading order and sampling fractions.

    Labels that were read from a queue carry it, so that they get the weights of that queue and of no other.
    """
    parts = sorted(
        (study["study_id"], study["reading_order"], f"{study['sampling_fraction']:.6g}") for study in studies
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def csv_rows(queue: Queue) -> list[dict[str, Any]]:
    """Rows with ``COLUMNS``, in reading order, the reader's columns empty."""
    shown = sorted(queue["studies"], key=lambda study: study["reading_order"])
    return [
        {
            "reading_order": study["reading_order"],
            "study_id": study["study_id"],
            "series_id": study["series_id"],
            **dict.fromkeys(FOR_THE_READER, ""),
            "queue": queue["digest"],
        }
        for study in shown
    ]


def read_queue(path: Path) -> Queue:
    """The queue in a file that ``review_queue.py`` wrote. Raises UserError where it is missing, none, or was altered."""
    try:
        with open(path, encoding="utf-8") as stream:
            queue = json.load(stream)
        named = queue["digest"]
        found = digest(queue["studies"])
    except FileNotFoundError as error:
        raise UserError(path, " does not exist; it is the review_queue.json of the cohort.") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(
            path, " is not a review queue of this version; run the workflow again, which writes review_queue.json."
        ) from error
    queue.setdefault("repeated", default("review.repeated"))  # of a queue that was drawn before it could be set
    if named != found:
        raise UserError(
            path, " was altered: its studies are not those of its digest; restore it or draw the queue again."
        )
    return cast(Queue, queue)


def _why_not(row: dict[str, str]) -> str | None:
    if row["status"] != "ok":
        return row["status"] or "no_status"
    if is_quality_problem(row):
        return "quality_problem"
    return None if row["rank"].isdigit() else "no_rank"


def _strata(rows: list[dict[str, str]], size: int) -> list[tuple[list[dict[str, str]], int]]:
    """Consecutive ranks in parts of equal size give or take one, each with its share of ``size``, larger parts first."""
    count = min(STRATA, size)
    result, start = [], 0
    for index in range(count):
        length = len(rows) // count + (index < len(rows) % count)
        result.append((rows[start : start + length], size // count + (index < size % count)))
        start += length
    return result


def _lot(seed: int, purpose: str, study_id: str) -> str:
    """A random order that depends on nothing but these three."""
    return hashlib.sha256(f"{seed} {purpose} {study_id}".encode()).hexdigest()


def _entry(row: dict[str, str], stratum: str, fraction: float, queue_position: dict[str, int]) -> QueueEntry:
    score = number(row.get("score", ""))
    return QueueEntry(
        study_id=row["study_id"],
        series_id=row["series_id"],
        stratum=stratum,
        rank=int(row["rank"]),
        score=score if score == score else None,
        risk=row["risk"],
        reasons=row.get("reasons", ""),
        sampling_fraction=round(fraction, 6),
        weight=round(1 / fraction, 6),
        reading_order=queue_position[row["study_id"]],
    )
