"""Exact states against rows of bits, and as the limit of bins."""

import itertools

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ibjax.mi import binned_mi, exact_mi


def entropy_of_rows(rows):
    p = np.unique(rows, axis=0, return_counts=True)[1] / len(rows)
    return -np.sum(p * np.log2(p))


FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 1.0])


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 5).flatmap(lambda w: arrays(np.float32, (24, w), elements=FLOATS)))
def test_states_are_rows_of_numbers(t):
    y = np.arange(24) % 3
    mi = exact_mi(t, y)
    h, hty = entropy_of_rows(t), entropy_of_rows(np.column_stack([t.astype(float), y]))
    assert float(mi.ixt) == pytest.approx(h, abs=1e-5)
    assert float(mi.ity) == pytest.approx(h + np.log2(3) - hty, abs=1e-5)


def test_neighbours_among_floats_differ_where_bins_cannot_tell():
    t = np.float32([[1e-30], [1.5e-30], [1.0], [np.nextafter(np.float32(1), np.float32(2))]])
    y = np.array([0, 1, 0, 1])
    assert float(exact_mi(t, y).ixt) == 2.0
    assert float(binned_mi(t, y, bin_width=1e-6).ixt) == 1.0


@pytest.mark.slow
def test_bins_approach_it_from_below():
    t = np.random.default_rng(0).normal(size=(500, 2)).astype(np.float32)
    t[:100] = np.maximum(t[:100], 0)
    y = np.arange(500) % 2
    binned = [float(binned_mi(t, y, bin_width=w).ixt) for w in (0.3, 0.03, 0.003, 1e-6)]
    exact = float(exact_mi(t, y).ixt)
    assert all(a < b for a, b in itertools.pairwise(binned))
    assert binned[-1] == pytest.approx(exact, abs=1e-5)
    assert exact < np.log2(500)


def test_traced_nan_gives_nan():
    t = np.float32([[0.0], [np.nan]])
    mi = jax.jit(exact_mi)(t, np.array([0, 1]))
    assert np.isnan(mi.ixt)
    assert np.isnan(mi.ity)
