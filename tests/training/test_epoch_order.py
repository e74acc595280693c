"""The order of samples in an epoch: a permutation, random, the same for lanes and alone."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from ibjax.training.steps import epoch_order


@pytest.mark.parametrize("num_samples", [1, 2, 3, 100, 4095, 4096, 4097, 5000])
def test_an_order_has_every_sample_once(num_samples):
    key = jax.random.key(1)
    orders = [np.asarray(epoch_order(key, jnp.asarray(e), num_samples)) for e in range(3)]
    for order in orders:
        assert order.dtype == np.int32
        np.testing.assert_array_equal(np.sort(order), np.arange(num_samples))
    # No place is worth keeping: as many stay as in random permutations, about one.
    if num_samples >= 100:
        other_key = np.asarray(epoch_order(jax.random.key(2), jnp.asarray(0), num_samples))
        for a, b in ((orders[0], orders[1]), (orders[1], orders[2]), (orders[0], other_key)):
            assert (a == b).sum() < 10
        assert (orders[0] == np.arange(num_samples)).sum() < 10


@pytest.mark.slow
def test_an_order_is_the_same_for_lanes_and_alone():
    keys = jax.vmap(jax.random.key)(jnp.arange(3))
    epoch = jnp.asarray(4)
    for num_samples in (50, 5000):
        order = functools.partial(epoch_order, num_samples=num_samples)
        together = jax.jit(jax.vmap(order, in_axes=(0, None)))(keys, epoch)
        alone = [order(jax.random.key(i), epoch) for i in range(3)]
        np.testing.assert_array_equal(together, np.stack(alone))


def orders_of(num_samples, num_epochs):
    order = functools.partial(epoch_order, num_samples=num_samples)
    over_epochs = jax.jit(jax.vmap(order, in_axes=(None, 0)))
    return np.asarray(over_epochs(jax.random.key(5), jnp.arange(num_epochs)))


def test_all_orders_of_four_samples_are_equally_likely():
    orders = orders_of(4, 24_000)
    codes, counts = np.unique(orders @ np.array([64, 16, 4, 1]), return_counts=True)
    assert len(codes) == math.factorial(4)
    assert scipy.stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("num_samples", [4096, 5000])
def test_places_are_independent_of_indices(num_samples):
    orders = orders_of(num_samples, 64)
    place = np.broadcast_to(np.arange(num_samples), orders.shape)
    eighth = num_samples // 8
    cells = (place // eighth).clip(max=7) * 8 + (orders // eighth).clip(max=7)
    table = np.bincount(cells.ravel(), minlength=64).reshape(8, 8)
    assert scipy.stats.chi2_contingency(table).pvalue > 1e-3


def test_the_order_of_neighbours_is_even_odds():
    # Random bits that tie keep the index's order: few enough not to be seen.
    orders = orders_of(4096, 200)
    place = np.argsort(orders, axis=1)
    ahead = (place[:, 1::2] > place[:, ::2]).sum()
    assert scipy.stats.binomtest(int(ahead), 200 * 2048).pvalue > 1e-3
