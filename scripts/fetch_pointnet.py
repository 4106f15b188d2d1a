"""Fetch the point net and the ids of the studies it was not trained on, and check both."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from lstv.base.cli import argument_parser, run
from lstv_kaggle import dataset, options
from lstv_kaggle.remote import RemoteFile
from lstv_kaggle.sources import CHECKPOINT, DATASET, DATASET_OWNER, VALID_IDS


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for 00002484.pth, valid_id.npy and their .sha256"
    )
    parser.add_argument("--only", choices=(CHECKPOINT, VALID_IDS), help="this file alone (default: both)")
    options.add(parser)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)

    def open_remote(name: str) -> RemoteFile:
        service, policy, pacer = options.service(args)
        return RemoteFile(name, lambda: service.dataset_file(DATASET_OWNER, DATASET, name), policy, pacer)

    for name, check in ((VALID_IDS, dataset.check_valid_ids), (CHECKPOINT, dataset.check_checkpoint)):
        if args.only not in (None, name):
            continue
        fetched = dataset.fetch(name, args.out, partial(open_remote, name), check)
        print(f"{fetched.path}: {'fetched' if fetched.transferred else 'present already'}, sha256 {fetched.sha256}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
