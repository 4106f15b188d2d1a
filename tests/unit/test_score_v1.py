"""The score before, kept for comparison: tail places, floors, and undefined values."""

from __future__ import annotations

import numpy as np
import pytest

from lstv_evidence.method.score_v1 import COMPONENTS, percentile_ranks, scores, tail_positions

FIT = np.ones(5, bool)


def test_percentile_ranks_average_ties_and_skip_the_undefined() -> None:
    ranks = percentile_ranks(np.array([1.0, 2.0, 2.0, np.nan, 4.0]), FIT)
    assert ranks[[0, 1, 2, 4]] == pytest.approx([0.125, 0.5, 0.5, 0.875])
    assert np.isnan(ranks[3])


def test_tail_places() -> None:
    places = tail_positions(np.array([1.0, 2.0, 2.0, np.nan, 4.0]), FIT)
    assert places[[0, 1, 2, 4]] == pytest.approx(np.log([0.875, 0.5, 0.5, 0.125]) / np.log(0.1))
    assert tail_positions(np.array([1.0, 9.0, 0.0]), np.array([True, False, False])) == pytest.approx([0.5, 1.0, 0.0])


def test_score_is_the_mean_place_of_at_least_three_components() -> None:
    values = {name: np.array([0.5, 1.0, 2.0, np.nan, 4.0]) for name in COMPONENTS}
    found = scores(values, FIT)
    assert np.argmax(np.nan_to_num(found)) == 4 and np.isnan(found[3])
    values |= {name: np.full(5, np.nan) for name in COMPONENTS[:4]}
    assert np.isnan(scores(values, FIT)).all()
