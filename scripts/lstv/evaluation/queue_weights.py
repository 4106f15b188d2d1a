"""The sampling weights of the studies that were read blinded: the reader's file has none, the review queue does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lstv.base.errors import Setting, UserError
from lstv.cohort.labels import LabelFile, Reading
from lstv.ranking.review_queue import read_queue

QUEUE = Setting("queue", "the review queue")


def weighted(file: LabelFile, queue: Path | None) -> LabelFile:
    """The label file with the weights of the queue that it was read from, and without a label counted as the queue counts.

    A file that names no queue, or has weights of its own, is returned as it is; so is one for which no ``queue`` is given
    (``weighted`` is false then). Raises UserError where the labels are of another queue than ``queue``, such as that of
    another cohort, and for a study that is not in it.
    """
    if not file.queue or file.weighted or queue is None:
        return file
    drawn = read_queue(queue)
    if drawn["digest"] != file.queue:
        raise UserError(
            f"the labels were read from the review queue {file.queue}, and ",
            queue,
            f" is queue {drawn['digest']}, of another cohort or drawn again since: give the queue that was read, such as "
            f"reading_key.json or, after a reading in the app, verdicts/queue-{file.queue}.json (",
            QUEUE,
            "), or the labels of this one.",
        )
    weights = {study["study_id"]: study["weight"] for study in drawn["studies"]}
    alien = sorted({reading.study_id for reading in (*file.readings, *file.repeats)} - weights.keys())
    if alien:
        raise UserError(
            f"study {alien[0]} of the label file is not in the review queue {file.queue}, so it has no weight; remove its "
            "rows, or give all labels a column weight in place of the column queue."
        )

    def with_weights(readings: tuple[Reading, ...]) -> tuple[Reading, ...]:
        return tuple(replace(reading, weight=weights[reading.study_id]) for reading in readings)

    unread = len(weights.keys() - {reading.study_id for reading in file.readings})
    return replace(
        file,
        readings=with_weights(file.readings),
        repeats=with_weights(file.repeats),
        unread_rows=unread,
        weighted=True,
    )
