"""Put the readings of several readers together into the one label file that the evaluation takes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lstv.base import atomic
from lstv.base.cli import argument_parser, run
from lstv.base.errors import UserError
from lstv.base.text import counted
from lstv.ranking.review_queue import read_queue
from lstv.review import label_rows
from lstv.review.store import VerdictStore


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--labels",
        type=Path,
        nargs="+",
        metavar="CSV",
        help="labels.csv of each reader, as the page saves them",
    )
    parser.add_argument("--readings", type=Path, metavar="FOLDER", help="the folder in which a server keeps readings")
    parser.add_argument(
        "--queue", type=Path, metavar="JSON", help="review_queue.json of the cohort; needed with --readings"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="CSV", help="the label file")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    if not args.labels and args.readings is None:
        raise UserError("there is nothing to put together; give --labels, --readings or both.")
    parts = [(str(path), label_rows.of_file(path)) for path in args.labels or ()]
    if args.readings is not None:
        if args.queue is None:
            raise UserError("--readings needs --queue, the review_queue.json of the cohort.")
        if not args.readings.is_dir():
            raise UserError(f"--readings {args.readings} does not exist or is not a directory; correct the path.")
        queue = read_queue(args.queue)
        queued = {study["study_id"] for study in queue["studies"]}
        stored = label_rows.of_store(VerdictStore(args.readings, queue["digest"]))
        # a verdict stays one when the queue is drawn again; its weight is that of the queue it is in now
        now = [{**row, "queue": queue["digest"]} for row in stored if row["study_id"] in queued]
        parts.append((str(args.readings), now))
    rows = label_rows.together(parts)
    atomic.write_csv(args.out, label_rows.COLUMNS, rows)
    readers = sorted({row["reader"] for row in rows})
    print(f"{args.out}: {counted(len(rows), 'verdict')} of {counted(len(readers), 'reader')} ({', '.join(readers)})")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
