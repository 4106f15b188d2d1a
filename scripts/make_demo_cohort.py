"""Make a cohort of synthetic phantoms as DICOM in the RSNA 2024 layout, from a list of studies."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lstv.base.cli import argument_parser, run
from lstv.base.errors import UserError
from lstv.base.numbers import whole
from lstv.base.progress import Progress


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--studies", type=Path, required=True, help="list of phantoms, CSV (resources/demo/studies.csv)"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to make; replaced if it holds phantoms already")
    parser.add_argument("--jobs", type=whole(1), default=2, help="processes (default: 2)")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Write the cohort; returns the exit status."""
    args = parse_args(argv)
    if args.jobs < 1:
        raise UserError(f"--jobs is {args.jobs}; give at least 1.")
    from lstv_evidence.phantom import cohort

    studies = cohort.read_list(args.studies)
    with Progress(len(studies), "studies") as progress:
        cohort.write(studies, args.out, args.jobs, progress.step)
    print(f"{progress.summary()}: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
