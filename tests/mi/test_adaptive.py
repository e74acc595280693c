"""``adaptive_edges``: bins of equally many distinct activations, and ``binned_mi`` with them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibjax.mi import binned_mi
from ibjax.mi.adaptive import adaptive_edges
from tests.oracles import binned_mi_twin, edge_indices


def edges_twin(t, bins):
    """The edges that are activations, by ``np.unique``; those above the largest are left out."""
    values = np.unique(np.asarray(t, np.float32))
    used = min(bins, len(values))
    return np.array([values[j * len(values) // used] for j in range(used)], np.float32)


def assert_edges(edges, t, bins):
    """The twin's edges, and above the largest activation any that increase."""
    edges, expected = np.asarray(edges), edges_twin(t, bins)
    assert edges.shape == (bins + 1,)
    assert edges.dtype == np.float32
    used = len(expected)
    np.testing.assert_array_equal(edges[:used], expected)
    assert np.isfinite(edges).all()
    assert (np.diff(np.append(np.max(np.asarray(t, np.float32)), edges[used:])) > 0).all()


def random_layer(seed, n=60, width=5):
    rng = np.random.default_rng(seed)
    t = np.maximum(rng.normal(size=(n, width)), 0).astype(np.float32)
    return t, (t[:, 0] > 0.3) + 2 * (rng.random(n) < 0.3)


# --------------------------------------------------------------------------------------------------
# Edges.


@pytest.mark.parametrize("bins", [1, 2, 7, 30, 400])
@pytest.mark.parametrize("seed", range(2))
def test_edges_are_the_twins(bins, seed):
    t = random_layer(seed)[0]
    assert_edges(adaptive_edges(t, bins=bins), t, bins)


def test_known_edges():
    t = [[0.0, 0.0, 0.0, 1.0], [2.0, 0.0, 3.0, 10.0]]
    assert adaptive_edges(t, bins=1).tolist() == [0.0, 20.0]
    assert adaptive_edges(t, bins=2).tolist() == [0.0, 2.0, 15.0]  # {0, 1}, {2, 3, 10}
    assert adaptive_edges(t, bins=5)[:5].tolist() == [0.0, 1.0, 2.0, 3.0, 10.0]
    assert adaptive_edges(np.arange(12), bins=4)[:4].tolist() == [0.0, 3.0, 6.0, 9.0]


def test_bins_hold_equally_many_distinct_activations():
    t = random_layer(0)[0]
    counts = np.histogram(np.unique(t), np.asarray(adaptive_edges(t, bins=30)))[0]
    assert counts.sum() == len(np.unique(t))
    assert counts.max() - counts.min() <= 1


@pytest.mark.slow
def test_zeros_of_relu_share_a_bin():
    """However many zeros there are, the edges are those of the other activations."""
    t = random_layer(0)[0]
    assert (t == 0).mean() > 0.4
    edges = adaptive_edges(t, bins=10)
    np.testing.assert_array_equal(edges, adaptive_edges(np.unique(t), bins=10))
    assert edges[0] == 0
    assert edges[1] > 0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-(2.0**120), 2.0**120, width=32), min_size=12, max_size=12))
def test_any_activations(values):
    t = np.float32(values)
    for bins in (3, 20):
        assert_edges(adaptive_edges(t, bins=bins), t, bins)
        # Each value is in the bin that NumPy finds for it.
        h = binned_mi(t[:, None], np.zeros(12, int), bins=adaptive_edges(t, bins=bins)).ixt
        twin = binned_mi_twin(
            t[:, None], np.zeros(12, int), bins=np.asarray(adaptive_edges(t, bins=bins))
        )
        assert h == pytest.approx(twin.ixt, abs=1e-6)


def test_signed_zeros_are_one_value():
    assert adaptive_edges(np.float32([-0.0, 0.0, 1.0]), bins=2)[:2].tolist() == [0.0, 1.0]


@pytest.mark.slow
def test_many_values_and_bins():
    """100,000 values times 30,000 bins exceed an int32."""
    t = np.random.default_rng(0).normal(size=(100_000, 1)).astype(np.float32)
    assert_edges(adaptive_edges(t, bins=30_000), t, 30_000)


# --------------------------------------------------------------------------------------------------
# Few values.


