"""Standardisation of a sample's columns, at any offset and scale that float32 holds."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ibjax.numerics import scaled_to_one

__all__ = ["standardised"]


def standardised(x: Float[Array, "n d"]) -> Float[Array, "n d"]:
    """Subtract the mean of each column and divide by its deviation; constant columns become exactly 0.

    Differences to the first row are taken first: they are exact for large offsets and constant columns.
    """
    x, _ = scaled_to_one(x, axis=0)
    x = x - x[:1]
    x = x - x.mean(axis=0, keepdims=True)
    variance = jnp.square(x).mean(axis=0, keepdims=True)
    return x / jnp.sqrt(jnp.where(variance > 0, variance, 1.0))
