"""Fetching the point net: what is accepted, recorded and afterwards enforced."""

from __future__ import annotations

import hashlib
import io
import pickle
import zipfile

import numpy as np
import pytest
import torch

import fetch_pointnet
import infer_heatmaps
import kaggle_stub as stub
from kaggle_lab import Lab
from kaggle_stub import Fault, KaggleStub
from lstv.base.errors import CheckpointError
from lstv.localizer.architecture import Widths
from lstv.localizer.checkpoint import DEMO_PURPOSE
from lstv.localizer.network import LocalizerUNet
from lstv_kaggle import dataset

pytestmark = pytest.mark.slow  # whole programs against a stand-in of Kaggle

SMALL = Widths((2, 2, 2), (2, 2, 2, 2), (2, 2, 2, 2, 2))
NAMES = ("valid_id.npy", "00002484.pth")


PLAUSIBLE = 64_000_000
"""Bytes that bring a stand-in to a size that the point net's file can have."""


def saved(state: dict, **more: object) -> bytes:
    stream = io.BytesIO()
    torch.save({"state_dict": state, **more, "padding": torch.zeros(PLAUSIBLE, dtype=torch.uint8)}, stream)
    return stream.getvalue()


def state(fill: float = 0.0) -> dict[str, torch.Tensor]:
    """Every entry with its published shape, but of one stored number."""
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in LocalizerUNet().state_dict().items()}
    return {
        name: torch.full((1,), fill).expand(shape) if shape else torch.tensor(fill) for name, shape in shapes.items()
    }


def ids(count: int = 283, kind: str = "int64") -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.arange(4_000_000, 4_000_000 + count).astype(kind))
    return stream.getvalue()


@pytest.fixture(scope="module")
def checkpoint() -> bytes:
    return saved(state())


@pytest.fixture
def lab(tmp_path, checkpoint):
    with KaggleStub({"dataset/valid_id.npy": ids(), "dataset/00002484.pth": checkpoint}) as kaggle:
        yield Lab(kaggle, tmp_path)


def fetch(lab, **environment):
    return lab.call(fetch_pointnet.main, "--out", lab.out, **environment)


def refusal(lab, **environment) -> str:
    result = fetch(lab, **environment)
    assert result.returncode == 2
    return result.stderr.splitlines()[-1]


@pytest.fixture
def any_checkpoint(monkeypatch):
    """Takes every checkpoint for good: loading takes seconds, and some tests do it. No shortcut reaches into an image."""
    monkeypatch.setattr(dataset, "check_checkpoint", lambda path: None)


