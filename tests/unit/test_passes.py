"""Forward passes of one size: features of the images that are wanted, and on a GPU a pass recorded as a graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lstv.localizer import inference, passes
from lstv.localizer.checkpoint import load_localizer

DEMO = Path(__file__).parents[2] / "resources/demo/pointnet_demo.pth"
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here; graphs are CUDA's")


def images(count: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(5).integers(0, 255, (count, 160, 160)).astype(np.uint8))


def parts(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits, last decoder features and bottlenecks as a pass gives them, at random."""
    generator = torch.Generator().manual_seed(3)
    shapes = ((count, 6, 160, 160), (count, 16, 160, 160), (count, 2048, 5, 5))
    logits, decoded, deepest = (torch.randn(shape, generator=generator) for shape in shapes)
    return 4 * logits, decoded, deepest


def test_features_are_means_over_the_regions():
    logits, decoded, deepest = parts(2)
    bottleneck, discs = passes.describe(logits, decoded, deepest)
    assert bottleneck.shape == (2, 2048) and discs.shape == (2, 6, 16)
    assert bottleneck.dtype == discs.dtype == torch.float16
    probability = logits[1].softmax(0)
    inside = probability[3] >= 0.5
    np.testing.assert_allclose(discs[1, 3], decoded[1][:, inside].mean(1), atol=2e-3)
    np.testing.assert_allclose(discs[1, 0], decoded[1][:, 1 - probability[0] >= 0.5].mean(1), atol=2e-3)
    np.testing.assert_allclose(bottleneck[1], deepest[1].mean((1, 2)), atol=2e-3)


def test_features_of_several_images_are_those_of_each():
    logits, decoded, deepest = parts(3)
    for together, alone in zip(
        passes.describe(logits, decoded, deepest), passes.describe(logits[1:2], decoded[1:2], deepest[1:2])
    ):
        np.testing.assert_allclose(together[1:2], alone, atol=1e-3)


def test_only_wanted_images_are_described():
    forward = passes.EagerPass(load_localizer(DEMO).network.eval())
    with torch.inference_mode():
        logits, features = forward(images(4), np.array([1, 3]))
        everything = forward(images(4), np.arange(4))[1]
    assert logits.shape == (4, 6, 160, 160) and logits.dtype == torch.float32
    assert len(features) == 2
    for found, place in zip(features, (1, 3)):
        assert torch.equal(found[0], everything[place][0])
        assert torch.equal(found[1].nan_to_num(), everything[place][1].nan_to_num())


def on_gpu(said: list[str]) -> inference.Runner:
    return inference.Runner(load_localizer(DEMO).network, torch.device("cuda"), 16, said.append)


@needs_gpu
def test_a_recorded_pass_gives_what_its_operations_give_one_by_one(monkeypatch):
    said: list[str] = []
    recorded = on_gpu(said).logits(images(40))
    assert not said

    def refused(*_arguments, **_options):
        raise RuntimeError("not here\nand a second line")

    monkeypatch.setattr(torch.cuda, "graph", refused)
    assert torch.equal(on_gpu(said).logits(images(40)), recorded)
    assert said == ["the GPU takes no recorded passes and starts each operation by itself: not here"]


@needs_gpu
def test_neighbours_in_a_pass_change_nothing_on_a_gpu():
    runner = on_gpu([])
    alone = images(16)
    assert torch.equal(runner.logits(alone)[3], runner.logits(torch.cat([alone[:3].flip(0), alone[3:4]]))[3])
