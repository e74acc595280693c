"""NumPy's part of counting patterns: words, their runs, and arrays that lanes share."""

import jax.numpy as jnp
import numpy as np
import pytest

from ibjax.mi._host_patterns import (
    WORDS_AT_ONCE,
    _joined,
    _label_entropies,
    _mixed_radix_number,
    _numpy_entropies,
    _numpy_words,
    _of_lanes,
    _run_entropies,
)
from tests.oracles import entropy_bits

RNG = np.random.default_rng(0)


def entropy_of(values) -> float:
    return entropy_bits(np.unique(values, return_counts=True)[1])


def entropies_twin(indices, rank):
    """H(T), H(Y) and H(T,Y) of one lane's patterns (width, n) with labels (n,)."""
    patterns = [indices, rank[None], np.vstack([indices, rank[None]])]
    return [entropy_bits(np.unique(rows, axis=1, return_counts=True)[1]) for rows in patterns]


@pytest.mark.parametrize("spans", [[5], [3, 1, 7], [2**20, 2**10]])
def test_mixed_radix_numbers_are_those_of_python(spans):
    offset = np.array([-3, 9, 0])[: len(spans)]
    digits = np.array([RNG.integers(0, span, 50) for span in spans])
    digits[:, 0], digits[:, 1] = 0, np.array(spans) - 1
    numbers = jnp.asarray(digits + offset[:, None], jnp.int32).astype(jnp.uint32)
    smallest, largest = numbers[:, 0], numbers[:, 1]
    got, bits, fits = _mixed_radix_number(numbers, smallest, largest, np.arange(len(spans)))
    place = np.cumprod([1, *spans])
    np.testing.assert_array_equal(got, (digits * place[:-1, None]).sum(axis=0))
    assert bits == int(place[-1] - 1).bit_length()
    assert fits


def test_mixed_radix_numbers_beyond_31_bits_do_not_fit():
    largest = jnp.array([2**16 - 1, 2**16 - 1], jnp.uint32)
    numbers = jnp.zeros((2, 3), jnp.uint32)
    assert not _mixed_radix_number(numbers, jnp.zeros_like(largest), largest, np.arange(2))[2]


@pytest.mark.parametrize("narrow", [True, False])
@pytest.mark.parametrize(("high_bits", "low_bits"), [(0, 0), (12, 20), (13, 20), (31, 32)])
def test_joined_words_are_high_then_low(high_bits, low_bits, narrow):
    high = RNG.integers(0, 2**high_bits, (3, 20), dtype=np.uint32)
    low = RNG.integers(0, 2**low_bits, (3, 20), dtype=np.uint32)
    high[0, 0] = 2**high_bits - 1
    got = _joined(high, low, np.full(3, low_bits, np.uint32), narrow=narrow)
    is_narrow = narrow and high_bits + low_bits <= 32
    assert got.dtype == (np.uint32 if is_narrow else np.uint64)
    place = np.uint64(low_bits if is_narrow else 32)
    np.testing.assert_array_equal(got, (high.astype(np.uint64) << place) + low)


@pytest.mark.parametrize("factor", [1.0, 1e6], ids=["packed", "hashed"])
def test_words_are_equal_where_patterns_and_labels_are(factor):
    indices = (RNG.integers(-2, 2, (30, 200)) * factor).astype(np.float32)
    indices[:, 100:] = indices[:, :100]
    indices[:, 100:][indices[:, 100:] == 0] = -0.0  # the same state as 0.0
    rank = RNG.integers(0, 3, 200).astype(np.uint32)
    words = _numpy_words(indices, rank, 2)
    np.testing.assert_array_equal(words & np.uint64(3), rank)
    rows = np.unique(indices.T + 0.0, axis=0, return_inverse=True)[1].reshape(-1)
    same_rows = rows[:, None] == rows
    np.testing.assert_array_equal((words >> np.uint64(2))[:, None] == words >> np.uint64(2), same_rows)


def test_packed_words_are_mixed_radix_numbers():
    indices = np.float32([[4, 5, 6], [-1, 1, -1]])  # radices 3 and 3
    words = _numpy_words(indices, np.uint32([1, 0, 1]), 1)
    assert words.tolist() == [2 * 0 + 1, 2 * (1 * 3 + 2), 2 * (2 * 3) + 1]


@pytest.mark.parametrize("dtype", [np.uint32, np.uint64])
def test_runs_of_lanes_are_apart(dtype):
    label_bits = np.array([0, 1, 3, 2], np.uint32)
    words = RNG.integers(0, 40, (4, 60)).astype(dtype)
    words[1] = 7  # one run, which neither neighbour continues
    words[0, -1] = words[1, 0]
    words[2] = np.arange(60)
    words.sort(axis=1)
    got = _run_entropies(words, label_bits)
    expected = [
        [entropy_of(row >> dtype(bits)) for row, bits in zip(words, label_bits, strict=True)],
        [entropy_of(row) for row in words],
    ]
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_runs_of_one_sample_have_no_entropy():
    np.testing.assert_array_equal(
        _run_entropies(np.uint64([[5], [6]]), np.uint32([0, 1])), np.zeros((2, 2))
    )


def test_label_entropies_are_those_of_each_row():
    rank = RNG.integers(0, 5, (2, 3, 40)).astype(np.uint32)
    rank[1, 2] = 0
    expected = [[entropy_of(row) for row in rows] for rows in rank]
    np.testing.assert_allclose(_label_entropies(rank), expected, atol=1e-5)


def test_axes_that_lanes_share_are_repeated():
    shared = np.arange(6).reshape(1, 2, 3)
    np.testing.assert_array_equal(_of_lanes(shared, (4, 2)), np.tile(shared[0], (4, 1)))
    own = np.arange(24).reshape(4, 2, 3)
    np.testing.assert_array_equal(_of_lanes(own, (4, 2)), own.reshape(8, 3))


@pytest.mark.parametrize("n", [50, WORDS_AT_ONCE // 2])
def test_entropies_of_lanes_that_fit_and_do_not(n):
    """Words of a lane that fits are read; another's are made from its columns, in blocks of lanes."""
    lanes = 5
    indices = RNG.integers(0, 4, (lanes, 2, n)).astype(np.float32)
    rank = RNG.integers(0, 2, (1, n)).astype(np.uint32)  # shared by all lanes
    fits = np.array([True, False, True, True, False])
    high, low = indices.astype(np.uint32).transpose(1, 0, 2)
    low = np.where(fits[:, None], 2 * low + rank, 0).astype(np.uint32)
    out = np.empty((lanes, 3), np.float32)
    low_bits, label_bits = np.full(lanes, 3, np.uint32), np.ones(1, np.uint32)
    words = high, low, low_bits, label_bits, fits
    _numpy_entropies(lambda t: t, False, None, out, *words, indices, rank)
    np.testing.assert_allclose(out, [entropies_twin(t, rank[0]) for t in indices], atol=1e-5)
