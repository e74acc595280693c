"""Nearest neighbours of one sample in the maximum norm, exact: what ksg_mi and ross_mi share.

Ties: distances that agree to 2e-6 (2^-19) of their value count as equal. A ball just inside the k-th
neighbour leaves out whatever ties with it; where a sample has k copies, the ball is the point itself
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

# Rounding moves distances by a few 1e-7 of their value; hardly any continuous sample lies in a shell
# this thin.
TIE = 2.0**-19


class Standardised(NamedTuple):
    """Columns as they are up to a power of two, and what a difference in each is multiplied by.

    Differences are taken before they are scaled: they are exact on a lattice and between close
    samples, so equal distances stay equal whatever the offset and the scale.
    """

    columns: Float[Array, "d n"]
    weights: Float[Array, " d"]


def standardised(x: Float[Array, "n d"]) -> Standardised:
    """The columns of x, with weights 1 / standard deviation; 0 for a constant column."""
    columns, _ = scaled_to_one(x.T, axis=1)  # (n, d) -> (d, n)
    deviation = jnp.std(columns - columns.min(axis=1)[:, None], axis=1)  # exactly 0 if constant
    weights = jnp.where(deviation > 0, 1 / jnp.where(deviation > 0, deviation, 1.0), 0.0)
    return Standardised(columns, weights)


def map_samples(f: Callable[..., Any], *samples: Any) -> Any:
    """f of each sample, in blocks of rows; f's temporary arrays hold a number for every sample."""
    n = len(samples[0])
    return map_rows(lambda sample: f(*sample), samples, entries_per_row=n)


def distances(x: Standardised, sample: Float[Array, " d"]) -> Float[Array, " n"]:
    """Maximum-norm distances of one sample, a column of ``x.columns``, to all; exactly 0 to itself."""

    def with_column(i, largest):
        return jnp.maximum(largest, x.weights[i] * jnp.abs(x.columns[i] - sample[i]))

    return lax.fori_loop(0, len(x.weights), with_column, jnp.zeros_like(x.columns[0]))


def kth_distance(distance: Float[Array, " n"], k: Any, largest_k: int) -> Float[Array, ""]:
    """The k-th smallest distance to another sample; ``distance`` includes the sample's own 0.

    ``largest_k`` passes from one distance to the next larger one: for small k much faster than a sort
    or XLA's top_k. k may be traced.
    """

    def step(_, reached):
        enough = count(distance <= reached) > k
        next_larger = jnp.min(jnp.where(distance > reached, distance, jnp.inf))
        return jnp.where(enough, reached, next_larger)

    return lax.fori_loop(0, largest_k, step, jnp.zeros_like(distance[0]))


def inside(radius: Float[Array, ""]) -> Float[Array, ""]:
    """The radius of the closed ball that leaves out what lies on the sphere or ties with it; 0 for 0."""
    return radius * (1 - TIE)


def outside(radius: Float[Array, ""]) -> Float[Array, ""]:
    """The radius of the closed ball that takes in what lies on the sphere or ties with it; 0 for 0."""
    return radius * (1 + TIE)


def count(which: Bool[Array, " n"]) -> Int[Array, ""]:
    return jnp.sum(which, dtype=jnp.int32)


@functools.lru_cache(maxsize=16)
def digamma_table(n: int) -> np.ndarray:
    """(n + 1,) float32 table of psi(0), which is NaN, to psi(n): the same number for equal counts."""
    table = np.append(np.nan, scipy.special.digamma(np.arange(1, n + 1))).astype(np.float32)
    table.flags.writeable = False
    return table
