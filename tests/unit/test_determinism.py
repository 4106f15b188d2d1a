"""What a study gets does not depend on which others share its forward pass, bit for bit, on a CPU.

With the demo's network: kernels are chosen by the sizes, and a smaller net would not show it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lstv.localizer import checkpoint, heatmap_file, inference, passes
from lstv.localizer.options import Options
from lstv.localizer.prepare import Prepared
from made_maps import study

DEMO = Path(__file__).parents[2] / "resources/demo/pointnet_demo.pth"


def prepared(seed: int, offsets: tuple[int, ...]) -> Prepared:
    images = np.random.default_rng(seed).integers(0, 255, (1 + len(offsets), 160, 160)).astype(np.uint8)
    return Prepared(f"study{seed}", "s", images, offsets, study().geometry, (), {}, images[:3])


@pytest.fixture(params=[pytest.param(1, id="one thread"), pytest.param(2, id="two threads", marks=pytest.mark.slow)])
def runner(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield inference.Runner(checkpoint.load_localizer(DEMO).network, torch.device("cpu"), 64)
    torch.set_num_threads(before)


def content(runner, studies: list[Prepared], members: str) -> dict[str, bytes]:
    maps = runner.study_maps(studies, members == "full")
    return {one.study_id: heatmap_file.encoded(one).to_bytes() for one in maps}


@pytest.mark.parametrize("members", ["centre", pytest.param("slices", marks=pytest.mark.slow)])
def test_alone_or_with_others_first_or_last(runner, members):
    offsets = Options(members=members).offsets
    studies = [prepared(seed, offsets[: 2 if seed == 3 else None]) for seed in range(6)]
    alone = {}
    for one in studies:
        alone |= content(runner, [one], members)
    assert content(runner, studies, members) == alone
    assert content(runner, studies[::-1], members) == alone
    assert content(runner, studies[:2], members) == {name: alone[name] for name in ("study0", "study1")}


def test_a_field_that_is_read_again(runner, monkeypatch):
    def cut(study, _logits):
        return None if study.wide is None else replace(study, images=study.images[:, ::-1].copy(), wide=None)

    monkeypatch.setattr(inference.field, "cut", cut)
    studies = [prepared(seed, ()) for seed in range(5)]
    studies = [replace(one, wide=one.images) if place in (1, 3, 4) else one for place, one in enumerate(studies)]
    alone = {}
    for one in studies:
        alone |= content(runner, [one], "centre")
    assert content(runner, studies, "centre") == alone
    assert sum(maps.whole is not None for maps in runner.study_maps(studies, False)) == 3


@pytest.mark.slow
def test_with_views(runner):
    studies = [prepared(seed, (-1, 1)) for seed in range(2)]
    assert content(runner, studies, "full") == content(runner, studies[:1], "full") | content(
        runner, studies[1:], "full"
    )


@pytest.mark.parametrize("images", [1, 3, 5, 27, 29, 34])
def test_few_blank_images_are_added(runner, images):
    count = runner.studies_at_once(images)
    assert count * images % passes.CPU_PASS == 0
    assert 1 <= count <= 16
