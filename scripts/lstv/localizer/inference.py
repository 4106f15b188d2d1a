"""Prepared studies -> heatmaps: the network on many studies at once, one writer."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lstv import __version__
from lstv.base.arrays import ByteArray, IndexArray
from lstv.base.errors import Setting, UserError
from lstv.base.levels import GRID, LEVELS
from lstv.localizer import strips
from lstv.localizer.checkpoint import Checkpoint
from lstv.localizer.heatmap_file import Analysed, Features, Members, StudyMaps
from lstv.localizer.network import LocalizerUNet
from lstv.localizer.options import MEMBERS, Options
from lstv.localizer.outcome import NotAnalysed
from lstv.localizer.passes import Described, EagerPass, GraphPass, Pass
from lstv.localizer.patches import shifted_back
from lstv.localizer.prepare import Prepared
from lstv.localizer.stages import Stages
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


class Runner:
    """The network on one device, for batches of slices. The last pass of a call is filled up with blank images.

    ``runs_beside``: whether a launched group is worked at while the caller does other things. ``image_seconds``: of the
    network alone in the fastest call so far on a CPU, None before. ``busy_seconds``: on a GPU, the time between the first
    and the last kernel of each call, added up.
    """

    def __init__(
        self,
        network: LocalizerUNet,
        device: torch.device,
        forward_batch: int,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # an overload that torch leaves undeclared
        network.to(device=device).eval()
        self._device = device
        self._cuda = device.type == "cuda"
        self._pass: Pass = GraphPass(network, forward_batch, say) if self._cuda else EagerPass(network)
        self.runs_beside = self._cuda
        self.views = ViewMaker(device)
        self.image_seconds: float | None = None
        self.busy_seconds = 0.0

    def studies_at_once(self, images: int) -> int:
        """How many studies of so many images to run together: enough to hand over work rarely, and such that few blank
        images fill the last pass."""
        fewest = max(1, (1 if self._cuda else 4) * self._pass.size // images)
        return min(
            range(fewest, 5 * fewest + 4), key=lambda count: (-(count * images) % self._pass.size / count, count)
        )

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 (N, 160, 160) on any device -> float32 logits (N, 6, 160, 160) on the runner's device."""
        return self._run(images, np.empty(0, dtype=np.int64))[0]

    def _run(self, images: torch.Tensor, described: IndexArray) -> tuple[torch.Tensor, list[Described]]:
        """Logits of all images, and the features of those at the ascending indices ``described``, from the same pass."""
        count, size = len(images), self._pass.size
        parts: list[torch.Tensor] = []
        features: list[Described] = []
        start = time.perf_counter()
        with torch.inference_mode():
            images = images.to(self._device, non_blocking=True)
            images = torch.cat([images, images.new_zeros((-count % size, *images.shape[1:]))])
            for first, part in zip(range(0, len(images), size), torch.split(images, size)):
                inside = described[(described >= first) & (described < first + size)] - first
                logits, found = self._pass(part, inside)
                parts.append(logits)
                features += found
        if not self._cuda:
            seconds = (time.perf_counter() - start) / len(images)
            self.image_seconds = min(seconds, self.image_seconds or seconds)
        return torch.cat(parts)[:count], features

    def study_maps(self, group: list[Prepared], with_views: bool, marks: str = "canal") -> list[Analysed]:
        """Heatmaps and strips of prepared studies, all their images in shared forward passes.

        ``marks`` canal | disc: what the network's points lie on.
        """
        return [analysed() for analysed in self.finish(self.launch(group, with_views), marks)]

    def launch(self, group: list[Prepared], with_views: bool) -> _Launched:
        """Have the device begin with a group of studies. A GPU goes on while the caller does other things."""
        counts = [len(study.images) for study in group]
        start, end = _events() if self._cuda else (None, None)
        images = torch.from_numpy(np.concatenate([study.images for study in group]))
        if start is not None:
            images = images.pin_memory()
            start.record()
        images = images.to(self._device, non_blocking=True)
        firsts = np.cumsum([0, *counts[:-1]])
        views = self.views.make(images[firsts]) if with_views else images.new_empty((len(group), 0, GRID, GRID))
        logits, features = self._run(torch.cat([images, views.flatten(0, 1)]), firsts)
        slice_logits, view_logits = logits[: len(images)], logits[len(images) :]
        back = torch.empty((len(group), 0, 5, GRID, GRID), dtype=torch.uint8)
        if with_views:
            probability = view_logits.softmax(1)[:, 1:].reshape(len(group), len(VIEWS), len(LEVELS), GRID, GRID)
            back = _as_bytes(self.views.map_back(probability)).to("cpu", non_blocking=True)
        others = None
        if len(images) > len(group):
            others = _as_bytes(slice_logits.softmax(1)[:, 1:]).to("cpu", non_blocking=True)
        centres = slice_logits[firsts].to("cpu", non_blocking=True)
        features = [(a.to("cpu", non_blocking=True), b.to("cpu", non_blocking=True)) for a, b in features]
        if end is not None:
            end.record()
        return _Launched(group, counts, centres, others, back, features, start, end)

    def finish(self, launched: _Launched, marks: str = "canal") -> list[Callable[[], Analysed]]:
        """Wait for a launched group and take its heatmaps; each call gives a study's, with its strip.

        A strip takes as long as a few passes on a GPU, so it is left to the threads that write.
        """
        if launched.start is not None and launched.end is not None:
            launched.end.synchronize()
            self.busy_seconds += launched.start.elapsed_time(launched.end) / 1000
        centres = launched.centres.numpy()
        result: list[Callable[[], Analysed]] = []
        first = 0
        for index, (study, count) in enumerate(zip(launched.group, launched.counts)):
            members, views = None, launched.back[index]
            others = centres[:0, 1:].astype(np.uint8)
            if launched.others is not None:
                others = launched.others[first + 1 : first + count].numpy()
            if len(views) or count > 1:
                members = self._members(study, others, views.numpy())
            bottleneck, discs = launched.features[index]
            features = Features(bottleneck[0].numpy(), discs[0].numpy())
            result.append(partial(_analysed, study, centres[index], members, features, marks))
            first += count
        return result

    def _members(self, study: Prepared, others: ByteArray, views: ByteArray) -> Members:
        """``others``: what the network said of the neighbours and, behind them, of the patches."""
        placed = {} if study.targets is None else study.targets.found
        neighbours, patches = np.split(others, [len(study.offsets)])
        names = [f"slice{offset:+d}" for offset in study.offsets] + [view.name for view in VIEWS[: len(views)]]
        names += [f"patch-{level}" for level in placed]
        kinds = ["slice"] * len(study.offsets) + ["view"] * len(views) + ["patch"] * len(placed)
        seen = np.ones((GRID, GRID), dtype=bool)
        probability = [neighbours, views]
        valid = [np.repeat(seen[None], len(neighbours), axis=0), self.views.valid[: len(views)]]
        for patch, target in zip(patches, placed.values()):
            probability.append(shifted_back(patch, target.shift)[None])
            valid.append(shifted_back(seen, target.shift)[None])
        return Members(tuple(names), tuple(kinds), np.concatenate(probability), np.concatenate(valid))


