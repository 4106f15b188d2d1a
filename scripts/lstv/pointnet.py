"""The point net: a 2-D U-Net that marks the five lumbar disc levels on a sagittal T2 slice.

Architecture and state-dict names are those of the checkpoint ``00002484.pth`` published by Kaggle user hengck23 in the
dataset ``hengck23/rsna2024-demo-workflow``: a ResNet-50-D encoder (He et al. 2019, "Bag of Tricks", arXiv 1812.01187; the
stem's max pool is an average pool here) and a five-block nearest-neighbour decoder. The same class with narrower widths
serves the demo.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import re
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from lstv.errors import CheckpointError

OPTIONAL_BUFFERS = frozenset({"D", "mean", "std"})
"""0-d buffers of the training code that a file may leave out."""

DEMO_PURPOSE = "demo: synthetic phantoms only"
"""Value of the checkpoint key ``purpose`` that marks weights trained on phantoms."""

_CODE = re.compile(
    r"allowed global|Unsupported (global|class)|Trying to (call|instantiate|load unsupported)", re.IGNORECASE
)
"""How torch's safe unpickler names a callable or class in a file."""

_EXPANSION = 4
_BLOCKS = (3, 4, 6, 3)


@dataclass(frozen=True)
class Widths:
    """Channel counts: ``stem`` of the three stem convolutions, ``planes`` of the four stages (their outputs are four
    times wider), ``decoder`` of the five decoder blocks."""

    stem: tuple[int, int, int] = (32, 32, 64)
    planes: tuple[int, int, int, int] = (64, 128, 256, 512)
    decoder: tuple[int, int, int, int, int] = (256, 128, 64, 32, 16)


PUBLISHED = Widths()


