"""Entropies of discrete patterns: rows of bin indices, counted without a dictionary.

A sample's pattern becomes one 64-bit word, the class label goes into the word's lowest bits, and one
sort of the words brings equal patterns, and within them equal (pattern, label) pairs, side by side.
The lengths of the runs are the counts of T and of (T, Y). Words are pairs of 32-bit halves, so x64 is
not needed.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental.buffer_callback import buffer_callback
from jaxtyping import Array, Bool, Float, Shaped, UInt32

from ibjax.checks import is_concrete
from ibjax.numerics import clog2c_table
from ibjax.sorting import join_words, sort_words, sort_words_64

__all__ = ["Binning", "Labels", "PatternEntropies", "label_ranks", "pattern_entropies"]

# Wider layers are not packed in groups, so that the program does not grow with the width.
GROUPED_WIDTH = 32

# Units of one mixed-radix number: 4 units of 64 bins each fill the 24 bits that float32 holds exactly.
GROUP = 4

# Differences of whole float32 numbers are exact up to here.
EXACT_SPAN = 2.0**24


class Labels(NamedTuple):
    """Class labels as ranks 0..K-1, and the bits that the largest one takes."""

    rank: UInt32[Array, " n"]
    num_bits: UInt32[Array, ""]


class PatternEntropies(NamedTuple):
    """H(T), H(Y) and H(T,Y) in bits."""

    t: Float[Array, ""]
    y: Float[Array, ""]
    ty: Float[Array, ""]


def label_ranks(y: Shaped[Any, " n"]) -> Labels:
    """Rank integer labels 0..K-1, whatever their values; K need not be static.

    Labels that are known are ranked by NumPy first: 64-bit integers would otherwise lose their high
    half where x64 is off.
    """
    if is_concrete(y):
        y = np.unique(np.asarray(y), return_inverse=True)[1].astype(np.int32)
    sign = jnp.uint32(0 if jnp.issubdtype(y.dtype, jnp.unsignedinteger) else 2**31)
    y = y.astype(jnp.uint32) ^ sign  # in the same order
    ordered = sort_words(y)
    differs = ordered[1:] != ordered[:-1]
    ranks = jnp.pad(jnp.cumsum(differs, dtype=jnp.uint32), (1, 0))
    rank = ranks[jnp.searchsorted(ordered, y)]
    return Labels(rank, _bit_length(ranks[-1]))


class Binning(NamedTuple):
    """How activations become whole numbers: functions of activations and the binning's arrays.

    Attributes:
        index: activations of any shape to float32 whole numbers that do not decrease with them.
        easy_index: the same, cheaper, right where ``is_easy``.
        is_easy: activations to booleans that hold for all activations between two where they hold.
        bounds: (width, n) activations to (2, width), the smallest and the largest.
        numpy_index: ``index`` on the host.
    """

    index: Callable
    easy_index: Callable
    is_easy: Callable
    bounds: Callable
    numpy_index: Callable


def pattern_entropies(
    t: Float[Array, "n width"],
    labels: Labels,
    binning: Binning,
    usable: Bool[Array, ""],
    *parameters: Array,
) -> PatternEntropies:
    """H(T), H(Y) and H(T,Y), where a sample's state T is its row of bin indices.

    Where the units' index spans and the label fit into 64 bits together, words are packed and the
    counts are exact. Beyond that the pattern is hashed to 64 bits less the label's.

    Args:
        t: (n, width) finite activations.
        labels: of the n samples.
        binning: of the activations.
        usable: whether activations and parameters are valid; where not, the result is arbitrary.
        parameters: the binning's arrays.
    """
    arguments = t.T, usable, labels.rank, labels.num_bits, *parameters
    entropies = lax.platform_dependent(
        *arguments,
        cpu=functools.partial(_entropies_on_host, binning),
        default=functools.partial(_entropies_on_device, binning),
    )
    return PatternEntropies(*entropies)


def _entropies_on_device(binning, columns, usable, rank, label_bits, *parameters):
    indices = binning.index(columns, *parameters)
    high, low = _packed_or_hashed_words(indices, label_bits)
    h_t, h_ty = _run_entropies(*_shift_in(high, low, label_bits, rank), label_bits)
    ordered = lax.sort(rank)
    return jnp.stack([h_t, _entropy(ordered[1:] != ordered[:-1]), h_ty])


def _entropies_on_host(binning, columns, usable, rank, label_bits, *parameters):
    """Nearly every layer is packed here; NumPy sorts, counts, and packs or hashes what is left."""
    bounds = binning.bounds(columns)
    smallest, largest = binning.index(bounds, *parameters)
    span = largest - smallest
    fits = ~usable | _groups_fit(span, label_bits) & binning.is_easy(bounds, *parameters).all()
    indices = binning.easy_index(columns, *parameters)
    high, low = _shift_in(*_grouped_words(indices, smallest, span), label_bits, rank)
    call = buffer_callback(
        functools.partial(_numpy_run_entropies, binning.numpy_index),
        jax.ShapeDtypeStruct((3,), jnp.float32),
        vmap_method="broadcast_all",
    )
    return call(join_words(high, low), fits, columns, rank, label_bits, *parameters)


def _run_entropies(high, low, label_bits):
    """(2,): entropies of equal words without their lowest ``label_bits`` bits, and of whole words."""
    high, low = sort_words_64(high, low)
    high_differs = high[1:] != high[:-1]
    low_bits = low[1:] ^ low[:-1]
    t = _entropy(high_differs | (low_bits >> label_bits != 0))
    return jnp.stack([t, _entropy(high_differs | (low_bits != 0))])


def _entropy(differs: Bool[Array, " n_minus_1"]) -> Float[Array, ""]:
    """H in bits of the frequencies of the runs of n sorted words, log2 n - sum_k (c_k / n) log2 c_k.

    ``differs`` tells whether each word but the first differs from the one before it.
    """
    n = differs.shape[0] + 1
    end = jnp.ones(1, bool)
    position = jnp.arange(n, dtype=jnp.int32)
    run_start = lax.cummax(jnp.where(jnp.concatenate([end, differs]), position, 0))
    run_length = jnp.where(jnp.concatenate([differs, end]), position - run_start + 1, 0)
    table = jnp.asarray(clog2c_table(n))
    return table[n] - _sum(table[run_length])


def _sum(x: Float[Array, " n"], block: int = 256) -> Float[Array, ""]:
    """A sum in two levels, so that float32 rounding grows with sqrt(n), not with n."""
    padded = jnp.pad(x, (0, -len(x) % block))
    return padded.reshape(-1, block).sum(axis=1).sum()


def _numpy_run_entropies(numpy_index, _, out, *arguments):
    """H(T), H(Y), H(T,Y) of every lane, from words where they fit, else from activations."""
    words, fits, columns, rank, label_bits, *parameters = map(np.asarray, arguments)
    *lanes, n, _ = words.shape
    words = words.reshape(-1, n, 2).copy().view(np.uint64)[..., 0]  # (..., n, 2) -> (lanes, n)
    # Whether a word equals the one before it, without its label and with it; False at both ends.
    same = np.zeros((2, len(words), n + 1), bool)
    h = np.zeros((3, len(words)))
    lane_before = None
    for i, lane in enumerate(np.ndindex(*lanes)):
        ordered = words[i]
        if not fits[lane]:
            indices = numpy_index(columns[lane], *(p[lane] for p in parameters))
            ordered = _numpy_words(indices, rank[lane], int(label_bits[lane]))
        if ordered.max() < 2**32:
            ordered = ordered.astype(np.uint32)  # half the words, twice the speed
        ordered.sort()
        t = ordered >> label_bits[lane].astype(ordered.dtype)
        np.equal(t[1:], t[:-1], out=same[0, i, 1:n])
        np.equal(ordered[1:], ordered[:-1], out=same[1, i, 1:n])
        if lane_before is None or not np.array_equal(rank[lane], rank[lane_before]):
            h_y = clog2c_table(n)[n] - clog2c_table(n)[np.bincount(rank[lane])].sum(dtype=float)
        h[1, i], lane_before = h_y, lane
    h[0], h[2] = _numpy_entropies(same.reshape(-1, n + 1)).reshape(2, -1)
    np.copyto(np.asarray(out), h.T.reshape(out.shape), casting="same_kind")


def _numpy_words(indices: np.ndarray, rank: np.ndarray, label_bits: int) -> np.ndarray:
    """``_packed_or_hashed_words`` with the label, (width, n) -> (n,) uint64."""
    smallest = indices.min(axis=1, keepdims=True)
    radices = [int(span) + 1 for span in np.ptp(indices.astype(np.float64), axis=1)]
    word = np.zeros(indices.shape[1], np.uint64)
    if max(radices) <= EXACT_SPAN and math.prod(radices) <= 2 ** (64 - label_bits):
        for unit, radix in zip(indices - smallest, radices, strict=True):
            word = word * np.uint64(radix) + unit.astype(np.uint64)
    else:
        for unit in indices + np.float32(0):  # -0.0 and 0.0 are one state
            word = (word ^ unit.view(np.uint32)) * np.uint64(0x9FB21C651E98DF25)
            word ^= word >> np.uint64(32)
        word *= np.uint64(0x9E3779B97F4A7C15)
        word ^= word >> np.uint64(29)
    return (word << np.uint64(label_bits)) | rank


def _numpy_entropies(same: np.ndarray) -> np.ndarray:
    """Entropies of runs; words that occur once add 0 to sum_k c_k log2 c_k and are passed over.

    Args:
        same: (lanes, n + 1) whether each of n sorted words equals the one before it.
    """
    lanes, n = same.shape[0], same.shape[1] - 1
    flat = same.reshape(-1)
    change = np.flatnonzero(flat[1:] != flat[:-1])  # begin and end of each run, by turns
    begin, end = change[::2], change[1::2]
    table = clog2c_table(n)
    total = np.concatenate([[0.0], np.cumsum(table[end - begin + 1], dtype=np.float64)])
    of_lane = total[np.searchsorted(begin, np.arange(lanes + 1) * (n + 1))]
    return table[n] - np.diff(of_lane)


def _groups_fit(span, label_bits):
    if len(span) > GROUPED_WIDTH:
        return jnp.zeros((), bool)
    _, bits = _group_radices(span)
    return (bits <= 24).all() & (bits.sum() + label_bits <= 64)


def _grouped_words(indices, smallest, span):
    """Words of the patterns where ``_groups_fit``.

    Mixed-radix numbers of ``GROUP`` units each, exact in float32, side by side."""
    high, low = _zero_words(indices)
    if len(span) > GROUPED_WIDTH:
        return high, low
    radices, bits = _group_radices(span)
    for g, radix in enumerate(radices):
        number = jnp.zeros_like(indices[0])
        for i in range(len(radix)):
            unit = g * GROUP + i
            number = number + (indices[unit] - smallest[unit]) * radix[i]
        high, low = _shift_in(high, low, bits[g], number.astype(jnp.uint32))
    return high, low


def _group_radices(span):
    """Per group: each unit's radix, and the bits of the group's largest number (25 if over 24)."""
    groups = [span[i : i + GROUP] for i in range(0, len(span), GROUP)]
    products = [jnp.cumprod(group + 1.0) for group in groups]
    radices = [jnp.concatenate([jnp.ones(1), product[:-1]]) for product in products]
    largest = jnp.stack([product[-1] - 1.0 for product in products])
    return radices, _bit_length(jnp.minimum(largest, EXACT_SPAN).astype(jnp.uint32))


def _packed_or_hashed_words(indices, label_bits):
    packed_high, packed_low, fits = _packed_words(indices, label_bits)
    hashed_high, hashed_low = _hashed_words(indices)
    return jnp.where(fits, packed_high, hashed_high), jnp.where(fits, packed_low, hashed_low)


def _packed_words(indices, label_bits):
    """Offsets from each unit's smallest index, side by side; and whether 64 bits hold them all."""
    smallest = indices.min(axis=1)  # (width, n) -> (width,)
    span = indices.max(axis=1) - smallest
    num_bits = _bit_length(jnp.minimum(span, EXACT_SPAN).astype(jnp.uint32))
    fits = (span < EXACT_SPAN).all() & (num_bits.sum() + label_bits <= 64)

    def append(words, unit):
        high, low = words
        row, offset, bits = unit
        value = jnp.minimum(row - offset, EXACT_SPAN).astype(jnp.uint32)
        return _shift_in(high, low, bits, value)

    high, low = _over_units(append, _zero_words(indices), (indices, smallest, num_bits))
    return high, low, fits


