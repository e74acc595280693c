"""Small numerical pieces against their definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ibjax.numerics import (
    clog2c_table,
    logmeanexp,
    product,
    scaled_to_one,
    squared_distances,
    sum_over_columns,
    to_bits,
    to_nats,
)


@pytest.mark.parametrize("n", [1, 2, 7, 4096])
def test_table_holds_c_log_c(n):
    table = clog2c_table(n)
    assert table.shape == (n + 1,)
    assert table.dtype == np.float32
    expected = [0.0] + [c / n * np.log2(c) for c in range(1, n + 1)]
    np.testing.assert_allclose(table, expected, rtol=1e-6)
    assert table[0] == table[1] == 0.0  # so that states that occur once or never add exactly nothing


def test_table_cannot_be_written_by_those_who_share_it():
    with pytest.raises(ValueError, match="read-only"):
        clog2c_table(5)[0] = 1.0


def test_table_gives_entropies():
    counts = np.array([4, 2, 3, 2, 4, 2, 1, 1])  # 1.968382 nats
    h = np.log2(19) - clog2c_table(19)[counts].sum()
    assert h * np.log(2) == pytest.approx(1.968382, abs=1e-6)


def test_nats_become_bits():
    got = to_bits(jnp.array([0.0, np.log(2.0), 1.0]))
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, [0.0, 1.0, 1.4426950], rtol=1e-6)


def test_log_of_a_mean_of_exponentials():
    x = np.float32([[0.0, np.log(3.0)], [1e4, 1e4], [-np.inf, 0.0], [-np.inf, -np.inf]])
    expected = [np.log(2.0), 1e4, -np.log(2.0), -np.inf]
    np.testing.assert_allclose(logmeanexp(jnp.asarray(x)), expected, rtol=1e-6)
    np.testing.assert_allclose(logmeanexp(jnp.asarray(x).T, axis=0), expected, rtol=1e-6)
    assert np.isnan(logmeanexp(jnp.array([0.0, np.nan])))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("width", [1, 16, 17, 64, 65, 1024])
def test_squared_distances_keep_their_digits_at_any_scale_and_width(width, scale):
    """Also of close neighbours, where |a|^2 + |b|^2 - 2ab has none left."""
    rng = np.random.default_rng(width)
    a = np.float32(scale * rng.normal(size=(5, width)))
    b = np.float32(np.concatenate([a + 1e-3 * scale * rng.normal(size=a.shape), -a, a[:1]]))
    expected = ((a.astype(np.float64)[:, None] - b.astype(np.float64)[None]) ** 2).sum(axis=-1)
    got = jax.jit(squared_distances)(jnp.asarray(a), jnp.asarray(b))
    assert got.shape == (5, 11)
    np.testing.assert_allclose(got, expected, rtol=2e-6)
    assert got[0, 10] == 0.0


def test_squared_distances_of_nan_are_nan_in_their_row():
    a = jnp.array([[0.0, jnp.nan], [0.0, 1.0]])
    np.testing.assert_array_equal(np.isnan(squared_distances(a, a)), [[True, True], [True, False]])


@pytest.mark.parametrize("num_columns", [1, 2, 15, 16, 17, 32, 33, 100])
def test_sum_over_columns_adds_each_once(num_columns):
    x = jnp.asarray(np.arange(2 * num_columns).reshape(2, num_columns), jnp.float32)

    def term(c):
        return jax.lax.dynamic_index_in_dim(x, c, axis=1, keepdims=False)

    got = jax.jit(lambda: sum_over_columns(term, num_columns))()
    np.testing.assert_array_equal(got, x.sum(axis=1))


def test_nats_and_bits():
    assert to_nats(1.0) == pytest.approx(np.log(2), rel=1e-7)
    assert to_nats(to_bits(jnp.float32(12.3))) == pytest.approx(12.3, rel=2e-7)


@pytest.mark.parametrize("size", [1e-35, 1e-3, 1.0, 1e20, 1e38])
def test_scaling_is_exact(size):
    x = jnp.asarray(size * np.random.default_rng(0).uniform(-3, 3, (5, 4)), jnp.float32)
    scaled, exponent = scaled_to_one(x)
    assert 0.5 <= np.abs(scaled).max() < 1
    np.testing.assert_array_equal(np.ldexp(scaled, exponent), x)
    scaled, exponent = scaled_to_one(x, axis=0)
    assert exponent.shape == (1, 4)
    assert np.all((np.abs(scaled).max(axis=0) >= 0.5) & (np.abs(scaled).max(axis=0) < 1))
    np.testing.assert_array_equal(np.ldexp(scaled, exponent), x)


def test_zeros_stay_zeros():
    scaled, exponent = scaled_to_one(jnp.zeros(3))
    assert np.all(scaled == 0)
    assert exponent == 0


def test_products_are_of_full_float32_whatever_the_default():
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(40, 40)).astype(np.float32) for _ in range(2))
    with jax.default_matmul_precision("bfloat16"):
        text = jax.jit(product).lower(a, b).as_text()
        got = product(a, b)
    assert text.count("HIGHEST") == 2
    np.testing.assert_allclose(got, np.float64(a) @ np.float64(b), atol=2e-5)
