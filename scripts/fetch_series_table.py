"""Fetch the table that says of each series of the competition what it shows (train_series_descriptions.csv)."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from lstv.base.cli import argument_parser, run
from lstv.base.errors import UserError
from lstv.base.tables import read_table
from lstv.cohort.rsna_layout import SERIES_TABLE
from lstv_kaggle import options
from lstv_kaggle.disk import PARTIAL, explained
from lstv_kaggle.remote import RemoteFile
from lstv_kaggle.single_file import download
from lstv_kaggle.sources import COMPETITION


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--out", type=Path, required=True, help=f"folder for {SERIES_TABLE}")
    options.add(parser)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    service, policy, pacer = options.service(args)
    remote = RemoteFile(SERIES_TABLE, lambda: service.competition_file(COMPETITION, SERIES_TABLE), policy, pacer)
    part = download(remote, SERIES_TABLE, args.out / PARTIAL)
    try:
        rows = read_table(part, ("study_id", "series_id", "series_description"))
        if not rows:
            raise UserError("it has no lines.")
    except UserError as error:
        part.unlink()
        raise UserError(f"what Kaggle sent as {SERIES_TABLE} is refused: {error}") from error
    target = args.out / SERIES_TABLE
    with explained(args.out):
        os.replace(part, target)
    print(f"{target}: {len(rows)} series of {len({row['study_id'] for row in rows})} studies")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
