"""Turn annotations of another program, a JSON array of objects, into the label file that the evaluation takes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lstv.base import atomic
from lstv.base.cli import argument_parser, run
from lstv.base.defaults import default
from lstv.review.annotations import COLUMNS, NOT_USED_COLUMNS, Fields, convert

_FIELDS = {
    "study": "the study's id",
    "castellvi": "the Castellvi type: none, I to IV, with or without a and b",
    "confidence": "the reader's confidence",
    "notes": "the reader's notes",
    "reader": "the reader's name",
}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--annotations", type=Path, required=True, metavar="JSON", help="the annotations")
    for name, what in _FIELDS.items():
        parser.add_argument(
            f"--{name}-field",
            metavar="NAME",
            default=default(f"evaluation.annotation_fields.{name}"),
            help=f"the field with {what}",
        )
    parser.add_argument("--out", type=Path, required=True, help="the label file, CSV")
    parser.add_argument("--not-used", type=Path, required=True, metavar="CSV", help="annotations not used, with why")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    fields = Fields(**{name: getattr(args, f"{name}_field") for name in _FIELDS})
    rows, not_used = convert(args.annotations, fields)
    atomic.write_csv(args.not_used, NOT_USED_COLUMNS, not_used)
    atomic.write_csv(args.out, COLUMNS, rows)
    for row in not_used:
        print(f"Annotation {row['annotation']} {row['reason']}.")
    print(f"{len(rows)} annotations used, {len(not_used)} not used: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
