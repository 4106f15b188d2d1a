"""Describe a BIDS folder whose images export_bids.py has written: description, participants, and a table of all studies."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lstv.base.cli import argument_parser, run
from lstv.bids import dataset


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--manifests", type=Path, nargs="+", required=True, help="the batches' manifests (export_bids.py)"
    )
    parser.add_argument("--folder", type=Path, required=True, help="the BIDS folder")
    parser.add_argument("--name", required=True, help="name of the data set in its description")
    parser.add_argument(
        "--table", type=Path, required=True, help="CSV to write: each study with its image or the reason"
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    studies = dataset.describe(dataset.read_manifests(args.manifests), args.folder, args.name)
    dataset.write_manifest(studies, args.table)
    written = sum(study.status == "ok" for study in studies)
    print(f"{args.folder}: {written} of {len(studies)} studies have an image; the others' reasons are in {args.table}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
