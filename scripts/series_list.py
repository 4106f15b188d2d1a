"""List the series to fetch: every sagittal T2 series of the selected studies of the RSNA 2024 table.

A study with two of them has both listed; which one is analysed is decided in the study sheet, when the files are there.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lstv.base import tables
from lstv.base.atomic import write_csv
from lstv.base.cli import argument_parser, run
from lstv.base.errors import UserError
from lstv.cohort import known_studies, rsna_layout, selection, selection_options

COLUMNS = ("study_id", "series_id", "series_description")


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--path", type=Path, required=True, help=f"folder that holds {rsna_layout.SERIES_TABLE}")
    selection_options.add_to(parser)
    parser.add_argument("--out", type=Path, required=True, help="CSV with study_id, series_id, series_description")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    table = args.path / rsna_layout.SERIES_TABLE
    rows = tables.read_table(table, COLUMNS)
    wanted_by = selection_options.asked(args)
    wanted = selection.selected(known_studies.known_studies(table), wanted_by, args.valid_ids)
    chosen = [row for row in rows if row["study_id"] in wanted and row["series_description"] == rsna_layout.SAGITTAL_T2]
    if not chosen:
        raise UserError(
            f"no selected study of {table} has a series called {rsna_layout.SAGITTAL_T2!r}; check the selection."
        )
    chosen.sort(key=lambda row: (row["study_id"], row["series_id"]))
    write_csv(args.out, COLUMNS, ({name: row[name] for name in COLUMNS} for row in chosen))
    print(f"{args.out}: {len(chosen)} series of {len({row['study_id'] for row in chosen})} studies")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
