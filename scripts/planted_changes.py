"""Plant changes in series (a disc erased, a level cropped away, doubled or taken out) and see which metrics move.

The discs are where the localizer finds them; studies on which not all five points lie on discs are left out. Nothing is
written but the tables, unless --previews asks for pictures, which show the patients' images.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lstv import __version__
from lstv.base.atomic import write_csv, write_json, write_text
from lstv.base.cli import argument_parser, run
from lstv.base.defaults import default
from lstv.base.numbers import whole
from lstv.base.progress import Progress
from lstv.cohort import rsna_layout
from lstv.run import maker


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argument_parser(__doc__)
    parser.add_argument("--path", type=Path, required=True, help="studies in the RSNA layout")
    parser.add_argument("--checkpoint", type=Path, required=True, help="the point net's file")
    parser.add_argument(
        "--marks", choices=("canal", "disc"), default="canal", help="what the points lie on (published net: canal)"
    )
    parser.add_argument(
        "--members",
        choices=("centre", "slices", "full"),
        default="full",
        help="what runs beside the centre slice: nothing, its neighbours, or neighbours and transformed views",
    )
    parser.add_argument(
        "--device",
        choices=("auto", "cuda", "cpu"),
        default=default("localizer.device"),
        help="where the network runs; auto takes a GPU if there is one",
    )
    parser.add_argument("--threads", type=whole(0), default=0, help="CPU threads of the network (0: all)")
    maker.add_option_to(parser)
    parser.add_argument("--out", type=Path, required=True, help="results, JSON")
    parser.add_argument("--csv", type=Path, required=True, help="one row a metric and change, CSV")
    parser.add_argument("--markdown", type=Path, required=True, help="the tables, Markdown")
    parser.add_argument("--previews", type=Path, help="folder for a picture of each study with its changes, PNG")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Plant, measure and write; returns the exit status."""
    args = parse_args(argv)
    rows = rsna_layout.rsna_rows(args.path)
    import torch

    from lstv.evaluation.output import rounded
    from lstv.localizer import checkpoint, devices, inference
    from lstv.localizer.options import Options
    from lstv_evidence.method import effects, effects_text, planting, previews

    if args.threads:
        torch.set_num_threads(args.threads)
    localizer = checkpoint.load_localizer(args.checkpoint)
    options = Options(members=args.members, marks=args.marks)
    device = devices.choose_device(args.device)
    print(devices.describe(device, options), flush=True)
    of_run = {
        "software_version": __version__,
        "checkpoint_file": localizer.file_name,
        "checkpoint_sha256": localizer.sha256,
        "demo_weights": localizer.demo,
        "members": args.members,
        "marks": args.marks,
    }
    runner = inference.Runner(localizer.network, device, options.forward_batch)
    with Progress(len(rows), "studies") as progress:
        planted = planting.plant(rows, runner, options, of_run, progress.step)
    record = rounded(effects.effects(planted) | {"run": of_run})
    settings = {"members": args.members, "marks": args.marks, "device": device.type}
    libraries = ("torch", *maker.INFERRING)
    record["provenance"] = maker.provenance(args.software, libraries, settings, {"localizer": args.checkpoint})
    write_csv(args.csv, effects.COLUMNS, effects.rows(record))
    words = effects_text.text(record)
    write_text(args.markdown, words)
    if args.previews:
        previews.write(planted, args.previews)
    write_json(args.out, record)
    print(f"{progress.summary()}\n\n{words}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