def recorded(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_first_run_records_second_asks_nothing_and_altered_files_are_mended(lab, any_checkpoint, checkpoint):
    first = fetch(lab)
    assert first.returncode == 0, first.stderr
    assert (lab.out / NAMES[1]).read_bytes() == checkpoint
    assert (lab.out / f"{NAMES[1]}.sha256").read_text() == f"{recorded(checkpoint)}  {NAMES[1]}\n"
    lab.kaggle.log.clear()
    assert fetch(lab).stdout.count("present already") == 2
    assert lab.kaggle.log == []
    (lab.out / NAMES[1]).write_bytes(checkpoint[:-10])
    result = fetch(lab)
    assert result.stdout.count("fetched") == 1 and (lab.out / NAMES[1]).read_bytes() == checkpoint


def test_another_file_under_the_same_name_is_refused_for_good(lab, any_checkpoint):
    fetch(lab)
    other = saved(state(fill=1.0))
    (lab.out / NAMES[1]).unlink()  # as the workflow does before it runs a step again
    lab.kaggle.files["dataset/00002484.pth"] = stub.Bytes(other)
    sentence = refusal(lab)
    assert "Kaggle now sends another 00002484.pth" in sentence and recorded(other) in sentence and "delete" in sentence
    assert not (lab.out / NAMES[1]).exists()
    (lab.out / f"{NAMES[1]}.sha256").unlink()
    assert fetch(lab).returncode == 0


def test_as_a_program_with_the_real_check_and_a_file_of_the_real_size(lab):
    stream = io.BytesIO()
    torch.save({"state_dict": {name: tensor.contiguous() for name, tensor in state().items()}}, stream)
    whole = stream.getvalue()
    assert 130e6 < len(whole) < 131e6
    lab.kaggle.files["dataset/00002484.pth"] = stub.Bytes(whole)
    result = lab.run("fetch_pointnet.py", "--out", lab.out)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("fetched, sha256") == 2
    assert (lab.out / NAMES[1]).read_bytes() == whole


def test_a_size_that_cannot_be_is_refused_before_anything_is_loaded(lab, monkeypatch):
    def load(path):
        raise AssertionError("loaded")

    monkeypatch.setattr("lstv.localizer.checkpoint.read_checkpoint", load)
    lab.kaggle.files["dataset/00002484.pth"] = stub.Bytes(b"small")
    sentence = refusal(lab)
    assert "the point net has about 130 MB" in sentence and not list(lab.out.rglob("00002484.pth*"))
    lab.out.joinpath(NAMES[1]).write_bytes(b"put there by hand")
    assert "has 17 bytes, but the point net has about 130 MB" in refusal(lab)


def test_a_file_that_is_far_too_large_is_not_even_fetched(lab):
    lab.kaggle.files["dataset/00002484.pth"] = Endless()
    sentence = refusal(lab)
    assert "Kaggle offers 2.00 GB as 00002484.pth" in sentence and "nothing was fetched" in sentence
    assert lab.kaggle.sent() < 10_000  # the ids, and of this file one byte for its size


class Endless:
    size, etag = 2 * 10**9, '"endless"'

    def read(self, start: int, stop: int) -> bytes:
        return bytes(stop - start)


def test_files_put_there_by_hand_are_checked_and_recorded(lab, checkpoint, any_checkpoint):
    lab.out.mkdir()
    (lab.out / NAMES[0]).write_bytes(ids())
    (lab.out / NAMES[1]).write_bytes(checkpoint)
    assert fetch(lab).stdout.count("present already") == 2
    assert lab.kaggle.log == []
    assert recorded(checkpoint) in (lab.out / f"{NAMES[1]}.sha256").read_text()


def test_public_dataset_needs_no_credentials(lab, any_checkpoint):
    none = {"KAGGLE_USERNAME": None, "KAGGLE_KEY": None}
    assert fetch(lab, **none).returncode == 0
    lab.kaggle.public_dataset = False
    (lab.out / NAMES[0]).unlink()
    sentence = refusal(lab, **none)
    assert "without a login" in sentence and "KAGGLE_API_TOKEN" in sentence


def test_packed_into_a_zip_on_the_way(lab, any_checkpoint, checkpoint):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("00002484.pth", checkpoint)
    lab.kaggle.files["dataset/00002484.pth"] = stub.Bytes(packed.getvalue())
    assert fetch(lab).returncode == 0
    assert (lab.out / NAMES[1]).read_bytes() == checkpoint


class _Code:
    def __reduce__(self):
        return (print, ("code in a checkpoint ran",))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (saved({k: v for k, v in state().items() if k != "logit.bias"}), "misses logit.bias"),
        (saved(LocalizerUNet(SMALL).state_dict(), purpose=DEMO_PURPOSE), "demo's small network"),
        (pickle.dumps({"state_dict": _Code()}, protocol=2) + bytes(PLAUSIBLE), "refused"),
        (b"rubbish!" * (PLAUSIBLE // 8), "is not a readable PyTorch file"),
    ],
    ids=["another network", "demo", "code", "rubbish"],
)
def test_what_is_not_the_published_network_is_refused(lab, content, sentence):
    lab.kaggle.files["dataset/00002484.pth"] = stub.Bytes(content)
    said = refusal(lab)
    assert "what Kaggle sent as 00002484.pth is refused" in said and sentence in said
    assert "code in a checkpoint ran" not in said
    assert not list(lab.out.rglob("00002484.pth*"))


@pytest.mark.parametrize("content", [ids(282), ids(283, "float64"), b"\x93NUMPY rubbish", b"", ids()[:-8]])
def test_what_is_not_the_list_of_validation_ids_is_refused(lab, any_checkpoint, content):
    lab.kaggle.files["dataset/valid_id.npy"] = stub.Bytes(content)
    assert "valid_id.npy" in refusal(lab)
    assert not list(lab.out.rglob("valid_id.npy"))


def test_cut_and_continued(lab, any_checkpoint, checkpoint):
    lab.kaggle.faults = [Fault("storage", "cut", -1, share=0.6, least=len(checkpoint) // 2)]
    assert fetch(lab).returncode == 0  # the rest is shorter and passes
    assert (lab.out / NAMES[1]).read_bytes() == checkpoint
    assert [r.range.startswith("bytes=0-") for r in lab.kaggle.requests("storage")][-2:] == [True, False]


def test_renamed(lab, any_checkpoint):
    del lab.kaggle.files["dataset/00002484.pth"]
    sentence = refusal(lab)
    assert "does not have 00002484.pth" in sentence and "https://www.kaggle.com/datasets/hengck23" in sentence
    assert (lab.out / "valid_id.npy").exists()


def test_the_recorded_sha256_is_enforced_where_the_file_is_used(tmp_path, checkpoint):
    """A file exchanged after the download is refused by the inference, not only by the next download."""
    (tmp_path / "net.pth").write_bytes(checkpoint)
    (tmp_path / "net.pth.sha256").write_text(f"{'0' * 64}  net.pth\n")
    (tmp_path / "sheet.csv").write_text("study_id,series_id,series_dir,series_description,n_slices,split,use,reason\n")
    arguments = ["--sheet", str(tmp_path / "sheet.csv"), "--checkpoint", str(tmp_path / "net.pth")]
    with pytest.raises(CheckpointError, match="but 0{64} was expected"):
        infer_heatmaps.main([*arguments, "--device", "cpu", "--out", str(tmp_path / "maps.h5")])
