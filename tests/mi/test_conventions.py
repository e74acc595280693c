"""The papers' bins against their codes' own formulas."""

import jax
import numpy as np
import pytest

from ibjax.mi import (
    adaptive_binned_mi,
    adaptive_edges,
    binned_mi,
    idnns_binned_mi,
    revisiting_binned_mi,
    revisiting_edges,
)
from ibjax.mi.conventions import RANGES
from ibjax.models import ACTIVATIONS


def entropy_of_rows(rows):
    counts = np.unique(rows, axis=0, return_counts=True)[1]
    p = counts / counts.sum()
    return -np.sum(p * np.log2(p))


@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_idnns_bins_are_the_codes(scale):
    rng = np.random.default_rng(0)
    t = (scale * rng.normal(size=(500, 3))).astype(np.float32)
    t[::7] = 1.0
    bins = np.linspace(-1, 1, 30)
    code = bins[np.digitize(t, bins) - 1]  # as the code indexes: -1 is the last
    mi = idnns_binned_mi(t, rng.integers(0, 2, 500))
    assert mi.ixt == pytest.approx(entropy_of_rows(code), abs=1e-5)


def test_adaptive_bins_are_of_the_layer_itself():
    t = np.random.default_rng(1).normal(size=(60, 1)).astype(np.float32)
    y = np.arange(60) % 2
    expected = binned_mi(t, y, bins=adaptive_edges(t, bins=4))
    assert expected.ixt == pytest.approx(2.0)
    assert adaptive_binned_mi(t, y, bins=4) == expected


@pytest.mark.parametrize(
    ("activation", "width", "count"),
    [("tanh", 0.07, 28), ("tanh", 0.3, 6), ("softmax", 0.07, 14), ("sigmoid", 0.3, 3), ("tanh", 5.0, 1)],
)
def test_bounded_activations_have_as_many_whole_bins_as_fit(activation, width, count):
    low = -1 if activation == "tanh" else 0
    edges = revisiting_edges(activation, width)
    expected = np.linspace(low, 1, count + 1)
    expected[-1] += 0.0001
    np.testing.assert_array_equal(edges, expected.astype(np.float32))


@pytest.mark.parametrize("width", [0.01, 0.07, 0.15, 0.3])
@pytest.mark.parametrize(("activation", "low"), [("tanh", -1), ("softmax", 0), ("sigmoid", 0)])
def test_bins_of_bounded_activations_are_the_codes(activation, low, width):
    t = np.random.default_rng(0).uniform(low, 1, (2000, 2)).astype(np.float32)
    t[:2] = [[low], [1]]
    states = np.digitize(t, revisiting_edges(activation, width))
    mi = revisiting_binned_mi(t, np.zeros(len(t), int), activation=activation, bin_width=width)
    assert mi.ixt == pytest.approx(entropy_of_rows(states), abs=1e-5)


UNBOUNDED = [name for name, ends in RANGES.items() if None in ends]


def codes_edges(activation, width, limits):
    """The edges as the code makes them, in float64."""
    low = 0.0 if activation in ("relu", "linear", "softplus") else float(limits[0])
    edges = np.linspace(low, limits[1], int((limits[1] - low) / width) + 1)
    edges[-1] += 0.0001
    return edges


