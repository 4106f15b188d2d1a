"""Prepared studies -> heatmaps: the network on many studies at once, one writer."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from lstv.base.arrays import IndexArray
from lstv.base.errors import Setting, UserError
from lstv.base.levels import GRID, LEVELS
from lstv.cohort.study_sheet import Row
from lstv.localizer.checkpoint import Localizer
from lstv.localizer.decoding import prepared_studies
from lstv.localizer.heatmap_file import Analysed, Features, HeatmapWriter, Members, StudyMaps
from lstv.localizer.network import PointNet
from lstv.localizer.options import MEMBERS, Options
from lstv.localizer.outcome import NotAnalysed
from lstv.localizer.patches import shifted_back
from lstv.localizer.prepare import Prepared
from lstv.localizer.view_maker import ViewMaker
from lstv.localizer.views import VIEWS

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


def estimate(runner: Runner, options: Options) -> str:
    """What the choice of members costs on this device, from timed forward passes; one line for the log."""
    trial = torch.zeros((min(2, options.forward_batch), GRID, GRID), dtype=torch.uint8)
    passes = []
    for _ in range(4):  # the first one also sets up the kernels, and any may meet a busy moment of the machine
        start = time.monotonic()
        runner.logits(trial)
        passes.append((time.monotonic() - start) / len(trial))
    seconds = min(passes)
    costs = (
        f"{seconds * replace(options, members=members).images_per_study:.2g} s with {members}" for members in MEMBERS
    )
    return f"the network takes about {seconds:.2g} s an image here; a study takes {', '.join(costs)}"


class Runner:
    """The network on one device, for batches of slices."""

    def __init__(self, network: PointNet, device: torch.device, forward_batch: int) -> None:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # an overload that torch leaves undeclared
        self._network = network.to(device=device).eval()
        self._device = device
        self._forward_batch = forward_batch
        self.views = ViewMaker(device)

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 (N, 160, 160) on any device -> float32 logits (N, 6, 160, 160) on the runner's device."""
        return self._run(images, np.empty(0, dtype=np.int64))[0]

    def _run(self, images: torch.Tensor, described: IndexArray) -> tuple[torch.Tensor, list[Features]]:
        """Logits of all images, and the features of those at the ascending indices ``described``, from the same pass."""
        precision = torch.autocast("cuda", torch.float16) if self._device.type == "cuda" else nullcontext()
        parts: list[torch.Tensor] = []
        features: list[Features] = []
        with torch.inference_mode(), precision:
            for part in torch.split(images.to(self._device, non_blocking=True), self._forward_batch):
                inputs = part[:, None].contiguous(memory_format=torch.channels_last)
                logits, decoded, deepest = self._network.with_features(inputs)
                first = sum(len(part) for part in parts)
                inside = described[(described >= first) & (described < first + len(part))] - first
                if len(inside):
                    features += _features(logits[inside], decoded[inside], deepest[inside])
                parts.append(logits.float())
        return torch.cat(parts), features

    def study_maps(self, group: list[Prepared], with_views: bool) -> list[Analysed]:
        """Heatmaps of prepared studies, all their images in shared forward passes."""
        counts = [len(study.images) for study in group]
        images = torch.from_numpy(np.concatenate([study.images for study in group])).to(self._device)
        firsts = np.cumsum([0, *counts[:-1]])
        views = self.views.make(images[firsts]) if with_views else images.new_empty((len(group), 0, GRID, GRID))
        logits, features = self._run(torch.cat([images, views.flatten(0, 1)]), firsts)
        slice_logits, view_logits = logits[: len(images)], logits[len(images) :]
        back = torch.empty((len(group), 0, 5, GRID, GRID))
        if with_views:
            probability = view_logits.softmax(1)[:, 1:].reshape(len(group), len(VIEWS), len(LEVELS), GRID, GRID)
            back = _as_bytes(self.views.map_back(probability))
        others = _as_bytes(slice_logits.softmax(1)[:, 1:])
        centres = slice_logits[firsts].cpu().numpy()
        result = []
        for index, (study, first, count) in enumerate(zip(group, firsts, counts)):
            members = None
            if with_views or count > 1:
                members = self._members(study, others[first + 1 : first + count], back[index])
            result.append(_analysed(study, centres[index], members, features[index]))
        return result

    def _members(self, study: Prepared, others: torch.Tensor, views: torch.Tensor) -> Members:
        """``others``: what the network said of the neighbours and, behind them, of the patches."""
        placed = {} if study.places is None else study.places.found
        neighbours, patches = np.split(others.cpu().numpy(), [len(study.offsets)])
        names = [f"slice{offset:+d}" for offset in study.offsets] + [view.name for view in VIEWS[: len(views)]]
        names += [f"patch-{level}" for level in placed]
        kinds = ["slice"] * len(study.offsets) + ["view"] * len(views) + ["patch"] * len(placed)
        seen = np.ones((GRID, GRID), dtype=bool)
        probability = [neighbours, views.cpu().numpy().astype(np.uint8)]
        valid = [np.repeat(seen[None], len(neighbours), axis=0), self.views.valid[: len(views)]]
        for patch, place in zip(patches, placed.values()):
            probability.append(shifted_back(patch, place.shift)[None])
            valid.append(shifted_back(seen, place.shift)[None])
        return Members(tuple(names), tuple(kinds), np.concatenate(probability), np.concatenate(valid))


