"""Draw the pictures of docs/reading.md, the page for radiologists, from the results of the demo cohort."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lstv.base.cli import argument_parser, run

_ROOT = Path(__file__).resolve().parents[1]


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    results, out = _ROOT / "results/demo", _ROOT / "docs/figures"
    parser.add_argument("--results", type=Path, default=results, help="the demo's results (default: results/demo)")
    parser.add_argument("--out-dir", type=Path, default=out, help="folder for the pictures (default: docs/figures)")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    from lstv_evidence import reading_figures  # after the arguments are known to be good: matplotlib takes a second

    for path in reading_figures.write(args.results, args.out_dir):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
