"""Mutual information of a layer's own float32 states: no bins."""

import jax.numpy as jnp
import numpy as np
from jax import lax

from ibjax.arrays import is_wide
from ibjax.mi.binned import binned_mi
from ibjax.mi.inputs import checked_layer
from ibjax.tracing import own_settings
from ibjax.types import MI, ArrayLike

__all__ = ["exact_mi"]

NEGATIVE_ZERO = np.uint32(2**31)


@own_settings()
def exact_mi(t: ArrayLike, y: ArrayLike) -> MI:
    """I(X;T) and I(T;Y) of a deterministic layer as the computer holds it.

    A sample's state T is the row of its activations, bit for bit: of the 32 bits of float32, or of the
    64 of known float64 and int64 arrays. 0 and -0 are one. On n distinct, equally likely inputs::

        I(X;T) = H(T),    I(T;Y) = H(T) + H(Y) - H(T,Y).

    It is the limit of :func:`binned_mi` as bins shrink: log2 n and H(Y) where all states differ, which
    those of a ReLU layer, of a saturated one and of one with equal rows of weights need not.

    Args:
        t: (n, width) activations, one row a sample. Traced ones are float32, as JAX makes them.
        y: (n,) integer class labels, of any values.

    Returns:
        ``MI(ixt, ity)``: two scalars, bits, float32. Under ``vmap`` leading axes are added. NaN where
        traced ``t`` is not finite.

    Bias:
        None for the layer on these n inputs. As an estimate for more inputs than n, H(T) is biased
        downward and I(T;Y) upward, and I(X;T) cannot exceed log2 n.

    Exactness:
        As of :func:`binned_mi`, with a hash of at least 60 bits for more than two units.

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
    # By its bits: compared as numbers, what is below float32's normal range equals 0.
    bits = lax.bitcast_convert_type(t, jnp.uint32)
    bits = jnp.where(bits == NEGATIVE_ZERO, jnp.uint32(0), bits)
    # Halves of a word are whole numbers that float32 holds, one bin each.
    halves = jnp.concatenate([bits >> 16, bits & 0xFFFF], axis=1).astype(jnp.float32)
    halves = jnp.where(jnp.isfinite(t).all(), halves, jnp.nan)
    return binned_mi(halves, y, bin_width=1.0)


def _parts_of_64_bits(t: np.ndarray) -> np.ndarray:
    """Known numbers of up to 64 bits as whole numbers of 16, (n, width) -> (n, 2 or 4 width)."""
    if np.issubdtype(t.dtype, np.integer):
        words = t.astype(np.int64).view(np.uint64) if t.dtype != np.uint64 else t
    else:
        words = t.astype(np.float64).view(np.uint64)
        words = np.where(words == np.uint64(2**63), np.uint64(0), words)  # -0
    return np.concatenate(
        [(words >> np.uint64(shift)) & np.uint64(0xFFFF) for shift in (0, 16, 32, 48)], axis=1
    ).astype(np.float32)
