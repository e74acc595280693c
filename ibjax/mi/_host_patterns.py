"""Entropies of patterns on a CPU: XLA bins and packs or hashes, NumPy sorts and counts.

XLA's CPU sort is 10 to 16 times slower than NumPy's. XLA's part is the same for all lanes of a ``vmap``
and works for nearly every layer of a network: one 32-bit word holds half of the units and the label,
another the other half; patterns of many units are hashed. Layers for which neither will do are binned,
and packed or hashed, by NumPy.
"""

import functools
import math
import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental.buffer_callback import buffer_callback

from ibjax.mi._binnings import EXACT_SPAN, TINY, Binning
from ibjax.mi._words import hashed_rows, shift_in
from ibjax.numerics import clog2c_table

__all__ = ["PACKED_WIDTH", "entropies_on_host"]

# Patterns of wider layers are hashed, so that the compiled program does not grow with the width.
PACKED_WIDTH = 16

# NumPy processes this many words at a time, so that they stay in a core's cache.
WORDS_AT_ONCE = 2**16

# Position of the low half of a 64-bit word in this host's memory.
LOW = 0 if sys.byteorder == "little" else 1


def entropies_on_host(binning: Binning, columns, bounds, usable, rank, label_bits, *parameters):
    """Return (3,): H(T), H(Y) and H(T,Y) in bits; see ``pattern_entropies``."""
    is_wide = len(columns) > PACKED_WIDTH
    if is_wide:
        # As rows, the way activations come, so that XLA need not copy what NumPy rarely reads.
        columns = columns.T
        fits, high, low = _hashed(binning, columns, bounds, label_bits, *parameters)
        (high, low), low_bits = shift_in(high, low, label_bits, rank), jnp.uint32(32)
    else:
        fits, low_bits, high, low = _packed(binning, columns, bounds, label_bits, *parameters)
        low = (low << label_bits) | rank
    call = buffer_callback(
        functools.partial(_numpy_entropies, binning.numpy_index, is_wide),
        jax.ShapeDtypeStruct((3,), jnp.float32),
        vmap_method="expand_dims",
    )
    fits = fits | ~usable  # the words do not matter if activations are not usable
    return call(high, low, low_bits, label_bits, fits, columns, rank, *parameters)


def _packed(binning, columns, bounds, label_bits, *parameters):
    """Return whether two words hold the patterns, the lower one's bit length with labels, and both."""
    smallest, largest = _easy_bounds(binning, bounds, *parameters)
    numbers = binning.easy_number(columns, *parameters).astype(jnp.uint32)
    halves = np.array_split(np.arange(len(columns)), 2)
    words = [_mixed_radix_number(numbers, smallest, largest, units) for units in halves]
    (high, _, high_fits), (low, low_bits, low_fits) = words
    low_bits += label_bits
    fits = binning.is_easy(bounds, *parameters) & high_fits & low_fits & (low_bits <= 32)
    return fits, low_bits, high, low


def _hashed(binning, rows, bounds, label_bits, *parameters):
    """Return whether patterns should be hashed, since 64 bits cannot hold them, and both words."""
    smallest, largest = _easy_bounds(binning, bounds, *parameters)
    num_bits = jnp.log2((largest - smallest + 1).astype(jnp.float32)).sum()
    # NumPy counts radices exactly, and packs where they are on the edge.
    too_many = num_bits + label_bits.astype(jnp.float32) > 65
    words = hashed_rows(rows, lambda t: binning.easy_number(t, *parameters).astype(jnp.uint32))
    return binning.is_easy(bounds, *parameters) & too_many, *words


def _easy_bounds(binning, bounds, *parameters):
    """Return the units' smallest and largest numbers, correct where the binning is easy."""
    # A bound that reads as 0 may be a subnormal.
    bounds = jnp.where(bounds == 0, jnp.asarray([[-TINY], [TINY]]), bounds)
    return binning.easy_number(bounds, *parameters).astype(jnp.uint32)


def _mixed_radix_number(numbers, smallest, largest, units):
    """Return the units' numbers as one uint32, the bit length of the largest, and whether 31 suffice."""
    total, offset = jnp.zeros_like(numbers[0]), jnp.uint32(0)
    product, estimate = jnp.uint32(1), 1.0
    for i in units:
        radix = largest[i] - smallest[i] + 1
        total += numbers[i] * product
        offset += smallest[i] * product
        product *= radix
        estimate *= radix.astype(jnp.float32)
    # Modulo 2^32, as each sum is.
    return total - offset, 32 - lax.clz(product - 1), estimate <= 2.0**31