@dataclass(frozen=True)
class _Launched:
    """What the device works at: of each of a group's studies its number of images, then results on their way to the CPU."""

    group: list[Prepared]
    counts: list[int]
    centres: torch.Tensor
    others: torch.Tensor | None
    back: torch.Tensor
    features: list[Described]
    start: torch.cuda.Event | None
    end: torch.cuda.Event | None


def _events() -> tuple[torch.cuda.Event, torch.cuda.Event]:
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    return first, last


def _as_bytes(probability: torch.Tensor) -> torch.Tensor:
    return (255 * probability).round().clamp(0, 255).to(torch.uint8)


def _analysed(
    study: Prepared,
    logits: npt.NDArray[np.float32],
    members: Members | None,
    features: Features,
    marks: str,
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
        targets=study.targets,
        strip=strips.cut(study.slices, study.geometry, logits, marks),
    )


def infer(
    studies: Iterable[Prepared | NotAnalysed],
    runner: Runner,
    options: Options,
    write: Callable[[StudyMaps], None],
    say: Callable[[str], None] = lambda line: None,
) -> Stages:
    """Run the localizer on prepared studies and hand each one's maps, or its status and reason, to ``write``.

    ``write`` is called once for each study, in threads beside this one, several at a time and in no fixed order. ``say``
    gets a line on what the network costs, after the first studies, where that matters. Returns where the time went.
    """
    stages = Stages()
    at_once = runner.studies_at_once(options.images_per_study)
    with_views = options.members == "full"
    waiting = iter(studies)
    launched: _Launched | None = None
    groups = 0

    def finish(out: _Writer) -> None:
        nonlocal groups
        if launched is None:
            return
        with stages.time("waiting for the device and taking its results"):
            found = runner.finish(launched, options.marks)
        with stages.time("waiting for the writers"):
            out.put(*(partial(_or_failed, study, make) for study, make in zip(launched.group, found)))
        groups += 1
        if groups == 2 and runner.image_seconds is not None:  # the first group also set up the kernels
            say(estimate(runner.image_seconds, options))

    with _Writer(write, threads=min(4, max(1, options.workers // 2))) as out:
        while True:
            with stages.time("waiting for decoded studies"):
                group, ended = _next_group(waiting, at_once, out)
            if group:
                with stages.time("network"):
                    following = runner.launch(group, with_views)
                finish(out)  # of the group before, while a GPU has this one to do
                launched = following
                if not runner.runs_beside:
                    finish(out)
                    launched = None
            if ended:
                break
        finish(out)
        if groups == 1 and runner.image_seconds is not None:
            say(estimate(runner.image_seconds, options))
        with stages.time("waiting for the writers"):
            out.wait()
    return stages


def _next_group(studies: Iterator[Prepared | NotAnalysed], count: int, out: _Writer) -> tuple[list[Prepared], bool]:
    """Up to ``count`` prepared studies, and whether there are no more; the others go to the writers."""
    group: list[Prepared] = []
    for study in studies:
        if isinstance(study, NotAnalysed):
            out.put(partial(_as_it_is, study))
            continue
        group.append(study)
        if len(group) == count:
            return group, False
    return group, True


def _or_failed(study: Prepared, make: Callable[[], Analysed]) -> StudyMaps:
    """The study's maps; a defect met by one study must not take the others with it, and its type tells us where."""
    try:
        return make()
    except Exception as error:
        reason = f"unexpected {type(error).__name__} while its results were put together"
        return NotAnalysed(study.study_id, "failed", reason, study.series_id, study.flags, study.provenance)


def _as_it_is(study: NotAnalysed) -> NotAnalysed:
    return study


class _Writer:
    """Makes what is to be written and calls ``write`` with it in threads, so that the device does not wait; a bounded queue
    bounds the memory."""

    def __init__(self, write: Callable[[StudyMaps], None], threads: int) -> None:
        self._write = write
        self._queue: queue.Queue[Callable[[], StudyMaps] | None] = queue.Queue(maxsize=64)
        self._error: Exception | None = None
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def __enter__(self) -> _Writer:
        for thread in self._threads:
            thread.start()
        return self

    def put(self, *studies: Callable[[], StudyMaps]) -> None:
        for maps in studies:
            if self._error:
                raise self._error
            self._queue.put(maps)

    def wait(self) -> None:
        """Until all is written. Raises what ``write`` raised."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()
        self._threads = []
        if self._error:
            raise self._error

    def _run(self) -> None:
        while (maps := self._queue.get()) is not None:
            if self._error is None:
                try:
                    self._write(maps())
                except Exception as error:  # handed to the thread that fills the queue
                    self._error = error

    def __exit__(self, *_: object) -> None:
        if self._threads:  # it was not waited for, because something else failed; what is there is written all the same
            with suppress(Exception):
                self.wait()