def _hashed_words(indices):
    """Two coupled 32-bit streams over the units' float bits: one 64-bit hash."""

    def absorb(words, unit):
        (row,) = unit
        bits = lax.bitcast_convert_type(row + 0.0, jnp.uint32)  # -0.0 and 0.0 are one state
        a, b = words
        a = _mixed(a ^ bits, 0x7FEB352D)
        b = _mixed((b + bits) ^ (a >> 7), 0x846CA68B)
        return a, b

    a, b = _over_units(absorb, _zero_words(indices), (indices,))
    high = _mixed(_mixed(a, 0x2C1B3C6D) + b, 0x297A2D39)
    low = _mixed(_mixed(b, 0x297A2D39) ^ high, 0x2C1B3C6D)
    return high, low


def _mixed(x, multiplier):
    """A bijection of 32-bit words that spreads every bit (multipliers of Wellons' low-bias hashes)."""
    x = (x ^ (x >> 16)) * jnp.uint32(multiplier)
    return x ^ (x >> 15)


def _over_units(step, words, units):
    """Fold ``step`` over the leading axis of ``units``; a loop, so that programs stay small."""
    return lax.scan(lambda words, unit: (step(words, unit), None), words, units)[0]


def _zero_words(indices):
    zero = jnp.zeros_like(indices[0], dtype=jnp.uint32)
    return zero, zero


def _shift_in(high, low, num_bits, value):
    """The 64-bit word shifted left by ``num_bits`` (0 to 31), with ``value`` in the freed bits."""
    carried = (low >> 1) >> (31 - num_bits)  # a shift by 32 is undefined
    return (high << num_bits) | carried, (low << num_bits) | value


def _bit_length(x: UInt32[Array, "..."]) -> UInt32[Array, "..."]:
    return jnp.uint32(32) - lax.clz(x)
