"""Run the localizer on the studies of one batch and write their heatmaps (HDF5).

Every study of the batch is in the file: with its heatmaps, or with status failed or excluded and the reason. What an earlier
file of the same name, or a run of it that was interrupted, holds of studies that would come out alike is taken from there.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

from lstv.base import checksums, installed
from lstv.base.cli import argument_parser, run
from lstv.base.defaults import default
from lstv.base.errors import UserError
from lstv.base.numbers import of_setting, whole
from lstv.base.processes import leave
from lstv.base.progress import Progress
from lstv.cohort import batches, study_sheet
from lstv.localizer import checkpoint, reuse
from lstv.localizer.ahead import Ahead
from lstv.localizer.decoding import prepared_studies
from lstv.localizer.heatmap_file import StudyMaps
from lstv.localizer.options import Options
from lstv.run import maker, software
from lstv.run.dependencies import library_files


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--sheet", type=Path, required=True, help="the study sheet")
    parser.add_argument("--batch", help="name of the batch; without it all studies of the sheet")
    parser.add_argument("--batches", type=whole(0), default=1, help="number of batches of the cohort (0: one a study)")
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
    parser.add_argument(
        "--marks",
        choices=("canal", "disc"),
        default=default("localizer.marks"),
        help="what the checkpoint's points lie on: the spinal canal at disc level (published net), or discs",
    )
    parser.add_argument(
        "--field",
        choices=("lumbar", "whole"),
        default=default("localizer.field"),
        help="lumbar: a field more than 10 levels high is read a second time, cut to the lumbar spine",
    )
    parser.add_argument("--centroids", type=Path, help="folder with <study_id>_ctd.json, on which patches are centred")
    parser.add_argument(
        "--device",
        choices=("auto", "cuda", "cpu"),
        default=default("localizer.device"),
        help="where the network runs; auto takes a GPU if there is one",
    )
    parser.add_argument(
        "--forward-batch",
        type=of_setting("localizer.forward_batch"),
        default=default("localizer.forward_batch"),
        help="slices in one GPU pass",
    )
    parser.add_argument(
        "--workers",
        type=of_setting("localizer.workers"),
        default=default("localizer.workers"),
        help="processes that decode DICOM; without it one per core",
    )
    parser.add_argument(
        "--study-seconds",
        type=of_setting("localizer.study_seconds"),
        default=default("localizer.study_seconds"),
        help="longest time that decoding one study may take",
    )
    parser.add_argument(
        "--study-memory-mb",
        type=of_setting("localizer.study_memory_mb"),
        default=default("localizer.study_memory_mb"),
        help="most memory that decoding one study may take",
    )
    parser.add_argument("--threads", type=whole(0), default=0, help="CPU threads of the network (0: all)")
    parser.add_argument("--without-uids", action="store_true", help="keep DICOM UIDs and file names out of the results")
    parser.add_argument("--no-reuse", action="store_true", help="infer every study anew")
    maker.add_option_to(parser)
    parser.add_argument("--out", type=Path, required=True, help="the heatmap file")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    rows = study_sheet.read_sheet(args.sheet)
    if args.centroids and not args.centroids.is_dir():
        raise UserError(args.centroids, " is not a directory; correct the path or leave the option out.")
    if args.batch:
        rows = [row for row in rows if batches.batch_of(row.study_id, args.batches) == args.batch]
    options = Options(
        args.preprocessing,
        args.members,
        args.forward_batch,
        args.workers or len(os.sched_getaffinity(0)),
        args.without_uids,
        args.centroids,
        args.study_seconds,
        args.study_memory_mb,
        args.marks,
        args.field,
    )
    states = {row.study_id: reuse.state(row, options.centroids) for row in rows}
    weights = checkpoint.read_checkpoint(
        args.checkpoint, expected_sha256=args.sha256 or checksums.sha256(args.checkpoint)
    )
    start = time.monotonic()
    with contextlib.ExitStack() as running:
        decoded = None
        if args.no_reuse or not reuse.is_anything_kept(args.out):
            # decoding begins while torch is imported, which takes seconds
            decoded = running.enter_context(Ahead(prepared_studies(rows, weights.demo, options)))
        # worker threads that spin while they wait slow each other down where the machine is busy, the decoders too
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        import torch

        from lstv.localizer import devices, inference, pipeline

        if args.threads:
            torch.set_num_threads(args.threads)
        device = devices.choose_device(args.device)
        print(devices.describe(device, options), flush=True)
        runner = inference.Runner(checkpoint.localizer(weights).network, device, options.forward_batch, say)
        record = devices.run_record(weights, options, device)
        facts = {
            "without_uids": args.without_uids,
            "program": reuse.code_digest([Path(__file__), *library_files(Path(__file__))]),
            "libraries": installed.versions((*software.LIBRARIES, *maker.DECODERS)),
            # its kernels differ by model and by the size of a pass
            "gpu": [torch.cuda.get_device_name(), args.forward_batch] if device.type == "cuda" else None,
        }
        keys = reuse.keys(states, record | facts)
        batch = running.enter_context(reuse.batch(args.out, record, keys, reuse=not args.no_reuse))
        progress = running.enter_context(Progress(len(rows) - len(batch.kept), "studies"))
        if batch.kept:
            print(f"{len(batch.kept)} of {len(rows)} studies are taken from an earlier or interrupted run", flush=True)
        if decoded is None:
            wanted = [row for row in rows if row.study_id not in batch.kept]
            decoded = running.enter_context(Ahead(prepared_studies(wanted, weights.demo, options)))
        analysed = 0
        made_by = {"inference": maker.here(args.software, maker.INFERRING)}

        def write(maps: StudyMaps) -> None:
            nonlocal analysed
            # with the study, not the file: one that is kept was made by whoever made it
            batch.write(replace(maps, provenance=maps.provenance | made_by))
            with counting:
                analysed += maps.status == "ok"
                progress.step(maps.status)

        counting = threading.Lock()
        stages = pipeline.infer(decoded, runner, options, write, say)
    print(f"{args.out}: {progress.summary()}")
    if analysed:
        seconds = (time.monotonic() - start) / analysed
        print(f"{seconds:.3g} s an analysed study, members {args.members}, decoding and writing included")
        print(f"where the time went: {stages}")
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated() / 2**30
        total = time.monotonic() - start
        print(f"the GPU worked {runner.busy_seconds:.2f} of {total:.2f} s, at most {peak:.2f} GiB of its memory")
    return 0


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    leave(run(main))
