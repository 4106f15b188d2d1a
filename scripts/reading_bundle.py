"""Write the reading bundle: a folder to hand out, in which the queued studies are read blinded and without a network."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lstv.base import atomic
from lstv.base.cli import argument_parser, run
from lstv.base.progress import Progress
from lstv.cohort import study_sheet
from lstv.ranking.review_queue import read_queue


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--queue", type=Path, required=True, metavar="JSON", help="the review queue, review_queue.json")
    parser.add_argument("--sheet", type=Path, required=True, metavar="CSV", help="the study sheet")
    parser.add_argument("--cohort", default="this cohort", help="name of the cohort, which readers see")
    parser.add_argument(
        "--unblinding",
        type=Path,
        metavar="JSON",
        help="copy of the queue to keep beside the bundle: it unblinds, and stays when the queue is drawn again",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the bundle, replaced as a whole")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    queue = read_queue(args.queue)
    rows = {row.study_id: row for row in study_sheet.read_sheet(args.sheet)}
    from lstv.review import bundle  # after the arguments are known to be good

    with Progress(len(queue["studies"]), "cases") as progress:
        bundle.write(args.out, queue, rows, cohort=args.cohort, step=progress.step)
    if args.unblinding is not None:
        atomic.write_json(args.unblinding, queue)
    key = args.unblinding or args.queue
    print(f"{args.out}: {progress.summary()}. Hand out this folder; {key} unblinds it and stays with you.")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
