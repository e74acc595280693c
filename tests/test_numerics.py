"""Small numerical pieces against their definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ibjax.numerics import clog2c_table, cross_entropy


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


def test_cross_entropy_is_minus_log_probability():
    logits = np.random.default_rng(0).normal(size=(3, 50)).astype(np.float32)
    y = np.arange(50, dtype=np.int32) % 3
    p = np.exp(logits.astype(np.float64))
    expected = -np.log((p / p.sum(axis=0))[y, np.arange(50)])
    got = cross_entropy(jnp.asarray(logits), jnp.asarray(y))
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_cross_entropy_of_confident_outputs_is_finite():
    logits = jnp.array([[1e4, 1e4, -3e38], [-1e4, -1e4, 0.0]])
    got = cross_entropy(logits, jnp.array([0, 1, 1]))
    np.testing.assert_array_equal(got, [0.0, 2e4, 0.0])


def test_cross_entropy_of_nan_is_nan():
    got = cross_entropy(jnp.array([[jnp.nan, 0.0], [0.0, 0.0]]), jnp.array([1, 0]))
    assert np.isnan(got[0])
    assert got[1] == pytest.approx(np.log(2), rel=1e-6)


def test_gradient_is_softmax_minus_one_hot():
    logits = jnp.array([[0.5, -1.0], [0.0, 2.0], [1.0, 0.0]])
    y = jnp.array([2, 0])
    got = jax.grad(lambda z: cross_entropy(z, y).sum())(logits)
    expected = jax.nn.softmax(logits, axis=0) - jax.nn.one_hot(y, 3, axis=0)
    np.testing.assert_allclose(got, expected, atol=1e-6)
