"""Write the cohort table: one row for every study of the sheet, with its metrics, rank and reasons."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lstv.base.cli import argument_parser, run
from lstv.base.text import counted
from lstv.cohort import study_sheet
from lstv.ranking import cohort_table
from lstv.uncertainty import study_record


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--sheet", type=Path, required=True, help="the study sheet, CSV")
    parser.add_argument(
        "--studies-dir", type=Path, required=True, help="folder with <study_id>.json of every used study"
    )
    parser.add_argument("--second-reader", type=Path, help="table of the second readers, whose columns are added")
    parser.add_argument("--out", type=Path, required=True, help="the cohort table, CSV")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    sheet = study_sheet.read_sheet(args.sheet)
    # what the sheet uses, not what lies in the folder: an earlier run may have left files of other studies
    records = [study_record.read(args.studies_dir / f"{row.study_id}.json") for row in sheet if row.use == "yes"]
    rows = cohort_table.write(args.out, sheet, records, args.second_reader)
    counts = {status: sum(row["status"] == status for row in rows) for status in ("ok", "failed", "excluded")}
    summary = ", ".join(f"{count} {status}" for status, count in counts.items())
    print(f"{counted(len(rows), 'study')} ({summary}): {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