def _numpy_entropies(numpy_index, by_row, _, out, *arguments):
    """Write H(T), H(Y), H(T,Y) of every lane to ``out``; axes that all lanes share may have length 1."""
    out = np.asarray(out)
    lanes = out.shape[:-1]
    arguments = [np.asarray(a) for a in arguments]
    high, low, low_bits, label_bits, fits = (_of_lanes(a, lanes) for a in arguments[:5])
    num_lanes, n = low.shape
    h_t, h_ty = np.empty((2, num_lanes))
    at_once = max(WORDS_AT_ONCE // n, 1)
    for first in range(0, num_lanes, at_once):
        some = slice(first, first + at_once)
        words = _joined(high[some], low[some], low_bits[some], narrow=fits[some].all())
        for i in np.flatnonzero(~fits[some]):
            columns, rank, *parameters = (_of_lanes(a, lanes)[first + i] for a in arguments[5:])
            columns = np.ascontiguousarray(columns.T) if by_row else columns
            indices = numpy_index(columns, *parameters)
            words[i] = _numpy_words(indices, rank, int(label_bits[first + i]))
        words.sort(axis=1)
        h_t[some], h_ty[some] = _run_entropies(words, label_bits[some])
    out[..., 0], out[..., 2] = h_t.reshape(lanes), h_ty.reshape(lanes)
    out[..., 1] = _label_entropies(arguments[6])


def _of_lanes(array: np.ndarray, lanes: tuple[int, ...]) -> np.ndarray:
    """Broadcast leading axes of length 1 to ``lanes``, and flatten them to (number of lanes, ...)."""
    rest = array.shape[len(lanes) :]
    if array.shape != lanes + rest:
        array = np.broadcast_to(array, lanes + rest)
    return array.reshape(math.prod(lanes), *rest)


def _joined(high, low, low_bits, *, narrow):
    """Join two words (lanes, n): into 32 bits, which sort twice as fast, if possible, else into 64."""
    shift = low_bits[:, None]
    if narrow and (high.max(axis=1, keepdims=True) >> (32 - shift) == 0).all():
        return (high << shift) | low
    words = np.empty((*high.shape, 2), np.uint32)
    words[..., 1 - LOW], words[..., LOW] = high, low
    return words.view(np.uint64)[..., 0]


def _numpy_words(indices: np.ndarray, rank: np.ndarray, label_bits: int) -> np.ndarray:
    """Convert patterns (width, n) with labels (n,) to uint64: exact if they fit, else hashed."""
    smallest = indices.min(axis=1, keepdims=True)
    radices = [int(span) + 1 for span in np.ptp(indices.astype(np.float64), axis=1)]
    word = np.zeros(indices.shape[1], np.uint64)
    if max(radices) <= EXACT_SPAN and math.prod(radices) <= 2 ** (64 - label_bits):
        for unit, radix in zip(indices - smallest, radices, strict=True):
            word = word * np.uint64(radix) + unit.astype(np.uint64)
    else:
        for unit in indices + np.float32(0):  # -0.0 and 0.0 are the same state
            word = (word ^ unit.view(np.uint32)) * np.uint64(0x9FB21C651E98DF25)
            word ^= word >> np.uint64(32)
        word *= np.uint64(0x9E3779B97F4A7C15)
        word ^= word >> np.uint64(29)
    return (word << np.uint64(label_bits)) | rank


def _run_entropies(words: np.ndarray, label_bits: np.ndarray) -> np.ndarray:
    """Return (2, lanes): entropies of words without the label in their lowest bits, and of whole words.

    Words that occur once add 0 to sum_k c_k log2 c_k and are skipped.

    Args:
        words: (lanes, n) sorted words.
        label_bits: (lanes,) numbers of bits that the label takes.
    """
    lanes, n = words.shape
    differing = words[:, 1:] ^ words[:, :-1]
    same = np.zeros((2, lanes, n + 1), bool)  # equal to the word before; False at both ends
    np.less(differing, words.dtype.type(1) << label_bits[:, None], out=same[0, :, 1:n])
    np.equal(differing, 0, out=same[1, :, 1:n])
    same = same.reshape(-1)
    change = np.flatnonzero(same[1:] != same[:-1])  # begin and end of each run, alternating
    begin, end = change[::2], change[1::2]
    table = clog2c_table(n).astype(np.float64)
    first = np.searchsorted(begin, np.arange(2 * lanes + 1) * (n + 1))  # runs of each row
    total = np.add.reduceat(np.append(table[end - begin + 1], 0.0), first)[:-1]
    return (table[n] - np.where(np.diff(first) > 0, total, 0.0)).reshape(2, lanes)


def _label_entropies(rank: np.ndarray) -> np.ndarray:
    """Return H(Y) in bits, (..., n) -> (...,)."""
    table = clog2c_table(rank.shape[-1])
    rows = rank.reshape(-1, rank.shape[-1])
    h = [table[-1] - table[np.bincount(row)].sum(dtype=np.float64) for row in rows]
    return np.reshape(h, rank.shape[:-1])
