"""Counting of patterns: packing, hashing, and the host's path against the accelerator's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ibjax.mi._binnings import Binning
from ibjax.mi._patterns import (
    Labels,
    _entropies_on_device,
    _run_entropies,
    label_ranks,
    pattern_entropies,
)
from tests.oracles import entropy_bits

# Activations that are bin indices already.
WHOLE = Binning(
    index=lambda t: t,
    easy_number=lambda t: t.astype(jnp.int32),
    is_easy=lambda bounds: (jnp.abs(bounds) < 2.0**22).all(),
    numpy_index=lambda t: t,
)

RNG = np.random.default_rng(0)


def spans(width, largest, n=300):
    """(n, width) random whole numbers, where 0 and ``largest`` occur in every column."""
    t = RNG.integers(0, largest + 1, (n, width)).astype(np.float32)
    t[0], t[1] = 0, largest
    t[n // 2 :] = t[: n - n // 2]  # states that occur twice
    return t


def padded(t, width):
    """With constant columns up to ``width``, which tell nothing; few widths make few programs."""
    return np.pad(t, ((0, 0), (0, width - t.shape[1])), constant_values=7).astype(np.float32)


LAYERS = {
    "one sample": np.zeros((1, 3), np.float32),
    "constant": np.full((300, 10), -3, np.float32),
    "one unit": padded(spans(1, 29), 10),
    "in groups of 4": spans(10, 29),
    "negative": -spans(10, 29),
    "groups fill 24 bits": padded(spans(8, 63), 10),
    "a group of 28 bits": padded(spans(9, 127), 10),
    "one unit of 24 bits": padded(spans(1, 2**24 - 1), 10),
    "63 bits": padded(spans(3, 2**21 - 1), 10),
    "60 bits and a span of 2^24": padded(np.hstack([spans(7, 255), spans(1, 2**24)]), 10),
    "far from zero": spans(10, 29) + np.float32(2**23),
    "huge": padded(spans(3, 29) * np.float32(1e37), 10),
    "hashed": spans(10, 250),
    "wide and binary": padded(spans(48, 1), 200),
    "wide, 64 bits less the label's": padded(spans(63, 1), 200),
    "wide, 64 bits and the label's": padded(spans(64, 1), 200),
    "wide and hashed, 30 bins": padded(spans(20, 29), 200),
    "wide and hashed, binary": spans(200, 1),
}


def states(rows):
    return np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)


def twin(t, y):
    of_t = states(t + 0.0)
    of_ty = states(np.stack([of_t, y], axis=1))
    return tuple(entropy_bits(np.bincount(states)) for states in (of_t, y, of_ty))


USABLE = jnp.ones((), bool)


@jax.jit
def on_host(t, y):
    bounds = jnp.stack([t.min(axis=0), t.max(axis=0)])
    return tuple(pattern_entropies(t.T, bounds, label_ranks(y), WHOLE, USABLE))


@jax.jit
def on_accelerator(t, y):
    labels = label_ranks(y)
    return tuple(_entropies_on_device(WHOLE, t.T, None, USABLE, labels.rank, labels.num_bits))


@pytest.mark.parametrize("entropies", [on_host, on_accelerator], ids=["host", "accelerator"])
@pytest.mark.parametrize("layer", LAYERS)
def test_entropies_are_the_twins(entropies, layer):
    t = LAYERS[layer]
    y = np.arange(len(t), dtype=np.int32) % 2
    np.testing.assert_allclose(entropies(t, y), twin(t, y), atol=1e-5)


def binary_words(num_bits):
    return (np.arange(2**num_bits)[:, None] >> np.arange(num_bits)) & 1


BITS = binary_words(16).astype(np.float32)
PAIRS = np.stack(np.divmod(np.arange(2**16), 256), axis=1).astype(np.float32)

# All 2^16 rows differ, in more than 64 bits.
STRUCTURED = {
    "all binary rows over 80 columns": np.tile(BITS, 5),
    "the same, each bit in adjacent columns": np.repeat(BITS, 5, axis=1),
    "the same, in outermost bins": np.tile(BITS * 28 + 1, 5),
    "the same, of either sign": np.tile(2 * BITS - 1, 5),
    "bits and their complements": np.hstack([np.tile(BITS, 3), np.tile(1 - BITS, 3)]),
    "two counters": np.tile(PAIRS, 5),
    "two counters, by turns up and down": np.tile(np.hstack([PAIRS, -PAIRS]), 3),
    "a counter, shifted by each column": np.arange(2**16)[:, None] + np.arange(6),
    "far from zero": np.tile(PAIRS, 5) * np.float32(2.0**100),
}


@pytest.mark.parametrize("entropies", [on_host, on_accelerator], ids=["host", "accelerator"])
@pytest.mark.parametrize("layer", STRUCTURED)
def test_hashes_of_structured_patterns_do_not_collide(entropies, layer):
    t = padded(STRUCTURED[layer], 96)
    y = np.arange(2**16, dtype=np.int32) % 2
    # Exactly: one collision makes it less by 3e-5.
    np.testing.assert_array_equal(entropies(t, y), [16.0, 1.0, 16.0])


@pytest.mark.parametrize("entropies", [on_host, on_accelerator], ids=["host", "accelerator"])
def test_many_classes_leave_the_hash_enough_bits(entropies):
    y = np.arange(2**16, dtype=np.int32)
    halves = np.tile(BITS * (np.arange(16) > 0), 6)  # rows 2i and 2i + 1 are equal
    np.testing.assert_array_equal(entropies(halves, y), [15.0, 16.0, 16.0])


def test_lanes_that_pack_and_lanes_that_hash_do_not_mix():
    t = np.stack([LAYERS[name] for name in ("in groups of 4", "hashed", "far from zero")])
    y = (np.arange(300) % np.array([[1], [2], [3]])).astype(np.int32)
    expected = np.array([twin(*lane) for lane in zip(t, y, strict=True)]).T
    np.testing.assert_allclose(jax.vmap(on_host)(t, y), expected, atol=1e-5)
    np.testing.assert_allclose(jax.vmap(on_accelerator)(t, y), expected, atol=1e-5)


@pytest.mark.slow
def test_wide_lanes_that_pack_and_that_hash_do_not_mix():
    names = ("wide and binary", "wide and hashed, binary", "wide, 64 bits and the label's")
    t = np.stack([LAYERS[name] for name in names] + [padded(spans(3, 29) * np.float32(1e37), 200)])
    y = (np.arange(300) % np.array([[1], [2], [3], [2]])).astype(np.int32)
    expected = np.array([twin(*lane) for lane in zip(t, y, strict=True)]).T
    np.testing.assert_allclose(jax.vmap(on_host)(t, y), expected, atol=1e-5)


def as_halves(words):
    return tuple(jnp.asarray(half.astype(np.uint32)) for half in (words >> np.uint64(32), words))


@pytest.mark.parametrize("label_bits", [0, 1, 5, 17, 31])
@pytest.mark.parametrize("n", [1, 2, 300, 60_000])
def test_runs_of_words_are_states(n, label_bits):
    words = RNG.integers(0, 2**64, max(n // 3, 1), dtype=np.uint64)[RNG.integers(0, max(n // 3, 1), n)]
    words[n // 2 :] ^= np.uint64(1)  # another label, where there is one
    got = jax.jit(_run_entropies)(*as_halves(words), jnp.uint32(label_bits))
    of_t = np.unique(words >> np.uint64(label_bits), return_counts=True)[1]
    of_ty = np.unique(words, return_counts=True)[1]
    np.testing.assert_allclose(got, [entropy_bits(of_t), entropy_bits(of_ty)], atol=1e-5)


@pytest.mark.slow
def test_runs_are_exact_at_both_ends():
    words = np.arange(4096, dtype=np.uint64) << np.uint64(30)
    np.testing.assert_array_equal(_run_entropies(*as_halves(words), jnp.uint32(0)), [12.0, 12.0])
    constant = np.full(4096, 2**63 + 5, np.uint64)
    np.testing.assert_array_equal(_run_entropies(*as_halves(constant), jnp.uint32(0)), [0.0, 0.0])


LABELS = {
    "one": np.array([3]),
    "one class": np.full(20, -7),
    "binary": np.arange(20) % 2,
    "negative": np.array([-5, 0, 5, -5, 2, -(2**31)]),
    "beyond 32 bits": np.array([2**40, 2**40 + 2**33, 2**40, 0, -(2**50), 2**33, 1, 2**63 - 1]),
    "unsigned beyond 63 bits": np.array([2**64 - 1, 0, 2**63, 2**64 - 1], np.uint64),
    "all differ": np.arange(300) * 7 - 100,
    "power of two": np.arange(64) % 16,
    "bytes": np.array([-128, 127, 0, -1], np.int8),
    "unsigned bytes": np.array([255, 127, 0, 128], np.uint8),
    "unsigned words": np.array([2**32 - 1, 2**31, 0], np.uint32),
}


def check_labels(got: Labels, y):
    rank = np.unique(y, return_inverse=True)[1].reshape(-1)
    np.testing.assert_array_equal(got.rank, rank)
    assert got.num_bits == int(rank.max()).bit_length()


@pytest.mark.parametrize("y", LABELS.values(), ids=LABELS.keys())
def test_ranks_of_known_labels(y):
    check_labels(label_ranks(y), y)


@pytest.mark.parametrize("name", [k for k, y in LABELS.items() if np.all(y == y.astype(np.int32))])
def test_ranks_of_traced_labels(name):
    y = LABELS[name] if LABELS[name].dtype.itemsize < 8 else LABELS[name].astype(np.int32)
    check_labels(jax.jit(label_ranks)(jnp.asarray(y)), y)


def test_ranks_of_traced_unsigned_words():
    check_labels(jax.jit(label_ranks)(jnp.asarray(LABELS["unsigned words"])), LABELS["unsigned words"])


@pytest.mark.slow
def test_ranks_of_lanes_are_apart():
    y = np.array([[-3, 3, -2, 2, -1, 1, 0], [9] * 7, [5, 2, 70, 2, 5, 70, 2]], np.int32)
    got = jax.vmap(label_ranks)(jnp.asarray(y))
    for i, lane in enumerate(y):
        check_labels(Labels(*(field[i] for field in got)), lane)


def test_traced_labels_that_are_close_keep_their_gaps():
    y = np.array([-3, 2, 3, -3, 12], np.int32)
    got = jax.jit(label_ranks)(jnp.asarray(y))
    np.testing.assert_array_equal(got.rank, [0, 5, 6, 0, 15])
    assert got.num_bits == 4
