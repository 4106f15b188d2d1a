"""Write the review queue: the most ambiguous studies and a weighted random sample of the others."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lstv.base import atomic
from lstv.base.cli import argument_parser, run
from lstv.base.defaults import default
from lstv.base.numbers import of_setting
from lstv.ranking.review_queue import COLUMNS, build_queue, csv_rows
from lstv.ranking.table_columns import read_cohort_table
from lstv.run import maker


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--table", type=Path, required=True, help="the cohort table, lstv_uncertainty_metrics.csv")
    parser.add_argument(
        "--ambiguous",
        type=of_setting("review.ambiguous"),
        default=default("review.ambiguous"),
        help="most ambiguous studies (default: %(default)s)",
    )
    parser.add_argument(
        "--sample",
        type=of_setting("review.sample"),
        default=default("review.sample"),
        help="random others (default: %(default)s)",
    )
    parser.add_argument(
        "--localizer",
        type=of_setting("review.localizer"),
        default=default("review.localizer"),
        help="of those to look at for the localizer (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=of_setting("review.seed"),
        default=default("review.seed"),
        help="seed of the draw (default: %(default)s)",
    )
    parser.add_argument(
        "--repeated",
        type=of_setting("review.repeated"),
        default=default("review.repeated"),
        help="share that each reader is shown a second time (default: %(default)s)",
    )
    parser.add_argument(
        "--json", type=Path, required=True, help="the queue with ranks, strata and weights, JSON; not for the readers"
    )
    maker.add_option_to(parser)
    parser.add_argument("--csv", type=Path, required=True, help="the blinded queue for a reader to fill in, CSV")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    settings = {name: getattr(args, name) for name in ("ambiguous", "sample", "localizer", "seed", "repeated")}
    queue = build_queue(read_cohort_table(args.table), **settings)
    queue["provenance"] = maker.provenance(args.software, ("numpy",), settings, {"table": args.table})
    atomic.write_csv(args.csv, COLUMNS, csv_rows(queue))
    atomic.write_json(args.json, queue)
    counts = queue["counts"]
    print(
        f"{counts['flagged']} most ambiguous studies and {counts['sampled']} of the {counts['unflagged']} others, "
        f"{counts['localizer_sampled']} of {counts['localizer']} to look at for the localizer; "
        f"{sum(queue['not_queued'].values())} not queued: {args.csv}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
