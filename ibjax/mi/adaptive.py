"""Bins that hold equally many of a layer's values (Chelombiev et al. 2019)."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ibjax.checks import as_whole
from ibjax.mi.binnings import from_order, sorted_order
from ibjax.mi.inputs import checked_variable, float32_columns
from ibjax.tracing import own_settings
from ibjax.types import ArrayLike

__all__ = ["adaptive_edges"]

# Products of two numbers of bins stay below 2^31.
MAX_BINS = 2**15


@own_settings()
def adaptive_edges(t: ArrayLike, *, bins: int) -> Float[Array, " edges"]:
    """Edges of bins that hold equally many distinct activations, for ``binned_mi(t, y, bins=edges)``.

    With the layer's distinct values u_0 < u_1 < ... < u_{m-1}, over samples and units, and
    B = min(bins, m) bins in use::

        edge_j = u[floor(j m / B)],  j = 0 .. B - 1;

    the others, the last at least, are above the largest value. Bin j is [edge_j, edge_{j+1}) and holds
    m / B distinct values, rounded down or up. The zeros of a ReLU layer are one value and share a bin,
    however many they are. Fewer distinct values than bins get a bin each, and a constant layer is one
    state.

    Edges are activations, found by comparisons: eagerly, under ``jit`` and in NumPy they are the same.

    Args:
        t: (n, width) or (n,) activations of one layer and epoch; cast to float32.
        bins: number of bins, static, up to 32,768.

    Returns:
        (bins + 1,) float32 edges, strictly increasing. NaN where traced ``t`` is not finite, or so
        large that no edge above it is.

    Bias:
        The bins follow the layer: every measurement has its own, and H(T) of one unit is close to
        log2(bins) whatever the unit does. Compare with fixed bins before calling a change of I(X;T)
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
