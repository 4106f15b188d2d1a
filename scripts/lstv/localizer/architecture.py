"""Sizes of the point net and the entries of its state dict, known without PyTorch.

The names are those of timm's ``resnet50d`` inside the published checkpoint (``localizer.network`` builds the layers); a unit
test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

OPTIONAL_BUFFERS = frozenset({"D", "mean", "std"})
"""0-d buffers of the training code that a file may leave out."""

CLASSES = 6
"""Channels of the logits: background and the five disc levels."""

EXPANSION = 4
"""Channels of a bottleneck's output for each of its planes."""

BLOCKS = (3, 4, 6, 3)
"""Bottlenecks of the four stages."""


@dataclass(frozen=True)
class Widths:
    """Channel counts: ``stem`` of the three stem convolutions, ``planes`` of the four stages (their outputs are four
    times wider), ``decoder`` of the five decoder blocks."""

    stem: tuple[int, ...] = (32, 32, 64)
    planes: tuple[int, ...] = (64, 128, 256, 512)
    decoder: tuple[int, ...] = (256, 128, 64, 32, 16)

    @property
    def stages(self) -> tuple[int, ...]:
        """Channels that the four stages put out."""
        return tuple(planes * EXPANSION for planes in self.planes)

    @property
    def skips(self) -> tuple[int, ...]:
        """Channels of the encoder's feature that each decoder block is given; the last gets none."""
        first, second, third, _ = self.stages
        return third, second, first, self.stem[2], 0


PUBLISHED = Widths()


def entries(widths: Widths = PUBLISHED) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every entry of the network's state dict, in its order."""
    return dict(_entries(widths))


def _entries(widths: Widths) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from ((name, ()) for name in ("D", "mean", "std"))
    first, second, third = widths.stem
    yield from _convolution("encoder.conv1.0", first, 3, 3)
    yield from _norm("encoder.conv1.1", first)
    yield from _convolution("encoder.conv1.3", second, first, 3)
    yield from _norm("encoder.conv1.4", second)
    yield from _convolution("encoder.conv1.6", third, second, 3)
    yield from _norm("encoder.bn1", third)
    inputs = third
    for stage, (planes, outputs, blocks) in enumerate(zip(widths.planes, widths.stages, BLOCKS), start=1):
        for block in range(blocks):
            yield from _bottleneck(f"encoder.layer{stage}.{block}", inputs, planes, outputs, project=block == 0)
            inputs = outputs
    for block, (skip, outputs) in enumerate(zip(widths.skips, widths.decoder)):
        for name, width in (("conv1", inputs + skip), ("conv2", outputs)):
            yield from _convolution(f"decoder.block.{block}.{name}.0", outputs, width, 3)
            yield from _norm(f"decoder.block.{block}.{name}.1", outputs)
        inputs = outputs
    yield from _convolution("logit", CLASSES, inputs, 1)
    yield "logit.bias", (CLASSES,)


def _bottleneck(
    name: str, inputs: int, planes: int, outputs: int, project: bool
) -> Iterator[tuple[str, tuple[int, ...]]]:
    for number, (width, channels, side) in enumerate(
        ((planes, inputs, 1), (planes, planes, 3), (outputs, planes, 1)), 1
    ):
        yield from _convolution(f"{name}.conv{number}", width, channels, side)
        yield from _norm(f"{name}.bn{number}", width)
    if project:
        yield from _convolution(f"{name}.downsample.1", outputs, inputs, 1)
        yield from _norm(f"{name}.downsample.2", outputs)


def _convolution(name: str, outputs: int, inputs: int, side: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (outputs, inputs, side, side)


def _norm(name: str, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{part}", (width,)
    yield f"{name}.num_batches_tracked", ()
