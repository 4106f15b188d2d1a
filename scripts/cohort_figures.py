"""Draw a cohort's distributions as files for papers and talks: SVG and PDF, from the cohort table alone."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lstv.base.cli import argument_parser, run
from lstv.base.defaults import default
from lstv.base.numbers import real
from lstv.base.text import counted


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--table", type=Path, required=True, help="the cohort table, lstv_uncertainty_metrics.csv")
    high, moderate = default("metrics.entropy_high"), default("metrics.entropy_moderate")
    parser.add_argument("--risk-high", type=real(), default=high, help="above this L5/S1 entropy the stratum is high")
    parser.add_argument("--risk-moderate", type=real(), default=moderate, help="from here on it is moderate")
    parser.add_argument("--out-dir", type=Path, required=True, help="folder for the figures")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    from lstv.report import figures, inputs  # seaborn takes seconds: after the arguments are known to be good

    table = inputs.read_table(args.table)
    thresholds = {"high": args.risk_high, "moderate": args.risk_moderate}
    args.out_dir.mkdir(parents=True, exist_ok=True)
    written = figures.write(table[table["status"] == "ok"], thresholds, args.out_dir)
    print(f"{args.out_dir}: {counted(len(written), 'file')}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
