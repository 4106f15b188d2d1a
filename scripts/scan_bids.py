"""Look through a BIDS folder and write the study sheet: every session, its sagittal T2 image, the reason if none."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lstv.base.atomic import write_csv
from lstv.base.cli import argument_parser, run
from lstv.base.errors import UserError
from lstv.base.text import counted
from lstv.bids import source
from lstv.cohort.study_sheet import write_sheet
from lstv.folder import sheet
from lstv.folder.choose import choose
from lstv.folder.pseudonym import Labels


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="the BIDS folder, which holds sub-<label> folders")
    parser.add_argument("--choices", type=Path, help="CSV with study_id, series_id: images that you chose yourself")
    parser.add_argument("--out", type=Path, required=True, help="study sheet to write (CSV)")
    parser.add_argument(
        "--all-series", type=Path, help="also write every image found and why it was (not) chosen (CSV)"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    wanted = sheet.read_choices(args.choices) if args.choices else {}
    studies = source.studies(args.folder)
    naming = Labels()
    # by the ids that the tables have: a name of the folder that cannot be one is another there
    images = {naming.study(study.uid): {naming.series(uid): uid for uid in study.series} for study in studies}
    for study_id, series_id in wanted.items():
        if study_id not in images:
            sentence = (
                f" names study {study_id}, which is not in the folder; correct its line (the study sheet has the ids)."
            )
            raise UserError(args.choices, sentence)
        if series_id not in images[study_id]:
            sentence = (
                f" names image {series_id}, which study {study_id} does not have; correct its line (the table of "
            )
            raise UserError(args.choices, f"{sentence}all images has the ids).")
    chosen = {study_id: images[study_id][series_id] for study_id, series_id in wanted.items()}
    choices = [choose(study, chosen.get(naming.study(study.uid))) for study in studies]
    rows = source.rows(choices, naming, args.folder)
    if args.all_series:
        write_csv(args.all_series, sheet.SERIES_COLUMNS, sheet.series_rows(choices, naming, sheet.describe_all))
    write_sheet(rows, args.out)
    if others := [study.uid for study in studies if naming.study(study.uid) != study.uid]:
        print(f"{len(others)} names of studies are no ids; the study sheet says which: {others[0]!r} is one")
    usable = sum(bool(row.series_dir) for row in rows)
    print(f"{counted(len(rows), 'study')}, {usable} of them with an image to use: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
