"""Draw one study for debugging: slice with heatmaps and points, the map of each level, its numbers and flags (PNG)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lstv.base.cli import argument_parser, run


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--metrics", type=Path, required=True, help="metrics of the study (JSON)")
    parser.add_argument("--heatmaps", type=Path, required=True, help="the heatmap file that holds the study")
    parser.add_argument("--out", type=Path, required=True, help="the figure (PNG)")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    from lstv.localizer import heatmap_file  # after the arguments are known to be good: matplotlib takes a second
    from lstv.report import study_figure
    from lstv.uncertainty import study_record

    document = study_record.read(args.metrics)
    maps = heatmap_file.read_study(args.heatmaps, document["study_id"], members=False)
    study_figure.draw(document, maps, args.out)
    print(f"{args.out}: study {document['study_id']}, {document['status']}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
