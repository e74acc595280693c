"""Presets: valid, named, and with the papers' numbers."""

import numpy as np
import pytest

from ibjax.datasets.splits import num_fitted_samples, num_training_samples
from ibjax.functions import describe_function
from ibjax.presets import (
    PRESETS,
    preset,
    revisiting_estimators,
)
from ibjax.training import TrainConfig


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


def test_revisiting_estimators_are_one_a_layer_and_the_softmaxes():
    chosen = revisiting_estimators(("tanh", "relu"), 0.3)
    assert [one.keywords["activation"] for one in chosen] == ["tanh", "relu", "softmax"]
    assert {one.keywords["bin_width"] for one in chosen} == {0.3}


def test_revisiting_estimators_take_limits_of_unbounded_layers():
    limits = np.float32([[-1, 1], [0, 2]])
    tanh, relu, softmax = revisiting_estimators(("tanh", "relu"), 0.3, limits)
    assert relu.keywords["limits"].tolist() == [0, 2]
    assert not {"limits"} & (tanh.keywords.keys() | softmax.keywords.keys())
    with pytest.raises(ValueError, match=r"limits: expected shape \(2, 2\), got shape \(3, 2\)"):
        revisiting_estimators(("tanh", "relu"), 0.3, np.zeros((3, 2)))


def test_revisiting_trains_on_the_papers_number_of_words():
    config = TrainConfig(**preset("revisiting").training)
    num_train = num_training_samples(4096, config.train_fraction)
    assert num_train == 3276
    assert num_fitted_samples(num_train, config.validation_fraction) == 2620
    assert config.init == "glorot"
    assert np.log2(3276) == pytest.approx(11.677719641641012, abs=1e-12)
