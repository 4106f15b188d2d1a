"""Shape with the area removed, margins and energy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lstv.uncertainty import fields, margins, measure, shape
from made_maps import as_logits, five_discs, hard_disc, soft_disc, study


def test_effective_area_of_a_hard_disc_is_its_area() -> None:
    assert shape.effective_area(hard_disc(80, 80, 7, 0.4)) == pytest.approx(149)


def test_expected_radial_error_of_a_disc_is_two_thirds_of_the_radius() -> None:
    assert shape.expected_radial_error(hard_disc(80, 80, 20), (1.0, 1.0)) == pytest.approx(2 / 3 * 20, rel=0.01)
    assert shape.expected_radial_error(hard_disc(80, 80, 20), (2.0, 2.0)) == pytest.approx(4 / 3 * 20, rel=0.01)
    assert shape.expected_radial_error(hard_disc(80, 80, 0), (1.0, 1.0)) == 0


def test_second_peak_and_leak_of_two_blobs() -> None:
    two = np.maximum(hard_disc(40, 40, 7, 0.9), hard_disc(120, 120, 7, 0.3))
    assert shape.second_peak_ratio(two, 7.0) == pytest.approx(1 / 3)
    assert shape.leak(two, 7.0) == pytest.approx(0.25)
    assert shape.second_peak_ratio(hard_disc(40, 40, 7, 0.9), 7.0) == 0
    assert shape.leak(hard_disc(40, 40, 7, 0.9), 7.0) == 0


def test_the_maximum_may_lie_anywhere_on_a_plateau() -> None:
    p = hard_disc(80, 80, 7, 0.9)
    p[80, 74] = 0.95  # near the edge of the blob; its far side must not count as a second place
    assert shape.second_peak_ratio(p, 7.0) == 0
    assert fields.main_part_centre(p) == pytest.approx([80, 80])


def test_spread_and_elongation_of_discs_and_bars() -> None:
    disc = shape.covariance(hard_disc(80, 80, 20), (1.0, 1.0))
    assert shape.spread(disc) == pytest.approx(20**2 / 4, rel=0.01)
    assert shape.elongation(disc) == pytest.approx(0, abs=1e-9)
    bar = np.zeros((160, 160))
    bar[60:80, 40:80] = 1  # variances (20^2 - 1) / 12 and (40^2 - 1) / 12
    sigma = shape.covariance(bar, (1.0, 1.0))
    assert shape.spread(sigma) == pytest.approx(math.sqrt(399 * 1599) / 12)
    assert shape.elongation(sigma) == pytest.approx(1 - 399 / 1599)
    assert shape.elongation(shape.covariance(hard_disc(80, 80, 0), (1.0, 1.0))) == 0
    stretched = shape.covariance(hard_disc(80, 80, 20), (1.0, 2.0))
    assert shape.spread(stretched) == pytest.approx(2 * 20**2 / 4, rel=0.01)


def test_entropy_difference_cancels_the_size_of_all_blobs() -> None:
    for radius in (5.0, 8.0):
        _, whole, _ = measure(study(five_discs(radius=radius)))
        assert whole["entropy_difference"] == pytest.approx(0, abs=1e-3)
    levels = five_discs()
    levels[4] = soft_disc(80, 118, radius=9)
    measured, whole, _ = measure(study(levels))
    assert whole["entropy_difference"] == pytest.approx(
        measured["l5_s1"]["entropy"] - measured["l1_l2"]["entropy"], abs=1e-3
    )


def test_entropy_difference_needs_l5_s1_and_two_others() -> None:
    values, found = [5.0, 5.1, 5.2, 9.0, 6.0], [True] * 5
    assert shape.entropy_difference(values, found) == pytest.approx(6.0 - 5.15), "one odd level does not count much"
    assert shape.entropy_difference(values, [False, True, True, True, True]) == pytest.approx(6.0 - 5.2)
    assert shape.entropy_difference(values, [True, True, True, True, False]) is None
    assert shape.entropy_difference(values, [False, False, False, True, True]) is None


def test_peak_logit_undoes_saturation() -> None:
    logits = np.zeros((6, 160, 160))
    logits[5, 80, 80] = 30.0
    log_p = fields.log_softmax(logits)
    # p = e^30 / (e^30 + 5): its log odds are 30 - ln 5 although p rounds to 1
    assert margins.peak_logit(log_p, 4) == pytest.approx(30 - math.log(5), abs=1e-9)
    assert math.exp(log_p[5, 80, 80]) == pytest.approx(1, abs=1e-11)


def test_margins_relative_to_the_other_levels() -> None:
    levels = five_discs()
    levels[4] *= 0.7 / 0.98
    measured, whole, _ = measure(study(levels))
    logit = lambda p: math.log(p / (1 - p))  # noqa: E731
    assert measured["l5_s1"]["peak_logit"] == pytest.approx(logit(measured["l5_s1"]["confidence"]), abs=1e-3)
    expected = logit(measured["l5_s1"]["confidence"]) - logit(measured["l1_l2"]["confidence"])
    assert whole["peak_logit_difference"] == pytest.approx(expected, abs=2e-3)


def test_max_logit_and_energy_read_the_raw_logits() -> None:
    logits = as_logits(five_discs()) + np.float32(2.5)  # softmax is blind to a constant, these are not
    measured, whole, _ = measure(study(logits=logits))
    row = np.log(measured["l3_l4"]["confidence"]) + 2.5
    assert measured["l3_l4"]["max_logit"] == pytest.approx(row, abs=1e-3)
    assert measured["l3_l4"]["energy"] == pytest.approx(-2.5, abs=1e-4)
    assert whole["energy_difference"] == pytest.approx(0, abs=1e-4)


def test_energy_difference_of_a_level_with_weaker_logits() -> None:
    logits = as_logits(five_discs())
    logits[:, 107:130] -= 1.5
    _, whole, _ = measure(study(logits=logits))
    assert whole["energy_difference"] == pytest.approx(1.5, abs=1e-4)
    assert margins.energy_difference([1.0, 2.0, 3.0, 4.0, None]) is None
    assert margins.energy_difference([1.0, None, None, None, 4.0]) is None


def test_log_softmax_of_extreme_logits_is_finite() -> None:
    logits = np.zeros((6, 4, 4), np.float32)
    logits[0] = 1e4
    log_p = fields.log_softmax(logits)
    assert np.isfinite(log_p).all()
    assert fields.log_sum_exp(logits)[0, 0] == pytest.approx(1e4)


def test_centre_is_weighted_by_probability() -> None:
    p = np.zeros((160, 160))
    p[10, 20], p[10, 24], p[50, 50] = 0.9, 0.6, 0.49
    assert fields.centre(p) == pytest.approx([(0.9 * 20 + 0.6 * 24) / 1.5, 10])
    assert fields.centre(np.full((160, 160), 0.5)) is None
