"""Write the study sheet: every study of a source, the series chosen, and why the others are not used."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lstv.base.cli import argument_parser, run
from lstv.base.errors import UserError
from lstv.base.numbers import whole
from lstv.base.text import counted
from lstv.cohort import batches, rsna_layout, selection, selection_options, study_sheet, training_guard


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--kind", choices=("rsna", "sheet", "demo"), required=True, help="layout of the source")
    parser.add_argument("--path", type=Path, required=True, help="rsna, demo: the root folder; sheet: the CSV file")
    selection_options.add_to(parser)
    parser.add_argument("--batch", help="write the studies of this inference batch only")
    parser.add_argument("--batches", type=whole(0), default=1, help="number of batches of the cohort (0: one a study)")
    parser.add_argument("--out", type=Path, required=True, help="the study sheet, CSV")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)

    def wanted(study_id: str) -> bool:
        return args.batch is None or batches.batch_of(study_id, args.batches) == args.batch

    if args.kind == "rsna" and args.valid_ids is None:
        raise UserError(
            "--kind rsna needs --valid-ids, without which no study is marked that the point net was trained on."
        )
    rows = study_sheet.sheet_rows(args.path) if args.kind == "sheet" else rsna_layout.rsna_rows(args.path, wanted)
    chosen = selection_options.asked(args)
    rows = [row for row in selection.apply_selection(rows, chosen, args.valid_ids) if wanted(row.study_id)]
    study_sheet.write_sheet(training_guard.refuse_unmarked(rows) if args.kind == "sheet" else rows, args.out)
    used = sum(row.use == "yes" for row in rows)
    print(f"{counted(len(rows), 'study')}, {used} to analyse, {len(rows) - used} not used: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
