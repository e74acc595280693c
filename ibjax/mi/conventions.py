"""Binned estimators with the conventions of the papers' codes."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ibjax.arrays import as_array, as_float32
from ibjax.checks import (
    as_whole,
    check_finite,
    check_known,
    check_nonempty,
    check_positive,
    check_rank,
    is_concrete,
)
from ibjax.mi._binnings import BY_WIDTH, TINY, checked_width
from ibjax.mi.adaptive import adaptive_edges
from ibjax.mi.binned import binned_mi
from ibjax.tracing import own_settings
from ibjax.types import MI, ArrayLike

__all__ = [
    "IDNNS_EDGES",
    "StretchedBins",
    "adaptive_binned_mi",
    "idnns_binned_mi",
    "is_bounded",
    "revisiting_binned_mi",
    "revisiting_edges",
    "stretched_bins",
]

# The 2017 code's 30 edges make 29 bins; t == 1.0 has a bin of its own. Plain numbers, so that results
# can name them.
IDNNS_EDGES = (*np.linspace(-1, 1, 30, dtype=np.float32).tolist(), 2.0)

# Lower and upper ends of the bins of activations by name; None where they are the layer's own.
RANGES: dict[str, tuple[float | None, float | None]] = {
    "tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "relu": (0.0, None),
    "linear": (0.0, None),
    "softplus": (0.0, None),
    "leaky_relu": (None, None),
    "elu": (None, None),
    "gelu": (None, None),
}

# The last edge lies this much above the upper end, so that the largest activation is in the last bin.
LAST_EDGE_SHIFT = 1e-4

# Largest number of bins between edges.
MOST_BINS = 1_000_000


def idnns_binned_mi(t: ArrayLike, y: ArrayLike, *, edges: ArrayLike = IDNNS_EDGES) -> MI:
    """Compute ``binned_mi`` with the 2017 code's bins: ``digitize(t, linspace(-1, 1, 30)) - 1``.

    These are 29 bins on [-1, 1) and one for all t >= 1; t < -1 wraps around into the latter, and all
    ReLU activations of 1 or more are one state.

    Args:
        t: (n, width) activations.
        y: (n,) integer labels.
        edges: bin edges, increasing.

    Returns:
        ``MI(ixt, ity)``, bits. Bias and errors as in ``binned_mi``.

    Example:
        >>> t = np.array([[-1.5], [-0.5], [0.5], [1.0]])
        >>> mi = idnns_binned_mi(t, np.array([0, 1, 1, 0]))  # -1.5 and 1.0 share a bin
        >>> float(mi.ixt), float(mi.ity)
        (1.5, 1.0)

    References:
        Shwartz-Ziv & Tishby (2017), by their code.
    """
    edges = as_array("edges", edges)
    check_rank("edges", edges, 1, "(edges,)")
    check_nonempty("edges", edges)
    t, narrow = as_array("t", t), as_float32("edges", edges)
    check_nonempty("t", t)
    t = as_float32("t", t)
    wraps = (t < narrow[0]) & jnp.isfinite(t)
    return binned_mi(jnp.where(wraps, narrow[-1], t), y, bins=edges)


def adaptive_binned_mi(t: ArrayLike, y: ArrayLike, *, bins: int | np.integer) -> MI:
    """Compute ``binned_mi`` in bins that hold equally many distinct activations.

    Args:
        t: (n, width) activations.
        y: (n,) integer labels.
        bins: number of bins for ``adaptive_edges``.

    Returns:
        ``MI(ixt, ity)``, bits. Bias and errors as in ``binned_mi`` and ``adaptive_edges``.

    Example:
        >>> t = np.array([[0.0], [0.0], [0.01], [100.0]])
        >>> mi = adaptive_binned_mi(t, np.array([0, 0, 1, 1]), bins=3)
        >>> float(mi.ixt), float(mi.ity)
        (1.5, 1.0)

    References:
        Chelombiev, Houghton & O'Donnell (2019).
    """
    return binned_mi(t, y, bins=adaptive_edges(t, bins=as_whole("bins", bins)))


@own_settings()
def revisiting_binned_mi(
    t: ArrayLike,
    y: ArrayLike,
    *,
    activation: str = "tanh",
    bin_width: float | int = 0.07,
    limits: ArrayLike | None = None,
) -> MI:
    """Compute ``binned_mi`` with the activation's bins of "Revisiting the Information Plane" (2019).

    These are floor(range / ``bin_width``) bins, at least one, of equal width over the activation's
    range, hence somewhat wider than ``bin_width``:

    * tanh, softsign: [-1, 1]; sigmoid, softmax: [0, 1];
    * relu, linear, softplus: from 0 to the largest activation, with all that is below 0 in the first
      bin;
    * others, such as leaky_relu: from the smallest to the largest activation.

    The paper takes the largest and smallest activation over all recorded epochs; pass them as
    ``limits``. By default they are those of ``t`` itself, so that the bins of unbounded activations
    follow the layer: planes of several epochs then have different bins.

    Args:
        t: (n, width) activations.
        y: (n,) integer labels.
        activation: name of the layer's activation, or "softmax".
        bin_width: width of the bins before they are stretched to the range.
        limits: (2,) smallest and largest activation, which may be traced; activations beyond fall into
            the outermost bins. Bounded activations ignore them.

    Returns:
        ``MI(ixt, ity)``, bits. Bias and errors as in ``binned_mi``. NaN for traced limits that are not
        finite, or in the wrong order.

    Raises:
        ValueError: as ``binned_mi``; for an unknown activation, concrete limits that are not two finite
            numbers in increasing order.

    Example:
        >>> t = np.array([[-1.0], [0.1], [0.2], [1.0]])
        >>> mi = revisiting_binned_mi(t, np.array([0, 1, 1, 0]), activation="tanh", bin_width=0.5)
        >>> float(mi.ixt), float(mi.ity)
        (1.5, 1.0)

    References:
        Schiemer & Ye (2019), by their code.
    """
    if is_bounded(activation):
        return binned_mi(t, y, bins=revisiting_edges(activation, bin_width))
    t = as_array("t", t)
    check_rank("t", t, 2, "(n_samples, width)")
    check_nonempty("t", t)
    bins = stretched_bins(as_float32("t", t), activation, bin_width, limits)
    return binned_mi(bins.t, y, bin_width=bins.bin_width)


def revisiting_edges(
    activation: str, bin_width: float | int, limits: ArrayLike | None = None
) -> np.ndarray:
    """Return the float32 bin edges of ``revisiting_binned_mi``; the last is moved up by 0.0001.

    Args:
        activation: name of the layer's activation, or "softmax".
        bin_width: width of the bins before they are stretched to the range, of which there may be at
            most a million.
        limits: (2,) smallest and largest activation; required for unbounded activations, and ignored
            for others.

    Raises:
        ValueError: for an unknown activation, a width that is not positive or too small, an unbounded
            activation without limits, limits that are not two finite numbers in increasing order.

    Example:
        >>> [round(float(edge), 4) for edge in revisiting_edges("sigmoid", 0.3)]
        [0.0, 0.3333, 0.6667, 1.0001]
        >>> [round(float(edge), 4) for edge in revisiting_edges("relu", 0.3, limits=(0.0, 1.0))]
        [0.0, 0.3333, 0.6667, 1.0001]
    """
    check_known("activation", activation, RANGES)
    check_positive("bin_width", bin_width)
    low, high = RANGES[activation]
    if low is None or high is None:
        if limits is None:
            wanted = f"smallest and largest activation of {activation}"
            raise ValueError(f"limits: expected {wanted}, got None")
        if not is_concrete(pair := _checked_limits(limits)):
            raise ValueError("limits: expected known numbers, got traced values")
        with np.errstate(over="ignore"):  # overflow is refused
            narrow = np.asarray(pair, np.float32)
        check_finite("limits", narrow)
        smallest, largest = narrow.tolist()
        low = smallest if low is None else low
        high = max(low, largest)
    count = max(int((high - low) / float(bin_width)), 1)
    if count > MOST_BINS:
        raise ValueError(f"bin_width: expected {MOST_BINS} bins or fewer, got {bin_width}")
    edges = np.linspace(low, high, count + 1)
    edges[-1] += LAST_EDGE_SHIFT
    return edges.astype(np.float32)


def is_bounded(activation: str) -> bool:
    """Return whether an activation has both ends of its bins by name.

    Raises:
        ValueError: for an unknown activation.
    """
    check_known("activation", activation, RANGES)
    return None not in RANGES[activation]


class StretchedBins(NamedTuple):
    """A layer in a whole number of equal bins over the range of an unbounded activation.

    Attributes:
        t: (n, width) activations less the lower end of the range; those beyond the bins are moved into
            the outermost ones.
        bin_width: width of the bins, counted from 0; the number of bins times it is the range.
        num_bins: number of bins, a whole float32 number.
        lowest: lower end of the range.
    """

    t: Float[Array, "n width"]
    bin_width: Float[Array, ""]
    num_bins: Float[Array, ""]
    lowest: Float[Array, ""]


def stretched_bins(
    t: Float[Array, "n width"], activation: str, bin_width: float | int, limits: ArrayLike | None
) -> StretchedBins:
    """Return the bins of ``revisiting_binned_mi`` for an unbounded activation, for ``binned_mi``.

    All numbers are defined by float32 comparisons, so that they are the same eagerly and under ``jit``.

    Args:
        t: (n, width) float32 activations.
        activation: name of an unbounded activation.
        bin_width: width of the bins before they are stretched to the range.
        limits: (2,) smallest and largest activation, which may be traced; None for those of ``t``.

    Raises:
        ValueError: as ``revisiting_binned_mi``.
    """
    check_positive("bin_width", bin_width)
    if limits is None:
        smallest, largest = t.min(), t.max()
    else:
        smallest, largest = as_float32("limits", _checked_limits(limits))
    low = smallest if RANGES[activation][0] is None else jnp.float32(RANGES[activation][0])
    usable = (smallest <= largest) & jnp.isfinite(t).all()  # a clip would hide infinity
    span = jnp.where(usable, jnp.maximum(largest - low, 0), jnp.nan)
    num_bins = jnp.maximum(BY_WIDTH.index(span, checked_width(bin_width)), 1)
    stretched = _largest_factor(span, num_bins)
    # All activations of a constant layer are 0 in bins of any width.
    usable_width = jnp.where(stretched >= TINY, stretched, jnp.where(jnp.isnan(span), jnp.nan, 1.0))
    inside = jnp.clip(t - low, 0, (num_bins - 0.5) * stretched)
    return StretchedBins(inside, usable_width, num_bins, low)


def _largest_factor(product, whole):
    """Return the largest float32 w with float32(w * whole) <= product, for product >= 0."""
    # The quotient of a compiled program may be off by some units in the last place.
    factor = product / whole
    for _ in range(3):
        factor = jnp.nextafter(factor, jnp.float32(-1))
    for _ in range(6):
        above = jnp.nextafter(factor, jnp.float32(np.inf))
        factor = jnp.where(above * whole <= product, above, factor)
    return factor


def _checked_limits(limits):
    """Return the smallest and the largest activation; concrete ones must be finite and in order."""
    pair = as_array("limits", limits)
    if np.shape(pair) != (2,):
        raise ValueError(f"limits: expected smallest and largest activation, got shape {np.shape(pair)}")
    check_finite("limits", pair)
    if is_concrete(pair) and not pair[0] <= pair[1]:
        raise ValueError(f"limits: expected them in increasing order, got {pair}")
    return pair
