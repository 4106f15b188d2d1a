"""Measure all studies of one heatmap file and write their cohort table: study_metrics and cohort_table in one step.

Beside it, what the score of each study is made of: the evidence of its components.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lstv.base.atomic import write_csv
from lstv.base.cli import argument_parser, run
from lstv.base.errors import UserError
from lstv.base.numbers import whole
from lstv.base.progress import Progress
from lstv.cohort import study_sheet
from lstv.ranking import cohort_table
from lstv.ranking.evidence import COMPONENTS
from lstv.ranking.score import rank_studies
from lstv_evidence.method import records


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argument_parser(__doc__)
    parser.add_argument("--sheet", type=Path, required=True, help="the study sheet, CSV")
    parser.add_argument("--heatmaps", type=Path, required=True, help="heatmap file with all studies of the sheet")
    parser.add_argument("--jobs", type=whole(1), default=2, help="processes (default: 2)")
    parser.add_argument("--out", type=Path, required=True, help="the cohort table, CSV")
    parser.add_argument("--components", type=Path, required=True, help="evidence of the components, CSV")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Measure and write; returns the exit status."""
    args = parse_args(argv)
    if args.jobs < 1:
        raise UserError(f"--jobs is {args.jobs}; give at least 1.")
    sheet = study_sheet.read_sheet(args.sheet)
    used = [row.study_id for row in sheet if row.use == "yes"]
    with Progress(len(used), "studies") as progress:
        measured = records.measure(args.heatmaps, used, args.jobs, progress.step)
    standings = sorted(rank_studies(measured), key=lambda standing: standing.study_id)
    parts = ({"study_id": standing.study_id} | standing.evidence for standing in standings)
    write_csv(args.components, ("study_id", *COMPONENTS), parts)
    cohort_table.write(args.out, sheet, measured)
    print(f"{progress.summary()}: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
