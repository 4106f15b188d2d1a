"""The network on many studies at once: prepared studies -> heatmaps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from lstv.anatomy.points import level_points
from lstv.base.arrays import ByteArray, IndexArray
from lstv.base.levels import GRID, LEVELS
from lstv.localizer import field, strips
from lstv.localizer.heatmap_file import Analysed, Features, Members
from lstv.localizer.network import LocalizerUNet
from lstv.localizer.passes import Described, EagerPass, GraphPass, Pass
from lstv.localizer.patches import shifted_back
from lstv.localizer.prepare import Prepared
from lstv.localizer.view_maker import ViewMaker
from lstv.localizer.views import VIEWS


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

    def launch(self, group: list[Prepared], with_views: bool) -> Launched:
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
        return Launched(group, counts, centres, others, back, features, start, end)

    def finish(self, launched: Launched, marks: str = "canal") -> list[Callable[[], Analysed]]:
        """Wait for a launched group and take its heatmaps; each call gives a study's, with its strip.

        A strip takes as long as a few passes on a GPU, so it is left to the threads that write.
        """
        if launched.start is not None and launched.end is not None:
            launched.end.synchronize()
            self.busy_seconds += launched.start.elapsed_time(launched.end) / 1000
        centres = launched.centres.numpy()
        nearer = self._read_again(launched, centres, marks)
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
            made = partial(_analysed, study, centres[index], members, features, marks)
            result.append(partial(_nearer, made, centres[index], nearer[index]) if index in nearer else made)
            first += count
        return result

    def _read_again(
        self, launched: Launched, centres: npt.NDArray[np.float32], marks: str
    ) -> dict[int, Callable[[], Analysed]]:
        """The second reading of the studies of a group whose field is large, by their place in the group."""
        cut = {place: field.cut(study, logits) for place, (study, logits) in enumerate(zip(launched.group, centres))}
        found = {place: study for place, study in cut.items() if study is not None}
        if not found:
            return {}
        again = self.launch(list(found.values()), with_views=launched.back.shape[1] > 0)
        return dict(zip(found, self.finish(again, marks)))

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
class Launched:
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


def _nearer(whole: Callable[[], Analysed], logits: npt.NDArray[np.float32], lumbar: Callable[[], Analysed]) -> Analysed:
    """The reading of the field cut to the lumbar spine, with the ``logits`` of the whole field; the reading of the whole
    field where that finds more levels."""
    nearer = lumbar()
    first, second = (sum(point is not None for point in level_points(each)) for each in (logits, nearer.logits))
    return whole() if first > second else replace(nearer, whole=logits)


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
