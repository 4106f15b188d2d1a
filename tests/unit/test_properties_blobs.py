"""What holds of disc blobs on any map."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lstv.uncertainty import blobs
from properties import quick

SUPERIOR = (0.2, -1.0)
SIZE = 60
DISC = st.tuples(
    st.integers(3, SIZE - 4), st.integers(3, SIZE - 4), st.floats(1.0, 9.0), st.floats(0.2, 1.0), st.integers(0, 4)
)


@st.composite
def maps(draw) -> np.ndarray:
    """Level maps (5, H, W) whose sum is at most 1: discs anywhere, of any size, touching or not, and noise."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    levels = np.zeros((5, SIZE, SIZE))
    for column, row, radius, peak, level in draw(st.lists(DISC, max_size=8)):
        away = np.hypot(rows - row, columns - column)
        levels[level] = np.maximum(levels[level], peak / (1 + np.exp(np.clip(4 * (away - radius), -50, 50))))
    levels += draw(st.floats(0, 0.3)) * np.random.default_rng(draw(st.integers(0, 99))).random(levels.shape)
    return levels / np.maximum(1.0, levels.sum(axis=0))


@quick
@given(maps())
def test_blobs_are_disjoint_parts_of_the_support_and_none_is_lost(levels):
    support = levels.sum(axis=0)
    found = blobs.disc_blobs(support, SUPERIOR)
    pixels = np.concatenate(found) if found else np.empty(0, int)
    assert len(np.unique(pixels)) == len(pixels)
    assert all(blob.size >= blobs.MIN_AREA for blob in found)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((support >= 0.5).astype(np.uint8), connectivity=8)
    large = [label for label in range(1, count) if stats[label, cv2.CC_STAT_AREA] >= blobs.MIN_AREA]
    assert set(pixels) == set(np.flatnonzero(np.isin(labels.ravel(), large)))


@quick
@given(maps())
def test_blobs_run_from_cranial_to_caudal(levels):
    support = levels.sum(axis=0)
    heights = []
    for blob in blobs.disc_blobs(support, SUPERIOR):
        rows, columns = np.divmod(blob, SIZE)
        heights.append(np.average(columns * SUPERIOR[0] + rows * SUPERIOR[1], weights=support.ravel()[blob]))
    assert heights == sorted(heights, reverse=True)


@quick
@given(maps())
def test_shares_are_a_distribution_and_a_blob_has_one_level_at_most(levels):
    found = blobs.disc_blobs(levels.sum(axis=0), SUPERIOR)
    if not found:
        return
    shares = blobs.class_shares(levels, found)
    assert shares.shape == (len(found), 5) and (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    owned = [index for index in blobs.blob_of_level(levels, found, shares) if index is not None]
    assert len(set(owned)) == len(owned)
    assert all(0 <= index < len(found) for index in owned)


@quick
@given(maps(), st.permutations(range(5)))
def test_where_the_blobs_are_does_not_depend_on_what_they_are_called(levels, order):
    def where(maps: np.ndarray) -> list[list[int]]:
        # the order in which five numbers are added may change the last bit of their sum
        return [sorted(blob.tolist()) for blob in blobs.disc_blobs(maps.sum(axis=0).round(12), SUPERIOR)]

    assert where(levels) == where(levels[list(order)])
