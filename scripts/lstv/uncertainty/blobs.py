"""The disc-like responses of the network, whatever level it calls them."""

from __future__ import annotations

import cv2
import numpy as np

from lstv.base.arrays import FloatArray, IndexArray

MIN_AREA = 30
"""Smallest area of a blob, in grid pixels."""

_SMOOTHING = 3.0
_SADDLE = 0.95


def disc_blobs(support: FloatArray, superior: tuple[float, float]) -> list[IndexArray]:
    """Disc blobs D_1 .. D_J, cranial to caudal, each as the flat indices of its pixels.

    ``support`` is S = sum_k p_k, float64 (H, W): the probability of any disc level. ``superior`` is how far one goes up
    in the patient per column and per row, in mm. A blob is an 8-connected part of {S >= 0.5} of at least 30 pixels.
    Where the discs lie close (a large field of view on the fixed grid) their responses touch; such a part is divided
    between the maxima of S smoothed by 3 pixels, each pixel going to the nearest, as long as S falls by more than 5 %
    between two maxima. The division knows nothing of the classes, so a blob of mixed classes stays one blob.
    """
    _, labels = cv2.connectedComponents((support >= 0.5).astype(np.uint8), connectivity=8)
    smooth = np.asarray(cv2.GaussianBlur(support, (0, 0), _SMOOTHING), dtype=np.float64)
    maxima = _maxima(smooth)
    flat = labels.ravel()
    blobs = []
    for label in range(1, int(flat.max()) + 1):
        pixels = np.flatnonzero(flat == label)
        if pixels.size >= MIN_AREA:
            seeds = _separate(smooth, maxima[flat[maxima] == label])
            blobs.extend(_divide(pixels, seeds, support.shape[1]))
    return sorted(blobs, key=lambda blob: _height(blob, support, superior), reverse=True)


def _maxima(smooth: FloatArray) -> IndexArray:
    """Flat indices of the pixels that are highest within 3 pixels around; of a plateau its first pixel."""
    is_maximum = (smooth >= cv2.dilate(smooth, np.ones((7, 7), np.uint8))).astype(np.uint8)
    _, plateaus = cv2.connectedComponents(is_maximum, connectivity=8)
    return np.unique(plateaus, return_index=True)[1][1:]


def _separate(smooth: FloatArray, maxima: IndexArray) -> list[IndexArray]:
    """The (row, column) of those maxima between which the smoothed response falls, highest first."""
    values = smooth.ravel()[maxima]
    seeds: list[IndexArray] = []
    for index in np.argsort(-values, kind="stable"):
        here = np.array(np.unravel_index(maxima[index], smooth.shape))
        if all(_lowest_between(smooth, here, seed) < _SADDLE * values[index] for seed in seeds):
            seeds.append(here)
    return seeds


def _lowest_between(smooth: FloatArray, one: IndexArray, other: IndexArray) -> float:
    steps = int(np.abs(one - other).max()) + 1
    line = np.rint(np.linspace(one, other, steps)).astype(int)
    return float(smooth[line[:, 0], line[:, 1]].min())


def _divide(pixels: IndexArray, seeds: list[IndexArray], width: int) -> list[IndexArray]:
    while len(seeds) > 1:
        rows, columns = np.divmod(pixels, width)
        squared = [(rows - row) ** 2 + (columns - column) ** 2 for row, column in seeds]
        owner = np.argmin(squared, axis=0)
        sizes = np.bincount(owner, minlength=len(seeds))
        if sizes.min() >= MIN_AREA:
            return [pixels[owner == index] for index in range(len(seeds))]
        del seeds[int(sizes.argmin())]
    return [pixels]


def _height(blob: IndexArray, support: FloatArray, superior: tuple[float, float]) -> float:
    weight = support.ravel()[blob]
    rows, columns = np.divmod(blob, support.shape[1])
    return float((weight * (columns * superior[0] + rows * superior[1])).sum() / weight.sum())


def class_shares(levels: FloatArray, blobs: list[IndexArray]) -> FloatArray:
    """q_jk = sum_{D_j} p_k / sum_{D_j} S, float64 (J, 5), of the level maps ``levels`` (5, H, W)."""
    flat = levels.reshape(len(levels), -1)
    mass = np.array([flat[:, blob].sum(axis=1) for blob in blobs]).reshape(len(blobs), len(levels))
    shares: FloatArray = mass / mass.sum(axis=1, keepdims=True)
    return shares


def log_masses(log_levels: FloatArray, blobs: list[IndexArray]) -> FloatArray:
    """ln sum_{D_j} p_k, float64 (J, 5), from log probabilities (5, H, W): finite even where p_k underflows."""
    flat = log_levels.reshape(len(log_levels), -1)
    return np.array([np.logaddexp.reduce(flat[:, blob], axis=1) for blob in blobs]).reshape(len(blobs), len(flat))


def blob_of_level(levels: FloatArray, blobs: list[IndexArray], shares: FloatArray) -> list[int | None]:
    """For each level the index of its blob: the one in which its class leads; of several, the one with most of its mass.

    None where no blob is led by the level. A blob has at most one level, but may have none (a duplicate).
    """
    flat = levels.reshape(len(levels), -1)
    leader = shares.argmax(axis=1) if len(blobs) else np.empty(0, int)
    owned: list[int | None] = []
    for level in range(len(levels)):
        candidates = np.flatnonzero(leader == level)
        mass = [flat[level, blobs[index]].sum() for index in candidates]
        owned.append(int(candidates[int(np.argmax(mass))]) if len(candidates) else None)
    return owned
