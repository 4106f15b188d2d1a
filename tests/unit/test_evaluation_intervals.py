"""Bootstrap, DeLong, Hanley-McNeil and Newcombe: against brute force, published widths, and a small simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lstv.evaluation import bootstrap, curves, delong


def binormal(rng, positives, negatives, shift):
    labels = np.r_[np.ones(positives, dtype=bool), np.zeros(negatives, dtype=bool)]
    return rng.normal(size=len(labels)) + shift * labels, labels


def auc_statistic(scores, labels):
    return lambda weights: curves.auc(*curves.tied_masses(scores, labels, weights)[1:])[:, None]


def brute_components(scores, labels):
    order = np.sign(scores[labels][:, None] - scores[~labels][None, :]) / 2 + 0.5
    return order.mean(1), order.mean(0)


@pytest.mark.parametrize("digits", [0, 1, 8])
def test_delong_equals_the_components_written_out(digits):
    scores, labels = binormal(np.random.default_rng(digits), 13, 29, 0.8)
    scores = np.round(scores, digits)
    fast, slow = delong.components(scores, labels), brute_components(scores, labels)
    np.testing.assert_allclose(fast[0], slow[0])
    np.testing.assert_allclose(fast[1], slow[1])
    area, variance = delong.variance(scores, labels)
    assert area == pytest.approx(slow[0].mean())
    assert variance == pytest.approx(np.var(slow[0], ddof=1) / 13 + np.var(slow[1], ddof=1) / 29)


def test_delong_variance_is_the_two_sample_jackknife():
    scores, labels = binormal(np.random.default_rng(3), 12, 20, 1.0)
    total = 0.0
    for group in (True, False):
        members = np.flatnonzero(labels == group)
        left_out = [delong.variance(np.delete(scores, i), np.delete(labels, i))[0] for i in members]
        total += (len(members) - 1) / len(members) * np.sum((np.array(left_out) - np.mean(left_out)) ** 2)
    assert delong.variance(scores, labels)[1] == pytest.approx(total)


def test_paired_difference_uses_the_covariance_of_the_two_scores():
    rng = np.random.default_rng(4)
    first, labels = binormal(rng, 25, 40, 1.2)
    second = 0.6 * first + rng.normal(size=65)
    (a, b), (c, d) = brute_components(first, labels), brute_components(second, labels)
    cases, controls = np.cov(a, c), np.cov(b, d)
    contrast = np.array([1, -1])
    spread = contrast @ (cases / 25 + controls / 40) @ contrast
    estimate, (low, high) = delong.difference(first, second, labels)
    assert estimate == pytest.approx(a.mean() - c.mean())
    assert (high - low) / 2 == pytest.approx(delong.Z * np.sqrt(spread))


def test_difference_of_equal_orders_has_no_interval():
    scores, labels = binormal(np.random.default_rng(5), 10, 10, 1.0)
    assert delong.difference(scores, np.exp(scores), labels) == (0.0, None)


def test_delong_interval_stays_inside_and_gives_up_on_perfect_separation():
    scores, labels = binormal(np.random.default_rng(6), 8, 40, 2.5)
    low, high = delong.interval(scores, labels)
    assert 0 < low < delong.variance(scores, labels)[0] < high < 1
    assert delong.interval(labels.astype(float), labels) is None


@pytest.mark.parametrize(("positives", "width"), [(11, 0.16), (34, 0.09), (45, 0.08), (100, 0.06)])
def test_hanley_mcneil_widths_at_an_area_of_080_with_283_studies(positives, width):
    half = delong.Z * delong.hanley_mcneil(0.8, positives, 283 - positives)
    assert round(half, 2) == width


def test_newcombe_is_symmetric_has_width_at_one_and_nears_hanley_mcneil_with_many():
    low, high = delong.newcombe(1.0, 6, 20)
    assert 0.6 < low < 0.95
    assert high == 1.0
    assert delong.newcombe(0.0, 6, 20) == pytest.approx((0.0, 1 - low))
    assert delong.newcombe(0.7, 8, 30)[0] == pytest.approx(1 - delong.newcombe(0.3, 8, 30)[1])
    low, high = delong.newcombe(0.8, 4000, 4000)
    assert (high - low) / 2 == pytest.approx(delong.Z * delong.hanley_mcneil(0.8, 4000, 4000), rel=0.01)


def test_resamples_keep_the_strata_and_the_seed():
    strata = np.array([0] * 5 + [7] * 3 + [9])
    counts = bootstrap.resample(strata, 50, seed=1)
    for stratum, size in ((0, 5), (7, 3), (9, 1)):
        assert (counts[:, strata == stratum].sum(1) == size).all()
    assert (counts == bootstrap.resample(strata, 50, seed=1)).all()
    assert not (counts == bootstrap.resample(strata, 50, seed=2)).all()
    assert counts[:, :5].std() > 0


def test_influence_equals_delongs_components():
    """Stratified by label, the jackknife influence of the AUC is a component minus the area, over the group's size."""
    scores, labels = binormal(np.random.default_rng(7), 9, 14, 1.0)
    found = bootstrap.influence(auc_statistic(scores, labels), np.ones(23), labels.astype(int))[:, 0]
    cases, controls = brute_components(scores, labels)
    np.testing.assert_allclose(found[labels], (cases - cases.mean()) / 9, atol=1e-14)
    np.testing.assert_allclose(found[~labels], (controls - controls.mean()) / 14, atol=1e-14)


