"""Forward passes of one size: images on a device -> logits, and the features of images that are asked for.

Every pass has the same size, so that what an image gets does not depend on which others share its pass. (On a GPU its
place in the pass can change the last bits.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

import torch

from lstv.base.arrays import IndexArray
from lstv.localizer.network import LocalizerUNet

CPU_PASS = 4
"""Images of every forward pass on a CPU. Kernels are chosen by the size of a pass and differ in the last bits; at one size
an image's bits depend neither on its neighbours nor on its place among them. Larger passes are no faster there."""

Described: TypeAlias = tuple[torch.Tensor, torch.Tensor]
"""Bottleneck (1, 2048) and discs (1, 6, 16) of one image, float16; see ``heatmap_file.Features``."""


class Pass(Protocol):
    """A network's pass over ``size`` images, to be called in inference mode."""

    size: int

    def __call__(self, images: torch.Tensor, wanted: IndexArray) -> tuple[torch.Tensor, list[Described]]:
        """uint8 (size, 160, 160) on the device -> logits float32 (size, 6, 160, 160), and the features of the images at
        the indices ``wanted``."""
        ...


class EagerPass:
    """Operation by operation, as a CPU wants it: it has no launches to save, and features cost time there, so only those
    that are wanted are made."""

    def __init__(self, network: LocalizerUNet, size: int = CPU_PASS) -> None:
        self._network = network
        self.size = size

    def __call__(self, images: torch.Tensor, wanted: IndexArray) -> tuple[torch.Tensor, list[Described]]:
        logits, decoded, deepest = self._network.with_features(_channels_last(images))
        # one by one, because sums over several images may round otherwise
        features = [describe(logits[i : i + 1], decoded[i : i + 1], deepest[i : i + 1]) for i in wanted]
        return logits.float(), features


class GraphPass:
    """On a GPU: all operations of a pass recorded once, in half precision, and then started together (a CUDA graph).

    Started one by one they keep the processor busier than the GPU, the more so while other threads want Python's lock.
    Features are made of all images, because what is recorded does not change; on a GPU that costs next to nothing.
    """

    def __init__(self, network: LocalizerUNet, size: int, say: Callable[[str], None] = lambda line: None) -> None:
        self._network = network
        self.size = size
        self._say = say
        self._graph: torch.cuda.CUDAGraph | None = None
        self._started = False

    def __call__(self, images: torch.Tensor, wanted: IndexArray) -> tuple[torch.Tensor, list[Described]]:
        if not self._started:
            self._record(images)
        if self._graph is None:
            logits, bottlenecks, discs = self._forward(images)
        else:
            self._images.copy_(images)
            self._graph.replay()
            # the next pass writes to the same places
            logits, bottlenecks, discs = (result.clone() for result in self._results)
        return logits, [(bottlenecks[i : i + 1], discs[i : i + 1]) for i in wanted]

    def _record(self, images: torch.Tensor) -> None:
        self._started = True
        self._images = images.clone()
        stream = torch.cuda.Stream(images.device)  # type: ignore[no-untyped-call]  # torch leaves it undeclared
        stream.wait_stream(torch.cuda.current_stream(images.device))
        with torch.cuda.stream(stream):
            for _ in range(2):  # libraries set themselves up in the first calls, which cannot be recorded
                self._forward(self._images)
        torch.cuda.current_stream(images.device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self._results = self._forward(self._images)
        except torch.cuda.OutOfMemoryError:
            raise
        except RuntimeError as error:  # what a GPU that is shared out by other means may refuse
            torch.cuda.synchronize(images.device)
            self._say(
                f"the GPU takes no recorded passes and starts each operation by itself: {str(error).splitlines()[0]}"
            )
            return
        self._graph = graph

    def _forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        # weights are converted anew in each pass: what a cache held would be gone when a recorded pass is started again
        with torch.autocast("cuda", torch.float16, cache_enabled=False):
            logits, decoded, deepest = self._network.with_features(_channels_last(images))
            return logits.float(), *describe(logits, decoded, deepest)


def describe(logits: torch.Tensor, decoded: torch.Tensor, deepest: torch.Tensor) -> Described:
    """Features of images from the parts of their pass (N, ...), in float32 arithmetic: bottleneck (N, 2048) and discs
    (N, 6, 16), float16; see ``heatmap_file.Features``."""
    probability = logits.float().softmax(1)
    regions = torch.cat([1 - probability[:, :1], probability[:, 1:]], dim=1) >= 0.5
    regions = regions.flatten(2).float()
    with torch.autocast(decoded.device.type, enabled=False):
        sums = regions @ decoded.permute(0, 2, 3, 1).flatten(1, 2).float()
    return deepest.float().mean((2, 3)).half(), (sums / regions.sum(2, keepdim=True)).half()


def _channels_last(images: torch.Tensor) -> torch.Tensor:
    return images[:, None].contiguous(memory_format=torch.channels_last)
