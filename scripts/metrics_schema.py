"""Write workflow/schemas/metrics.schema.yaml from the registered metrics; run it after a metric was added or renamed.

Beside it, provenance.schema.yaml: what every other JSON says of its making.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from lstv.base import made_by
from lstv.base.atomic import write_text
from lstv.base.cli import argument_parser, run
from lstv.uncertainty import study_record

_HEAD = "# Written by scripts/metrics_schema.py from {}.\n"
_DEFAULT = Path(__file__).resolve().parents[1] / "workflow" / "schemas" / "metrics.schema.yaml"


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--out", type=Path, default=_DEFAULT, help="the schema, YAML (default: the one of this repository)"
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    _write(args.out, study_record.schema(), "the docstrings of the metrics in scripts/lstv/uncertainty/")
    _write(args.out.with_name("provenance.schema.yaml"), made_by.schema(), "scripts/lstv/base/made_by.py")
    return 0


def _write(path: Path, schema: dict[str, Any], source: str) -> None:
    text = yaml.dump(schema, sort_keys=False, allow_unicode=True, width=116, Dumper=_Plain)
    write_text(path, _HEAD.format(source) + text)
    print(path)


class _Plain(yaml.SafeDumper):
    """Writes shared parts out instead of as anchors."""

    def ignore_aliases(self, data: object) -> bool:
        return True


if __name__ == "__main__":
    sys.exit(run(main))
