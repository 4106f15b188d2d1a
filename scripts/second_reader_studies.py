"""Choose the studies that the second readers are asked for, by the ranking; writes their part of the study sheet."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lstv.base.cli import argument_parser, run
from lstv.base.defaults import default
from lstv.base.errors import UserError
from lstv.base.numbers import of_setting
from lstv.cohort import study_sheet
from lstv.ranking.second_reader_selection import QueueOptions, chosen
from lstv.ranking.table_columns import read_cohort_table


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--table", type=Path, required=True, help="the cohort table with its ranking, CSV")
    parser.add_argument("--sheet", type=Path, required=True, help="the study sheet, CSV")
    parser.add_argument(
        "--studies",
        default=default("second_reader.studies"),
        help="first N, last N, queue or all (default: %(default)s)",
    )
    for name in ("ambiguous", "sample", "localizer", "seed"):
        parser.add_argument(
            f"--{name}",
            type=of_setting(f"review.{name}"),
            default=default(f"review.{name}"),
            help="of the queue (default: %(default)s)",
        )
    parser.add_argument("--out", type=Path, required=True, help="the chosen studies' rows of the sheet, CSV")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    queue = QueueOptions(args.ambiguous, args.sample, args.localizer, args.seed)
    order = chosen(read_cohort_table(args.table), args.studies, queue)
    rows = {row.study_id: row for row in study_sheet.read_sheet(args.sheet)}
    lacking = [study_id for study_id in order if study_id not in rows]
    if lacking:
        raise UserError(args.sheet, f" has no study {lacking[0]}, which ", args.table, " has; give those of one run.")
    study_sheet.write_sheet([rows[study_id] for study_id in order], args.out)
    print(f"{args.studies}: {len(order)} studies: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
