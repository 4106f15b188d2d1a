"""Write workflow/schemas/metrics.schema.yaml from the registered metrics; run it after a metric was added or renamed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import yaml

from lstv.base.atomic import write_text
from lstv.base.cli import argument_parser, run
from lstv.uncertainty import study_record

_HEAD = "# Written by scripts/metrics_schema.py from the docstrings of the metrics in scripts/lstv/uncertainty/.\n"
_DEFAULT = Path(__file__).resolve().parents[1] / "workflow" / "schemas" / "metrics.schema.yaml"


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--out", type=Path, default=_DEFAULT, help="the schema, YAML (default: the one of this repository)"
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    text = yaml.dump(study_record.schema(), sort_keys=False, allow_unicode=True, width=116, Dumper=_Plain)
    write_text(args.out, _HEAD + text)
    print(args.out)
    return 0


class _Plain(yaml.SafeDumper):
    """Writes shared parts out instead of as anchors."""

    def ignore_aliases(self, data: object) -> bool:
        return True


if __name__ == "__main__":
    sys.exit(run(main))
