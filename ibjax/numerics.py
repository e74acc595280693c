"""Small numerical pieces that several modules share."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

__all__ = [
    "clog2c_table",
    "cross_entropy",
    "logmeanexp",
    "squared_distances",
    "to_bits",
]

# Up to this many columns differences are taken directly: exact to rounding at any scale.
DIRECT_COLUMNS = 64


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


def to_bits(nats):
    """Nats as bits: the one place where information changes its unit."""
    return nats / np.float32(np.log(2.0))


def logmeanexp(x: Float[Array, "*shape"], axis: int = -1):
    """log of the mean of exp(x) along ``axis``; -inf where every x is."""
    return jax.nn.logsumexp(x, axis=axis) - np.float32(np.log(x.shape[axis]))


def squared_distances(a: Float[Array, "m d"], b: Float[Array, "n d"]) -> Float[Array, "m n"]:
    """|a_i - b_j|^2 of all pairs; exactly 0 for equal rows of up to 64 columns.

    Narrow arrays: a sum of squared differences, with relative error 1e-6 at any scale. Wide ones: a
    matrix product of rows less their mean, with absolute error about 1e-6 of the largest squared
    norm; never negative.
    """
    if a.shape[1] <= DIRECT_COLUMNS:

        def add_column(i, total):
            return total + jnp.square(a[:, i, None] - b[None, :, i])

        zero = jnp.zeros((a.shape[0], b.shape[0]), a.dtype)
        return jax.lax.fori_loop(0, a.shape[1], add_column, zero)
    centre = b.mean(axis=0)
    a, b = a - centre, b - centre
    cross = jnp.matmul(a, b.T, precision="float32")
    norms = jnp.sum(a * a, axis=1)[:, None] + jnp.sum(b * b, axis=1)[None, :]
    return jnp.maximum(norms - 2 * cross, 0.0)
