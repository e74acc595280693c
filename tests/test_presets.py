"""The papers' conventions against their codes' own formulas."""

import numpy as np
import pytest

from ibjax.presets import PRESETS, idnns_binned_mi, preset
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
    with pytest.raises(ValueError, match="expected one of idnns, paper, saxe; got 'tishby'"):
        preset("tishby")
