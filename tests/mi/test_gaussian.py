"""The Gaussian estimator against closed forms, determinants in float64, and Monte Carlo means."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma

from ibjax.mi.gaussian import _gaussian_mi, gaussian_mi

LN2 = np.log(2.0)


def twin(x, y, *, correction=True):
    """Bits, from float64 determinants of the covariances as they are."""
    x, y = (np.asarray(v, np.float64).reshape(len(v), -1) for v in (x, y))
    nats = 0.5 * (log_determinant(x) + log_determinant(y) - log_determinant(np.hstack([x, y])))
    if correction:
        nats -= expected_error(len(x), x.shape[1], y.shape[1])
    return nats / LN2


def log_determinant(x):
    sign, value = np.linalg.slogdet(np.atleast_2d(np.cov(x, rowvar=False)))
    assert sign > 0
    return value


def expected_error(n, dx, dy):
    """The docstring's formula, nats."""
    return 0.5 * sum(digamma((n - i) / 2) - digamma((n - dx - i) / 2) for i in range(1, dy + 1))


def sample_with_covariance(covariance, n=200, seed=0):
    """Samples (n, d) whose own covariance is the given one."""
    covariance = np.asarray(covariance, np.float64)
    z = np.random.default_rng(seed).normal(size=(n, len(covariance)))
    z -= z.mean(axis=0)
    z = z @ np.linalg.inv(np.linalg.cholesky(np.cov(z, rowvar=False))).T
    return (z @ np.linalg.cholesky(covariance).T).astype(np.float32)


def plain(x, y):
    return gaussian_mi(x, y, correction=False)


def dependent(rng, n, dx, dy, noise):
    x = rng.normal(size=(n, dx))
    y = x @ rng.normal(size=(dx, dy)) + noise * rng.normal(size=(n, dy))
    return x.astype(np.float32), y.astype(np.float32)


# --------------------------------------------------------------------------------------------------
# Closed forms. Samples have the covariance itself, so nothing but rounding is left.


@pytest.mark.parametrize(("rho", "nats"), [(0.1, 0.005025), (0.5, 0.143841), (0.75, 0.413339)])
def test_two_correlated_variables(rho, nats):
    z = sample_with_covariance([[1, rho], [rho, 1]])
    assert float(plain(z[:, 0], z[:, 1])) * LN2 == pytest.approx(nats, abs=1e-6)
    assert float(plain(z[:, 0], z[:, 1])) == pytest.approx(-0.5 * np.log2(1 - rho**2), abs=1e-6)


@pytest.mark.parametrize(("d", "nats"), [(2, 0.293893), (3, 0.413339), (25, 1.292184)])
def test_all_correlations_one_half(d, nats):
    z = sample_with_covariance(0.5 * np.eye(2 * d) + 0.5)
    assert float(plain(z[:, :d], z[:, d:])) * LN2 == pytest.approx(nats, abs=2e-6)


@pytest.mark.parametrize("d", [2, 3, 25])
def test_two_correlated_pairs_among_others(d):
    covariance = np.eye(2 * d)
    for i in range(2):
        covariance[i, d + i] = covariance[d + i, i] = 0.8
    z = sample_with_covariance(covariance)
    assert float(plain(z[:, :d], z[:, d:])) * LN2 == pytest.approx(1.021651, abs=2e-6)


@pytest.mark.parametrize("rho", [1e-4, 1e-2, 0.7, 0.7072, 0.999, 1 - 1e-8])
def test_weak_and_strong_correlation_keep_their_digits(rho):
    z = sample_with_covariance([[1, rho], [rho, 1]])
    assert plain(z[:, 0], z[:, 1]) == pytest.approx(twin(z[:, 0], z[:, 1], correction=False), abs=5e-4)
    if rho < 0.99:
        assert plain(z[:, 0], z[:, 1]) == pytest.approx(-0.5 * np.log2(1 - rho**2), rel=2e-3, abs=1e-11)


# --------------------------------------------------------------------------------------------------
# The twin.


@pytest.mark.slow
@given(
    st.sampled_from([(20, 1, 1), (60, 3, 2), (120, 25, 25)]),
    st.floats(-3, 1),
    st.integers(0, 2**32 - 1),
)
@settings(deadline=None, max_examples=40)
def test_equals_twin(shape, log_noise, seed):
    rng = np.random.default_rng(seed)
    x, y = dependent(rng, *shape, noise=10.0**log_noise)
    for correct in (True, False):
        expected = twin(x, y, correction=correct)
        assert gaussian_mi(x, y, correction=correct) == pytest.approx(expected, rel=5e-5, abs=2e-5)


