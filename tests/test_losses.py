"""Losses and output units against their definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ibjax.losses import cross_entropy, output_units, two_logits


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


def test_one_output_is_the_logit_of_class_1():
    z = jnp.array([[2.0, -0.5, 0.0, 300.0, -300.0]])
    y = jnp.array([1, 0, 1, 0, 1])
    both = jnp.concatenate([jnp.zeros_like(z), z])
    np.testing.assert_array_equal(cross_entropy(z, y), cross_entropy(both, y))
    with np.errstate(over="ignore"):
        p_one = 1 / (1 + np.exp(-np.asarray(z[0], np.float64)))
    expected = -np.log(np.where(y == 1, p_one, 1 - p_one)[:3])
    np.testing.assert_allclose(cross_entropy(z, y)[:3], expected, rtol=1e-6)
    gradient = jax.grad(lambda z: cross_entropy(z, y).sum())(z)
    np.testing.assert_allclose(gradient[0], p_one - y, atol=1e-6)
    np.testing.assert_allclose(output_units(z)[0], p_one, atol=1e-6)
    np.testing.assert_allclose(output_units(both)[1], p_one, atol=1e-6)
    assert two_logits(both) is both
