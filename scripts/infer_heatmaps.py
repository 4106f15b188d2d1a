"""Run the localizer on the studies of one batch and write their heatmaps (HDF5).

Every study of the batch is in the file: with its heatmaps, or with status failed or excluded and the reason.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from lstv import __version__
from lstv.base import checksums
from lstv.base.cli import argument_parser, run
from lstv.base.defaults import default
from lstv.base.errors import UserError
from lstv.base.progress import Progress
from lstv.cohort import batches, study_sheet
from lstv.localizer import heatmap_file

ESTIMATE_FROM = 8
"""Studies from which on it is worth a few forward passes to say beforehand what they will cost."""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--sheet", type=Path, required=True, help="the study sheet")
    parser.add_argument("--batch", help="name of the batch; without it all studies of the sheet")
    parser.add_argument("--batches", type=int, default=1, help="number of batches of the cohort (0: one a study)")
    parser.add_argument("--checkpoint", type=Path, required=True, help="the point net's file")
    parser.add_argument("--sha256", help="expected sha256 (default: that recorded beside the checkpoint, if any)")
    parser.add_argument(
        "--preprocessing",
        choices=("trained", "reference"),
        default=default("localizer.preprocessing"),
        help="intensities and order of slices as in training, or as in the reference implementation",
    )
    parser.add_argument(
        "--members",
        choices=("centre", "slices", "full"),
        default=default("localizer.members"),
        help="what runs beside the centre slice: nothing, its neighbours, or neighbours and transformed views",
    )
    parser.add_argument("--centroids", type=Path, help="folder with <study_id>_ctd.json, on which patches are centred")
    parser.add_argument(
        "--device",
        choices=("auto", "cuda", "cpu"),
        default=default("localizer.device"),
        help="where the network runs; auto takes a GPU if there is one",
    )
    parser.add_argument(
        "--forward-batch", type=int, default=default("localizer.forward_batch"), help="slices in one forward pass"
    )
    parser.add_argument("--workers", type=int, default=default("localizer.workers"), help="processes that decode DICOM")
    parser.add_argument(
        "--study-seconds",
        type=float,
        default=default("localizer.study_seconds"),
        help="longest time that decoding one study may take",
    )
    parser.add_argument(
        "--study-memory-mb",
        type=int,
        default=default("localizer.study_memory_mb"),
        help="most memory that decoding one study may take",
    )
    parser.add_argument("--threads", type=int, default=0, help="CPU threads of the network (0: all)")
    parser.add_argument("--without-uids", action="store_true", help="keep DICOM UIDs and file names out of the results")
    parser.add_argument("--out", type=Path, required=True, help="the heatmap file")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    rows = study_sheet.read_sheet(args.sheet)
    if args.centroids and not args.centroids.is_dir():
        raise UserError(args.centroids, " is not a folder; correct the path or leave the option out.")
    if args.batch:
        rows = [row for row in rows if batches.batch_of(row.study_id, args.batches) == args.batch]
    import torch  # after the arguments are known to be good: this import takes seconds

    from lstv.localizer import checkpoint, inference
    from lstv.localizer.options import Options

    if args.threads:
        torch.set_num_threads(args.threads)
    options = Options(
        args.preprocessing,
        args.members,
        args.forward_batch,
        args.workers,
        args.without_uids,
        args.centroids,
        args.study_seconds,
        args.study_memory_mb,
    )
    device = inference.choose_device(args.device)
    print(inference.describe(device, options), flush=True)
    expected = args.sha256 or checksums.sha256(args.checkpoint)
    localizer = checkpoint.load_localizer(args.checkpoint, expected_sha256=expected)
    runner = inference.Runner(localizer.network, device, options.forward_batch)
    if device.type == "cpu" and len(rows) >= ESTIMATE_FROM:
        print(inference.estimate(runner, options), flush=True)
    record = {
        "software_version": __version__,
        "checkpoint_file": localizer.file_name,
        "checkpoint_sha256": localizer.sha256,
        "demo_weights": localizer.demo,
        "preprocessing": args.preprocessing,
        "members": args.members,
        "device": device.type,
        "torch": str(torch.__version__),
    }
    analysed = 0

    def written(maps: heatmap_file.StudyMaps) -> None:
        nonlocal analysed
        analysed += maps.status == "ok"
        progress.step(maps.status)

    start = time.monotonic()
    with heatmap_file.create(args.out, record) as writer, Progress(len(rows), "studies") as progress:
        inference.infer(rows, localizer, runner, options, writer, written)
    print(f"{args.out}: {progress.summary()}")
    if analysed:
        seconds = (time.monotonic() - start) / analysed
        print(f"{seconds:.3g} s an analysed study, members {args.members}, decoding and writing included")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
