"""Write the metrics of one study, or of all studies of a heatmap file with a manifest of what was written."""

from __future__ import annotations

import argparse
from pathlib import Path

from lstv.base.cli import argument_parser, run
from lstv.base.errors import Setting, UserError
from lstv.base.numbers import real, whole
from lstv.base.processes import leave
from lstv.base.progress import Progress
from lstv.localizer import heatmap_file
from lstv.run import maker
from lstv.uncertainty import Thresholds, batch, feature_bank


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--heatmaps", type=Path, required=True, help="heatmap file")
    one = parser.add_argument_group("one study")
    one.add_argument("--study", help="study id")
    one.add_argument("--out", type=Path, help="the study's metrics, JSON")
    everyone = parser.add_argument_group("all studies of the file")
    everyone.add_argument("--out-dir", type=Path, help="folder of the metrics, <study_id>.json each")
    everyone.add_argument("--manifest", type=Path, help="CSV of what was written: study, status, size, sha256")
    parser.add_argument(
        "--risk-high", type=real(), default=Thresholds.high, help="L5/S1 entropy above this is high (nats)"
    )
    parser.add_argument(
        "--risk-moderate", type=real(), default=Thresholds.moderate, help="from this on it is moderate (nats)"
    )
    parser.add_argument("--jobs", type=whole(1), default=1, help="processes that measure studies (default: 1)")
    parser.add_argument("--reference", type=Path, help="feature bank (reference_features.py)")
    maker.add_option_to(parser)
    args = parser.parse_args(argv)
    for_one, for_all = (args.study, args.out), (args.out_dir, args.manifest)
    if not (all(for_one) and not any(for_all)) and not (all(for_all) and not any(for_one)):
        parser.error("give --study and --out for one study, or --out-dir and --manifest for all")
    return args


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    if not args.risk_moderate <= args.risk_high:
        raise UserError(
            Setting("risk-moderate", "the threshold of a moderate risk"),
            f" is {args.risk_moderate:g}, which is not at most the ",
            Setting("risk-high", "threshold of a high risk"),
            f" of {args.risk_high:g}; give a lower one.",
        )
    thresholds = Thresholds(args.risk_high, args.risk_moderate)
    reference = feature_bank.read(args.reference) if args.reference else None
    made_by = maker.here(args.software, maker.MEASURING)
    if args.study:
        record = batch.measure_one(args.heatmaps, args.study, args.out, thresholds, reference, made_by=made_by)
        print(f"study {args.study}: {record['status']}{': ' + record['reason'] if record['reason'] else ''}")
        return 0
    with Progress(len(heatmap_file.study_ids(args.heatmaps)), "studies") as progress:
        batch.measure(
            args.heatmaps,
            args.out_dir,
            args.manifest,
            thresholds,
            reference,
            progress.step,
            made_by=made_by,
            jobs=args.jobs,
        )
    print(f"{args.manifest}: {progress.summary()}")
    return 0


if __name__ == "__main__":
    leave(run(main))
