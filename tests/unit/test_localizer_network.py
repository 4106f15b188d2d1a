"""The network against an independent computation, and every way a checkpoint file can be wrong."""

from __future__ import annotations

import json
import os
import pickle

import numpy as np
import pytest
import torch

import pointnet_reference as reference
from lstv.base.errors import CheckpointError
from lstv.localizer.architecture import PUBLISHED, Widths
from lstv.localizer.checkpoint import DEMO_PURPOSE, load_localizer
from lstv.localizer.network import LocalizerUNet

NARROW = Widths(stem=(4, 4, 8), planes=(4, 8, 12, 16), decoder=(16, 12, 8, 8, 8))


@pytest.fixture(scope="module")
def published_state() -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.array(value)) for name, value in reference.seeded_state().items()}


def save(path, state, **others):
    torch.save({"state_dict": state, **others}, path)
    return path


def narrow_state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return LocalizerUNet(NARROW).state_dict()


def test_names_and_shapes_are_the_published_ones():
    with torch.device("meta"):
        state = LocalizerUNet(PUBLISHED).state_dict()
    assert {name: list(value.shape) for name, value in state.items()} == reference.NAMES
    assert len(state) == 395


def test_logits_equal_an_independent_computation_on_stored_input(tmp_path, published_state):
    localizer = load_localizer(save(tmp_path / "net.pth", published_state))
    image = reference.seeded_image()
    with torch.inference_mode():
        logits = localizer.network(torch.from_numpy(image)[None, None]).numpy()[0]
    stored = json.loads(reference.EXPECTED.read_text())
    found = logits[:, stored["rows"], stored["columns"]].T
    np.testing.assert_allclose(found, stored["logits"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(logits.mean(axis=(1, 2)), stored["mean"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(logits.std(axis=(1, 2)), stored["std"], rtol=1e-4, atol=1e-5)


def test_narrow_network_equals_the_independent_computation(tmp_path):
    shapes = {name: list(value.shape) for name, value in narrow_state().items()}
    state = reference.seeded_state(shapes, seed=3)
    path = save(
        tmp_path / "demo.pth", {n: torch.from_numpy(np.array(v)) for n, v in state.items()}, purpose=DEMO_PURPOSE
    )
    localizer = load_localizer(path)
    assert localizer.demo
    image = reference.seeded_image(seed=5)
    with torch.inference_mode():
        logits = localizer.network(torch.from_numpy(image)[None, None]).numpy()[0]
    np.testing.assert_allclose(logits, reference.forward(state, image), rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_published_file_loads_without_the_optional_buffers_and_with_other_keys(tmp_path, published_state):
    state = {name: value for name, value in published_state.items() if name not in ("D", "mean", "std")}
    localizer = load_localizer(save(tmp_path / "net.pth", state, iteration=2484, epoch=12.5))
    assert not localizer.demo and not localizer.network.training
    assert localizer.file_name == "net.pth" and len(localizer.sha256) == 64


def refusal(path, **options) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_localizer(path, **options)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    return message


@pytest.mark.slow
def test_missing_entry(tmp_path, published_state):
    state = {name: value for name, value in published_state.items() if name != "encoder.layer3.4.bn2.bias"}
    assert "misses encoder.layer3.4.bn2.bias" in refusal(save(tmp_path / "net.pth", state))


@pytest.mark.slow
def test_misshapen_entry(tmp_path, published_state):
    state = {**published_state, "logit.weight": torch.zeros(5, 16, 1, 1)}
    message = refusal(save(tmp_path / "net.pth", state))
    assert "logit.weight of shape (5, 16, 1, 1) where (6, 16, 1, 1)" in message


@pytest.mark.slow
def test_unknown_entry(tmp_path, published_state):
    assert "unknown entries head.weight" in refusal(
        save(tmp_path / "net.pth", {**published_state, "head.weight": torch.zeros(1)})
    )


@pytest.mark.fault("weights that are not finite", "one sentence")
def test_values_that_are_not_finite(tmp_path, published_state):
    state = {**published_state, "logit.bias": torch.full((6,), float("nan"))}
    assert "logit.bias that are not finite" in refusal(save(tmp_path / "net.pth", state))


def test_narrow_weights_without_their_purpose_are_not_the_point_net(tmp_path):
    assert "is not the point net" in refusal(save(tmp_path / "net.pth", narrow_state()))


class _Attack:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("writer", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))])
@pytest.mark.fault("a checkpoint with code in it", "refused, the code is not run")
def test_pickle_with_code_in_it_is_refused_and_not_run(tmp_path, writer):
    target = tmp_path / "was_here"
    path = tmp_path / "net.pth"
    writer({"state_dict": {}, "extra": _Attack(target)}, path)
    assert "more than tensors" in refusal(path)
    assert not target.exists()


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><html><body>404</body></html>", b'\n  {"code":403,"message":"no"}'])
@pytest.mark.fault("an error page saved as checkpoint", "one sentence")
def test_error_page_saved_as_checkpoint(tmp_path, page):
    path = tmp_path / "00002484.pth"
    path.write_bytes(page)
    assert "web page" in refusal(path)


@pytest.mark.parametrize("content", [b"", b"\x00" * 1000, b"PK\x03\x04 not a zip"])
@pytest.mark.fault("any other bytes as checkpoint", "one sentence")
def test_other_bytes(tmp_path, content):
    path = tmp_path / "net.pth"
    path.write_bytes(content)
    assert "not a readable PyTorch file" in refusal(path)


@pytest.mark.fault("a truncated checkpoint", "one sentence")
def test_truncated_file(tmp_path):
    path = save(tmp_path / "net.pth", narrow_state(), purpose=DEMO_PURPOSE)
    path.write_bytes(path.read_bytes()[:-4000])
    assert "not a readable PyTorch file" in refusal(path)


def test_missing_file_says_where_it_comes_from(tmp_path):
    assert "hengck23/rsna2024-demo-workflow" in refusal(tmp_path / "none.pth")


def test_no_state_dict(tmp_path):
    path = tmp_path / "net.pth"
    torch.save({"state_dict": {"a": 1}}, path)
    assert "no state dict" in refusal(path)
    torch.save([torch.zeros(1)], path)
    assert "holds a list" in refusal(path)


def test_expected_sha256(tmp_path):
    path = save(tmp_path / "net.pth", narrow_state(), purpose=DEMO_PURPOSE)
    assert load_localizer(path, expected_sha256=load_localizer(path).sha256)
    assert "altered" in refusal(path, expected_sha256="0" * 64)


def test_features_come_from_the_same_pass_and_change_nothing():
    torch.manual_seed(3)
    network = LocalizerUNet(Widths((4, 4, 8), (4, 8, 12, 16), (16, 12, 8, 8, 8))).eval()
    image = torch.randint(0, 255, (2, 1, 160, 160), dtype=torch.uint8)
    calls = []
    network.encoder.register_forward_hook(lambda *_: calls.append(1))
    with torch.inference_mode():
        logits, decoded, deepest = network.with_features(image)
        assert len(calls) == 1
        assert torch.equal(network(image), logits)
        assert torch.equal(network.logit(decoded), logits)
    assert decoded.shape == (2, 8, 160, 160) and deepest.shape == (2, 64, 5, 5)
