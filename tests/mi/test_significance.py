"""Shuffle tests and standard deviations against loops in NumPy and what they are to guarantee."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibjax.mi import binned_mi
from ibjax.mi.edge import edge_mi
from ibjax.mi.significance import shuffle_test, subsample_std

KEY = jax.random.key(0)


@jax.jit
def correlation_mi(x, y):
    """-1/2 log2(1 - r^2), in three lines, so that programs compile fast."""
    x, y = x - x.mean(), y - y.mean()
    r2 = jnp.square(jnp.sum(x * y)) / (jnp.sum(x * x) * jnp.sum(y * y))
    return -0.5 * jnp.log2(1 - r2)


def correlation_mi_twin(x, y):
    return -0.5 * np.log2(1 - np.corrcoef(x, y)[0, 1] ** 2)


def gaussian(rho, shape, seed=0):
    x, noise = np.random.default_rng(seed).normal(size=(2, *shape))
    y = rho * x + np.sqrt(1 - rho**2) * noise
    return jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)


def layer_test(t, y, key):
    return shuffle_test(lambda t, y: binned_mi(t, y).ity, t, y, key=key, num_shuffles=19)


# --------------------------------------------------------------------------------------------------
# shuffle_test


def shuffle_twin(x, y, key, num_shuffles):
    estimate = correlation_mi_twin(x, y)
    permutations = [jax.random.permutation(k, len(y)) for k in jax.random.split(key, num_shuffles)]
    null = np.array([correlation_mi_twin(x, y[np.asarray(rows)]) for rows in permutations])
    return estimate, (1 + (null >= estimate).sum()) / (num_shuffles + 1), null


@pytest.mark.slow
@given(st.floats(-0.9, 0.9), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=8)
def test_shuffles_equal_twin(rho, seed):
    x, y = map(np.asarray, gaussian(rho, (25,), seed))
    key = jax.random.key(seed)
    got, expected = (
        shuffle_test(correlation_mi, x, y, key=key, num_shuffles=30),
        shuffle_twin(x, y, key, 30),
    )
    assert got.estimate == pytest.approx(expected[0], rel=1e-4, abs=1e-6)
    np.testing.assert_allclose(got.null, expected[2], rtol=1e-4, atol=1e-6)
    assert got.p_value == pytest.approx(expected[1], abs=1 / 31 + 1e-6)  # a tie within rounding


@pytest.mark.slow
def test_dependence_gives_the_smallest_p_value_and_never_zero():
    test = shuffle_test(correlation_mi, *gaussian(0.95, (40,)), key=KEY, num_shuffles=49)
    assert test.p_value == pytest.approx(1 / 50)
    assert test.null.shape == (49,)
    assert test.null.max() < test.estimate


@pytest.mark.slow
def test_p_values_are_valid_under_independence():
    """Of 2000 tests of independent variables a share p has a p-value of at most p."""
    lanes, m = 2000, 19
    keys = jax.random.split(KEY, lanes)

    @jax.jit
    @jax.vmap
    def p_value(x, y, key):
        return shuffle_test(correlation_mi, x, y, key=key, num_shuffles=m).p_value

    p = np.asarray(p_value(*gaussian(0.0, (lanes, 15)), keys))
    assert p.min() == pytest.approx(1 / 20)
    for level in (0.05, 0.2, 0.5):
        share = (p <= level + 1e-6).mean()
        assert abs(share - level) < 4 * np.sqrt(level * (1 - level) / lanes)


@pytest.mark.slow
def test_ties_count_against_dependence():
    x, y = gaussian(0.5, (30,))
    constant = shuffle_test(lambda x, y: jnp.float32(2.5), x, y, key=KEY, num_shuffles=9)
    assert constant.p_value == 1
    # Rounding in another order: the data come out highest by chance of summation alone.
    last_digits = shuffle_test(
        lambda x, y: 3 + 2e-6 * (y[0] == y.max()), x, jnp.sort(y)[::-1], key=KEY, num_shuffles=9
    )
    assert last_digits.estimate > last_digits.null.min()
    assert last_digits.p_value == 1


@pytest.mark.slow
def test_layers_and_labels():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 60)
    t = np.tanh(labels[:, None] + 0.3 * rng.normal(size=(60, 2))).astype(np.float32)
    assert layer_test(t, labels, KEY).p_value == pytest.approx(1 / 20)
    assert layer_test(t, rng.integers(0, 2, 60), KEY).p_value > 1 / 20
    test = layer_test(t, labels, KEY)
    assert test.estimate == binned_mi(t, labels).ity


@pytest.mark.slow
def test_estimator_that_draws_closes_over_its_key():
    x, y = gaussian(0.9, (64,))
    test = shuffle_test(lambda x, y: edge_mi(x, y, key=KEY), x, y, key=KEY, num_shuffles=9)
    assert test.p_value == pytest.approx(0.1)


def test_all_columns_of_a_row_move_together():
    """Shuffles keep what depends on y alone, so every null estimate is the same."""
    x, y = gaussian(0.5, (20, 3))
    test = shuffle_test(lambda x, y: jnp.sum(y[:, 0] * y[:, 1]), x, y, key=KEY, num_shuffles=9)
    np.testing.assert_allclose(test.null, test.estimate, rtol=1e-5)


@pytest.mark.slow
def test_batches_do_not_matter():
    x, y = gaussian(0.3, (30,))
    one, more, all_ = (
        shuffle_test(correlation_mi, x, y, key=KEY, num_shuffles=12, batch_size=size)
        for size in (1, 5, 99)
    )
    for other in (more, all_):
        np.testing.assert_allclose(other.null, one.null, atol=1e-6)
        assert other.p_value == one.p_value


@pytest.mark.slow
def test_shuffle_test_under_jit_and_vmap_and_nan():
    x, y = gaussian(0.3, (3, 30))
    keys = jax.random.split(KEY, 3)

    def f(x, y, key):
        return shuffle_test(correlation_mi, x, y, key=key, num_shuffles=12)

    of_lanes, jitted = jax.jit(jax.vmap(f)), jax.jit(f)
    clean = of_lanes(x, y, keys)
    for i in range(3):
        expected = f(x[i], y[i], keys[i])
        for one, of_lane, of_jit in zip(expected, clean, jitted(x[i], y[i], keys[i]), strict=True):
            assert one.dtype == jnp.float32
            np.testing.assert_allclose(of_lane[i], one, atol=1e-6)
            np.testing.assert_allclose(of_jit, one, atol=1e-6)
    assert jitted._cache_size() == 1
    got = of_lanes(x.at[1, 4].set(jnp.nan), y, keys)
    assert np.isnan(got.p_value[1])
    assert np.isnan(got.estimate[1])
    np.testing.assert_array_equal(got.p_value[::2], clean.p_value[::2])


def test_one_failed_shuffle_is_enough():
    x, y = gaussian(0.3, (30,))
    some = shuffle_test(
        lambda x, y: jnp.where(y[0] > 0, jnp.nan, 1.0), x, y.at[0].set(-1.0), key=KEY, num_shuffles=12
    )
    assert np.isfinite(some.estimate)
    assert np.isnan(some.null).any()
    assert np.isnan(some.p_value)


# --------------------------------------------------------------------------------------------------
# subsample_std


def subsample_twin(x, y, key, numbers):
    n = len(x)
    total = 0.0
    for k, key_of_split in zip(numbers, jax.random.split(key, len(numbers)), strict=True):
        m = n // k
        order = np.asarray(jax.random.permutation(key_of_split, n))
        parts = [order[i * m : (i + 1) * m] for i in range(k)]
        estimates = [correlation_mi_twin(x[part], y[part]) for part in parts]
        total += (k - 1) * m * np.var(estimates, ddof=1)
    return np.sqrt(total / sum(k - 1 for k in numbers) / n)


@pytest.mark.slow
@pytest.mark.parametrize("numbers", [(4, 7), tuple(range(2, 11))])
def test_standard_deviation_equals_twin(numbers):
    x, y = map(np.asarray, gaussian(0.7, (203,)))
    got = subsample_std(correlation_mi, x, y, key=KEY, num_subsamples=numbers)
    assert got.shape == ()
    assert got.dtype == jnp.float32
    assert got == pytest.approx(subsample_twin(x, y, KEY, numbers), rel=1e-4)


def test_one_number_or_several():
    x, y = gaussian(0.7, (100,))
    one, several = (subsample_std(correlation_mi, x, y, key=KEY, num_subsamples=k) for k in (5, [5]))
    assert one == several


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.6, 0.9])
def test_is_the_scatter_over_data_sets(rho):
    """The mean over 400 data sets, against the scatter of their estimates: rho / sqrt(n) nats."""
    lanes, n = 400, 500
    x, y = gaussian(rho, (lanes, n))

    @jax.jit
    @jax.vmap
    def f(x, y, key):
        std = subsample_std(correlation_mi, x, y, key=key, num_subsamples=(2, 5, 10))
        return std, correlation_mi(x, y)

    stds, estimates = map(np.asarray, f(x, y, jax.random.split(KEY, lanes)))
    scatter = estimates.std(ddof=1)
    assert scatter == pytest.approx(rho / np.sqrt(n) / np.log(2), rel=0.12)
    # 1 / sqrt(2 * 400) is 3.5% of uncertainty about the scatter.
    assert np.sqrt(np.mean(stds**2)) == pytest.approx(scatter, rel=0.12)
    # Its own scatter: 1 / sqrt(2 * 14) = 19%.
    assert 0.12 < stds.std() / stds.mean() < 0.3


@pytest.mark.slow
def test_layer_estimators_and_labels():
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 3, 120)
    t = np.tanh(labels[:, None] + rng.normal(size=(120, 1))).astype(np.float32)
    std = subsample_std(lambda t, y: binned_mi(t, y, bins=4).ity, t, labels, key=KEY, num_subsamples=4)
    assert 0 < std < 0.5


def test_no_scatter_is_zero():
    x, y = gaussian(0.5, (40,))
    assert subsample_std(lambda x, y: jnp.float32(2.0), x, y, key=KEY, num_subsamples=4) == 0


@pytest.mark.slow
def test_standard_deviation_under_jit_and_vmap_and_nan():
    x, y = gaussian(0.5, (3, 60))
    keys = jax.random.split(KEY, 3)

    def f(x, y, key):
        return subsample_std(correlation_mi, x, y, key=key, num_subsamples=(2, 3))

    of_lanes, jitted = jax.jit(jax.vmap(f)), jax.jit(f)
    clean = of_lanes(x, y, keys)
    for i in range(3):
        assert clean[i] == pytest.approx(float(f(x[i], y[i], keys[i])), rel=1e-4)
        assert jitted(x[i], y[i], keys[i]) == pytest.approx(float(clean[i]), rel=1e-4)
    assert jitted._cache_size() == 1
    got = of_lanes(x.at[1, 4].set(jnp.nan), y, keys)
    assert np.isnan(got[1])
    np.testing.assert_array_equal(got[::2], clean[::2])


# --------------------------------------------------------------------------------------------------
# Errors.


def test_refuses_other_arguments(monkeypatch):
    # As for users, whose arguments no type checker has seen.
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    x, y = gaussian(0.5, (20,))
    labels = np.arange(20)
    for function in (shuffle_test, subsample_std):
        for bad_x, bad_y, message in [
            (x[:4], y, "x and y: expected one entry a sample in both, got lengths 4 and 20"),
            (x[:1], y[:1], "n_samples: expected at least 2, got 1"),
            (np.float32(1.0), y, "x: expected shape"),
            (x.at[3].set(np.nan), y, "x: expected finite values, got 1"),
            (x, y.at[3].set(np.inf), "y: expected finite values, got 1"),
            (x, labels + 2**40, "y: expected integers of 32 bits"),
        ]:
            with pytest.raises(ValueError, match=message):
                function(correlation_mi, bad_x, bad_y, key=KEY)
        with pytest.raises(ValueError, match="estimator: expected one that gives a scalar, got MI"):
            function(binned_mi, x[:, None], labels, key=KEY)
        with pytest.raises(ValueError, match="estimator: expected one that gives a scalar, got shape"):
            function(lambda x, y: x, x, y, key=KEY)
    for options in ({"num_shuffles": 0}, {"num_shuffles": 9.0}, {"batch_size": 0}):
        with pytest.raises(ValueError, match=r"expected a whole number (of|from) 1"):
            shuffle_test(correlation_mi, x, y, key=KEY, **options)
    for bad in (1, 11, (2, 11), 0, 2.5, ()):
        with pytest.raises((ValueError, TypeError), match=r"num_subsamples|iterable"):
            subsample_std(correlation_mi, x, y, key=KEY, num_subsamples=bad)