@pytest.mark.parametrize("value", [0.0, -5.0, 1e30, -1e-40])
def test_constant_layer_is_one_state(value):
    t = np.full((20, 3), value, np.float32)
    edges = adaptive_edges(t, bins=30)
    assert_edges(edges, t, 30)
    mi = binned_mi(t, np.arange(20) % 2, bins=edges)
    assert (float(mi.ixt), float(mi.ity)) == (0.0, 0.0)


@pytest.mark.slow
def test_fewer_values_than_bins_get_a_bin_each():
    t = np.float32([[-1.0], [0.25], [0.5], [7.0]])
    for bins in (4, 30):
        mi = binned_mi(t, np.array([0, 0, 1, 1]), bins=adaptive_edges(t, bins=bins))
        assert (float(mi.ixt), float(mi.ity)) == (2.0, 1.0)


# --------------------------------------------------------------------------------------------------
# With binned_mi, under jit and vmap.


def estimate(t, y):
    return binned_mi(t, y, bins=adaptive_edges(t, bins=10))


def lanes_of_layers():
    return [jnp.stack(parts) for parts in zip(*map(random_layer, range(3)), strict=True)]


def test_information_is_the_twins():
    t, y = random_layer(0)
    mi = estimate(t, y)
    twin = binned_mi_twin(t, y, bins=np.asarray(adaptive_edges(t, bins=10)))
    assert mi.ixt == pytest.approx(twin.ixt, abs=1e-5)
    assert mi.ity == pytest.approx(twin.ity, abs=1e-5)
    assert twin.num_states > 10


@pytest.mark.slow
def test_one_unit_without_ties_has_log2_bins_bits():
    t = np.random.default_rng(0).normal(size=(640, 1))
    mi = binned_mi(t, np.zeros(640, int), bins=adaptive_edges(t, bins=32))
    assert mi.ixt == pytest.approx(5.0, abs=1e-6)
    scaled = 3 * np.float32(t) ** 3  # any increasing function has the same bins
    edges = adaptive_edges(scaled, bins=32)
    index = edge_indices(np.float32(t), np.asarray(adaptive_edges(t, bins=32)))
    np.testing.assert_array_equal(edge_indices(scaled, np.asarray(edges)), index)


@pytest.mark.slow
def test_jit_and_vmap_agree_with_eager():
    t, y = lanes_of_layers()
    traces = []

    def traced(t, y):
        traces.append(1)
        return estimate(t, y), adaptive_edges(t, bins=10)

    compiled = jax.jit(traced)
    over_lanes = jax.jit(jax.vmap(traced))(t, y)
    traces.clear()
    for i in range(3):
        eager = estimate(t[i], y[i]), adaptive_edges(t[i], bins=10)
        lane = jax.tree.map(lambda leaf, i=i: leaf[i], over_lanes)
        for got in (compiled(t[i], y[i]), lane):
            jax.tree.map(np.testing.assert_array_equal, got, eager)
    assert len(traces) == 1


@pytest.mark.slow
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3.4e38])
def test_traced_nan_gives_nan_in_its_own_lane(bad):
    t, y = lanes_of_layers()
    clean = jax.vmap(estimate)(t, y)
    broken = t.at[1, 5, 1].set(bad)
    edges = jax.vmap(functools.partial(adaptive_edges, bins=10))(broken)
    assert np.isnan(edges[1]).all()
    got = jax.vmap(estimate)(broken, y)
    for bits, expected in zip(got, clean, strict=True):
        assert np.isnan(bits[1])
        np.testing.assert_array_equal(bits[::2], expected[::2])


def test_refuses_what_is_not_a_number():
    with pytest.raises(ValueError, match="t: expected finite values, got 1"):
        adaptive_edges([[0.0, np.nan]], bins=3)


@pytest.mark.parametrize(
    ("t", "bins", "message"),
    [
        (np.zeros((2, 2, 2)), 3, r"t: expected shape \(n_samples,\)"),
        (np.zeros((0, 2)), 3, "t: expected at least one entry"),
        (np.zeros(3), 0, "bins: expected a whole number of 1 or more"),
        (np.zeros(3), 2.0, "bins: expected a whole number"),
        (np.zeros(3), 40_000, "bins: expected at most 32768"),
    ],
)
def test_refuses(t, bins, message, monkeypatch):
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    with pytest.raises(ValueError, match=message):
        adaptive_edges(t, bins=bins)
