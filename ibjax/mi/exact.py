"""Mutual information of a layer's own float32 states: no bins."""

import jax.numpy as jnp
from jax import lax

from ibjax.mi.binned import binned_mi
from ibjax.mi.inputs import checked_layer
from ibjax.types import MI, ArrayLike

__all__ = ["exact_mi"]


def exact_mi(t: ArrayLike, y: ArrayLike) -> MI:
    """I(X;T) and I(T;Y) of a deterministic layer as the computer holds it.

    A sample's state T is the row of its float32 activations, bit for bit; 0 and -0 are one. On n
    distinct, equally likely inputs::

        I(X;T) = H(T),    I(T;Y) = H(T) + H(Y) - H(T,Y).

    It is the limit of :func:`binned_mi` as bins shrink: log2 n and H(Y) where all states differ, which
    those of a ReLU layer, of a saturated one and of one with equal rows of weights need not.

    Args:
        t: (n, width) activations, one row a sample; cast to float32.
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
    bits = lax.bitcast_convert_type(jnp.where(t == 0, 0.0, t), jnp.uint32)
    # Halves of a word are whole numbers that float32 holds, one bin each.
    halves = jnp.concatenate([bits >> 16, bits & 0xFFFF], axis=1).astype(jnp.float32)
    halves = jnp.where(jnp.isfinite(t).all(), halves, jnp.nan)
    return binned_mi(halves, y, bin_width=1.0)
