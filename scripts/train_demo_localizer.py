"""Train the demo localizer: a narrow point net on normal synthetic phantoms.

Writes the checkpoint and its sha256. It is for the demo only: it has never seen a patient. Measure it afterwards with
evaluate_demo_localizer.py, which writes the model card.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from pathlib import Path

from lstv.base.atomic import write_bytes, write_text
from lstv.base.cli import argument_parser, run
from lstv.base.numbers import real, whole


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--out", type=Path, required=True, help="checkpoint to write, e.g. resources/demo/pointnet_demo.pth"
    )
    parser.add_argument("--seed", type=whole(0), default=0, help="of phantoms, weights and augmentation (default: 0)")
    parser.add_argument("--phantoms", type=whole(1), default=1500, help="normal phantoms to train on (default: 1500)")
    parser.add_argument("--steps", type=whole(1), default=1000, help="optimizer steps (default: 1000)")
    parser.add_argument("--batch", type=whole(1), default=12, help="slices per step (default: 12)")
    parser.add_argument("--rate", type=real(above=0), default=3e-3, help="highest learning rate (default: 0.003)")
    parser.add_argument("--jobs", type=whole(1), default=2, help="processes and threads (default: 2)")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Train and write; returns the exit status."""
    args = parse_args(argv)
    import torch

    from lstv.base.checksums import file_digest
    from lstv_evidence.phantom import training

    torch.set_num_threads(args.jobs)
    began = time.monotonic()
    images, points = training.make_pool(args.seed, args.phantoms, args.jobs, _progress)
    print(f"\nphantoms made in {time.monotonic() - began:.0f} s", flush=True)
    began = time.monotonic()
    network = training.train(
        images, points, seed=args.seed, steps=args.steps, batch=args.batch, rate=args.rate, progress=_progress
    )
    seconds = time.monotonic() - began
    print(f"\ntrained in {seconds:.0f} s", flush=True)
    record = {
        "training": {
            "seed": args.seed,
            "phantoms": args.phantoms,
            "steps": args.steps,
            "batch": args.batch,
            "rate": args.rate,
            "torch": str(torch.__version__),
        }
    }
    buffer = io.BytesIO()
    torch.save(training.checkpoint(network, record), buffer)
    write_bytes(args.out, buffer.getvalue())
    digest = file_digest(args.out)
    write_text(Path(f"{args.out}.sha256"), f"{digest}  {args.out.name}\n")
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB, sha256 {digest}")
    return 0


def _progress(text: str) -> None:
    """A line that is overwritten on a terminal; every call a line in a log."""
    print(f"\r{text:<60}" if sys.stdout.isatty() else text, end="" if sys.stdout.isatty() else "\n", flush=True)


if __name__ == "__main__":
    sys.exit(run(main))