@given(st.floats(-20, 20), st.floats(-20, 20), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=20)
def test_units_and_signs_of_columns_do_not_matter(log_a, log_b, seed):
    x, y = dependent(np.random.default_rng(seed), 60, 3, 2, noise=1.0)
    scaled = x * np.float32([10.0**log_a, -(10.0**log_b), 1.0])
    assert gaussian_mi(scaled, y) == pytest.approx(float(gaussian_mi(x, y)), rel=1e-5, abs=1e-5)


def test_large_offsets_cost_no_more_than_the_digits_they_take():
    x, y = dependent(np.random.default_rng(0), 60, 3, 2, noise=0.1)
    x = x + np.float32([4000.0, -1e5, 0.0])
    assert gaussian_mi(x, y) == pytest.approx(twin(x, y), abs=1e-4)


@pytest.mark.slow
def test_is_symmetric_and_does_not_depend_on_order():
    x, y = dependent(np.random.default_rng(1), 60, 3, 2, noise=0.3)
    rows = np.random.default_rng(2).permutation(60)
    expected = float(gaussian_mi(x, y))
    assert gaussian_mi(y, x) == pytest.approx(expected, abs=1e-5)
    assert gaussian_mi(x[rows], y[rows]) == pytest.approx(expected, abs=1e-5)
    assert gaussian_mi(x[:, ::-1], y) == pytest.approx(expected, abs=1e-5)
    assert gaussian_mi(x @ [[1, 2, 0], [0, 1, -3], [1, 0, 1]], y) == pytest.approx(expected, abs=1e-4)


@pytest.mark.slow
def test_many_samples_equal_twin():
    x, y = dependent(np.random.default_rng(3), 60_000, 10, 3, noise=2.0)
    assert gaussian_mi(x, y) == pytest.approx(twin(x, y), abs=2e-5)


# --------------------------------------------------------------------------------------------------
# The correction.


@pytest.mark.parametrize("rho", [0.0, 0.75])
def test_correction_leaves_no_bias(rho):
    """n = 12 samples of 2 + 3 columns: the plain estimate is off by half a bit."""
    lanes, n, dx, dy = 8000, 12, 2, 3
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(lanes, n, dx)), rng.normal(size=(lanes, n, dy))
    y[..., 0] = rho * x[..., 0] + np.sqrt(1 - rho**2) * y[..., 0]
    truth = -0.5 * np.log2(1 - rho**2)
    estimates = np.asarray(
        jax.vmap(gaussian_mi)(jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32))
    )
    standard_error = estimates.std() / np.sqrt(lanes)
    assert standard_error < 0.006
    assert abs(estimates.mean() - truth) < 4 * standard_error
    error = expected_error(n, dx, dy) / LN2
    assert error > 50 * standard_error
    # Wishart terms, not their limit for many samples: these differ by several standard errors.
    assert error - dx * dy / (2 * n * LN2) > 10 * standard_error


def test_correction_is_the_formula_and_about_dx_dy_over_2n():
    x, y = dependent(np.random.default_rng(5), 60, 3, 2, noise=1.0)
    difference = (float(plain(x, y)) - float(gaussian_mi(x, y))) * LN2
    assert difference == pytest.approx(expected_error(60, 3, 2), abs=1e-6)
    assert expected_error(5000, 3, 2) == pytest.approx(6 / 10_000, rel=0.01)


def test_corrected_estimate_of_independent_variables_may_be_negative():
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(2, 500, 30))
    bits = np.asarray(jax.vmap(gaussian_mi)(jnp.asarray(x[:, :, None]), jnp.asarray(y[:, :, None])))
    assert (bits < 0).mean() > 0.5


# --------------------------------------------------------------------------------------------------
# Singular covariances.


@pytest.mark.slow
@pytest.mark.parametrize("value", [0.0, 0.3, -3e38, 1e-30])
def test_constant_gives_exactly_nothing(value):
    y = np.random.default_rng(7).normal(size=(40, 2))
    assert gaussian_mi(np.full(40, value), y) == 0
    assert gaussian_mi(y, np.full((40, 3), value)) == 0
    assert gaussian_mi(np.full(40, value), np.full(40, 0.3)) == 0


