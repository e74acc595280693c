"""Flags on information planes, for values that come from the estimator rather than the network."""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool

from ibjax.arrays import as_array
from ibjax.checks import as_whole, check_number
from ibjax.tracing import own_settings
from ibjax.types import ArrayLike

__all__ = ["Diagnostics", "diagnostics"]

# Fraction of log2 n from which I(X;T) counts as saturated.
SATURATION = 0.99

# Tolerance for the estimators' float32 rounding: in bits, or relative to H(Y) if that exceeds 1 bit.
ROUNDING = 1e-4


class Diagnostics(NamedTuple):
    """Boolean arrays (..., layer), True where something is wrong.

    Attributes:
        ixt_saturated: I(X;T) is at least 99% of log2 n: there are too few samples, or all are told
            apart.
        ity_above_entropy: I(T;Y) exceeds H(Y).
        ixt_grows: I(X;T) exceeds that of the previous layer.
        ity_grows: I(T;Y) exceeds that of the previous layer.
    """

    ixt_saturated: Bool[Array, "*batch layer"]
    ity_above_entropy: Bool[Array, "*batch layer"]
    ixt_grows: Bool[Array, "*batch layer"]
    ity_grows: Bool[Array, "*batch layer"]


@own_settings()
def diagnostics(
    ixt: ArrayLike,
    ity: ArrayLike,
    *,
    num_samples: int,
    entropy_y: ArrayLike,
    tolerance: float = 0.01,
) -> Diagnostics:
    """Flag information-plane coordinates that are saturated, impossible, or grow from layer to layer.

    * ``ixt_saturated``: I(X;T) >= .99 log2 n. The estimate only reflects the number of samples.
    * ``ity_above_entropy``: I(T;Y) > H(Y) + 1e-4 max(1, H(Y)), beyond rounding.
    * ``ixt_grows``, ``ity_grows``: I of layer l + 1 exceeds that of layer l by more than
      ``tolerance``, against the data-processing inequality. Never True for the first layer.

    A flag is not a verdict on the network. Estimates for binned layers, or for layers with noise added
    for the measurement, need not obey the inequality: the next layer does not compute from the binned or
    noisy activations.

    Args:
        ixt: (..., layer) I(X;T) in bits; NaN where a network has no such layer.
        ity: (..., layer) I(T;Y) in bits.
        num_samples: number of samples n behind the estimates.
        entropy_y: H(Y) of these samples in bits; a number, or an array that broadcasts to ``ixt``, such
            as (..., 1) for one value per network.
        tolerance: increase from layer to layer that is not flagged, in bits.

    Returns:
        ``Diagnostics`` of boolean arrays (..., layer). NaN, and values compared with NaN, are never
        flagged.

    Raises:
        ValueError: for arrays of different shapes or without a layer axis, and fewer than 2 samples.

    Example:
        >>> flags = diagnostics([12.0, 9.0, 9.5], [0.99, 1.2, 0.9], num_samples=4096, entropy_y=1.0)
        >>> flags.ixt_saturated.tolist(), flags.ixt_grows.tolist()
        ([True, False, False], [False, False, True])
        >>> flags.ity_above_entropy.tolist(), flags.ity_grows.tolist()
        ([False, True, False], [False, True, False])

    References:
        Cover & Thomas (2006), section 2.8 (data processing); Goldfeld et al. (2019), section 3, on
        estimates that only reflect the sample; McAllester & Stratos (2020) on bounds by log n.
    """
    ixt, ity, entropy_y = (
        jnp.asarray(as_array(name, bits), jnp.float32)
        for name, bits in (("ixt", ixt), ("ity", ity), ("entropy_y", entropy_y))
    )
    if ixt.shape != ity.shape or ixt.ndim == 0:
        raise ValueError(
            f"ixt and ity: expected one shape (..., layer), got shapes {ixt.shape} and {ity.shape}"
        )
    num_samples = as_whole("num_samples", num_samples, at_least=2)
    check_number("tolerance", tolerance, at_least=0)
    axes = zip(entropy_y.shape[::-1], ixt.shape[::-1], strict=False)
    if entropy_y.ndim > ixt.ndim or any(size not in (1, ixt_size) for size, ixt_size in axes):
        raise ValueError(
            f"entropy_y: expected a number or a shape that broadcasts to {ixt.shape}, "
            f"got shape {entropy_y.shape}"
        )
    entropy_y = jnp.broadcast_to(entropy_y, ixt.shape)
    return Diagnostics(
        ixt_saturated=ixt >= SATURATION * math.log2(num_samples),
        ity_above_entropy=ity > entropy_y + ROUNDING * jnp.maximum(1.0, entropy_y),
        ixt_grows=_grows(ixt, tolerance),
        ity_grows=_grows(ity, tolerance),
    )


def _grows(bits, tolerance):
    """Return whether each layer has more bits than the one before; False if either is NaN."""
    grows = bits[..., 1:] > bits[..., :-1] + tolerance
    return jnp.concatenate([jnp.zeros_like(bits[..., :1], dtype=bool), grows], axis=-1)
