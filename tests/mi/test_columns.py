"""Standardised columns against NumPy's float64, at offsets and scales that cost float32 digits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ibjax.mi._columns import standardised


def twin(x):
    x = x.astype(np.float64)
    return (x - x.mean(axis=0)) / x.std(axis=0)


@pytest.mark.parametrize("offset", [0.0, 1.0, -1e6, 3e7])
@pytest.mark.parametrize("scale", [1.0, 1e-6, 2e3])
def test_agrees_with_float64(offset, scale):
    x = np.random.default_rng(0).normal(size=(300, 2)) * scale
    x = (x + offset * scale).astype(np.float32)
    np.testing.assert_allclose(standardised(jnp.asarray(x)), twin(x), atol=5e-6)


@pytest.mark.parametrize("scale", [1e38, 1e-36])
def test_holds_over_all_of_float32(scale):
    x = np.float32([[-3.4], [0.1], [3.4], [1.0]]) * np.float32(scale)
    np.testing.assert_allclose(standardised(jnp.asarray(x)), twin(x), rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, -3e38, 1e-30])
def test_constant_column_is_exactly_zero(value):
    x = jnp.full((7, 1), value, jnp.float32)
    np.testing.assert_array_equal(jax.jit(standardised)(x), np.zeros((7, 1)))