def _features(logits: torch.Tensor, decoded: torch.Tensor, deepest: torch.Tensor) -> list[Features]:
    """See ``heatmaps.Features``; float32 arithmetic of a few images' maps."""
    probability = logits.float().softmax(1)
    regions = torch.cat([1 - probability[:, :1], probability[:, 1:]], dim=1) >= 0.5
    regions = regions.flatten(2).float()
    with torch.autocast(decoded.device.type, enabled=False):
        sums = regions @ decoded.permute(0, 2, 3, 1).flatten(1, 2).float()
    discs = (sums / regions.sum(2, keepdim=True)).half().cpu().numpy()
    bottlenecks = deepest.float().mean((2, 3)).half().cpu().numpy()
    return [Features(bottleneck, disc) for bottleneck, disc in zip(bottlenecks, discs)]


def _as_bytes(probability: torch.Tensor) -> torch.Tensor:
    return (255 * probability).round().clamp(0, 255).to(torch.uint8)


def _analysed(
    study: Prepared, logits: npt.NDArray[np.float32], members: Members | None, features: Features
) -> Analysed:
    return Analysed(
        study_id=study.study_id,
        series_id=study.series_id,
        geometry=study.geometry,
        image=study.images[0],
        logits=logits,
        flags=study.flags,
        provenance=study.provenance,
        members=members,
        features=features,
        places=study.places,
    )


def infer(
    rows: Iterable[Row],
    localizer: Localizer,
    runner: Runner,
    options: Options,
    writer: HeatmapWriter,
    progress: Callable[[StudyMaps], None] = lambda maps: None,
) -> None:
    """Run the localizer on every study of the sheet's rows and write each one's maps, or its status and reason.

    ``progress`` is called once for each study, after it is written, in the writer's thread.
    """
    studies_at_once = max(1, options.forward_batch // options.images_per_study)
    with _Writer(writer, progress) as out:
        group: list[Prepared] = []
        for study in prepared_studies(list(rows), localizer.demo, options):
            if isinstance(study, NotAnalysed):
                out.put(study)
                continue
            group.append(study)
            if len(group) == studies_at_once:
                out.put(*runner.study_maps(group, options.members == "full"))
                group = []
        if group:
            out.put(*runner.study_maps(group, options.members == "full"))


class _Writer:
    """Compresses and writes in a thread of its own, so that the device does not wait; the queue bounds the memory."""

    def __init__(self, writer: HeatmapWriter, progress: Callable[[StudyMaps], None]) -> None:
        self._queue: queue.Queue[StudyMaps | None] = queue.Queue(maxsize=256)
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(writer, progress), daemon=True)

    def __enter__(self) -> _Writer:
        self._thread.start()
        return self

    def put(self, *studies: StudyMaps) -> None:
        for maps in studies:
            if self._error:
                raise self._error
            self._queue.put(maps)

    def _run(self, writer: HeatmapWriter, progress: Callable[[StudyMaps], None]) -> None:
        while (maps := self._queue.get()) is not None:
            if self._error is None:
                try:
                    writer.write(maps)
                    progress(maps)
                except Exception as error:  # handed to the thread that fills the queue
                    self._error = error

    def __exit__(self, kind: type | None, *_: object) -> None:
        self._queue.put(None)
        self._thread.join()
        if kind is None and self._error:
            raise self._error
