"""The states of a binned layer, numbered: for what needs more of them than their entropies."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from ibjax.mi.binnings import BY_WIDTH
from ibjax.mi.patterns import hashed_words

__all__ = ["binned_states"]


@jax.jit
def binned_states(t: Float[Array, "n width"], bin_width: Float[Array, ""] | float) -> Int[Array, " n"]:
    """Which of its states each sample of a deterministic layer is in.

    Bins are those of ``binned_mi`` with ``bin_width``; two samples share a state when all their bins are
    equal. Works under ``jit`` and ``vmap``.

    Args:
        t: (n, width) float32 activations.
        bin_width: of the bins, positive.

    Returns:
        (n,) int32 numbers from 0 to the number of states less one, in no particular order. Patterns are
        hashed to 64 bits: two of n collide with probability below n^2 / 2^65. Meaningless where t is
        not finite.

    Example:
        >>> states = binned_states(jnp.array([[0.1], [0.8], [0.15]]), 0.5)
        >>> bool(states[0] == states[2]), int(states.max())
        (True, 1)
    """
    indices = BY_WIDTH.index(t, jnp.asarray(bin_width, jnp.float32))  # (n, width)
    high, low = hashed_words(indices.T)
    high, low, sample = lax.sort((high, low, jnp.arange(len(t))), num_keys=2)
    differs = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    number = jnp.pad(jnp.cumsum(differs, dtype=jnp.int32), (1, 0))
    return jnp.zeros_like(number).at[sample].set(number)
