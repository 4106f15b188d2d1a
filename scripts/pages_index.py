"""Write what all study pages share: their list, the viewer and the style.

The records of the batches (study_pages.py) say which studies have a page; files of studies that have none any more are
removed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lstv.base.cli import argument_parser, run
from lstv.base.numbers import whole
from lstv.base.text import counted
from lstv.cohort import batches
from lstv.report.pages import options


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--table", type=Path, required=True, help="the cohort table (CSV)")
    parser.add_argument("--records", type=Path, nargs="*", default=[], metavar="JSON", help="records of the batches")
    parser.add_argument("--records-dir", type=Path, metavar="DIR", help="folder of them, <batch>.json")
    parser.add_argument(
        "--batches", type=whole(0), default=1, help="with --records-dir: batches of the cohort (0: one a study)"
    )
    options.add_to(parser)
    parser.add_argument("--out-dir", type=Path, required=True, help="folder of the pages, index.html and studies/")
    parser.add_argument("--list", type=Path, required=True, help="list of the pages (CSV)")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    from lstv.report.pages import cohort, index

    known = cohort.Cohort(args.table, show_ids=args.show_ids == "yes")
    names = batches.batches_of(known.groups, args.batches) if args.records_dir else []
    made = index.records([*args.records, *(args.records_dir / f"{name}.json" for name in names)])
    entries = known.pages(cohort.ALL, 0, ())
    index.write(args.out_dir, args.list, entries, made, known, args.title)
    print(f"{args.out_dir / 'index.html'}: {counted(len(made), 'page')}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
