"""The states of a binned layer as numbers, for analyses that need more than their entropies."""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int

from ibjax.arrays import as_array, as_float32
from ibjax.checks import check_nonempty, check_positive, check_rank
from ibjax.mi._binnings import BY_EDGES, BY_WIDTH, checked_edges, checked_width
from ibjax.mi._words import hashed_words
from ibjax.tracing import own_settings
from ibjax.types import ArrayLike

__all__ = ["binned_states"]


@own_settings()
def binned_states(
    t: ArrayLike, bin_width: ArrayLike | None = None, *, bins: ArrayLike | None = None
) -> Int[Array, " n"]:
    """Number the state of a binned deterministic layer for each sample.

    Bins are those of ``binned_mi`` with ``bin_width``, or with edges ``bins``; two samples share a state
    if all their bin indices are equal. Works under ``jit`` and ``vmap``.

    Args:
        t: (n, width) activations; cast to float32.
        bin_width: width of the bins, positive; None if ``bins`` is given.
        bins: (edges,) increasing bin edges, instead of a width.

    Returns:
        (n,) int32 numbers from 0 to the number of states less one, in no particular order. Patterns are
        hashed to 64 bits: the probability that any two of n collide is below n^2 / 2^65. Meaningless if
        a traced ``t`` is not finite.

    Raises:
        ValueError: for both a width and edges, or neither, other shapes, empty arrays, activations that
            are not finite, a width that is not positive, edges that do not increase.

    Example:
        >>> states = binned_states(jnp.array([[0.1], [0.8], [0.15]]), 0.5)
        >>> bool(states[0] == states[2]), int(states.max())
        (True, 1)
    """
    if (bin_width is None) == (bins is None):
        raise ValueError(f"bins: expected edges or a bin_width, got {bins!r} and {bin_width!r}")
    t = as_array("t", t)
    check_rank("t", t, 2, "(n_samples, width)")
    check_nonempty("t", t)
    t = as_float32("t", t)
    if bins is None:
        check_positive("bin_width", bin_width)
        return _states(BY_WIDTH.index, t, checked_width(bin_width))
    edges = as_array("bins", bins)
    check_rank("bins", edges, 1, "(edges,)")
    if edges.shape[0] < 2:
        raise ValueError(f"bins: expected at least 2 edges, got {edges.shape[0]}")
    return _states(BY_EDGES.index, t, checked_edges("bins", edges))


@functools.partial(jax.jit, static_argnames="index")
def _states(index, t, parameters) -> Int[Array, " n"]:
    indices = index(t, parameters)  # (n, width)
    high, low = hashed_words(indices.T)
    high, low, sample = lax.sort((high, low, jnp.arange(len(t))), num_keys=2)
    differs = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    number = jnp.pad(jnp.cumsum(differs, dtype=jnp.int32), (1, 0))
    return jnp.zeros_like(number).at[sample].set(number)
