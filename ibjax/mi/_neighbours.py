"""Exact nearest neighbours of one sample in the maximum norm, for ksg_mi and ross_mi.

Ties: distances that agree to 2e-6 (2^-19) of their value count as equal. A ball just inside the k-th
neighbour excludes all samples that tie with it; if a sample has k copies, the ball is the point itself
with all its copies. Every count includes the sample, so none is 0.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import scipy.special
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from ibjax.batching import map_rows
from ibjax.numerics import scaled_to_one

__all__ = [
    "Standardised",
    "count",
    "distances",
    "inside",
    "kth_distance",
    "map_samples",
    "outside",
    "standardised",
]

# Rounding changes distances by a few 1e-7 of their value; a shell this thin contains hardly any
# continuous sample.
TIE = 2.0**-19


class Standardised(NamedTuple):
    """Columns, rescaled only by a power of two, and the weight that multiplies differences in each.

    Differences are computed before scaling: they are exact on a lattice and between close samples, so
    equal distances stay equal at any offset and scale.
    """

    columns: Float[Array, "d n"]
    weights: Float[Array, " d"]


def standardised(x: Float[Array, "n d"]) -> Standardised:
    """Return the columns of x with weights 1 / standard deviation, or 0 for a constant column."""
    columns, _ = scaled_to_one(x.T, axis=1)  # (n, d) -> (d, n)
    deviation = jnp.std(columns - columns.min(axis=1)[:, None], axis=1)  # exactly 0 if constant
    weights = jnp.where(deviation > 0, 1 / jnp.where(deviation > 0, deviation, 1.0), 0.0)
    return Standardised(columns, weights)


def map_samples(f: Callable[..., Any], *samples: Any) -> Any:
    """Map f over samples, in blocks of rows; f's temporary arrays hold one number per sample."""
    n = len(samples[0])
    return map_rows(lambda sample: f(*sample), samples, entries_per_row=n)


def distances(x: Standardised, sample: Float[Array, " d"]) -> Float[Array, " n"]:
    """Return one sample's maximum-norm distances to all samples; exactly 0 to itself."""

    def with_column(i, largest):
        return jnp.maximum(largest, x.weights[i] * jnp.abs(x.columns[i] - sample[i]))

    return lax.fori_loop(0, len(x.weights), with_column, jnp.zeros_like(x.columns[0]))


def kth_distance(distance: Float[Array, " n"], k: Any, largest_k: int) -> Float[Array, ""]:
    """Return the k-th smallest distance to another sample; ``distance`` includes the sample's own 0.

    Makes ``largest_k`` passes, each to the next larger distance: for small k much faster than a sort or
    XLA's top_k. k may be traced.
    """

    def step(_, reached):
        enough = count(distance <= reached) > k
        next_larger = jnp.min(jnp.where(distance > reached, distance, jnp.inf))
        return jnp.where(enough, reached, next_larger)

    return lax.fori_loop(0, largest_k, step, jnp.zeros_like(distance[0]))


def inside(radius: Float[Array, ""]) -> Float[Array, ""]:
    """Shrink the radius so that the closed ball excludes samples on the sphere and ties; 0 stays 0."""
    return radius * (1 - TIE)


def outside(radius: Float[Array, ""]) -> Float[Array, ""]:
    """Grow the radius so that the closed ball includes samples on the sphere and ties; 0 stays 0."""
    return radius * (1 + TIE)


def count(which: Bool[Array, " n"]) -> Int[Array, ""]:
    return jnp.sum(which, dtype=jnp.int32)


@functools.lru_cache(maxsize=16)
def digamma_table(n: int) -> np.ndarray:
    """Return psi(0) = NaN to psi(n), (n + 1,) float32: looked up, equal counts give equal values."""
    table = np.append(np.nan, scipy.special.digamma(np.arange(1, n + 1))).astype(np.float32)
    table.flags.writeable = False
    return table
