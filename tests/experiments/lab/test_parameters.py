"""Networks on the host are the networks that were trained."""

import jax
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from experiments.lab import symmetric
from experiments.lab.parameters import (
    HOST_ACTIVATIONS,
    ParametersRecord,
    host_layers,
    splits_of,
)
from ibjax.models import ACTIVATIONS, MLP
from ibjax.training import TrainConfig, fit, make_model

WORDS = symmetric(every=32).data


@pytest.mark.slow
def test_a_networks_layers_are_found_among_its_parameters():
    """With ten layers, whose names sort as layer_1, layer_10, layer_2."""
    model = MLP((5, 4, 3, 3, 3, 3, 3, 3, 3, 2), ("tanh",) * 9)
    params = model.init(jax.random.key(0), WORDS.x)
    params = jax.tree.map(lambda p: p + 0.1, params)  # biases, too
    kept = ParametersRecord(model)(params, WORDS, None)["parameters"]
    layers = host_layers(model, 12, np.asarray(kept))
    assert len(layers) == 10
    for i, (kernel, bias) in enumerate(layers, 1):
        assert kernel.dtype == bias.dtype == np.float64
        np.testing.assert_array_equal(kernel, params["params"][f"layer_{i}"]["kernel"])
        np.testing.assert_array_equal(bias, params["params"][f"layer_{i}"]["bias"])


@pytest.mark.parametrize("name", HOST_ACTIVATIONS)
def test_activations_on_the_host_are_those_of_the_library(name):
    z = np.linspace(-6, 6, 101, dtype=np.float32)
    np.testing.assert_allclose(HOST_ACTIVATIONS[name](z), ACTIVATIONS[name](z), rtol=1e-5, atol=1e-7)
    assert HOST_ACTIVATIONS[name](z.astype(np.float64)).dtype == np.float64


@pytest.mark.slow
def test_splits_and_parameters_are_those_of_training():
    config = TrainConfig(widths=(3, 2), batch_size=32, num_epochs=1)
    history = fit(config, WORDS, seeds=(3, 5), record=lambda p, _, split: (ravel_pytree(p)[0], split))
    parameters, split = history.records
    found = splits_of(config, (3, 5), len(WORDS.x))
    for i, own in enumerate(found):
        np.testing.assert_array_equal(own.train, split.train[i, 0])
        np.testing.assert_array_equal(own.test, split.test[i, 0])
    kept = fit(config, WORDS, seeds=(3, 5), record=ParametersRecord(make_model(config)))
    np.testing.assert_array_equal(kept.records["parameters"], parameters)
