"""Mutual information of a quantised network from its own discrete states (Lorenzen et al. 2022)."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ibjax.checks import as_whole
from ibjax.mi._binnings import TINY
from ibjax.mi._inputs import checked_layer, smallest_to_zero
from ibjax.mi.binned import binned_mi
from ibjax.tracing import own_settings
from ibjax.types import MI, ArrayLike

__all__ = ["quantised_levels", "quantised_mi"]

# float32 holds activations to 24 bits; beyond this, their rounding would determine the levels.
MAX_BITS = 16


@own_settings()
def quantised_mi(t: ArrayLike, y: ArrayLike, *, bits: int) -> MI:
    """I(X;T) and I(T;Y) of a deterministic layer quantised to 2^bits levels.

    The layer's activations are mapped to whole numbers between 0 and 2^bits - 1::

        level = round((t - min t) (2^bits - 1) / (max t - min t)),

    where min and max run over the whole layer, all samples and units. A sample's state T is the row of
    its levels, and::

        I(X;T) = H(T),    I(T;Y) = H(T) + H(Y) - H(T,Y).

    In a network that computes with these levels, they are its actual states: the values are exact and no
    estimator is involved. A constant layer is one state. Halves are rounded to even, as in ``np.round``;
    :func:`quantised_levels` defines the levels to the last bit.

    Args:
        t: (n, width) activations of one layer and epoch, one row per sample; concrete ones are centred
            and scaled before the cast to float32.
        y: (n,) integer class labels, of any values.
        bits: number of bits, 1 to 16; static.

    Returns:
        ``MI(ixt, ity)``: two scalars, bits, float32. Under ``vmap`` leading axes are added. NaN if a
        traced ``t`` is not finite.

    Bias:
        None for the quantised layer on these n inputs. As an estimate for more inputs than n, H(T) is
        biased downward and I(T;Y) upward, and I(X;T) cannot exceed log2 n. For a layer that was not
        quantised in training this is :func:`binned_mi` with bins that follow the layer's range: a single
        outlier widens all of them.

    Raises:
        ValueError: for other shapes than these, empty arrays, NaN or infinite activations, labels that
            are not integers, ``bits`` that is not a whole number from 1 to 16.

    Example:
        >>> import numpy as np
        >>> t = np.array([[0.0], [0.1], [0.9], [1.0]])
        >>> mi = quantised_mi(t, np.array([0, 0, 1, 1]), bits=1)
        >>> float(mi.ixt), float(mi.ity)
        (1.0, 1.0)

    References:
        Lorenzen, Igel & Nielsen (2022), "Information bottleneck: exact analysis of (quantized) neural
        networks". Their code multiplies by 2^bits, which gives 2^bits + 1 levels.
    """
    t, y = checked_layer(t, y)
    # Levels are whole numbers, so each has its own bin of width 1.
    return binned_mi(quantised_levels(smallest_to_zero("t", t), bits=bits), y, bin_width=1.0)


def quantised_levels(t: Float[Array, "n width"], *, bits: int) -> Float[Array, "n width"]:
    """Return the levels of :func:`quantised_mi`, float32 whole numbers from 0 to 2^bits - 1.

    Levels are defined by float32 products and comparisons, on which ``jit``, NumPy and all devices
    agree, and not by a quotient, on which they do not. With s = t - min t and R = max s, both in
    float32, level k is reached if::

        float32(s (1 - 2^-bits)) >= float32(R (2 k - 1) 2^-(bits + 1)),

    with a strict inequality for odd k, so that halfway between two levels the even one is taken. The
    factors are exact. Subnormal activations count as 0.

    Args:
        t: float32 activations of one layer.
        bits: number of bits, 1 to 16; static.
    """
    bits = as_whole("bits", bits)
    if bits > MAX_BITS:
        raise ValueError(f"bits: expected at most {MAX_BITS}, got {bits}")
    return _levels(t, bits)


@functools.partial(jax.jit, static_argnames="bits")
def _levels(t, bits):
    t = jnp.where(jnp.abs(t) < TINY, 0.0, t)
    # Exact, and keeps differences and products within float32's normal range.
    size = jnp.abs(t).max()
    t = t * jnp.where(size > 2.0**126, 0.5, jnp.where(size < 2.0**-62, 2.0**64, 1.0))
    s = t - t.min()
    spread = s.max()
    scaled = s * (1 - 2.0**-bits)

    def is_reached(level):
        half_way = spread * ((2 * level - 1) * 2.0 ** -(bits + 1))
        return (scaled > half_way) | ((scaled == half_way) & (level % 2 == 0))

    # The quotient's error is much less than 1/4, so the level is this one or the next.
    below = jnp.floor(scaled / spread * 2.0**bits - 0.25)
    level = jnp.where(is_reached(below + 1), below + 1, below)
    return jnp.where(spread == 0, 0.0, level)
