"""The point net's file: read as data, held to its names, shapes and sha256, and loaded into the network."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstv.base.errors import CheckpointError
from lstv.localizer import tensor_file
from lstv.localizer.architecture import OPTIONAL_BUFFERS, PUBLISHED, Widths, entries

if TYPE_CHECKING:  # PyTorch is imported where a network runs, not where a file is looked at
    from lstv.localizer.network import LocalizerUNet

DEMO_PURPOSE = "demo: synthetic phantoms only"
"""Value of the checkpoint key ``purpose`` that marks weights trained on phantoms."""


@dataclass(frozen=True)
class Checkpoint:
    """A file that holds the network's weights and nothing else of it.

    ``state`` maps the names of the state dict to arrays that must not be written to; ``container`` is all of the file, the
    state dict among it.
    """

    state: dict[str, np.ndarray]
    container: dict[str, Any]
    widths: Widths
    sha256: str
    file_name: str
    demo: bool


@dataclass(frozen=True)
class Localizer:
    """A loaded network with what its results must record."""

    network: LocalizerUNet
    sha256: str
    file_name: str
    demo: bool


def load_localizer(path: Path, *, expected_sha256: str | None = None) -> Localizer:
    """Load a checkpoint (``localizer``). Raises as ``read_checkpoint``."""
    return localizer(read_checkpoint(path, expected_sha256=expected_sha256))


def localizer(checkpoint: Checkpoint) -> Localizer:
    """The network of a checkpoint, in evaluation mode, float32, on the CPU."""
    import torch

    from lstv.localizer.network import LocalizerUNet

    with torch.device("meta"):
        network = LocalizerUNet(checkpoint.widths)
    # assigned, not copied: the network is never filled with random weights first
    state = {"D": torch.tensor(0.0), "mean": torch.tensor(0.0), "std": torch.tensor(1.0)}
    for name, values in checkpoint.state.items():
        tensor = torch.from_numpy(values.astype(values.dtype.newbyteorder("=")))  # a copy that may be written to
        state[name] = tensor.float() if tensor.is_floating_point() else tensor
    network.load_state_dict(state, assign=True)
    return Localizer(network.eval(), checkpoint.sha256, checkpoint.file_name, checkpoint.demo)


def read_checkpoint(path: Path, *, expected_sha256: str | None = None) -> Checkpoint:
    """Read a checkpoint without PyTorch and without running anything in it (``tensor_file``).

    Every entry of the network must be there with its shape and be finite, and no other; the 0-d buffers ``D``, ``mean``,
    ``std`` may be absent.

    Raises CheckpointError with one sentence that says what was expected and what was found.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(
            path,
            " does not exist; it is to be the point net's file (00002484.pth of the Kaggle dataset "
            "hengck23/rsna2024-demo-workflow).",
        )
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    if expected_sha256 and sha256 != expected_sha256:
        raise CheckpointError(
            path,
            f" has sha256 {sha256}, but {expected_sha256} was expected; the file is altered or another one: fetch it again "
            "or correct the expected sha256.",
        )
    container = _container(path, content)
    state = container.get("state_dict", container)
    if not isinstance(state, dict) or not state or not all(isinstance(value, np.ndarray) for value in state.values()):
        raise CheckpointError(
            f"checkpoint {path} has no state dict of tensors; expected the key 'state_dict' with the point net's weights."
        )
    demo = container.get("purpose") == DEMO_PURPOSE
    widths = _widths(state) if demo else PUBLISHED
    _check_state(path, state, widths)
    return Checkpoint(state, container, widths, sha256, path.name, demo)


def _container(path: Path, content: bytes) -> dict[str, Any]:
    if content[:512].lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml", b"{")):
        raise CheckpointError(
            f"checkpoint {path} is a web page or text, not a PyTorch file: the download was answered with an error page; "
            "fetch the file again."
        )
    try:
        container = tensor_file.read(content)
    except tensor_file.NotTensorsError as error:
        raise CheckpointError(
            f"checkpoint {path} holds more than tensors ({error}), which could be code that runs on loading, and is "
            "refused; use the original file from its publisher."
        ) from error
    except tensor_file.UnreadableError as error:
        raise CheckpointError(
            f"checkpoint {path} ({len(content)} bytes) is not a readable PyTorch file: {error}. It is truncated, damaged or "
            "something else; fetch it again or name the right file."
        ) from error
    if not isinstance(container, dict):
        kind = "tensor" if isinstance(container, np.ndarray) else type(container).__name__
        raise CheckpointError(f"checkpoint {path} holds a {kind}, not a state dict.")
    return container


def _widths(state: dict[str, np.ndarray]) -> Widths:
    """Widths of a narrow network, read from its convolutions; what is absent keeps the published width and is then
    reported as missing."""

    def outputs(name: str, default: int) -> int:
        return state[name].shape[0] if name in state and state[name].ndim == 4 else default

    first, second, third = (outputs(f"encoder.conv1.{i}.weight", w) for i, w in zip((0, 3, 6), PUBLISHED.stem))
    planes = tuple(outputs(f"encoder.layer{i}.0.conv1.weight", w) for i, w in enumerate(PUBLISHED.planes, start=1))
    decoder = tuple(outputs(f"decoder.block.{i}.conv1.0.weight", w) for i, w in enumerate(PUBLISHED.decoder))
    return Widths((first, second, third), planes, decoder)


def _check_state(path: Path, state: dict[str, np.ndarray], widths: Widths) -> None:
    expected = entries(widths)
    missing = [name for name in expected if name not in state and name not in OPTIONAL_BUFFERS]
    unknown = [name for name in state if name not in expected]
    problem = None
    if missing:
        problem = f"misses {_listing(missing)}"
    elif unknown:
        problem = f"has unknown entries {_listing(unknown)}"
    else:
        for name, values in state.items():
            if values.shape != expected[name]:
                problem = f"has {name} of shape {values.shape} where {expected[name]} is expected"
                break
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                problem = f"has values in {name} that are not finite"
                break
    if problem:
        raise CheckpointError(
            f"checkpoint {path} {problem}; it is not the point net ({len(expected)} entries), "
            "so use the file 00002484.pth as published."
        )


def _listing(names: list[str]) -> str:
    return f"{len(names)} entries, first {names[0]}" if len(names) > 1 else names[0]
