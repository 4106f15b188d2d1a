"""Areas and fixed points against the definition written out, pair by pair and threshold by threshold."""

from __future__ import annotations

import numpy as np
import pytest

from lstv.evaluation import curves


def masses(scores, labels, weights=None):
    weights = np.ones(len(scores)) if weights is None else np.asarray(weights, dtype=float)
    return curves.tied_masses(np.asarray(scores, dtype=float), np.asarray(labels, dtype=bool), weights)


def pairwise_auc(scores, labels, weights):
    total = right = 0.0
    for i in np.flatnonzero(labels):
        for j in np.flatnonzero(~labels):
            pair = weights[i] * weights[j]
            total += pair
            right += pair * (1.0 if scores[i] > scores[j] else 0.5 if scores[i] == scores[j] else 0.0)
    return right / total


def stepwise_average_precision(scores, labels, weights):
    area = recall = 0.0
    for cut in sorted(set(scores), reverse=True):
        flagged = scores >= cut
        true = weights[flagged & labels].sum()
        area += (true / weights[labels].sum() - recall) * true / weights[flagged].sum()
        recall = true / weights[labels].sum()
    return area


@pytest.fixture(params=[0, 1, 2])
def tied(request):
    rng = np.random.default_rng(request.param)
    labels = rng.random(60) < 0.3
    return np.round(rng.normal(size=60) + labels, 1), labels, rng.uniform(0.2, 5, 60)


def test_areas_equal_their_definition_with_ties_and_weights(tied):
    scores, labels, weights = tied
    _, positive, negative = masses(scores, labels, weights)
    assert curves.auc(positive, negative) == pytest.approx(pairwise_auc(scores, labels, weights))
    expected = stepwise_average_precision(scores, labels, weights)
    assert curves.average_precision(positive, negative) == pytest.approx(expected)


def test_fixed_points_are_the_best_of_all_thresholds(tied):
    scores, labels, weights = tied
    _, positive, negative = masses(scores, labels, weights)
    points = [(0.0, 1.0)]
    for cut in set(scores):
        flagged = scores >= cut
        sensitivity = weights[flagged & labels].sum() / weights[labels].sum()
        points.append((sensitivity, weights[~flagged & ~labels].sum() / weights[~labels].sum()))
    for target in (0.5, 0.8, 0.9):
        best = max(sensitivity for sensitivity, specificity in points if specificity >= target)
        assert curves.sensitivity_at(positive, negative, target) == pytest.approx(best)
        best = max(specificity for sensitivity, specificity in points if sensitivity >= target)
        assert curves.specificity_at(positive, negative, target) == pytest.approx(best)


def test_a_weight_of_three_is_three_studies(tied):
    scores, labels, _ = tied
    times = np.random.default_rng(5).integers(1, 4, len(scores))
    _, *weighted = masses(scores, labels, times)
    _, *repeated = masses(np.repeat(scores, times), np.repeat(labels, times))
    for measure in (curves.auc, curves.average_precision):
        assert measure(*weighted) == pytest.approx(measure(*repeated))
    assert curves.sensitivity_at(*weighted, 0.8) == pytest.approx(curves.sensitivity_at(*repeated, 0.8))


def test_many_weights_at_once_equal_one_by_one(tied):
    scores, labels, _ = tied
    weights = np.random.default_rng(6).uniform(0.1, 2, (7, len(scores)))
    _, positive, negative = masses(scores, labels, weights)
    single = [curves.auc(*masses(scores, labels, row)[1:]) for row in weights]
    np.testing.assert_allclose(curves.auc(positive, negative), single)


def test_perfect_reversed_and_useless_scores():
    labels = [1, 1, 0, 0]
    assert curves.auc(*masses([4, 3, 2, 1], labels)[1:]) == 1
    assert curves.average_precision(*masses([4, 3, 2, 1], labels)[1:]) == 1
    assert curves.auc(*masses([1, 2, 3, 4], labels)[1:]) == 0
    assert curves.auc(*masses([1, 1, 1, 1], labels)[1:]) == 0.5
    assert curves.average_precision(*masses([1, 1, 1, 1], labels)[1:]) == 0.5  # the prevalence


def test_no_positives_is_undefined_and_not_zero():
    _, positive, negative = masses([1, 2], [0, 0])
    assert np.isnan(curves.auc(positive, negative))
    assert np.isnan(curves.average_precision(positive, negative))


def test_a_rate_that_equals_the_target_counts_in_spite_of_rounding():
    scores, labels = np.arange(10, 0, -1.0), np.r_[np.ones(5), np.zeros(5)].astype(bool)
    _, positive, negative = masses(scores, labels, np.full(10, 0.1))
    assert curves.threshold_for(scores, positive, negative, "sensitivity", 0.8) == 6.5


@pytest.mark.parametrize(
    ("rule", "target", "expected"),
    [
        ("sensitivity", 0.5, 4.5),  # 5 alone finds one of two
        ("sensitivity", 1.0, 2.0),
        ("specificity", 1.0, 4.5),  # 5 is the only positive above all negatives
        ("specificity", 0.5, 2.0),
        ("specificity", 0.0, 1.0),
    ],
)
def test_threshold_lies_between_two_scores(rule, target, expected):
    thresholds, positive, negative = masses([5, 4, 3, 1], [1, 0, 1, 0])
    assert curves.threshold_for(thresholds, positive, negative, rule, target) == expected


def test_threshold_flags_nobody_where_the_highest_score_is_a_negative():
    thresholds, positive, negative = masses([5, 4], [0, 1])
    assert curves.threshold_for(thresholds, positive, negative, "specificity", 1.0) > 5


def test_points_of_the_curves():
    _, positive, negative = masses([3, 2, 2, 1], [1, 1, 0, 0])
    false, true = curves.roc_points(positive, negative)
    assert false.tolist() == [0, 0, 0.5, 1]
    assert true.tolist() == [0, 0.5, 1, 1]
    recall, precision = curves.pr_points(positive, negative)
    assert recall.tolist() == [0.5, 1, 1]
    np.testing.assert_allclose(precision, [1, 2 / 3, 0.5])
