"""Mutual information of a layer's own floating-point states, without bins."""

import jax.numpy as jnp
import numpy as np
from jax import lax

from ibjax.arrays import is_wide
from ibjax.mi._inputs import checked_layer
from ibjax.mi.binned import binned_mi
from ibjax.tracing import own_settings
from ibjax.types import MI, ArrayLike

__all__ = ["exact_mi"]

NEGATIVE_ZERO = np.uint32(2**31)


@own_settings()
def exact_mi(t: ArrayLike, y: ArrayLike) -> MI:
    """I(X;T) and I(T;Y) of a deterministic layer at floating-point precision.

    A sample's state T is its row of activations, bit for bit: the 32 bits of float32, or the 64 bits of
    concrete float64 and int64 arrays. 0 and -0 are equal. With n distinct, equally likely inputs::

        I(X;T) = H(T),    I(T;Y) = H(T) + H(Y) - H(T,Y).

    This is the limit of :func:`binned_mi` as bins shrink: log2 n and H(Y) if all states differ. They
    need not in a ReLU layer, a saturated layer, or a layer with equal rows of weights.

    Args:
        t: (n, width) activations, one row per sample. Traced ones are read as float32.
        y: (n,) integer class labels, of any values.

    Returns:
        ``MI(ixt, ity)``: two scalars, bits, float32. Under ``vmap`` leading axes are added. NaN if a
        traced ``t`` is not finite.

    Bias:
        None for the layer on these n inputs. As an estimate for more inputs than n, H(T) is biased
        downward and I(T;Y) upward, and I(X;T) cannot exceed log2 n.

    Exactness:
        As for :func:`binned_mi`, with a hash of at least 60 bits for more than two units.

    Raises:
        ValueError: for other shapes than these, empty arrays, NaN or infinite activations, labels
            that are not integers.

    Example:
        >>> import numpy as np
        >>> t = np.array([[0.0], [-0.0], [1e-30], [2e-30]])
        >>> mi = exact_mi(t, np.array([0, 0, 1, 1]))
        >>> float(mi.ixt), float(mi.ity)
        (1.5, 1.0)

    References:
        Saxe et al. (2018), section 2: in floating point a deterministic network that is not saturated
        keeps all of its input.
    """
    t, y = checked_layer(t, y)
    if is_wide(t):
        return binned_mi(_parts_of_64_bits(np.asarray(t)), y, bin_width=1.0)
    t = jnp.asarray(t, jnp.float32)
    # Compare bits, because as numbers all values below float32's normal range equal 0.
    bits = lax.bitcast_convert_type(t, jnp.uint32)
    bits = jnp.where(bits == NEGATIVE_ZERO, jnp.uint32(0), bits)
    # Halves of a word are whole numbers that float32 holds exactly, so each has its own bin.
    halves = jnp.concatenate([bits >> 16, bits & 0xFFFF], axis=1).astype(jnp.float32)
    halves = jnp.where(jnp.isfinite(t).all(), halves, jnp.nan)
    return binned_mi(halves, y, bin_width=1.0)


def _parts_of_64_bits(t: np.ndarray) -> np.ndarray:
    """Split concrete numbers of up to 64 bits into 16-bit ones, (n, width) -> (n, 2 or 4 width)."""
    if np.issubdtype(t.dtype, np.integer):
        words = t.astype(np.int64).view(np.uint64) if t.dtype != np.uint64 else t
    else:
        words = t.astype(np.float64).view(np.uint64)
        words = np.where(words == np.uint64(2**63), np.uint64(0), words)  # -0
    return np.concatenate(
        [(words >> np.uint64(shift)) & np.uint64(0xFFFF) for shift in (0, 16, 32, 48)], axis=1
    ).astype(np.float32)
