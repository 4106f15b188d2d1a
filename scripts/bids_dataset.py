"""Describe a BIDS folder whose images export_bids.py has written: description, participants, and a table of all studies."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lstv.base.cli import argument_parser, run
from lstv.base.errors import UserError
from lstv.base.numbers import whole
from lstv.bids import dataset, exported
from lstv.cohort import batches, study_sheet
from lstv.run import maker


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--manifests", type=Path, nargs="+", default=[], metavar="CSV", help="the batches' manifests (export_bids.py)"
    )
    parser.add_argument("--manifests-dir", type=Path, metavar="DIR", help="folder of them, <batch>.csv")
    parser.add_argument("--sheet", type=Path, help="with --manifests-dir: the study sheet (CSV)")
    parser.add_argument(
        "--batches", type=whole(0), default=1, help="with --manifests-dir: batches of the cohort (0: one a study)"
    )
    parser.add_argument("--folder", type=Path, required=True, help="the BIDS folder")
    parser.add_argument("--name", required=True, help="name of the data set in its description")
    parser.add_argument(
        "--table", type=Path, required=True, help="CSV to write: each study with its image or the reason"
    )
    maker.add_option_to(parser)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    made = maker.provenance(args.software, dataset.LIBRARIES, {"name": args.name})
    studies = dataset.describe(exported.read_manifests(_manifests(args)), args.folder, args.name, made)
    exported.write_manifest(studies, args.table)
    written = sum(study.status == "ok" for study in studies)
    print(f"{args.folder}: {written} of {len(studies)} studies have an image; the others' reasons are in {args.table}")
    return 0


def _manifests(args: argparse.Namespace) -> list[Path]:
    if bool(args.manifests) == bool(args.manifests_dir):
        raise UserError("give either --manifests or --manifests-dir.")
    if args.manifests:
        return list(args.manifests)
    if args.sheet is None:
        raise UserError("--manifests-dir needs --sheet, which says of which studies the batches are.")
    used = [row.study_id for row in study_sheet.read_sheet(args.sheet) if row.use == "yes"]
    return [args.manifests_dir / f"{name}.csv" for name in batches.batches_of(used, args.batches)]


if __name__ == "__main__":
    sys.exit(run(main))
