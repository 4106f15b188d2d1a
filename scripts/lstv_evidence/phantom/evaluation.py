"""How well a localizer does on phantoms it has not seen, and what it does with transitional ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import cv2
import numpy as np
import torch

from lstv.anatomy.points import level_point
from lstv.base.levels import GRID, LEVELS
from lstv.base.pool import Pool
from lstv.localizer.network import LocalizerUNet
from lstv_evidence.phantom import samples
from lstv_evidence.phantom.spec import PhantomSpec

FIRST_SEED = 500_000
"""Seeds of held-out phantoms start here; training uses others."""
NEAR = 4.0
"""Radius in grid pixels around a true point within which its label is read."""


@dataclass(frozen=True)
class Outcome:
    """One phantom. ``error_px``, ``error_mm`` (5,): distance of the found from the true canal point, NaN where there is
    no true point or nothing was found; ``expected``, ``found`` bool (5,); ``mass`` (6, 6): mean probability of the six
    classes around each true point (row 6 is S1/S2), NaN where there is none; ``peak``, ``entropy`` (5,)."""

    error_px: np.ndarray
    error_mm: np.ndarray
    expected: np.ndarray
    found: np.ndarray
    mass: np.ndarray
    peak: np.ndarray
    entropy: np.ndarray


def held_out(kind: str, count: int) -> list[PhantomSpec]:
    """Specs of held-out phantoms without nuisances; transitional ones have degrees from 0.3 to 1."""
    start = FIRST_SEED + {"normal": 0, "sacralized": 20_000, "lumbarized": 40_000}[kind]
    degrees = np.zeros(count) if kind == "normal" else np.linspace(0.3, 1.0, count)
    return [PhantomSpec(start + k, kind, round(float(degree), 3)) for k, degree in enumerate(degrees)]


def held_out_with_nuisances(count: int) -> list[PhantomSpec]:
    """Specs of held-out normal phantoms with the mild nuisances of the training phantoms."""
    return [samples.training_spec(FIRST_SEED + 60_000 + k) for k in range(count)]


def run(
    network: LocalizerUNet, specs: Sequence[PhantomSpec], jobs: int, step: Callable[[str], None] = lambda status: None
) -> list[Outcome]:
    """Render every phantom, prepare its centre slice as at inference, and compare the network's maps with the truth."""
    outcomes = []
    make = partial(samples.make, neighbours=0, whole_series=True)
    with Pool(jobs, mp_context=get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        for sample in pool.map(make, specs, chunksize=4):
            with torch.inference_mode():
                logits = network(torch.from_numpy(sample.images[:1])[:, None])
            outcomes.append(compare(logits.softmax(dim=1)[0].numpy(), sample))
            step("measured")
    return outcomes


def compare(probability: np.ndarray, sample: samples.Sample) -> Outcome:
    """Maps float32 (6, 160, 160) of a sample against its points (``anatomy.points`` says where a level's point is)."""
    rows, columns = np.mgrid[:GRID, :GRID]
    levels = len(LEVELS)
    error = np.full((2, levels), np.nan)
    found = np.zeros(levels, bool)
    mass = np.full((levels + 1, levels + 1), np.nan)
    expected = np.isfinite(sample.points[:levels, 0])
    for k, point in enumerate(sample.points):
        if k < levels:
            marked = level_point(probability[k + 1])
            found[k] = marked is not None
            if expected[k] and marked is not None:
                away = np.array(marked) - point
                error[:, k] = np.hypot(*away), np.hypot(away[0] * sample.spacing[1], away[1] * sample.spacing[0])
        if np.isfinite(point[0]):
            near = np.hypot(columns - point[0], rows - point[1]) <= NEAR
            mass[k] = probability[:, near].mean(axis=1)
    share = probability[1:].reshape(levels, -1).astype(np.float64)
    total = share.sum(axis=1, keepdims=True)
    share = np.divide(share, total, out=np.full_like(share, np.nan), where=total > 0)
    entropy = -(share * np.log(np.where(share > 0, share, 1.0))).sum(axis=1)
    return Outcome(error[0], error[1], expected, found, mass, probability[1:].max(axis=(1, 2)), entropy)


def localization(outcomes: Sequence[Outcome]) -> dict:
    """Detection rate and error of each level and of all: JSON-ready, null where nothing was found."""
    px, mm = (np.stack([getattr(o, name) for o in outcomes]) for name in ("error_px", "error_mm"))
    expected, found = (np.stack([getattr(o, name) for o in outcomes]) for name in ("expected", "found"))
    peak, entropy = (np.stack([getattr(o, name) for o in outcomes]) for name in ("peak", "entropy"))

    def summary(which: slice) -> dict:
        there = expected[:, which]
        # a blob more than two target radii from its point is not a detection
        hit = there & found[:, which] & (np.nan_to_num(px[:, which], nan=np.inf) <= 2 * samples.TARGET_RADIUS)
        return {
            "expected": int(there.sum()),
            "detected": int(hit.sum()),
            "detection_rate": _rounded(hit.sum() / there.sum() if there.any() else np.nan),
            "error_px_median": _rounded(_quantile(px[:, which], 0.5)),
            "error_px_p95": _rounded(_quantile(px[:, which], 0.95)),
            "error_px_max": _rounded(_quantile(px[:, which], 1.0)),
            "error_mm_median": _rounded(_quantile(mm[:, which], 0.5)),
            "error_mm_p95": _rounded(_quantile(mm[:, which], 0.95)),
            "peak_median": _rounded(_quantile(np.where(there, peak[:, which], np.nan), 0.5)),
            "entropy_median": _rounded(_quantile(np.where(there, entropy[:, which], np.nan), 0.5)),
        }

    result = {"phantoms": len(outcomes), "all_levels": summary(slice(None))}
    result.update({level: summary(slice(k, k + 1)) for k, level in enumerate(LEVELS)})
    return result


def numbering(outcomes: Sequence[Outcome]) -> dict:
    """Which level the network names at the true discs L1/L2 to L5/S1 in the field: JSON-ready counts of phantoms.

    ``agrees``: every disc carries its own name; ``incomplete``: so do all that carry one, but some carry none;
    ``shifted_down``: all names are one level too low (L4/L5 called L5/S1); ``shifted_up``: one too high; ``mixed``: the
    rest. ``doubt`` is the largest Shannon entropy (natural logarithm) of the five names at a disc that carries one;
    ``s1_s2_named_l5_s1`` counts lumbarized phantoms whose sixth disc is called L5/S1 (null without a sixth disc).
    """
    counts = dict.fromkeys(("agrees", "incomplete", "shifted_down", "shifted_up", "mixed"), 0)
    doubts, sixth = [], []
    for outcome in outcomes:
        there = np.flatnonzero(np.isfinite(outcome.mass[: len(LEVELS), 0]))
        name = outcome.mass[there].argmax(axis=1)
        named = name > 0
        offsets = set((name - 1 - there)[named].tolist())
        if offsets == {0}:
            counts["agrees" if named.all() else "incomplete"] += 1
        else:
            counts[{(1,): "shifted_down", (-1,): "shifted_up"}.get(tuple(offsets), "mixed")] += 1
        if named.any():
            share = outcome.mass[there][named][:, 1:].astype(np.float64)
            share /= share.sum(axis=1, keepdims=True)
            doubts.append(float((-share * np.log(np.where(share > 0, share, 1.0))).sum(axis=1).max()))
        if np.isfinite(outcome.mass[-1, 0]):
            sixth.append(int(outcome.mass[-1].argmax() == len(LEVELS)))
    return {
        "phantoms": len(outcomes),
        **counts,
        "doubt_median": _rounded(_quantile(np.array(doubts), 0.5)),
        "doubt_p90": _rounded(_quantile(np.array(doubts), 0.9)),
        "s1_s2_named_l5_s1": sum(sixth) if sixth else None,
    }


def _quantile(values: np.ndarray, q: float) -> float:
    values = values[np.isfinite(values)]
    return float(np.quantile(values, q)) if len(values) else float("nan")


def _rounded(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
