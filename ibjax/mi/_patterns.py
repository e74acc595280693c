"""Entropies of discrete patterns: rows of bin indices, counted without a dictionary.

A sample's pattern becomes one 64-bit word with the class label in its lowest bits. Sorting the words
brings equal patterns together, and within them equal (pattern, label) pairs; the run lengths are the
counts of T and of (T, Y). Words are pairs of 32-bit halves, so x64 is not needed.
"""

import functools
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Shaped, UInt32

from ibjax.checks import is_concrete
from ibjax.mi._binnings import EXACT_SPAN, Binning
from ibjax.mi._host_patterns import entropies_on_host
from ibjax.mi._words import hashed_words, over_units, shift_in, zero_words
from ibjax.numerics import clog2c_table
from ibjax.sorting import on_platform, sort_words, sort_words_64

__all__ = [
    "Labels",
    "PatternEntropies",
    "as_words",
    "blockwise_sum",
    "label_ranks",
    "pattern_entropies",
    "rank_of_pairs",
]

# Labels that differ by less fit into 4 bits, ranked or not.
CLOSE = 16


class Labels(NamedTuple):
    """Class labels as numbers from 0 up, and the number of bits that the largest takes.

    The numbers are ranks 0..K-1, or have gaps and are below ``CLOSE``.
    """

    rank: UInt32[Array, " n"]
    num_bits: UInt32[Array, ""]


class PatternEntropies(NamedTuple):
    """H(T), H(Y) and H(T,Y) in bits."""

    t: Float[Array, ""]
    y: Float[Array, ""]
    ty: Float[Array, ""]


def label_ranks(y: Shaped[Any, " n"]) -> Labels:
    """Map integer labels of any values to small numbers; the number of classes K need not be static.

    Concrete labels are ranked by NumPy, because 64-bit integers would lose their high half if x64 is
    off. Traced labels are ranked by a sort, unless they are close together already; 64-bit ones by a
    sort of both halves.
    """
    if is_concrete(y):
        values, rank = np.unique(np.asarray(y), return_inverse=True)
        num_bits = (len(values) - 1).bit_length()
        return Labels(jnp.asarray(rank, jnp.uint32), jnp.asarray(num_bits, jnp.uint32))
    if y.dtype.itemsize == 8:
        rank = rank_of_pairs(*as_words(y))
        return Labels(rank, _bit_length(rank.max()))
    sign = jnp.uint32(0 if jnp.issubdtype(y.dtype, jnp.unsignedinteger) else 2**31)
    (y,) = as_words(y)
    y = y ^ sign  # in the same order
    offset = y - y.min()
    rank = lax.cond(offset.max() < CLOSE, lambda offset: offset, _ranks, offset)
    return Labels(rank, _bit_length(rank.max()))


def as_words(y: Shaped[Any, " n"]) -> list[UInt32[Array, " n"]]:
    """Convert whole numbers to one 32-bit word, or two for 64 bits; equal numbers give equal words."""
    if y.dtype.itemsize < 8:
        return [y.astype(jnp.uint32)]
    halves = lax.bitcast_convert_type(y, jnp.uint32)  # (n,) -> (n, 2)
    return [halves[:, 1], halves[:, 0]]


def rank_of_pairs(a: UInt32[Array, " n"], b: UInt32[Array, " n"]) -> UInt32[Array, " n"]:
    """Return the rank of each pair among the distinct pairs."""
    a, b, sample = lax.sort((a, b, jnp.arange(len(a))), num_keys=2)
    differs = (a[1:] != a[:-1]) | (b[1:] != b[:-1])
    ranks = jnp.pad(jnp.cumsum(differs, dtype=jnp.uint32), (1, 0))
    return jnp.zeros_like(ranks).at[sample].set(ranks)


def _ranks(y: UInt32[Array, " n"]) -> UInt32[Array, " n"]:
    ordered = sort_words(y)
    differs = ordered[1:] != ordered[:-1]
    ranks = jnp.pad(jnp.cumsum(differs, dtype=jnp.uint32), (1, 0))
    return ranks[jnp.searchsorted(ordered, y)]


