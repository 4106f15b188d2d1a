"""Measure the demo localizer on held-out phantoms and write its model card."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from lstv.base.atomic import write_json
from lstv.base.cli import argument_parser, run
from lstv.base.errors import UserError
from lstv.base.levels import LEVELS
from lstv.base.numbers import whole
from lstv.base.progress import Progress


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argument_parser(__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True, help="e.g. resources/demo/pointnet_demo.pth")
    parser.add_argument("--out", type=Path, required=True, help="model card to write, JSON")
    parser.add_argument("--normal", type=whole(1), default=200, help="held-out normal phantoms (default: 200)")
    parser.add_argument(
        "--transitional", type=whole(1), default=80, help="held-out phantoms of either kind (default: 80)"
    )
    parser.add_argument("--jobs", type=whole(1), default=2, help="processes that render (default: 2)")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Measure and write; returns the exit status."""
    args = parse_args(argv)
    from lstv.localizer.checkpoint import load_localizer
    from lstv_evidence.phantom import evaluation, model_card

    localizer = load_localizer(args.checkpoint)
    if not localizer.demo:
        raise UserError(
            f"checkpoint {args.checkpoint} is not the demo localizer, the only one that is measured on phantoms; name "
            "that file."
        )
    groups = {
        "normal": evaluation.held_out("normal", args.normal),
        "normal_with_nuisances": evaluation.held_out_with_nuisances(args.normal // 2 or 1),
        "sacralized": evaluation.held_out("sacralized", args.transitional),
        "lumbarized": evaluation.held_out("lumbarized", args.transitional),
    }
    measured: dict[str, dict[str, Any]] = {}
    with Progress(sum(map(len, groups.values())), "phantoms") as progress:
        for name, specs in groups.items():
            outcomes = evaluation.run(localizer.network, specs, args.jobs, progress.step)
            measured[name] = {
                "seeds": [specs[0].seed, specs[-1].seed],
                "localization": evaluation.localization(outcomes),
                "numbering": evaluation.numbering(outcomes),
            }
    write_json(args.out, model_card.card(args.checkpoint, localizer, measured))
    found = measured["normal"]["localization"]
    for level in ("all_levels", *LEVELS):
        row = found[level]
        print(
            f"{level:10}  detected {row['detected']}/{row['expected']}  median {row['error_px_median']} px "
            f"{row['error_mm_median']} mm  95th {row['error_px_p95']} px {row['error_mm_p95']} mm"
        )
    for name, record in measured.items():
        print(name, record["numbering"])
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
