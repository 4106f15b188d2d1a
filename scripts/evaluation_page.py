"""Write an evaluation as a page: one HTML file with its curves and tables, that needs no network."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lstv.base import atomic
from lstv.base.cli import argument_parser, run
from lstv.base.errors import UserError
from lstv.report import evaluation_page, inputs


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--evaluation", type=Path, required=True, help="evaluation.json, as evaluate.py writes it")
    parser.add_argument("--cohort", default="", help="name of the cohort, shown under the title")
    parser.add_argument("--report", default="", metavar="LINK", help="the report, as a link relative to the page")
    parser.add_argument("--table", default="", metavar="LINK", help="the table of the metrics, likewise")
    parser.add_argument("--out", type=Path, required=True, help="the page (HTML)")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    record = inputs.read_json(args.evaluation)
    if not {"status", "labels", "metrics", "curves"} <= record.keys():
        raise UserError(args.evaluation, " was not written by evaluate.py of this version; evaluate again.")
    beside = args.evaluation.name if args.evaluation.parent == args.out.parent else ""
    links = {"report": args.report, "table": args.table, "whole": beside}
    atomic.write_text(args.out, evaluation_page.render(record, cohort=args.cohort, **links))
    print(f"{args.out}: {record['labels']['used']} labelled studies")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
