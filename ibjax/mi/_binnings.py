"""Conversion of activations to bin indices: bins between edges, and unbounded bins of equal width.

The index of a bin is defined by float32 comparisons alone, so that XLA and NumPy agree on it. Both read
subnormal numbers as 0 (NumPy because its callbacks run on XLA's threads), so comparisons that may
involve subnormals compare bits instead.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ibjax.checks import is_concrete
from ibjax.sorting import sort_words

__all__ = [
    "BY_EDGES",
    "BY_WIDTH",
    "EXACT_SPAN",
    "LARGEST",
    "TINY",
    "Binning",
    "checked_edges",
    "checked_width",
    "from_order",
    "increase",
    "sort_floats",
    "sorted_order",
    "total_order",
]

TINY = np.finfo(np.float32).tiny
LARGEST = np.finfo(np.float32).max

# Differences of whole float32 numbers are exact up to this size.
EXACT_SPAN = 2.0**24

# Bit pattern of the negative subnormal closest to 0, and the number of subnormals from there to -TINY.
SMALLEST_NEGATIVE = np.uint32(0x80000001)
NUM_SUBNORMALS = np.uint32(0x7FFFFF)

# Up to this many edges, comparing with each edge is faster than a binary search.
COMPARED_EDGES = 128

# Quotients up to EASY_QUOTIENT, by widths up to EASY_WIDTH, are accurate to better than 1/8.
EASY_QUOTIENT = np.float32(2.0**19)
EASY_WIDTH = np.float32(2.0**100)

# Numbers of this size have no fraction, and neighbours differ by 1 in value and in bit pattern.
SHIFT = np.float32(1.5 * 2.0**23)


class Binning(NamedTuple):
    """A rule that turns activations into whole numbers: functions of activations and its parameters.

    Attributes:
        index: maps activations of any shape to whole float32 numbers, monotonically.
        easy_number: a cheaper version of the index, as int32; correct if ``is_easy``.
        is_easy: whether ``easy_number`` is correct for all activations between the bounds (2, width).
        numpy_index: ``index``, implemented in NumPy.
    """

    index: Callable
    easy_number: Callable
    is_easy: Callable
    numpy_index: Callable


def checked_width(bin_width):
    """Return a positive width as float32; a concrete one must be a normal float32 number."""
    if is_concrete(bin_width) and not float(TINY) <= float(bin_width) <= float(LARGEST):
        raise ValueError(f"bin_width: expected a normal float32 number, got {bin_width!r}")
    return jnp.asarray(bin_width, jnp.float32)


def checked_edges(name, edges):
    """Return edges as float32; concrete ones must be finite and increase, also after rounding."""
    if not is_concrete(edges):
        return jnp.asarray(edges, jnp.float32)
    with np.errstate(over="ignore", under="ignore"):
        narrow = np.asarray(edges, np.float32)
    if not increase(narrow):
        raise ValueError(f"{name}: expected finite, increasing float32 edges, got {narrow}")
    return jnp.asarray(narrow)


def increase(edges) -> bool:
    """Return whether concrete edges are finite and each is larger than the one before."""
    edges = np.asarray(edges)
    return bool(np.isfinite(edges).all() and (edges[1:] > edges[:-1]).all())


def total_order(x):
    """Map float32 to int32 in the same order; subnormals differ from 0, and -0.0 equals 0.0."""
    bits = x.view(np.int32)
    sign = bits >> 31  # 0 or -1
    return (bits ^ (sign & np.int32(2**31 - 1))) - sign


def from_order(order: Int[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Return the float32 numbers for these integers: the inverse of ``total_order``."""
    sign = (order < 0).astype(jnp.uint32) << 31
    return (jnp.abs(order).astype(jnp.uint32) | sign).view(jnp.float32)


def sorted_order(x: Float[Array, " n"]) -> Int[Array, " n"]:
    """Return ``total_order`` of the numbers, sorted in increasing order."""
    words = total_order(x).view(jnp.uint32) ^ jnp.uint32(2**31)
    return (sort_words(words) ^ jnp.uint32(2**31)).view(jnp.int32)


def sort_floats(x: Float[Array, " n"]) -> Float[Array, " n"]:
    """Sort float32 numbers in increasing order, as integer words; -0.0 becomes 0.0."""
    return from_order(sorted_order(x))


