"""Compare the cohort table with labels: ROC, PR, predictive values and decision curve with their intervals."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from lstv.base import atomic
from lstv.base.cli import argument_parser, run
from lstv.base.defaults import default
from lstv.base.numbers import of_setting, whole
from lstv.cohort.labels import read_labels
from lstv.evaluation.assess import evaluate
from lstv.evaluation.bootstrap import REPLICATES
from lstv.evaluation.output import COLUMNS, metric_rows, rounded
from lstv.evaluation.queue_weights import weighted
from lstv.evaluation.subgroups import read_groups
from lstv.ranking.table_columns import read_cohort_table, registered_metrics
from lstv.run import maker


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--table", type=Path, required=True, help="the cohort table, lstv_uncertainty_metrics.csv")
    parser.add_argument("--labels", type=Path, required=True, help="CSV with study_id, label; see docs/evaluation.md")
    parser.add_argument(
        "--queue",
        type=Path,
        metavar="JSON",
        help="review_queue.json, which has the weights of labels that were read blinded (default: the one beside the table)",
    )
    parser.add_argument("--out", type=Path, required=True, help="everything, JSON")
    parser.add_argument("--csv", type=Path, required=True, help="one row a metric, CSV")
    parser.add_argument("--figures", type=Path, help="folder for roc.svg, pr.svg and decision_curve.svg")
    parser.add_argument(
        "--seed",
        type=of_setting("evaluation.seed"),
        default=default("evaluation.seed"),
        help="seed of resamples and folds (default: %(default)s)",
    )
    maker.add_option_to(parser)
    parser.add_argument(
        "--replicates", type=whole(1), default=REPLICATES, help="bootstrap resamples (default: %(default)s)"
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    beside = args.table.with_name("review_queue.json")
    queue = args.queue or (beside if beside.is_file() else None)
    table, labels = read_cohort_table(args.table), weighted(read_labels(args.labels), queue)
    record = rounded(
        evaluate(
            table,
            labels,
            registered_metrics(),
            seed=args.seed,
            replicates=args.replicates,
            groups=read_groups(args.labels),
        )
    )
    record["provenance"] = maker.provenance(
        args.software,
        ("numpy", "pandas", "scipy"),
        {"seed": args.seed, "replicates": args.replicates},
        {"table": args.table, "labels": args.labels, "queue": queue},
    )
    if args.figures:
        from lstv.evaluation.figures import write_figures  # half a second of imports that a run without figures saves

        write_figures(record, args.figures)
    atomic.write_csv(args.csv, COLUMNS, metric_rows(record))
    atomic.write_json(args.out, record)
    print(_summary(record))
    return 0


def _summary(record: dict[str, Any]) -> str:
    labels = record["labels"]
    counts = f"{labels['used']} labelled studies, {labels['positive']} positive, {labels['negative']} negative"
    left_out = sum(len(studies) for studies in labels["not_used"].values())
    if left_out:
        counts += f"; {left_out} labelled studies not used"
    if record["status"] == "refused":
        return f"{counts}. Not evaluated: {record['reason']}"
    primary = next((entry for entry in record["metrics"] if entry["metric"] == record["primary"]), None)
    if primary is None or "auc" not in primary:
        return f"{counts}. No result for {record['primary']}."
    area = f"AUC {primary['auc']:.3f} ({primary['auc_low']:.3f} to {primary['auc_high']:.3f})"
    return f"{counts}. {record['primary']}: {area}."


if __name__ == "__main__":
    sys.exit(run(main))
