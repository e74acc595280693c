"""Sorts against NumPy's, and the host's against the accelerator's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from ibjax.sorting import join_words, sort_words, sort_words_64

LARGEST = 2**32 - 1


def random_words(seed, shape, high=2**32):
    return np.random.default_rng(seed).integers(0, high, shape, dtype=np.uint64).astype(np.uint32)


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit], ids=["eager", "jit"])
@pytest.mark.parametrize(
    "words",
    [
        np.array([3], np.uint32),
        np.array([LARGEST, 0, 2**31, 2**31 - 1, 0], np.uint32),
        random_words(0, 4097),
        random_words(1, 1000, high=5),
    ],
    ids=["one", "extremes", "random", "ties"],
)
def test_sorts_words(transform, words):
    got = transform(sort_words)(jnp.asarray(words))
    assert got.dtype == jnp.uint32
    np.testing.assert_array_equal(got, np.sort(words))
    np.testing.assert_array_equal(got, lax.sort(jnp.asarray(words)))


def test_sorts_lanes_apart():
    words = random_words(2, (2, 3, 100))
    got = jax.vmap(jax.vmap(sort_words))(jnp.asarray(words))
    np.testing.assert_array_equal(got, np.sort(words, axis=-1))
    columns = jax.vmap(sort_words, in_axes=1, out_axes=1)(jnp.asarray(words[0]))
    np.testing.assert_array_equal(columns, np.sort(words[0], axis=0))


def test_leaves_its_argument_as_it_was():
    words = random_words(3, 50)
    given = jnp.asarray(words)
    jax.block_until_ready(sort_words(given))
    np.testing.assert_array_equal(given, words)


def as_64(high, low):
    return np.asarray(high).astype(np.uint64) << np.uint64(32) | np.asarray(low).astype(np.uint64)


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit], ids=["eager", "jit"])
@pytest.mark.parametrize("high_below", [1, 4, 2**32], ids=["low decides", "ties", "random"])
def test_sorts_64_bits_by_the_high_half_first(transform, high_below):
    high, low = random_words(4, 2000, high=high_below), random_words(5, 2000)
    low[:3] = LARGEST, 0, 2**31
    halves = jnp.asarray(high), jnp.asarray(low)
    got = as_64(*transform(sort_words_64)(*halves))
    np.testing.assert_array_equal(got, np.sort(as_64(high, low)))
    np.testing.assert_array_equal(got, as_64(*lax.sort(halves, num_keys=2)))


def test_sorts_64_bits_of_lanes_apart():
    high, low = random_words(6, (2, 3, 40), high=3), random_words(7, (2, 3, 40))
    got = jax.jit(jax.vmap(jax.vmap(sort_words_64)))(jnp.asarray(high), jnp.asarray(low))
    np.testing.assert_array_equal(as_64(*got), np.sort(as_64(high, low), axis=-1))
    shared = jax.vmap(sort_words_64, in_axes=(0, None))(jnp.asarray(high[0]), jnp.asarray(low[0, 0]))
    np.testing.assert_array_equal(as_64(*shared), np.sort(as_64(high[0], low[0, 0]), axis=-1))


def test_joined_halves_are_words_on_this_host():
    high, low = random_words(8, 20), random_words(9, 20)
    joined = np.asarray(join_words(jnp.asarray(high), jnp.asarray(low)))
    np.testing.assert_array_equal(joined.copy().view(np.uint64)[:, 0], as_64(high, low))
