"""Evaluate the method study: how well each metric and the ranking tell transitional phantoms from all others."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lstv.base.atomic import write_csv, write_json, write_text
from lstv.base.cli import argument_parser, run
from lstv.base.errors import UserError
from lstv.base.numbers import whole
from lstv.run import maker


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argument_parser(__doc__)
    parser.add_argument("--table", type=Path, required=True, help="cohort table of the phantoms, CSV")
    parser.add_argument("--components", type=Path, required=True, help="evidence of the components, CSV")
    parser.add_argument("--phantoms", type=Path, required=True, help="list of the phantoms: their truth, CSV")
    parser.add_argument("--checkpoint", type=Path, help="the localizer that was used; its sha256 is recorded")
    parser.add_argument("--seed", type=whole(0), default=1, help="of the bootstrap (default: 1)")
    parser.add_argument("--replicates", type=whole(1), default=2000, help="bootstrap resamples (default: 2000)")
    maker.add_option_to(parser)
    parser.add_argument("--out", type=Path, required=True, help="results, JSON")
    parser.add_argument("--csv", type=Path, required=True, help="one row a metric and comparison, CSV")
    parser.add_argument("--markdown", type=Path, required=True, help="tables and answers in words, Markdown")
    parser.add_argument("--figures", type=Path, required=True, help="folder for the figures, SVG")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Evaluate and write; returns the exit status."""
    args = parse_args(argv)
    if args.replicates < 100:
        raise UserError(f"--replicates is {args.replicates}; give at least 100 for a usable interval.")
    from lstv.base.checksums import file_digest
    from lstv.base.tables import read_table
    from lstv.evaluation.output import rounded
    from lstv.ranking.evidence import COMPONENTS
    from lstv.ranking.table_columns import number, read_cohort_table, registered_metrics
    from lstv_evidence.method import figures, study, study_text
    from lstv_evidence.phantom.cohort import read_list

    truth = {phantom.study_id: phantom.spec for phantom in read_list(args.phantoms)}
    components = {
        row["study_id"]: {name: number(row[name]) for name in COMPONENTS}
        for row in read_table(args.components, ("study_id", *COMPONENTS))
    }
    table = read_cohort_table(args.table)
    record = study.evaluate(table, truth, components, registered_metrics(), seed=args.seed, replicates=args.replicates)
    record["localizer"] = (
        {"file": args.checkpoint.name, "sha256": file_digest(args.checkpoint)} if args.checkpoint else None
    )
    record = rounded(record)
    record["provenance"] = maker.provenance(
        args.software,
        ("numpy", "scipy", "pandas"),
        {"seed": args.seed, "replicates": args.replicates},
        {"table": args.table, "components": args.components, "phantoms": args.phantoms, "localizer": args.checkpoint},
    )
    write_csv(args.csv, study.COLUMNS, study.metric_rows(record))
    words = study_text.text(record)
    write_text(args.markdown, words)
    figures.write_figures(record, args.figures)
    write_json(args.out, record)
    print(words)
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
