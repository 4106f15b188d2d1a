"""The point net computed a second time, in NumPy and float64, from its state dict alone.

It shares no code with scripts/lstv/localizer/network.py. ``python tests/support/pointnet_reference.py`` rewrites the stored
expectations.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

NAMES = json.loads((Path(__file__).parents[1] / "data/point_net_entries.json").read_text())
"""Name -> shape of the 395 entries of the published checkpoint."""

EXPECTED = Path(__file__).parents[1] / "data/point_net_expected.json"


def seeded_state(shapes: dict[str, list[int]] = NAMES, seed: int = 7) -> dict[str, np.ndarray]:
    """Weights that keep the activations of all layers in range, the same on every machine; float32."""
    random = np.random.default_rng(seed)
    state = {}
    for name, shape in shapes.items():
        if name in ("D", "mean"):
            value = np.zeros(())
        elif name == "std":
            value = np.ones(())
        elif name.endswith("num_batches_tracked"):
            state[name] = np.array(1, dtype=np.int64)
            continue
        elif name.endswith("running_var"):
            value = random.uniform(0.5, 1.5, shape)
        elif len(shape) == 4:
            value = random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
        elif name.endswith("weight"):
            value = random.uniform(0.5, 1.0, shape)
        else:
            value = random.uniform(-0.2, 0.2, shape)
        state[name] = value.astype(np.float32)
    return state


def seeded_image(seed: int = 11) -> np.ndarray:
    """uint8 (160, 160): smooth blobs and noise."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:160, :160]
    image = 60 * np.sin(rows / 13.0) + 50 * np.cos(columns / 9.0) + 110 + random.normal(0, 12, (160, 160))
    return image.clip(0, 255).astype(np.uint8)


def forward(state: dict[str, np.ndarray], image: np.ndarray) -> np.ndarray:
    """uint8 (H, W) -> float64 logits (6, H, W)."""
    weights = {name: value.astype(np.float64) for name, value in state.items()}

    def conv(x: np.ndarray, name: str, stride: int = 1) -> np.ndarray:
        kernel = weights[f"{name}.weight"]
        size = kernel.shape[2]
        pad = size // 2
        x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
        windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))[:, ::stride, ::stride]
        channels, height, width = windows.shape[:3]
        columns = windows.transpose(0, 3, 4, 1, 2).reshape(channels * size * size, height * width)
        return (kernel.reshape(len(kernel), -1) @ columns).reshape(-1, height, width)

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        scale = weights[f"{name}.weight"] / np.sqrt(weights[f"{name}.running_var"] + 1e-5)
        shift = weights[f"{name}.bias"] - weights[f"{name}.running_mean"] * scale
        return x * scale[:, None, None] + shift[:, None, None]

    def relu(x: np.ndarray) -> np.ndarray:
        return np.maximum(x, 0)

    def halve(x: np.ndarray) -> np.ndarray:
        channels, height, width = x.shape
        return x.reshape(channels, height // 2, 2, width // 2, 2).mean(axis=(2, 4))

    x = np.repeat(image[None].astype(np.float64) / 255, 3, axis=0)
    x = relu(norm(conv(x, "encoder.conv1.0", stride=2), "encoder.conv1.1"))
    x = relu(norm(conv(x, "encoder.conv1.3"), "encoder.conv1.4"))
    x = relu(norm(conv(x, "encoder.conv1.6"), "encoder.bn1"))
    skips = [x]
    x = halve(x)
    for stage, blocks in enumerate((3, 4, 6, 3), start=1):
        for block in range(blocks):
            name = f"encoder.layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            shortcut = x
            if block == 0:
                pooled = halve(x) if stride == 2 else x
                shortcut = norm(conv(pooled, f"{name}.downsample.1"), f"{name}.downsample.2")
            y = relu(norm(conv(x, f"{name}.conv1"), f"{name}.bn1"))
            y = relu(norm(conv(y, f"{name}.conv2", stride=stride), f"{name}.bn2"))
            x = relu(norm(conv(y, f"{name}.conv3"), f"{name}.bn3") + shortcut)
        skips.append(x)
    skips.pop()
    for block in range(5):
        x = x.repeat(2, axis=1).repeat(2, axis=2)
        if skips:
            x = np.concatenate([x, skips.pop()])
        for part in ("conv1", "conv2"):
            x = relu(norm(conv(x, f"decoder.block.{block}.{part}.0"), f"decoder.block.{block}.{part}.1"))
    return conv(x, "logit") + weights["logit.bias"][:, None, None]


def main() -> None:
    logits = forward(seeded_state(), seeded_image())
    sample = {
        "rows": [3, 40, 80, 120, 157],
        "columns": [5, 37, 80, 99, 150],
        "logits": [
            [round(float(v), 6) for v in logits[:, r, c]] for r, c in zip([3, 40, 80, 120, 157], [5, 37, 80, 99, 150])
        ],
        "mean": [round(float(v), 6) for v in logits.mean(axis=(1, 2))],
        "std": [round(float(v), 6) for v in logits.std(axis=(1, 2))],
    }
    EXPECTED.write_text(json.dumps(sample, indent=1) + "\n")


if __name__ == "__main__":
    main()
