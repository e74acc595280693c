"""Bins that hold equally many of a layer's values (Chelombiev et al. 2019)."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ibjax.checks import as_whole
from ibjax.mi._binnings import from_order, sorted_order
from ibjax.mi._inputs import checked_variable, float32_columns
from ibjax.tracing import own_settings
from ibjax.types import ArrayLike

__all__ = ["adaptive_edges"]

# Keeps products of two bin counts below 2^31.
MAX_BINS = 2**15


@own_settings()
def adaptive_edges(t: ArrayLike, *, bins: int) -> Float[Array, " edges"]:
    """Edges of bins that hold equally many distinct activations, for ``binned_mi(t, y, bins=edges)``.

    With the layer's distinct values u_0 < u_1 < ... < u_{m-1}, over samples and units, and
    B = min(bins, m) bins in use::

        edge_j = u[floor(j m / B)],  j = 0 .. B - 1;

    the remaining edges (at least the last one) lie above the largest value. Bin j, from edge_j to
    edge_{j+1} exclusive, holds m / B distinct values, rounded down or up. The zeros of a ReLU layer
    count as one value and share a bin, however many there are. If there are fewer distinct values than
    bins, each gets its own bin; a constant layer is one state.

    Edges are activations, found by comparisons alone, so they are the same eagerly, under ``jit`` and in
    NumPy.

    Args:
        t: (n, width) or (n,) activations of one layer and epoch; cast to float32.
        bins: number of bins, static, up to 32,768.

    Returns:
        (bins + 1,) float32 edges, strictly increasing. NaN if a traced ``t`` is not finite, or is so
        large that no finite edge lies above it.

    Bias:
        The bins follow the layer: every measurement has its own bins, and H(T) of a single unit is close
        to log2(bins) whatever the unit does. Compare with fixed bins before calling a change of I(X;T)
        compression.

    Raises:
        ValueError: for other shapes, empty arrays, NaN or infinite activations, ``bins`` that is not a
            whole number of 1 to 32,768.

    Example:
        >>> adaptive_edges([[0.0, 0.0, 0.0, 1.0], [2.0, 0.0, 3.0, 10.0]], bins=2).tolist()
        [0.0, 2.0, 15.0]
        >>> adaptive_edges([[0.5], [0.5], [0.75]], bins=4).tolist()
        [0.5, 0.75, 1.0, 1.25, 1.5]

    References:
        Chelombiev, Houghton & O'Donnell (2019) (entropy-based adaptive binning). Their
        code gives the zeros of ReLU, and the largest value, a bin of their own.
    """
    bins = as_whole("bins", bins)
    if bins > MAX_BINS:
        raise ValueError(f"bins: expected at most {MAX_BINS}, got {bins}")
    return _adaptive_edges(float32_columns("t", checked_variable("t", t)), bins)


@functools.partial(jax.jit, static_argnames="bins")
def _adaptive_edges(t, bins):
    ordered = sorted_order(t.reshape(-1))
    rank = jnp.pad(jnp.cumsum(ordered[1:] != ordered[:-1]), (1, 0))
    num_values = rank[-1] + 1
    used = jnp.minimum(bins, num_values)
    j = jnp.arange(bins + 1)
    # floor(j num_values / used), without a product that exceeds int32.
    edge_rank = j * (num_values // used) + j * (num_values % used) // used
    position = jnp.searchsorted(rank, edge_rank)
    edges = from_order(ordered[jnp.minimum(position, len(ordered) - 1)])
    largest = t.max()
    above = largest + (j - used + 1) * (jnp.maximum(1.0, jnp.abs(largest)) / bins)
    edges = jnp.where(j < used, edges, above)
    return jnp.where(jnp.isfinite(t).all() & jnp.isfinite(edges).all(), edges, jnp.nan)