class _Bottleneck(nn.Module):
    def __init__(self, inputs: int, planes: int, stride: int, project: bool) -> None:
        super().__init__()
        outputs = planes * _EXPANSION
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if project:
            pool = nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False) if stride > 1 else nn.Identity()
            self.downsample = nn.Sequential(pool, nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        return F.relu(self.bn3(self.conv3(x)) + shortcut, inplace=True)


class _Encoder(nn.Module):
    """ResNet-50-D under timm's names (``conv1.0/1/3/4/6``, ``bn1``, ``layer1`` .. ``layer4``)."""

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        first, second, third = widths.stem
        self.conv1 = nn.Sequential(
            nn.Conv2d(3, first, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(inplace=True),
            nn.Conv2d(first, second, 3, padding=1, bias=False),
            nn.BatchNorm2d(second),
            nn.ReLU(inplace=True),
            nn.Conv2d(second, third, 3, padding=1, bias=False),
        )
        self.bn1 = nn.BatchNorm2d(third)
        inputs = third
        for index, (planes, blocks) in enumerate(zip(widths.planes, _BLOCKS), start=1):
            stage = []
            for block in range(blocks):
                stride = 2 if block == 0 and index > 1 else 1
                stage.append(_Bottleneck(inputs, planes, stride, project=block == 0))
                inputs = planes * _EXPANSION
            self.add_module(f"layer{index}", nn.Sequential(*stage))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        features = [x]
        x = F.avg_pool2d(x, 2, 2)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            features.append(x)
        return features


class _DecoderBlock(nn.Module):
    def __init__(self, inputs: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = _convolution(inputs + skip, outputs)
        self.conv2 = _convolution(outputs, outputs)

    def forward(self, x: torch.Tensor, skip: torch.Tensor | None) -> torch.Tensor:
        x = F.interpolate(x, scale_factor=2, mode="nearest")
        if skip is not None:
            x = torch.cat([x, skip], dim=1)
        return self.conv2(self.conv1(x))


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class _Decoder(nn.Module):
    def __init__(self, inputs: int, skips: tuple[int, ...], outputs: tuple[int, ...]) -> None:
        super().__init__()
        blocks = []
        for skip, width in zip(skips, outputs):
            blocks.append(_DecoderBlock(inputs, skip, width))
            inputs = width
        self.block = nn.ModuleList(blocks)

    def forward(self, x: torch.Tensor, skips: list[torch.Tensor | None]) -> torch.Tensor:
        for block, skip in zip(self.block, skips):
            x = block(x, skip)
        return x


class PointNet(nn.Module):
    """uint8 images (B, 1, 160, 160) -> logits float (B, 6, 160, 160): background, L1/L2 .. L5/S1.

    Sides must be divisible by 32. Softmax over the channels gives the probability maps.
    """

    def __init__(self, widths: Widths = PUBLISHED) -> None:
        super().__init__()
        self.widths = widths
        self.register_buffer("D", torch.tensor(0.0))
        self.register_buffer("mean", torch.tensor(0.0))
        self.register_buffer("std", torch.tensor(1.0))
        self.encoder = _Encoder(widths)
        stages = [planes * _EXPANSION for planes in widths.planes]
        self.decoder = _Decoder(stages[3], (stages[2], stages[1], stages[0], widths.stem[2], 0), widths.decoder)
        self.logit = nn.Conv2d(widths.decoder[-1], 6, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.with_features(image)[0]

    def with_features(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Logits, and from the same pass the last decoder features (B, 16, 160, 160) and the bottleneck (B, 2048, 5, 5).

        These are the published net's channel counts; a narrow net's are its ``widths``' (last decoder, 4 x last plane).
        """
        weight = self.logit.weight
        x = image.to(device=weight.device, dtype=weight.dtype) / 255
        x = (x.expand(-1, 3, -1, -1) - self.mean) / self.std
        *skips, deepest = self.encoder(x)
        decoded = self.decoder(deepest, [*reversed(skips), None])
        return self.logit(decoded), decoded, deepest


@dataclass(frozen=True)
class Localizer:
    """A loaded network with what its results must record."""

    network: PointNet
    sha256: str
    file_name: str
    demo: bool


def load_localizer(path: Path, *, expected_sha256: str | None = None) -> Localizer:
    """Load a checkpoint strictly and safely; the network is in evaluation mode, float32, on the CPU.

    Only tensors are unpickled (``weights_only=True``): a file with code in it is refused. Every entry of the network must
    be there with its shape and be finite, and no other; the 0-d buffers ``D``, ``mean``, ``std`` may be absent.

    Raises CheckpointError with one sentence that says what was expected and what was found.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(
            f"checkpoint {path} does not exist; set localizer.checkpoint to the point net's file "
            "(00002484.pth of the Kaggle dataset hengck23/rsna2024-demo-workflow)."
        )
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    if expected_sha256 and sha256 != expected_sha256:
        raise CheckpointError(
            f"checkpoint {path} has sha256 {sha256}, but {expected_sha256} was expected; the file is altered or another "
            "one: fetch it again or correct localizer.sha256."
        )
    container = _unpickle(path, content)
    state = container.get("state_dict", container)
    if not isinstance(state, dict) or not state or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise CheckpointError(
            f"checkpoint {path} holds no state dict of tensors; expected the key 'state_dict' with the point net's weights."
        )
    demo = container.get("purpose") == DEMO_PURPOSE
    widths = _widths(state) if demo else PUBLISHED
    with torch.device("meta"):
        network = PointNet(widths)
    _check_state(path, state, network)
    # assigned, not copied: the network is never filled with random weights first
    defaults = {"D": torch.tensor(0.0), "mean": torch.tensor(0.0), "std": torch.tensor(1.0)}
    tensors = {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
    network.load_state_dict({**defaults, **tensors}, assign=True)
    return Localizer(network.eval(), sha256, path.name, demo)


def _unpickle(path: Path, content: bytes) -> dict:
    if content[:512].lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml", b"{")):
        raise CheckpointError(
            f"checkpoint {path} is a web page or text, not a PyTorch file: the download was answered with an error page; "
            "delete it and fetch it again."
        )
    try:
        container = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if _CODE.search(str(error)) or content.startswith(b"\x80"):  # the latter: a pickle that torch did not write
            raise CheckpointError(
                f"checkpoint {path} holds more than tensors (code that would run on loading) and is refused; "
                "use the original file from its publisher."
            ) from error
        raise CheckpointError(_not_pytorch(path, content)) from error
    except Exception as error:  # torch.load raises many types on bytes it cannot parse
        raise CheckpointError(_not_pytorch(path, content)) from error
    if not isinstance(container, dict):
        raise CheckpointError(f"checkpoint {path} holds a {type(container).__name__}, not a state dict.")
    return container


def _not_pytorch(path: Path, content: bytes) -> str:
    return (
        f"checkpoint {path} ({len(content)} bytes) is not a readable PyTorch file: truncated or something else; "
        "delete it and fetch it again."
    )


def _widths(state: dict[str, torch.Tensor]) -> Widths:
    """Widths of a narrow network, read from its convolutions; what is absent keeps the published width and is then
    reported as missing."""

    def outputs(name: str, default: int) -> int:
        return state[name].shape[0] if name in state and state[name].ndim == 4 else default

    return Widths(
        stem=tuple(outputs(f"encoder.conv1.{i}.weight", w) for i, w in zip((0, 3, 6), PUBLISHED.stem)),
        planes=tuple(outputs(f"encoder.layer{i + 1}.0.conv1.weight", w) for i, w in enumerate(PUBLISHED.planes)),
        decoder=tuple(outputs(f"decoder.block.{i}.conv1.0.weight", w) for i, w in enumerate(PUBLISHED.decoder)),
    )


def _check_state(path: Path, state: dict[str, torch.Tensor], network: PointNet) -> None:
    expected = network.state_dict()
    missing = [name for name in expected if name not in state and name not in OPTIONAL_BUFFERS]
    unknown = [name for name in state if name not in expected]
    problem = None
    if missing:
        problem = f"misses {_listing(missing)}"
    elif unknown:
        problem = f"has unknown entries {_listing(unknown)}"
    else:
        for name, tensor in state.items():
            if tensor.shape != expected[name].shape:
                problem = f"has {name} of shape {tuple(tensor.shape)} where {tuple(expected[name].shape)} is expected"
                break
            if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                problem = f"has values in {name} that are not finite"
                break
    if problem:
        raise CheckpointError(
            f"checkpoint {path} {problem}; it is not the point net ({len(expected)} entries), "
            "so use the file 00002484.pth as published."
        )


def _listing(names: list[str]) -> str:
    return f"{len(names)} entries, first {names[0]}" if len(names) > 1 else names[0]
