"""Wilson intervals, likelihood ratios and predictive values against published or hand-computed numbers."""

from __future__ import annotations

import numpy as np
import pytest

from lstv.evaluation.rates import (
    PREVALENCES,
    confusion,
    effective_size,
    likelihood_ratios,
    predictive_table,
    predictive_values,
    wilson,
)


def rule(true_positive, false_negative, false_positive, true_negative):
    cells = [(1, 1, true_positive), (0, 1, false_negative), (1, 0, false_positive), (0, 0, true_negative)]
    flagged = np.repeat([bool(flag) for flag, _, _ in cells], [n for _, _, n in cells])
    labels = np.repeat([bool(label) for _, label, _ in cells], [n for _, _, n in cells])
    return confusion(flagged, labels, np.ones(len(labels)))


def test_wilson_intervals_of_a_published_test():
    """Kwak 2025: 166 of 195 and 73 of 118."""
    table = rule(166, 29, 45, 73)
    assert table.sensitivity.value == pytest.approx(166 / 195)
    assert (round(table.sensitivity.low, 3), round(table.sensitivity.high, 3)) == (0.795, 0.894)
    assert (round(table.specificity.low, 3), round(table.specificity.high, 3)) == (0.529, 0.701)
    assert table.flagged == pytest.approx(211 / 313)


def test_wilson_at_the_ends_and_without_studies():
    assert wilson(1.0, 20).high == 1.0
    assert 0.8 < wilson(1.0, 20).low < 0.9
    assert wilson(0.0, 20).low == 0.0
    assert wilson(None, 0).value is None


@pytest.mark.parametrize(
    ("sensitivity", "specificity", "ppv", "npv"),
    [
        (0.851, 0.619, (0.09, 0.23, 0.33, 0.56), (0.99, 0.97, 0.95, 0.88)),
        (0.8, 0.8, (0.14, 0.35, 0.47, 0.69), (0.99, 0.97, 0.95, 0.88)),
    ],
)
def test_predictive_values_at_the_four_prevalences(sensitivity, specificity, ppv, npv):
    assert PREVALENCES == (0.04, 0.12, 0.18, 0.36)
    found = [predictive_values(sensitivity, specificity, prevalence) for prevalence in PREVALENCES]
    assert tuple(round(value, 2) for value, _ in found) == ppv
    assert tuple(round(value, 2) for _, value in found) == npv


def test_predictive_table_prints_flagging_nobody_and_keeps_the_value_inside_its_range():
    table = rule(166, 29, 45, 73)
    rows = predictive_table(table.sensitivity, table.specificity)
    assert [row["npv_flag_nobody"] for row in rows] == pytest.approx([0.96, 0.88, 0.82, 0.64])
    for row in rows:
        assert row["ppv_low"] < row["ppv"] < row["ppv_high"]
        assert row["npv_low"] < row["npv"] < row["npv_high"]


def test_nobody_flagged_has_no_ppv():
    assert predictive_values(0.0, 1.0, 0.1) == (None, 0.9)
    assert predictive_values(1.0, 0.0, 0.1) == (0.1, None)


def test_likelihood_ratios():
    """.722 / (1 - .576) is 1.70, whatever a README says."""
    plus, minus = likelihood_ratios(rule(26, 10, 78, 106))
    assert round(plus.value, 2) == 1.70
    half = 1.96 * np.sqrt(1 / 26 - 1 / 36 + 1 / 78 - 1 / 184)
    assert np.log(plus.high / plus.value) == pytest.approx(half, rel=1e-3)
    assert minus.value == pytest.approx((10 / 36) / (106 / 184))
    assert plus.low < plus.value < plus.high


def test_likelihood_ratio_over_an_empty_cell_is_undefined():
    plus, minus = likelihood_ratios(rule(5, 5, 0, 20))
    assert plus.value is None
    assert minus.value == pytest.approx(0.5)
    assert likelihood_ratios(rule(5, 0, 5, 5))[1].low is None


def test_weights_shift_the_rates_and_shrink_the_effective_size():
    flagged = np.array([True, True, False, False])
    labels = np.array([True, False, True, False])
    table = confusion(flagged, labels, np.array([1.0, 1.0, 3.0, 9.0]))
    assert table.sensitivity.value == 0.25
    assert table.specificity.value == 0.9
    assert effective_size(np.array([1.0, 3.0])) == pytest.approx(1.6)
    assert effective_size(np.array([5.0, 5.0, 5.0])) == pytest.approx(3)
