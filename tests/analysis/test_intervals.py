"""Intervals over seeds: against SciPy, slow twins and simulated truths."""

import numpy as np
import pytest
import scipy.stats

from ibjax.analysis.intervals import (
    halving_interval,
    halvings,
    jackknife_interval,
    jackknife_variance,
    mean_interval,
    median_interval,
    rank_correlation,
    simultaneous_level,
)


def test_interval_is_student_t():
    values = np.random.default_rng(0).normal(size=(7, 3))
    interval = mean_interval(values)
    for j in range(3):
        low, high = scipy.stats.t.interval(
            0.95, 6, loc=values[:, j].mean(), scale=scipy.stats.sem(values[:, j])
        )
        assert interval.low[j] == pytest.approx(low)
        assert interval.high[j] == pytest.approx(high)
    assert interval.num_seeds.tolist() == [7, 7, 7]


def test_interval_leaves_out_nan_and_counts_the_rest():
    interval = mean_interval(np.array([[1.0, np.nan], [3.0, np.nan]]))
    assert interval.estimate[0] == 2.0
    assert np.isnan(interval.estimate[1])
    assert interval.num_seeds.tolist() == [2, 0]


def test_interval_of_one_seed_has_no_limits():
    interval = mean_interval(np.array([4.0]))
    assert interval.estimate == 4.0
    assert np.isnan(interval.low)
    assert np.isnan(interval.high)


def test_an_interval_of_no_networks_is_not_known():
    """Where all are dead, those that live are none."""
    interval = mean_interval(np.zeros((0, 3)))
    assert interval.num_seeds.tolist() == [0, 0, 0]
    assert np.isnan([interval.estimate, interval.low, interval.high]).all()
    assert mean_interval(np.zeros((3, 0))).estimate.shape == (0,)


