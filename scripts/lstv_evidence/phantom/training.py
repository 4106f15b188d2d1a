"""Training of the demo localizer: a narrow point net on normal phantoms."""

from __future__ import annotations

import time
from collections.abc import Callable
from multiprocessing import get_context

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from lstv.base.pool import Pool
from lstv.localizer.architecture import Widths
from lstv.localizer.checkpoint import DEMO_PURPOSE
from lstv.localizer.network import LocalizerUNet
from lstv_evidence.phantom import samples

NARROW = Widths(stem=(8, 8, 16), planes=(8, 16, 32, 64), decoder=(64, 40, 32, 24, 16))
"""Channel counts of the demo localizer; about 0.7 million parameters."""
FIRST_SEED = 1_000_000
"""Seeds of training phantoms start here; the demo cohort and held-out phantoms use lower ones."""


def make_pool(seed: int, size: int, jobs: int, progress: Callable[[str], None]) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (size, 3, 160, 160) and points (size, 6, 2) of normal phantoms, made by ``jobs`` processes."""
    start = FIRST_SEED * (seed + 1)
    images, points = [], []
    with Pool(jobs, mp_context=get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        for done, sample in enumerate(pool.map(_sample, range(start, start + size), chunksize=16), start=1):
            images.append(sample.images)
            points.append(sample.points)
            if done % 100 == 0 or done == size:
                progress(f"phantoms {done}/{size}")
    return np.stack(images), np.stack(points)


def _sample(seed: int) -> samples.Sample:
    return samples.make(samples.training_spec(seed))


def train(
    images: np.ndarray,
    points: np.ndarray,
    *,
    seed: int,
    steps: int,
    batch: int,
    rate: float,
    progress: Callable[[str], None],
) -> LocalizerUNet:
    """Train from scratch: AdamW, one-cycle rate, cross-entropy plus soft Dice over the five levels.

    Same seed, thread count and library versions give the same weights; across machines only nearly so.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng([seed, 8])
    network = LocalizerUNet(NARROW).train()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # an overload that torch leaves undeclared
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.15)
    began, running = time.monotonic(), None
    for step in range(1, steps + 1):
        chosen, classes = _batch(images, points, batch, rng)
        logits = network(chosen)
        loss = _loss(logits, classes)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        running = loss.item() if running is None else 0.97 * running + 0.03 * loss.item()
        if step % 25 == 0 or step == steps:
            left = (time.monotonic() - began) / step * (steps - step)
            level = classes > 0
            right = (logits.argmax(dim=1) == classes)[level].float().mean().item() if level.any() else float("nan")
            progress(f"step {step}/{steps}  loss {running:.4f}  level pixels right {right:.0%}  {left:.0f} s left")
    return network.eval()


def _batch(
    images: np.ndarray, points: np.ndarray, batch: int, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    chosen, classes = [], []
    for study in rng.integers(0, len(images), batch):
        # the centre slice half of the time, else a neighbour
        slot = int(rng.choice(images.shape[1], p=[0.5, *[0.5 / (images.shape[1] - 1)] * (images.shape[1] - 1)]))
        image, moved = samples.augment(images[study, slot], points[study], rng)
        chosen.append(image)
        classes.append(samples.target(moved))
    return torch.from_numpy(np.stack(chosen))[:, None], torch.from_numpy(np.stack(classes)).long()


def _loss(logits: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    probability = logits.softmax(dim=1)[:, 1:]
    truth = F.one_hot(classes, logits.shape[1]).movedim(-1, 1)[:, 1:].to(probability.dtype)
    overlap = (probability * truth).sum(dim=(0, 2, 3))
    dice = (2 * overlap + 1) / (probability.sum(dim=(0, 2, 3)) + truth.sum(dim=(0, 2, 3)) + 1)
    return 5 * F.cross_entropy(logits, classes) + (1 - dice.mean())


def checkpoint(network: LocalizerUNet, record: dict) -> dict:
    """What the checkpoint file holds: ``state_dict``, ``purpose`` and the plain values of ``record``."""
    state = {name: tensor.detach().clone().contiguous() for name, tensor in network.state_dict().items()}
    return {"state_dict": state, "purpose": DEMO_PURPOSE, **record}