@pytest.mark.slow
@pytest.mark.parametrize("activation", UNBOUNDED)
def test_bins_of_unbounded_activations_are_the_codes_for_each_networks_own_limits(activation):
    """Networks side by side, their limits traced, against NumPy's edges for each of them."""
    rng = np.random.default_rng(0)
    scales = np.array([0.2, 1.0, 7.0, 40.0])[:, None, None]
    act = ACTIVATIONS[activation]
    t = np.array(act((scales * rng.normal(size=(4, 600, 2))).astype(np.float32)))
    y = rng.integers(0, 2, 600)
    # Limits of other epochs are wider.
    limits = np.stack([t.min(axis=(1, 2)) * 1.5, t.max(axis=(1, 2)) * 1.25], axis=1)
    edges = [codes_edges(activation, 0.07, ends) for ends in limits]
    for values, of_network in zip(t, edges, strict=True):
        # float32 numbers within rounding of an edge may fall to either side, so they are moved.
        near = np.abs(values[..., None] - of_network).min(axis=-1) < 1e-5 * np.abs(values).max()
        values[near & (values != 0)] += np.float32(0.01)

    def measure(values, ends):
        options = {"activation": activation, "bin_width": 0.07, "limits": ends}
        return revisiting_binned_mi(values, y, **options)

    mi = jax.jit(jax.vmap(measure))(t, limits)
    for i in range(4):
        states = np.clip(np.digitize(t[i], edges[i]), 1, len(edges[i]) - 1)
        assert mi.ixt[i] == pytest.approx(entropy_of_rows(states), abs=1e-5)
        joint = entropy_of_rows(np.column_stack([states, y]))
        expected = entropy_of_rows(states) + entropy_of_rows(y[:, None]) - joint
        assert mi.ity[i] == pytest.approx(expected, abs=1e-5)
        assert measure(t[i], limits[i]).ixt == mi.ixt[i]


def test_edges_of_unbounded_activations_are_those_of_the_code():
    for activation in UNBOUNDED:
        edges = revisiting_edges(activation, 0.07, limits=(-1.3, 4.2))
        expected = codes_edges(activation, 0.07, np.float32([-1.3, 4.2]).astype(float))
        np.testing.assert_array_equal(edges, expected.astype(np.float32))


def test_without_limits_bins_are_those_of_the_layer():
    t = np.maximum(np.random.default_rng(0).normal(size=(500, 3)), 0).astype(np.float32)
    y = np.arange(500) % 2
    own = revisiting_binned_mi(t, y, activation="relu", bin_width=0.15)
    assert own == revisiting_binned_mi(
        t, y, activation="relu", bin_width=0.15, limits=(t.min(), t.max())
    )


@pytest.mark.parametrize("activation", UNBOUNDED)
def test_a_constant_layer_is_one_state(activation):
    t, y = np.full((8, 2), 0.5), np.arange(8) % 2
    assert revisiting_binned_mi(t, y, activation=activation).ixt == 0
    assert revisiting_binned_mi(np.zeros((8, 2)), y, activation=activation).ixt == 0


@pytest.mark.parametrize("limits", [(np.nan, 1.0), (0.0, np.inf), (2.0, 1.0)])
def test_traced_limits_that_mean_nothing_give_nan(limits):
    t, y = np.random.default_rng(0).uniform(size=(8, 1)).astype(np.float32), np.arange(8) % 2

    def measure(ends):
        return revisiting_binned_mi(t, y, activation="relu", limits=ends)

    assert np.isnan(jax.jit(measure)(np.float32(limits))).all()
    with pytest.raises(ValueError, match="limits: expected"):
        measure(limits)


def test_unbounded_activations_need_limits_for_edges():
    with pytest.raises(ValueError, match="limits: expected smallest and largest activation of relu"):
        revisiting_edges("relu", 0.07)
    with pytest.raises(ValueError, match=r"limits: expected .*, got shape \(3,\)"):
        revisiting_edges("relu", 0.07, (0, 1, 2))


def test_every_activation_has_a_range():
    assert RANGES.keys() == {*ACTIVATIONS, "softmax"}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_ranges_are_those_of_the_activations(name):
    low, high = ACTIVATIONS[name](np.float32([-1e6, 1e6]))
    if name in UNBOUNDED:
        assert high == pytest.approx(1e6)
    else:
        np.testing.assert_allclose([low, high], RANGES[name], atol=1e-5)


def test_there_are_at_most_a_million_bins():
    assert len(revisiting_edges("sigmoid", 1e-6)) == 1_000_001
    with pytest.raises(ValueError, match="bin_width: expected 1000000 bins or fewer, got 9e-07"):
        revisiting_edges("sigmoid", 9e-7)


def test_an_unknown_activation_lists_the_known():
    with pytest.raises(ValueError, match=r"activation: expected one of elu, .*, tanh; got 'maxout'"):
        revisiting_edges("maxout", 0.07)
