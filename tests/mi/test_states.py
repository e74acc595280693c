import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ibjax.mi import binned_mi, binned_states

BIN_WIDTH = 0.07


def same_partition(a, b):
    pairs = set(zip(a.tolist(), b.tolist(), strict=True))
    return len(pairs) == len(set(a.tolist())) == len(set(b.tolist()))


@pytest.mark.parametrize("width", [1, 3, 12])
def test_states_are_the_rows_of_bin_indices(width):
    t = np.random.default_rng(width).uniform(-0.3, 0.3, (500, width)).astype(np.float32)
    states = np.asarray(binned_states(jnp.asarray(t), BIN_WIDTH))
    rows = np.unique(np.floor(t / np.float32(BIN_WIDTH)), axis=0, return_inverse=True)[1].reshape(-1)
    assert same_partition(states, rows)
    assert sorted(set(states.tolist())) == list(range(states.max() + 1))
    p = np.bincount(states) / len(states)
    ixt = binned_mi(t, np.zeros(500, int), bin_width=BIN_WIDTH).ixt
    assert -(p * np.log2(p)).sum() == pytest.approx(float(ixt), abs=1e-5)


def test_under_vmap_each_layer_has_its_own_numbers():
    t = jnp.asarray(np.random.default_rng(0).normal(size=(4, 50, 2)), jnp.float32)
    together = jax.vmap(lambda layer: binned_states(layer, BIN_WIDTH))(t)
    for layer, states in zip(t, together, strict=True):
        assert states.tolist() == binned_states(layer, BIN_WIDTH).tolist()


def test_states_between_edges_are_those_of_binned_mi():
    t = np.random.default_rng(0).uniform(-1, 1, (500, 2)).astype(np.float32)
    edges = np.linspace(-1, 1, 6, dtype=np.float32)
    states = np.asarray(binned_states(jnp.asarray(t), bins=jnp.asarray(edges)))
    rows = np.unique(np.searchsorted(edges, t, side="right"), axis=0, return_inverse=True)[1]
    assert same_partition(states, rows.reshape(-1))


def test_bins_are_of_one_width_or_between_edges():
    t = jnp.zeros((3, 1))
    with pytest.raises(ValueError, match="edges or a bin_width"):
        binned_states(t)
    with pytest.raises(ValueError, match="edges or a bin_width"):
        binned_states(t, 0.1, bins=jnp.array([0.0, 1.0]))


def test_refuses_what_gives_no_states():
    t = np.zeros((3, 1), np.float32)
    with pytest.raises(ValueError, match="t: expected finite values, got 1 NaN or infinite of 3"):
        binned_states(np.array([[0.0], [np.nan], [1.0]]), 0.1)
    with pytest.raises(ValueError, match="bins: expected at least 2 edges, got 1"):
        binned_states(t, bins=np.array([0.0]))
    with pytest.raises(ValueError, match="bins: expected finite, increasing float32 edges"):
        binned_states(t, bins=np.array([0.0, 1.0, 1.0]))
