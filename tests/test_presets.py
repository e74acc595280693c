"""The papers' conventions against their codes' own formulas."""

import numpy as np
import pytest

from ibjax.datasets.splits import num_training_samples
from ibjax.mi import binned_mi
from ibjax.presets import (
    PRESETS,
    idnns_binned_mi,
    preset,
    revisiting_binned_mi,
    revisiting_estimators,
)
from ibjax.results import describe_function
from ibjax.training import TrainConfig


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


def test_results_name_the_edges():
    described = describe_function(preset("idnns").estimator)
    assert described.startswith("idnns_binned_mi(edges=(-1.0, -0.93103")
    assert described.endswith(", 1.0, 2.0))")
    assert described.count(",") == 30


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid(name):
    chosen = preset(name)
    config = TrainConfig(**chosen.training)
    t = np.tanh(np.random.default_rng(0).normal(size=(50, 2)))
    assert 0 < chosen.estimator(t, np.arange(50) % 2).ixt <= np.log2(50)
    if name != "paper":
        assert (config.optimizer, config.learning_rate) == ("adam", 4e-4)


def test_an_unknown_preset_lists_the_known():
    with pytest.raises(ValueError, match="expected one of idnns, paper, revisiting, saxe; got 'tishby'"):
        preset("tishby")


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


def test_revisiting_estimators_are_one_a_layer_and_the_softmaxes():
    chosen = revisiting_estimators(("tanh", "relu"), 0.3)
    assert [one.keywords["activation"] for one in chosen] == ["tanh", "relu", "softmax"]
    assert {one.keywords["bin_width"] for one in chosen} == {0.3}


def test_revisiting_trains_on_the_papers_number_of_words():
    config = TrainConfig(**preset("revisiting").training)
    assert num_training_samples(4096, config.train_fraction) == 3276
    assert np.log2(3276) == pytest.approx(11.677719641641012, abs=1e-12)