def pattern_entropies(
    columns: Float[Array, "width n"],
    bounds: Float[Array, "2 width"],
    labels: Labels,
    binning: Binning,
    usable: Bool[Array, ""],
    *parameters: Array,
) -> PatternEntropies:
    """Return H(T), H(Y) and H(T,Y), where a sample's state T is its row of bin indices.

    If the units' index spans and the label together fit into 64 bits, words are packed and the counts
    are exact. Otherwise the pattern is hashed to the bits that the label leaves of 64.

    Args:
        columns: (width, n) finite activations.
        bounds: (2, width) smallest and largest activation of each unit.
        labels: labels of the n samples.
        binning: rule that bins the activations.
        usable: whether activations and parameters are valid; if not, the result is arbitrary.
        parameters: the binning's arrays.
    """
    arguments = columns, bounds, usable, labels.rank, labels.num_bits, *parameters
    entropies = on_platform(
        *arguments,
        cpu=functools.partial(entropies_on_host, binning),
        default=functools.partial(_entropies_on_device, binning),
    )
    return PatternEntropies(*entropies)


def _entropies_on_device(binning, columns, bounds, usable, rank, label_bits, *parameters):
    indices = binning.index(columns, *parameters)
    high, low = _packed_or_hashed_words(indices, label_bits)
    h_t, h_ty = _run_entropies(*shift_in(high, low, label_bits, rank), label_bits)
    ordered = lax.sort(rank)
    return jnp.stack([h_t, _entropy(ordered[1:] != ordered[:-1]), h_ty])


def _run_entropies(high, low, label_bits):
    """Return (2,): entropies of words without their lowest ``label_bits`` bits, and of whole words."""
    high, low = sort_words_64(high, low)
    high_differs = high[1:] != high[:-1]
    low_bits = low[1:] ^ low[:-1]
    t = _entropy(high_differs | (low_bits >> label_bits != 0))
    return jnp.stack([t, _entropy(high_differs | (low_bits != 0))])


def _entropy(differs: Bool[Array, " n_minus_1"]) -> Float[Array, ""]:
    """Return the entropy in bits of n sorted words, log2 n - sum_k (c_k / n) log2 c_k, for runs of c_k.

    ``differs`` tells whether each word but the first differs from the one before it.
    """
    n = differs.shape[0] + 1
    end = jnp.ones(1, bool)
    position = jnp.arange(n, dtype=jnp.int32)
    run_start = lax.cummax(jnp.where(jnp.concatenate([end, differs]), position, 0))
    run_length = jnp.where(jnp.concatenate([differs, end]), position - run_start + 1, 0)
    table = jnp.asarray(clog2c_table(n))
    return table[n] - blockwise_sum(table[run_length])


def blockwise_sum(x: Float[Array, " n"], block: int = 256) -> Float[Array, ""]:
    """Sum in two levels, so that float32 rounding grows with sqrt(n) instead of n."""
    padded = jnp.pad(x, (0, -len(x) % block))
    return padded.reshape(-1, block).sum(axis=1).sum()


def _packed_or_hashed_words(indices, label_bits):
    packed_high, packed_low, fits = _packed_words(indices, label_bits)
    hashed_high, hashed_low = hashed_words(indices)
    return jnp.where(fits, packed_high, hashed_high), jnp.where(fits, packed_low, hashed_low)


def _packed_words(indices, label_bits):
    """Pack the offsets from each unit's smallest index into words, and tell whether they fit 64 bits."""
    smallest = indices.min(axis=1)  # (width, n) -> (width,)
    span = indices.max(axis=1) - smallest
    num_bits = _bit_length(jnp.minimum(span, EXACT_SPAN).astype(jnp.uint32))
    fits = (span < EXACT_SPAN).all() & (num_bits.sum() + label_bits <= 64)

    def append(words, unit):
        high, low = words
        row, offset, bits = unit
        value = jnp.minimum(row - offset, EXACT_SPAN).astype(jnp.uint32)
        return shift_in(high, low, bits, value)

    high, low = over_units(append, zero_words(indices), (indices, smallest, num_bits))
    return high, low, fits


def _bit_length(x: UInt32[Array, "..."]) -> UInt32[Array, "..."]:
    return jnp.uint32(32) - lax.clz(x)
