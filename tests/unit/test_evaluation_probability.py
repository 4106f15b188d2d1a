"""Logistic fit, cross-validation without leaks, calibration and net benefit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from lstv.evaluation import crossvalidation
from lstv.evaluation.logistic import fit, platt_targets
from lstv.evaluation.probability import THRESHOLDS, calibration, decision_curve, net_benefit


def test_logistic_fit_of_a_fourfold_table_is_its_log_odds_ratio():
    feature = np.repeat([1.0, 1.0, 0.0, 0.0], [30, 10, 15, 45])
    labels = np.repeat([1.0, 0.0, 1.0, 0.0], [30, 10, 15, 45])
    coefficients, covariance = fit(feature[:, None], labels, np.ones(100))
    assert coefficients == pytest.approx([np.log(15 / 45), np.log(30 / 10) - np.log(15 / 45)], abs=1e-5)
    assert covariance[1, 1] == pytest.approx(1 / 30 + 1 / 10 + 1 / 15 + 1 / 45, rel=1e-4)


def test_a_weight_is_a_repetition_in_the_fit():
    rng = np.random.default_rng(1)
    feature, labels = rng.normal(size=(40, 2)), (rng.random(40) < 0.4).astype(float)
    times = rng.integers(1, 4, 40)
    weighted, _ = fit(feature, labels, times.astype(float))
    repeated, _ = fit(np.repeat(feature, times, axis=0), np.repeat(labels, times), np.ones(times.sum()))
    assert weighted == pytest.approx(repeated, abs=1e-5)


def test_separated_labels_have_no_slope_but_platts_targets_do():
    feature, labels = np.r_[np.zeros(10), np.ones(10)][:, None], np.r_[np.zeros(10), np.ones(10)].astype(bool)
    with pytest.raises(ArithmeticError):
        fit(feature * 100, labels.astype(float), np.ones(20))
    coefficients, _ = fit(feature, platt_targets(labels), np.ones(20))
    assert expit(coefficients[0]) == pytest.approx(1 / 12, abs=1e-4)


def test_folds_spread_both_labels():
    labels = np.arange(50) < 7
    fold = crossvalidation.folds(labels, seed=1)
    assert sorted(set(fold)) == list(range(7))
    assert (np.bincount(fold[labels]) == 1).all()
    assert np.ptp(np.bincount(fold[~labels])) <= 1
    assert (fold == crossvalidation.folds(labels, seed=1)).all()


def test_the_held_out_fold_has_no_say():
    rng = np.random.default_rng(2)
    labels = rng.random(80) < 0.4
    scores, fold = rng.normal(size=80) + labels, np.arange(80) % 5
    changed = labels.copy()
    changed[fold == 0] = ~changed[fold == 0]
    ones = np.ones(80)
    for outcome in (labels, changed):
        flagged, _ = crossvalidation.flags(scores, outcome, ones, fold, "specificity", 0.8)
        chance = crossvalidation.probabilities(scores[:, None], outcome, ones, fold)
        if outcome is labels:
            expected = flagged[fold == 0], chance[fold == 0]
    np.testing.assert_array_equal(flagged[fold == 0], expected[0])
    np.testing.assert_array_equal(chance[fold == 0], expected[1])


def test_a_cross_validated_threshold_keeps_its_specificity_on_average():
    rng = np.random.default_rng(3)
    kept = []
    for seed in range(40):
        labels = np.arange(120) < 40
        scores = rng.normal(size=120) + labels
        flagged, cuts = crossvalidation.flags(
            scores, labels, np.ones(120), crossvalidation.folds(labels, seed), "specificity", 0.8
        )
        kept.append((~flagged[~labels]).mean())
        assert len(cuts) == 10
    assert np.mean(kept) == pytest.approx(0.8, abs=0.02)


def test_a_constant_feature_is_harmless():
    labels = np.arange(40) < 20
    chance = crossvalidation.probabilities(np.ones((40, 1)), labels, np.ones(40), crossvalidation.folds(labels, 1))
    assert chance == pytest.approx(np.full(40, 0.5), abs=1e-6)


def test_calibration_of_right_and_of_overconfident_probabilities():
    rng = np.random.default_rng(4)
    truth = expit(rng.normal(-1.5, 1.2, 20000))
    labels = rng.random(20000) < truth
    right = calibration(truth, labels, np.ones(20000))
    assert right["intercept_low"] < 0 < right["intercept_high"]
    assert right["slope_low"] < 1 < right["slope_high"]
    assert right["brier"] < right["brier_of_prevalence"]
    bold = calibration(expit(2 * logit(truth)), labels, np.ones(20000))
    assert bold["slope"] == pytest.approx(right["slope"] / 2, rel=1e-3)
    low = calibration(expit(logit(truth) - 1), labels, np.ones(20000))
    assert low["intercept"] == pytest.approx(right["intercept"] + 1, abs=1e-6)


def test_net_benefit_by_hand():
    flagged = np.repeat([True, True, False], [10, 20, 70])
    labels = np.repeat([True, False, False], [10, 20, 70])
    assert net_benefit(flagged, labels, np.ones(100), 0.1) == pytest.approx(0.1 - 0.2 / 9)


def test_decision_curve_beside_flag_all():
    labels = np.arange(100) < 10
    curve = decision_curve(np.full(100, 0.5), labels, np.ones(100))
    assert [point["threshold"] for point in curve] == list(THRESHOLDS)
    assert THRESHOLDS[0] == 0.02
    assert THRESHOLDS[-1] == 0.2
    for point in curve:
        t = point["threshold"]
        assert point["flag_all"] == pytest.approx(0.1 - 0.9 * t / (1 - t))
        assert point["net_benefit"] == point["flag_all"]
        assert point["flag_none"] == 0
    perfect = decision_curve(labels * 1.0, labels, np.ones(100))
    assert all(point["net_benefit"] == pytest.approx(0.1) for point in perfect)
