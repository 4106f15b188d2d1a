"""Make the feature bank from the heatmap files of studies outside the cohort.

At least 200 analysed studies are needed; give those whose images you trust. The file holds study ids and features, no
images.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lstv.base.cli import argument_parser, run
from lstv.uncertainty import feature_bank


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--heatmaps", type=Path, nargs="+", required=True, help="heatmap files of the studies of the feature bank"
    )
    parser.add_argument("--out", type=Path, required=True, help="the reference file, .npz")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    fitted = feature_bank.fit(*feature_bank.collect(args.heatmaps))
    feature_bank.write(fitted, args.out)
    print(f"{len(fitted.study_ids)} studies of the feature bank: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
