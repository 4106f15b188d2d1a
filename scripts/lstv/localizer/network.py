"""The point net: a 2-D U-Net that marks the five lumbar disc levels on a sagittal T2 slice.

Architecture and state-dict names are those of the checkpoint ``00002484.pth`` published by Kaggle user hengck23 in the
dataset ``hengck23/rsna2024-demo-workflow``: a ResNet-50-D encoder (He et al. 2019, "Bag of Tricks", arXiv 1812.01187; the
stem's max pool is an average pool here) and a five-block nearest-neighbour decoder. The same class with narrower widths
serves the demo.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from lstv.localizer.architecture import BLOCKS, CLASSES, EXPANSION, PUBLISHED, Widths


class _Bottleneck(nn.Module):
    def __init__(self, inputs: int, planes: int, stride: int, project: bool) -> None:
        super().__init__()
        outputs = planes * EXPANSION
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
        for index, (planes, blocks) in enumerate(zip(widths.planes, BLOCKS), start=1):
            stage = []
            for block in range(blocks):
                stride = 2 if block == 0 and index > 1 else 1
                stage.append(_Bottleneck(inputs, planes, stride, project=block == 0))
                inputs = planes * EXPANSION
            self.add_module(f"layer{index}", nn.Sequential(*stage))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        features = [x]
        x = F.avg_pool2d(x, 2, 2)
        for index in range(1, len(BLOCKS) + 1):
            x = self.get_submodule(f"layer{index}")(x)
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
        result: torch.Tensor = self.conv2(self.conv1(x))
        return result


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


class LocalizerUNet(nn.Module):
    """uint8 images (B, 1, 160, 160) -> logits float (B, 6, 160, 160): background, L1/L2 .. L5/S1.

    Sides must be divisible by 32. Softmax over the channels gives the probability maps.
    """

    def __init__(self, widths: Widths = PUBLISHED) -> None:
        super().__init__()
        self.widths = widths
        self.mean: torch.Tensor
        self.std: torch.Tensor
        self.register_buffer("D", torch.tensor(0.0))
        self.register_buffer("mean", torch.tensor(0.0))
        self.register_buffer("std", torch.tensor(1.0))
        self.encoder = _Encoder(widths)
        self.decoder = _Decoder(widths.stages[3], widths.skips, widths.decoder)
        self.logit = nn.Conv2d(widths.decoder[-1], CLASSES, 1)

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
