"""The point net's file: loaded strictly and safely, with what its results must record."""

from __future__ import annotations

import hashlib
import io
import pickle
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lstv.base.errors import CheckpointError
from lstv.localizer.network import OPTIONAL_BUFFERS, PUBLISHED, PointNet, Widths

DEMO_PURPOSE = "demo: synthetic phantoms only"
"""Value of the checkpoint key ``purpose`` that marks weights trained on phantoms."""

_CODE = re.compile(
    r"allowed global|Unsupported (global|class)|Trying to (call|instantiate|load unsupported)", re.IGNORECASE
)
"""How torch's safe unpickler names a callable or class in a file."""


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


def _unpickle(path: Path, content: bytes) -> dict[str, Any]:
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
