"""The evaluation's statistics against scikit-learn, statsmodels and scipy, on random samples with ties and weights."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    cohen_kappa_score,
    confusion_matrix,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)
from statsmodels.api import GLM, add_constant
from statsmodels.genmod.families import Binomial
from statsmodels.stats.nonparametric import rank_compare_2indep
from statsmodels.stats.proportion import proportion_confint

from lstv.evaluation import agreement, curves, delong, logistic, probability, rates
from lstv_evidence.method.score_v1 import percentile_ranks

pytestmark = pytest.mark.slow  # these libraries take longer to import than all that is computed here

SEEDS = range(12)


@pytest.fixture(params=SEEDS)
def sample(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores (n,) with many ties, labels (n,) of both kinds, weights (n,) as a weighted review queue has them."""
    rng = np.random.default_rng(request.param)
    n = int(rng.integers(12, 80))
    labels = rng.permutation(np.arange(n) < max(4, n // 4))
    scores = np.round(rng.normal(labels * rng.uniform(0, 2), 1.0), int(rng.integers(0, 3)))
    return scores, labels, rng.choice([1.0, 3.5, 12.0], n)


def test_areas_under_both_curves(sample):
    scores, labels, weights = sample
    for used in (np.ones(len(labels)), weights):
        _, positive, negative = curves.tied_masses(scores, labels, used)
        assert curves.auc(positive, negative) == pytest.approx(roc_auc_score(labels, scores, sample_weight=used))
        expected = average_precision_score(labels, scores, sample_weight=used)
        assert curves.average_precision(positive, negative) == pytest.approx(expected)


def test_points_of_both_curves(sample):
    scores, labels, weights = sample
    thresholds, positive, negative = curves.tied_masses(scores, labels, weights)
    false, true, cuts = roc_curve(labels, scores, sample_weight=weights, drop_intermediate=False)
    own_false, own_true = curves.roc_points(positive, negative)
    assert own_false == pytest.approx(false) and own_true == pytest.approx(true)
    assert thresholds == pytest.approx(cuts[1:])
    precision, recall, _ = precision_recall_curve(labels, scores, sample_weight=weights)
    own_recall, own_precision = curves.pr_points(positive, negative)
    assert own_recall == pytest.approx(recall[-2::-1]) and own_precision == pytest.approx(precision[-2::-1])


def test_variance_of_the_area(sample):
    """DeLong's variance is that of Brunner and Munzel's relative effect."""
    scores, labels, _ = sample
    expected = rank_compare_2indep(scores[labels], scores[~labels])
    area, spread = delong.variance(scores, labels)
    assert area == pytest.approx(expected.prob1)
    assert spread == pytest.approx(expected.var_prob)


def test_cells_and_intervals_of_a_rule(sample):
    scores, labels, weights = sample
    flagged = scores > np.median(scores)
    table = rates.confusion(flagged, labels, weights)
    (true_negative, false_positive), (false_negative, true_positive) = confusion_matrix(
        labels, flagged, sample_weight=weights
    )
    own = (table.true_negative, table.false_positive, table.false_negative, table.true_positive)
    assert own == pytest.approx((true_negative, false_positive, false_negative, true_positive))
    counted = rates.confusion(flagged, labels, np.ones(len(labels)))
    for rate, group in ((counted.sensitivity, flagged[labels]), (counted.specificity, ~flagged[~labels])):
        expected = proportion_confint(group.sum(), len(group), method="wilson")
        assert (rate.low, rate.high) == pytest.approx(expected)


def test_logistic_regression(sample):
    scores, labels, weights = sample
    features = np.column_stack([scores, np.arange(len(scores)) % 3])
    scaled = weights / weights.mean()
    expected = GLM(labels.astype(float), add_constant(features), Binomial(), freq_weights=scaled).fit(tol=1e-12)
    if np.abs(expected.params).max() > 20:
        pytest.skip("the labels are separated")
    coefficients, covariance = logistic.fit(features, labels.astype(float), weights)
    assert coefficients == pytest.approx(expected.params, rel=1e-3, abs=1e-4)  # ours has a ridge of 1e-6
    assert covariance == pytest.approx(expected.cov_params(), rel=1e-3, abs=1e-4)


def test_brier_score(sample):
    scores, labels, weights = sample
    chance = 1 / (1 + np.exp(-scores))
    found = probability.calibration(chance, labels, weights)
    assert found["brier"] == pytest.approx(brier_score_loss(labels, chance, sample_weight=weights))
    prevalence = np.average(labels, weights=weights)
    assert found["brier_of_prevalence"] == pytest.approx(
        brier_score_loss(labels, np.full(len(labels), prevalence), sample_weight=weights)
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_agreement_of_two_readers(seed):
    rng = np.random.default_rng(seed)
    first = rng.random(30) < 0.4
    second = np.where(rng.random(30) < 0.8, first, ~first)
    expected = cohen_kappa_score(first, second)
    assert agreement.kappa(first.tolist(), second.tolist())["kappa"] == pytest.approx(expected)


def test_percentile_ranks_are_average_ranks(sample):
    scores, _, _ = sample
    expected = (rankdata(scores) - 0.5) / len(scores)
    assert percentile_ranks(scores, np.ones(len(scores), bool)) == pytest.approx(expected)
