"""Print the versions of Python, libraries and DICOM decoders in this environment, as JSON."""

from __future__ import annotations

import argparse
import json
import sys

from lstv.base.cli import argument_parser, run
from lstv.run import software


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    return argument_parser(__doc__).parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Print them; 0."""
    parse_args(argv)
    print(json.dumps(software.here()))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
