"""The papers' bins against their codes' own formulas."""

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


@pytest.mark.parametrize("width", [0.01, 0.07, 0.15, 0.3])
@pytest.mark.parametrize(
    ("activation", "low", "high"), [("tanh", -1, 1), ("softmax", 0, 1), ("sigmoid", 0, 1)]
)
def test_revisiting_bins_start_at_the_lower_end_and_hold_the_upper(activation, low, high, width):
    rng = np.random.default_rng(0)
    t = rng.uniform(low, high, (2000, 1))
    t[:2] = [[low], [high]]
    edges = np.append(low + width * np.arange(np.ceil((high - low) / width - 1e-6)), np.inf)
    # Numbers within rounding of an edge may fall to either side.
    t = t[(np.abs(t - edges[:-1]) > 1e-6).all(axis=1) | (t[:, 0] == high) | (t[:, 0] == low)]
    states = np.searchsorted(edges, np.where(t == high, high - 1e-6, t)[:, 0], side="right")
    mi = revisiting_binned_mi(t, np.zeros(len(t), int), activation=activation, bin_width=width)
    assert mi.ixt == pytest.approx(entropy_of_rows(states[:, None]), abs=1e-5)


def test_revisiting_bins_of_relu_are_those_up_to_the_largest_of_all_epochs():
    rng = np.random.default_rng(0)
    t, y = np.maximum(rng.normal(size=(500, 3)), 0).astype(np.float32), np.arange(500) % 2
    edges = np.arange(0, 40, 0.15)
    whole = binned_mi(t, y, bins=edges)
    assert revisiting_binned_mi(t, y, activation="relu", bin_width=0.15).ixt == pytest.approx(whole.ixt)


def test_every_activation_has_a_range():
    assert RANGES.keys() == {*ACTIVATIONS, "softmax"}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_ranges_are_those_of_the_activations(name):
    low, high = ACTIVATIONS[name](np.float32([-1e6, 1e6]))
    if RANGES[name] is None:
        assert high == pytest.approx(1e6)
    else:
        np.testing.assert_allclose([low, high], RANGES[name], atol=1e-5)


def test_a_bounded_activation_has_at_most_a_million_bins():
    assert len(revisiting_edges("sigmoid", 1e-6)) == 1_000_001
    with pytest.raises(ValueError, match="bin_width: expected 1000000 bins or fewer, got 9e-07"):
        revisiting_edges("sigmoid", 9e-7)


def test_an_unknown_activation_lists_the_known():
    with pytest.raises(ValueError, match=r"activation: expected one of elu, .*, tanh; got 'maxout'"):
        revisiting_edges("maxout", 0.07)
