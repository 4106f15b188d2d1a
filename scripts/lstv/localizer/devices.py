"""Where the network runs, and how the log and the heatmap file describe it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from lstv import __version__
from lstv.base.errors import Setting, UserError
from lstv.localizer.checkpoint import Checkpoint
from lstv.localizer.options import MEMBERS, Options

DEVICE = Setting("device", "the device")


def choose_device(name: str) -> torch.device:
    """``auto`` takes a GPU if this torch can use it. Raises UserError where ``cuda`` is asked for and cannot be had."""
    problem = _cuda_problem()
    if name == "cuda" and problem:
        raise UserError(DEVICE, f" is cuda, but {problem}; set it to auto or cpu, or run on a GPU node.")
    return torch.device("cuda" if name != "cpu" and not problem else "cpu")


def _cuda_problem() -> str:
    if not torch.cuda.is_available():
        return "torch sees no GPU here"
    major, minor = torch.cuda.get_device_capability()
    built = [arch for arch in torch.cuda.get_arch_list() if arch.startswith("sm_")]
    # a build for sm_XY runs on every later minor revision of the same major one
    if built and not any(int(arch[3:-1]) == major and int(arch[-1]) <= minor for arch in built if arch[3:].isdigit()):
        name = torch.cuda.get_device_name()
        return f"torch {torch.__version__} is not built for {name} (compute capability {major}.{minor})"
    return ""


def run_record(weights: Checkpoint, options: Options, device: torch.device) -> dict[str, Any]:
    """What a heatmap file says of its run: versions, network, and how it was run."""
    return {
        "software_version": __version__,
        "checkpoint_file": weights.file_name,
        "checkpoint_sha256": weights.sha256,
        "demo_weights": weights.demo,
        "preprocessing": options.preprocessing,
        "members": options.members,
        "marks": options.marks,
        "field": "lumbar" if options.reads_lumbar else "whole",
        "centroids": options.centroids is not None,
        "device": device.type,
        "torch": str(torch.__version__),
    }


def describe(device: torch.device, options: Options) -> str:
    """One line for the log: device, precision, batch, workers."""
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability()
        free, total = torch.cuda.mem_get_info()
        where = (
            f"device cuda ({torch.cuda.get_device_name()}, compute capability {major}.{minor}, which torch is built for, "
            f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free), precision float16"
        )
    else:
        where = f"device cpu ({torch.get_num_threads()} threads), precision float32"
        if _cuda_problem() and torch.cuda.is_available():
            where += f" because {_cuda_problem()}"
    return (
        f"{where}, torch {torch.__version__}, forward batch {options.forward_batch}, {options.workers} decoding workers, "
        f"members {options.members} (up to {options.images_per_study} images a study)"
    )


def estimate(seconds: float, options: Options) -> str:
    """What the choice of members costs where an image takes the network so many seconds; one line for the log."""
    costs = (
        f"{seconds * replace(options, members=members).images_per_study:.2g} s with {members}" for members in MEMBERS
    )
    return f"the network takes about {seconds:.2g} s an image here; a study takes {', '.join(costs)}"
