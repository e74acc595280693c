"""Columns of a sample brought to one scale, at any offset and any scale that float32 holds."""

import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = ["standardised"]


def standardised(x: Float[Array, "n d"]) -> Float[Array, "n d"]:
    """Columns less their mean, over their standard deviation; constant columns become exactly 0.

    Powers of two bring values up to 1 and are exact, as quotients of huge values are not. Differences
    to the first row are exact where an offset is large, and where a column is constant.
    """
    _, exponent = jnp.frexp(jnp.abs(x).max(axis=0, keepdims=True))
    x = jnp.ldexp(x, -exponent)
    x = x - x[:1]
    x = x - x.mean(axis=0, keepdims=True)
    variance = jnp.square(x).mean(axis=0, keepdims=True)
    return x / jnp.sqrt(jnp.where(variance > 0, variance, 1.0))
