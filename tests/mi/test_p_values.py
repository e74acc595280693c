"""p-values of estimates against SciPy in float64, exact laws and simulated null estimates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from ibjax.mi.gaussian import gaussian_mi
from ibjax.mi.p_values import discrete_p_value, gaussian_p_value

LN2 = np.log(2.0)


@pytest.mark.parametrize(("kx", "ky"), [(2, 2), (3, 4), (10, 10), (20, 51), (2, 10_000), (1001, 1001)])
def test_discrete_equals_scipy(kx, ky):
    """Six digits for few degrees of freedom, 1% of p for a million."""
    n, degrees = 10**7, (kx - 1) * (ky - 1)
    for p in (0.99, 0.5, 0.05, 1e-3, 1e-6):
        mi = np.float32(stats.chi2.isf(p, degrees) / (2 * n * LN2))
        expected = stats.chi2.sf(2 * n * LN2 * float(mi), degrees)
        got = discrete_p_value(mi, num_samples=n, num_states_x=kx, num_states_y=ky)
        assert got == pytest.approx(expected, rel=1e-5 if degrees < 10 else 0.005)


def test_discrete_equals_the_g_test():
    table = np.array([[12, 5, 9], [3, 14, 8]])
    n = table.sum()
    p = table / n
    mi = (p * np.log2(p / np.outer(p.sum(1), p.sum(0)))).sum()
    _, expected, _, _ = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")
    got = discrete_p_value(mi, num_samples=int(n), num_states_x=2, num_states_y=3)
    assert got == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_discrete_null_estimates_are_uniform():
    rng, lanes, n = np.random.default_rng(0), 4000, 600
    joint = rng.integers(0, 3, (lanes, n)) * 4 + rng.integers(0, 4, (lanes, n))
    p = np.stack([(joint == cell).mean(axis=1) for cell in range(12)], axis=1).reshape(lanes, 3, 4)
    outer = p.sum(axis=2, keepdims=True) * p.sum(axis=1, keepdims=True)
    mi = (p * np.log2(np.where(p > 0, p, 1) / outer)).sum(axis=(1, 2))
    got = np.asarray(discrete_p_value(mi, num_samples=n, num_states_x=3, num_states_y=4))
    assert got.shape == (lanes,)
    for level in (0.05, 0.5):
        # The law itself is asymptotic: two points of a hundred for it.
        assert (
            abs((got <= level).mean() - level) < 4 * np.sqrt(level * (1 - level) / lanes) + 0.02 * level
        )


@pytest.mark.parametrize(
    ("n", "d", "rel"), [(20, 1, 0.02), (50, 1, 2e-3), (50, 3, 5e-3), (200, 10, 5e-3)]
)
def test_gaussian_is_close_to_the_exact_law(n, d, rel):
    """Of one column against d: 1 - R^2 is Beta((n - 1 - d) / 2, d / 2)."""
    for p in (0.9, 0.5, 0.05, 1e-3):
        unexplained = stats.beta.ppf(p, (n - 1 - d) / 2, d / 2)
        mi = -0.5 * np.log2(unexplained)
        got = gaussian_p_value(mi, num_samples=n, num_columns_x=d, num_columns_y=1)
        assert got == pytest.approx(p, rel=rel)
        assert got == gaussian_p_value(mi, num_samples=n, num_columns_x=1, num_columns_y=d)


def test_gaussian_null_estimates_are_uniform():
    lanes, n = 4000, 25
    x, y = np.random.default_rng(1).normal(size=(2, lanes, n, 2))
    plain = jax.vmap(lambda x, y: gaussian_mi(x, y, correction=False))
    mi = plain(jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32))
    got = np.asarray(gaussian_p_value(mi, num_samples=n, num_columns_x=2, num_columns_y=2))
    for level in (0.05, 0.5):
        assert abs((got <= level).mean() - level) < 4 * np.sqrt(level * (1 - level) / lanes)


def discrete(mi, k=3):
    return discrete_p_value(mi, num_samples=1000, num_states_x=k, num_states_y=2)


def gaussian(mi):
    return gaussian_p_value(mi, num_samples=1000, num_columns_x=2, num_columns_y=1)


@pytest.mark.slow
@pytest.mark.parametrize("p_value", [discrete, gaussian])
def test_extremes(p_value):
    assert p_value(0.0) == 1
    assert p_value(-1e-6) == 1  # rounding
    assert np.isnan(p_value(np.nan))
    assert 0 < p_value(10.0) < 2e-38
    got = p_value(np.float32([[0.0, 0.001], [0.01, np.nan]]))
    assert got.shape == (2, 2)
    assert got.dtype == jnp.float32
    assert got[0, 0] > got[0, 1] > got[1, 0] > 0
    np.testing.assert_allclose(jax.jit(p_value)(jnp.float32(0.001)), got[0, 1], rtol=1e-5)
    np.testing.assert_allclose(jax.vmap(p_value)(jnp.float32([0.0, 0.001])), got[0], rtol=1e-5)


def test_numbers_of_states_may_be_traced():
    got = jax.vmap(discrete, (None, 0))(0.001, jnp.array([1, 2, 3]))
    np.testing.assert_allclose(got, [1.0, discrete(0.001, 2), discrete(0.001, 3)], rtol=1e-5)
    assert discrete(0.5, 1) == 1  # nothing can be learned from one state
    assert np.isnan(discrete(np.nan, 1))


def test_refuses_other_arguments(monkeypatch):
    # As for users, whose arguments no type checker has seen.
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    states = {"num_samples": 9, "num_states_x": 2, "num_states_y": 2}
    columns = {"num_samples": 9, "num_columns_x": 3, "num_columns_y": 2}
    for function, good, bad, message in [
        (discrete_p_value, states, {"num_samples": 0}, "num_samples"),
        (discrete_p_value, states, {"num_states_x": 0}, "num_states_x"),
        (discrete_p_value, states, {"num_states_y": -1}, "num_states_y"),
        (gaussian_p_value, columns, {"num_columns_x": 1.5}, "num_columns_x"),
        (gaussian_p_value, columns, {"num_columns_y": 0}, "num_columns_y"),
        (gaussian_p_value, columns, {"num_samples": 5}, "at least 6 for 3 and 2 columns, got 5"),
    ]:
        with pytest.raises(ValueError, match=message):
            function(0.1, **(good | bad))