def test_blocks_do_not_change_the_replicates(monkeypatch):
    scores, labels = binormal(np.random.default_rng(8), 9, 14, 1.0)
    counts = bootstrap.resample(labels.astype(int), 40, seed=3)
    statistic = auc_statistic(scores, labels)
    whole = bootstrap.replicate(statistic, np.ones(23), counts), bootstrap.influence(statistic, np.ones(23), labels * 1)
    monkeypatch.setattr(bootstrap, "_CELLS", 50)
    parts = bootstrap.replicate(statistic, np.ones(23), counts), bootstrap.influence(statistic, np.ones(23), labels * 1)
    np.testing.assert_array_equal(whole[0], parts[0])
    np.testing.assert_array_equal(whole[1], parts[1])


def test_bca_without_bias_and_skewness_is_the_percentile_interval():
    values = np.linspace(-1, 1, 2001)
    assert bootstrap.bca(values, 0.0, np.array([1.0, -1.0])) == pytest.approx(bootstrap.percentile(values))


def test_bca_equals_scipys():
    data = np.random.default_rng(10).exponential(size=25)
    theirs = stats.bootstrap((data,), np.mean, n_resamples=1500, method="BCa", rng=np.random.default_rng(1))
    influences = bootstrap.influence(lambda w: (w @ data / w.sum(-1))[:, None], np.ones(25), np.zeros(25))
    ours = bootstrap.bca(theirs.bootstrap_distribution, data.mean(), influences[:, 0])
    assert ours == pytest.approx(tuple(theirs.confidence_interval), rel=1e-3)


def test_bca_moves_with_skewness_and_bias():
    values = np.linspace(-1, 1, 2001)
    low, high = bootstrap.percentile(values)
    assert bootstrap.bca(values, 0.0, np.array([3.0, -1.0, -1.0, -1.0]))[1] > high
    assert bootstrap.bca(values, 0.2, np.array([1.0, -1.0]))[0] > low


def test_no_interval_where_resamples_do_not_vary():
    assert bootstrap.percentile(np.ones(10)) is None
    assert bootstrap.bca(np.ones(10), 1.0, np.zeros(3)) is None
    assert bootstrap.percentile(np.full(10, np.nan)) is None


@pytest.mark.slow
def test_intervals_cover_the_true_area():
    """200 cohorts of 30 + 60 with a true area of 0.802: 95 % intervals miss it in about 10; 22 has a chance below 0.001."""
    rng = np.random.default_rng(9)
    missed = {"bca": 0, "delong": 0, "newcombe": 0}
    for trial in range(200):
        scores, labels = binormal(rng, 30, 60, 1.2)  # Phi(1.2 / sqrt 2) = 0.802
        strata, statistic = labels.astype(int), auc_statistic(scores, labels)
        values = bootstrap.replicate(statistic, np.ones(90), bootstrap.resample(strata, 400, seed=trial))[:, 0]
        area = delong.variance(scores, labels)[0]
        intervals = {
            "bca": bootstrap.bca(values, area, bootstrap.influence(statistic, np.ones(90), strata)[:, 0]),
            "delong": delong.interval(scores, labels),
            "newcombe": delong.newcombe(area, 30, 60),
        }
        for name, (low, high) in intervals.items():
            missed[name] += not low <= 0.8019 <= high
    assert all(1 <= count <= 22 for count in missed.values()), missed
