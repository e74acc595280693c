"""Words of patterns: hashes of rows are equal where rows are, however many are hashed at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ibjax.mi import _words
from ibjax.mi._words import hashed_rows

RNG = np.random.default_rng(0)


def as_numbers(t):
    return t.astype(jnp.int32).astype(jnp.uint32)


def hashes(rows):
    high, low = jax.jit(lambda rows: hashed_rows(rows, as_numbers))(rows)
    return (np.asarray(high).astype(np.uint64) << np.uint64(32)) | np.asarray(low)


@pytest.mark.parametrize("at_once", [1, 7 * 30, 10**6])
def test_hashes_are_equal_where_rows_are(monkeypatch, at_once):
    rows = RNG.integers(-2, 3, (100, 30)).astype(np.float32)
    rows[50:] = rows[:50]
    rows[51, :2] = rows[51, 1::-1] + np.float32([0, 1])  # a row of its own
    whole = hashes(rows)
    monkeypatch.setattr(_words, "HASHED_AT_ONCE", at_once)
    np.testing.assert_array_equal(hashes(rows), whole)
    states = np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)
    np.testing.assert_array_equal(whole[:, None] == whole, states[:, None] == states)


def test_rows_of_the_same_numbers_in_another_order_differ():
    rows = RNG.permuted(np.tile(np.arange(40, dtype=np.float32), (2000, 1)), axis=1)
    assert len(np.unique(hashes(rows))) == 2000


def test_changes_that_sum_to_nothing_differ():
    """One unit goes up by one and another down: what a sum of the numbers themselves could not tell."""
    rows = np.zeros((4096, 65), np.float32)
    up, down = np.divmod(np.arange(4096), 64)
    rows[np.arange(4096), up] += 1
    rows[np.arange(4096), down + (down >= up)] -= 1
    assert len(np.unique(hashes(rows))) == 4096