@pytest.mark.slow
def test_columns_that_add_nothing_change_nothing():
    x, y = dependent(np.random.default_rng(8), 60, 3, 2, noise=0.5)
    expected = float(gaussian_mi(x, y))
    for more in (np.full((60, 1), 7.0), x[:, :1], -2 * x[:, 1:2], x.sum(axis=1, keepdims=True)):
        wider = np.hstack([more, x])
        assert gaussian_mi(wider, y) == pytest.approx(expected, abs=2e-5)
    assert gaussian_mi(y, wider) == pytest.approx(expected, abs=2e-5)


@pytest.mark.slow
def test_one_hot_labels_count_one_column_less():
    rng = np.random.default_rng(9)
    labels = rng.integers(0, 4, 200)
    x = rng.normal(size=(200, 2)) + labels[:, None]
    one_hot = np.eye(4)[labels]
    assert gaussian_mi(x, one_hot) == pytest.approx(twin(x, one_hot[:, 1:]), abs=1e-5)


def test_perfect_dependence_reaches_the_ceiling_and_stays_finite():
    x = np.random.default_rng(10).normal(size=(200, 3)).astype(np.float32)
    assert plain(x[:, 0], x[:, 0]) == 20
    assert plain(x[:, 0], 5 - 3 * x[:, 0]) == pytest.approx(20, abs=1.5)
    for y, pairs in ((x, 3), (x @ np.float32([[1, 2], [0, 1], [3, 1]]), 2)):
        assert 20 * pairs - 3 < plain(x, y) <= 20 * pairs
    assert np.isfinite(gaussian_mi(x, x))


@pytest.mark.slow
def test_smallest_number_of_samples_is_finite():
    x, y = np.random.default_rng(11).normal(size=(2, 6))
    assert np.isfinite(gaussian_mi(x[:3], y[:3]))
    assert np.isfinite(gaussian_mi(x, np.random.default_rng(12).normal(size=(6, 4))))


# --------------------------------------------------------------------------------------------------
# Calls.


def lanes():
    rng = np.random.default_rng(13)
    pairs = [dependent(rng, 60, 3, 2, noise) for noise in (0.1, 1.0, 5.0)]
    x, y = (jnp.stack([jnp.asarray(v) for v in side]) for side in zip(*pairs, strict=True))
    return x, y


of_lanes = jax.jit(jax.vmap(gaussian_mi))


@pytest.mark.slow
def test_jit_and_vmap_agree_with_eager():
    f = gaussian_mi
    x, y = lanes()
    loop = [f(*pair) for pair in zip(x, y, strict=True)]
    assert loop[0].shape == ()
    assert loop[0].dtype == jnp.float32
    np.testing.assert_allclose(jax.jit(f)(x[0], y[0]), loop[0], atol=1e-5)
    np.testing.assert_allclose(of_lanes(x, y), jnp.stack(loop), atol=1e-5)


@pytest.mark.slow
def test_traces_once_for_equal_shapes():
    traces = []

    @jax.jit
    def counted(x, y):
        traces.append(1)
        return gaussian_mi(x, y)

    x, y = lanes()
    for pair in zip(x, y, strict=True):
        counted(*pair)
    assert len(traces) == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number(bad):
    x, y = lanes()
    for name, spoilt in (("x", (x.at[1, 5, 1].set(bad), y)), ("y", (x, y.at[1, 0, 1].set(bad)))):
        with pytest.raises(ValueError, match=f"{name}: expected finite values, got 1"):
            gaussian_mi(spoilt[0][1], spoilt[1][1])
        got = of_lanes(*spoilt)
        assert np.isnan(got[1])
        np.testing.assert_array_equal(got[::2], of_lanes(x, y)[::2])


def test_refuses_other_arguments():
    x, y = np.random.default_rng(14).normal(size=(2, 5, 2))
    with pytest.raises(ValueError, match="expected at least 5 for 2 columns of x and 2 of y, got 4"):
        gaussian_mi(x[:4], y[:4])
    with pytest.raises(ValueError, match="expected at least 5 for 2 columns of x and 2 of y, got 4"):
        jax.jit(gaussian_mi)(x[:4], y[:4])
    for bad in (x[:4], x[None], np.float32(1.0), x.astype(complex), x[:, :0]):
        with pytest.raises(ValueError, match=r"expected .* got "):
            gaussian_mi(bad, y)


@pytest.mark.slow
def test_memory_is_bounded():
    x, y = (jax.ShapeDtypeStruct((100_000, d), jnp.float32) for d in (6, 4))
    compiled = _gaussian_mi.lower(x, y, correction=True).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 2**26