def test_halvings_are_halves_of_all_seeds_and_always_the_same():
    for count in (2, 5, 50):
        first = halvings(count)
        assert first.shape[1] == count
        assert (first.sum(axis=1) == count // 2).all()
        np.testing.assert_array_equal(first, halvings(count))
    assert len(np.unique(halvings(50), axis=0)) == len(halvings(50))
    assert abs(halvings(50).mean(axis=0) - 0.5).max() < 0.4  # each seed is in either half


def test_interval_over_halvings_is_students_where_they_agree():
    values = np.random.default_rng(0).normal(size=(9, 2))
    values[4, 0] = np.nan
    same = halving_interval(np.stack([values] * 20), 0.9)
    for got, expected in zip(same, mean_interval(values, level=0.9), strict=True):
        np.testing.assert_allclose(got, expected)


def test_interval_over_halvings_has_the_mean_of_two_variances():
    values = np.random.default_rng(0).normal(size=(20, 8))
    interval = halving_interval(values)
    of_one = (values.std(axis=1, ddof=1) ** 2 / 8).mean()
    of_averages = values.mean(axis=0).std(ddof=1) ** 2 / 8
    half = scipy.stats.t.ppf(0.975, 7) * np.sqrt((of_one + of_averages) / 2)
    assert interval.estimate == pytest.approx(values.mean())
    assert interval.high - interval.estimate == pytest.approx(half)
    assert interval.estimate - interval.low == pytest.approx(half)
    assert np.isnan(halving_interval(values[:, :1]).low)
    with pytest.raises(ValueError, match=r"values: expected shape \(halving, seed, ...\)"):
        halving_interval(values[0])


def test_levels_of_several_intervals_are_bonferronis():
    assert simultaneous_level(1) == 0.95
    assert simultaneous_level(36, 0.9) == pytest.approx(1 - 0.1 / 36)
    with pytest.raises(ValueError, match="level: expected"):
        simultaneous_level(3, 1.0)
    with pytest.raises(ValueError, match="num_intervals: expected"):
        simultaneous_level(0)


@pytest.mark.parametrize("count", [6, 9, 12, 50])
def test_interval_of_the_median_equals_scipy(count):
    values = np.random.default_rng(count).normal(size=count)
    found = median_interval(np.append(values, [np.nan, np.inf]))
    interval = scipy.stats.quantile_test(values, q=0, p=0.5).confidence_interval(0.95)
    assert (found.low, found.high) == (interval.low, interval.high)
    assert (found.estimate, found.num_seeds) == (np.median(values), count)


def test_too_few_values_have_no_interval_of_the_median():
    five = median_interval(np.arange(5.0))
    assert (five.estimate, five.num_seeds) == (2, 5)
    assert np.isnan([five.low, five.high]).all()
    assert median_interval(np.full(3, np.nan)).num_seeds == 0


def test_rank_correlation_of_other_lengths_is_refused():
    with pytest.raises(ValueError, match="a and b: expected one entry"):
        rank_correlation(np.ones(3), np.ones(4))


def test_rank_correlation_equals_scipy_and_leaves_nan_out():
    rng = np.random.default_rng(4)
    a = rng.integers(0, 8, 30).astype(float)  # with ties
    b = a + rng.integers(0, 9, 30)
    expected = scipy.stats.spearmanr(a, b).statistic
    found = rank_correlation(np.append(a, [np.nan, 1.0]), np.append(b, [5.0, np.nan]))
    assert found.estimate == pytest.approx(expected, abs=1e-12)
    assert found.num_seeds == 30
    half = 1.959964 * np.sqrt((1 + expected**2 / 2) / 27)
    np.testing.assert_allclose(
        np.arctanh([found.low, found.high]), np.arctanh(expected) + half * np.array([-1, 1])
    )


def test_interval_of_the_correlation_covers_the_truth():
    rng = np.random.default_rng(5)
    draws, normal = 1000, 0.6
    truth = 6 / np.pi * np.arcsin(normal / 2)  # Spearman's of a bivariate normal
    covered = 0
    for _ in range(draws):
        a, noise = rng.normal(size=(2, 50))
        found = rank_correlation(a, normal * a + np.sqrt(1 - normal**2) * noise)
        covered += found.low < truth < found.high
    # 95% with a standard error of 0.7%, and the interval's own error of about 1% at n = 50.
    assert 0.92 < covered / draws < 0.98


def test_correlations_that_are_not_known():
    one_to_five = np.arange(5.0)
    same = rank_correlation(one_to_five, 2 * one_to_five)
    half = 1.959964 * np.sqrt(1.5 / 2)
    assert same[:3] == pytest.approx((1, np.tanh(np.arctanh(0.95) - half), 1))
    opposite = rank_correlation(one_to_five, -one_to_five)
    assert (opposite.low, opposite.high) == pytest.approx((-1, -same.low))
    for a, b in ((one_to_five[:3], one_to_five[:3]), (one_to_five, np.ones(5))):
        assert np.isnan(rank_correlation(a, b)[:3]).all()


def test_jackknife_of_a_mean_is_the_mean_s_own_interval():
    """Where a pair is the sum of its seeds' effects, the mean over pairs is twice that over seeds."""
    effects = np.random.default_rng(0).normal(size=12)
    found = jackknife_interval(effects[:, None] + effects[None, :])
    expected = mean_interval(2 * effects)
    for name in ("estimate", "low", "high"):
        assert float(getattr(found, name)) == pytest.approx(float(getattr(expected, name)))
    assert int(found.num_seeds) == 12


def test_jackknife_variance_of_a_mean_is_its_own():
    values = np.random.default_rng(0).normal(size=(9, 2))
    without = [np.delete(values, i, axis=0).mean(axis=0) for i in range(9)]
    np.testing.assert_allclose(jackknife_variance(without), values.var(axis=0, ddof=1) / 9)


def test_jackknife_twin():
    rng = np.random.default_rng(1)
    pairs = rng.normal(size=(7, 7, 3))
    pairs = pairs + pairs.swapaxes(0, 1)
    found = jackknife_interval(pairs)
    upper = np.triu_indices(7, 1)
    np.testing.assert_allclose(found.estimate, pairs[upper].mean(axis=0))
    without = []
    for i in range(7):
        kept = np.delete(np.delete(pairs, i, 0), i, 1)
        without.append(kept[np.triu_indices(6, 1)].mean(axis=0))
    error = np.sqrt(6 / 7 * ((np.array(without) - np.mean(without, axis=0)) ** 2).sum(axis=0))
    np.testing.assert_allclose(found.high - found.estimate, scipy.stats.t.ppf(0.975, 6) * error)


def test_jackknife_covers_where_pairs_share_seeds():
    """1000 made-up studies: 95% intervals hold the truth, 0, in about 95%, not in fewer."""
    rng = np.random.default_rng(2)
    effects = rng.normal(size=(1000, 20))
    noise = rng.normal(size=(1000, 20, 20))
    pairs = effects[:, :, None] + effects[:, None, :] + noise + noise.swapaxes(1, 2)
    found = jackknife_interval(np.moveaxis(pairs, 0, -1))
    covered = ((found.low <= 0) & (found.high >= 0)).mean()
    assert 0.93 < covered < 0.98  # standard error of the share: 0.007


def test_jackknife_leaves_out_diverged_seeds():
    rng = np.random.default_rng(3)
    pairs = rng.normal(size=(6, 6))
    pairs = pairs + pairs.T
    whole = jackknife_interval(pairs[:5, :5])
    pairs[5] = pairs[:, 5] = np.nan
    found = jackknife_interval(pairs)
    np.testing.assert_allclose(np.array(found, float), np.array(whole, float))
    assert np.isnan(jackknife_interval(pairs[:2, :2]).low)
