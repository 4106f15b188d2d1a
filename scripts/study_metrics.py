"""Write the metrics of one study from its heatmaps."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lstv.base.cli import argument_parser, run
from lstv.base.errors import UserError
from lstv.localizer import heatmap_file
from lstv.uncertainty import Thresholds, feature_bank, study_record


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--heatmaps", type=Path, required=True, help="heatmap file that holds the study")
    parser.add_argument("--study", required=True, help="study id")
    parser.add_argument("--out", type=Path, required=True, help="the study's metrics, JSON")
    parser.add_argument(
        "--risk-high", type=float, default=Thresholds.high, help="L5/S1 entropy above this is high (nats)"
    )
    parser.add_argument(
        "--risk-moderate", type=float, default=Thresholds.moderate, help="from this on it is moderate (nats)"
    )
    parser.add_argument("--reference", type=Path, help="reference set of the feature distance (reference_features.py)")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    if not args.risk_moderate <= args.risk_high:
        raise UserError(
            f"metrics.entropy_moderate is {args.risk_moderate:g}, above metrics.entropy_high {args.risk_high:g}; "
            "set it to at most that."
        )
    maps = heatmap_file.read_study(args.heatmaps, args.study)
    record = study_record.study_record(
        maps,
        heatmap_file.read_run(args.heatmaps),
        Thresholds(args.risk_high, args.risk_moderate),
        feature_bank.read(args.reference) if args.reference else None,
    )
    study_record.write(record, args.out)
    print(f"study {args.study}: {record['status']}{': ' + record['reason'] if record['reason'] else ''}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
