"""Write the list of phantoms of the method study: ordinary spines, transitional ones, and ordinary ones with a nuisance."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path

from lstv.base.cli import argument_parser, run
from lstv.base.numbers import whole
from lstv_evidence.method.design import FIRST, METHOD_STUDIES, Design, group_of, specs, write_list


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argument_parser(__doc__)
    parser.add_argument("--seed", type=whole(0), default=1, help="another seed, other phantoms (default: 1)")
    parser.add_argument(
        "--generator",
        choices=METHOD_STUDIES,
        default=FIRST.generator,
        help="tables: every phantom is the same tables scaled; patients: anatomy drawn patient by patient (default: tables)",
    )
    parser.add_argument("--ordinary", type=whole(0), help="ordinary spines (default: 200)")
    parser.add_argument(
        "--each-degree",
        type=whole(0),
        help="spines of each kind and degree (default: 10; with --generator patients 15)",
    )
    parser.add_argument("--each-nuisance", type=whole(0), help="spines of each nuisance (default: 20)")
    parser.add_argument("--out", type=Path, required=True, help="the list, CSV, for make_demo_cohort.py")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Write the list; returns the exit status."""
    args = parse_args(argv)
    study = METHOD_STUDIES[args.generator]
    numbers = {item.name: getattr(args, item.name) for item in fields(Design)}
    design = replace(study.design, **{name: number for name, number in numbers.items() if number is not None})
    phantoms = specs(design, args.seed, study)
    write_list(phantoms, args.seed, args.out)
    counts = Counter(map(group_of, phantoms))
    print(f"{len(phantoms)} phantoms ({', '.join(f'{name} {n}' for name, n in counts.items())}): {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
