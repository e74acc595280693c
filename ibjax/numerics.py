"""Small numerical pieces that several modules share."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

__all__ = ["clog2c_table", "cross_entropy"]


@functools.lru_cache(maxsize=16)
def clog2c_table(n: int) -> np.ndarray:
    """(n + 1,) float32 table of ``(c / n) log2 c`` for counts c = 0..n, with 0 at c = 0.

    With it ``H = log2 n - sum_k table[c_k]`` in bits for counts that sum to n: exactly ``log2 n``
    where all counts are 1 and exactly 0 where one count is n.
    """
    c = np.arange(n + 1, dtype=np.float64)
    table = (c / n * np.log2(np.maximum(c, 1))).astype(np.float32)
    table.flags.writeable = False
    return table


def cross_entropy(logits: Float[Array, "k n"], y: Int[Array, " n"]) -> Float[Array, " n"]:
    """-log softmax(logits)[y] in nats; class-major, by a comparison where a gather would be slow."""
    hot = jnp.arange(logits.shape[0])[:, None] == y[None, :]
    return jax.nn.logsumexp(logits, axis=0) - jnp.sum(jnp.where(hot, logits, 0.0), axis=0)