def _index_by_edges(t: Float[Array, "*shape"], edges: Float[Array, " edges"]):
    return _number_by_edges(t, edges).astype(jnp.float32)


def _number_by_edges(t, edges):
    method = "compare_all" if edges.shape[0] <= COMPARED_EDGES else "scan_unrolled"
    # The outermost edges do not matter: values outside them fall into the outermost bins.
    index = jnp.searchsorted(total_order(edges[1:-1]), total_order(t), side="right", method=method)
    return index.astype(jnp.int32)


def _always(bounds, edges):
    return jnp.ones((), bool)


def _numpy_index_by_edges(t, edges):
    index = np.searchsorted(total_order(edges[1:-1]), total_order(t), side="right")
    return index.astype(np.float32)


def _number_near_zero(t, bin_width, xp=jnp):
    """Return the largest whole m with float32(m * bin_width) <= t, as int32.

    Correct if ``_is_near_zero``: the product with the reciprocal is then off by less than 1/8, and the
    answer by less than 1/32 from the floor of the exact quotient. So the rounded quotient is the answer
    or one above it. Adding 2^23 rounds the quotient and leaves the whole number in the lowest bits;
    since these are read as bits, no compiler can cancel the addition.
    """
    t = _without_subnormals(t, xp)
    nearest = (t * (1 / bin_width) + SHIFT).view(np.int32) - SHIFT.view(np.int32)
    return nearest - (nearest.astype(np.float32) * bin_width > t).astype(np.int32)


def _is_near_zero(bounds, bin_width):
    low, high = bounds[0].min() / EASY_QUOTIENT, bounds[1].max() / EASY_QUOTIENT
    return (low > -bin_width) & (high < bin_width) & (bin_width <= EASY_WIDTH)


def _index_anywhere(t: Float[Array, "*shape"], bin_width: Float[Array, ""]):
    """Return the largest whole float32 m with float32(m * bin_width) <= t.

    Start three steps below a guess, which is below the answer, and climb as long as the next product is
    still <= t. A step is 1, or one unit in the last place where float32 holds only whole numbers.
    """
    t = _without_subnormals(t, jnp)
    guess = jnp.clip(jnp.floor(t / bin_width), -LARGEST, LARGEST)
    # Just over half a unit in the last place: the sum rounds to the next float32.
    step = jnp.maximum(1.0, jnp.abs(guess) * np.float32(2.0**-24 * (1 + 2.0**-10)))
    m = jnp.maximum(guess - step - step - step, -LARGEST)
    for _ in range(6):
        above = jnp.minimum(m + step, LARGEST)
        m = jnp.where(above * bin_width <= t, above, m)
    return m


def _numpy_index_by_width(t, bin_width):
    if _is_near_zero((t.min(axis=1), t.max(axis=1)), bin_width):
        return _number_near_zero(t, bin_width, np).astype(np.float32)
    t = _without_subnormals(t, np)
    with np.errstate(over="ignore"):  # overflowing products and quotients still compare correctly
        m = np.clip(np.floor(t / bin_width), -LARGEST, LARGEST)
        while True:
            below = np.minimum(m - 1, np.nextafter(m, -LARGEST))
            too_high = (m * bin_width > t) & (below < m)
            if not too_high.any():
                break
            m = np.where(too_high, below, m)
        while True:
            above = np.maximum(m + 1, np.nextafter(m, LARGEST))
            too_low = (above * bin_width <= t) & (above > m)
            if not too_low.any():
                return m
            m = np.where(too_low, above, m)


def _without_subnormals(t, xp):
    """Replace negative subnormals by -TINY, which is in the same bin at any width."""
    # Counted from the smallest negative subnormal on, subnormals come first, before all other numbers.
    place = t.view(np.uint32) - SMALLEST_NEGATIVE
    return (xp.maximum(place, NUM_SUBNORMALS) + SMALLEST_NEGATIVE).view(np.float32)


BY_EDGES = Binning(
    _index_by_edges,
    easy_number=_number_by_edges,
    is_easy=_always,
    numpy_index=_numpy_index_by_edges,
)
BY_WIDTH = Binning(
    _index_anywhere,
    easy_number=_number_near_zero,
    is_easy=_is_near_zero,
    numpy_index=_numpy_index_by_width,
)
