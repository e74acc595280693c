"""Distances, balls and counts of one sample's neighbours against sorted NumPy distances in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import digamma

from ibjax.mi._neighbours import (
    TIE,
    Standardised,
    count,
    digamma_table,
    distances,
    inside,
    kth_distance,
    map_samples,
    outside,
    standardised,
)
from tests.marks import slow

RNG = np.random.default_rng(0)


def distances_twin(x):
    """(n, n) maximum-norm distances of columns divided by their standard deviations, in float64."""
    x = np.asarray(x, np.float64)
    deviation = x.std(axis=0)
    x = np.divide(x, deviation, out=np.zeros_like(x), where=deviation > 0)
    return abs(x[:, None] - x).max(axis=2)


def all_distances(x):
    of = standardised(jnp.asarray(x))
    of_each = jax.jit(jax.vmap(distances, in_axes=(None, 1)))
    return np.asarray(of_each(of, of.columns))


@pytest.mark.parametrize("scale", [1.0, 1e-42, 1e-30, 1e30])
@pytest.mark.parametrize("d", [slow(1), 2, slow(5)])
def test_distances_are_the_largest_of_the_columns(d, scale):
    x = (RNG.normal(size=(40, d)) * scale * np.arange(1, d + 1)).astype(np.float32)
    got = all_distances(x)
    np.testing.assert_allclose(got, distances_twin(x), rtol=1e-5)
    np.testing.assert_array_equal(np.diag(got), 0.0)


@pytest.mark.slow
def test_a_constant_column_adds_no_distance():
    x = RNG.normal(size=(30, 1)).astype(np.float32)
    with_constant = np.hstack([x, np.full_like(x, 0.1)])
    np.testing.assert_array_equal(all_distances(with_constant), all_distances(x))
    np.testing.assert_array_equal(all_distances(with_constant[:, 1:]), 0.0)


@pytest.mark.parametrize("offset", [0, 2**20, -(2**20)])
def test_equal_distances_on_a_lattice_stay_equal(offset):
    x = (RNG.permutation(25)[:, None] + offset).astype(np.float32)
    steps = abs(x - x.T).astype(int)
    got = all_distances(x)
    for step in range(25):
        assert len(np.unique(got[steps == step])) == 1


@pytest.mark.parametrize("k", [1, 2, 3, 7])
def test_kth_distance_is_that_of_the_sorted_others(k):
    distance = RNG.integers(0, 12, 30).astype(np.float32)  # with ties
    distance[4] = 0  # its own
    got = kth_distance(jnp.asarray(distance), k, 7)
    assert got == np.sort(np.delete(distance, 4))[k - 1]


def test_kth_distance_takes_a_traced_k():
    distance = RNG.random(30).astype(np.float32)
    distance[0] = 0
    got = jax.jit(jax.vmap(lambda k: kth_distance(jnp.asarray(distance), k, 5)))(jnp.arange(1, 6))
    np.testing.assert_array_equal(got, np.sort(distance)[1:6])


def test_kth_distance_is_0_among_copies():
    distance = jnp.array([0.0, 0.0, 0.0, 1.0, 2.0])
    assert [float(kth_distance(distance, k, 4)) for k in (1, 2, 3, 4)] == [0.0, 0.0, 1.0, 2.0]


def test_the_inner_ball_leaves_out_ties_and_the_outer_one_holds_them():
    radius = jnp.float32(3.0)
    tied = radius * (1 + np.float32(TIE) * np.float32([-0.5, 0.0, 0.5]))
    apart = radius * (1 + np.float32(TIE) * np.float32([-2.0, 2.0]))
    assert not (tied <= inside(radius)).any()
    assert (tied <= outside(radius)).all()
    np.testing.assert_array_equal(apart <= inside(radius), [True, False])
    np.testing.assert_array_equal(apart <= outside(radius), [True, False])
    assert inside(jnp.float32(0.0)) == outside(jnp.float32(0.0)) == 0.0


def test_count_is_the_number_of_true():
    which = RNG.random(1000) < 0.3
    got = count(jnp.asarray(which))
    assert (got, got.dtype) == (which.sum(), jnp.int32)


@pytest.mark.parametrize("n", [1, 40, 1500])
def test_mapping_over_samples_is_a_loop(n):
    a, b = RNG.integers(0, 100, (n, 2)), RNG.integers(0, 100, n)
    got = map_samples(lambda sample, number: sample.sum() * number, jnp.asarray(a), jnp.asarray(b))
    np.testing.assert_array_equal(got, [a[i].sum() * b[i] for i in range(n)])


def test_the_table_is_scipys_digamma():
    table = digamma_table(50)
    assert table.dtype == np.float32
    assert np.isnan(table[0])
    np.testing.assert_array_equal(table[1:], digamma(np.arange(1, 51)).astype(np.float32))
    assert not table.flags.writeable  # all callers share it


def test_standardised_columns_are_the_numbers_over_a_power_of_two():
    x = RNG.normal(size=(20, 2)).astype(np.float32) * np.float32([1.0, 1000.0])
    got = standardised(jnp.asarray(x))
    assert isinstance(got, Standardised)
    ratio = x.T / np.asarray(got.columns)
    for column in ratio:
        assert np.log2(column[0]) % 1 == 0
        np.testing.assert_array_equal(column, column[0])
    np.testing.assert_allclose(got.weights * np.asarray(got.columns).std(axis=1), 1.0, rtol=1e-6)
