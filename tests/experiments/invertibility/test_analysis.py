"""Exact zeros on networks whose zeros are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.invertibility.analysis import ZerosRecord, lost_in_one_state
from ibjax.models import MLP
from ibjax.types import LabelledSamples, Split

MODEL = MLP((3, 2, 2), ("relu", "relu"))
DATA = LabelledSamples(jnp.asarray([[-1.0], [1.0], [2.0], [-3.0], [9.0]]), jnp.array([0, 1, 1, 0, 1]))
SPLIT = Split(jnp.arange(4), jnp.array([4]))


@pytest.fixture
def params():
    """Units x, -1 - x^2 at most (dead) and x + 2; then one that passes their sum on and one dead."""
    zero = MODEL.init(jax.random.key(0), DATA.x)
    layers = jax.tree.map(jnp.zeros_like, zero)["params"]
    layers["layer_1"]["kernel"] = jnp.array([[1.0, 0.0, 1.0]])
    layers["layer_1"]["bias"] = jnp.array([0.0, -1.0, 2.0])
    layers["layer_2"]["kernel"] = jnp.array([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    return {"params": layers}


def test_zeros_of_a_network_by_hand(params):
    """On -1, 1, 2 and -3 the layers are (0, 0, 1), (1, 0, 3), (2, 0, 4), (0, 0, 0), then sums."""
    got = ZerosRecord(MODEL)(params, DATA, SPLIT)
    expected = {
        "zero_state": [1 / 4, 1 / 4, np.nan],
        "zero_activations": [7 / 12, 5 / 8, np.nan],
        "dead_units": [1, 1, np.nan],
    }
    assert got.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(got[name], values, err_msg=name)
    assert ZerosRecord(MODEL) == ZerosRecord(MODEL)
    assert got.keys() == ZerosRecord(MODEL).variables.keys()


def test_leaky_units_are_not_zero(params):
    leaky = MLP((3, 2, 2), ("leaky_relu", "leaky_relu"))
    got = ZerosRecord(leaky)(params, DATA, SPLIT)
    np.testing.assert_allclose(got["zero_state"], [0, 0, np.nan])


def test_a_diverged_network_has_none(params):
    params["params"]["layer_2"]["bias"] = jnp.array([np.nan, 0.0])
    got = ZerosRecord(MODEL)(params, DATA, SPLIT)
    np.testing.assert_allclose(got["zero_state"], [1 / 4, np.nan, np.nan])


def test_one_state_costs_its_part_of_the_conditional_entropy():
    states = np.array([0, 0, 0, 0, 1, 2, 3, 4])
    p = np.unique(states, return_counts=True)[1] / 8
    lost = 3 + np.sum(p * np.log2(p))
    np.testing.assert_allclose(lost_in_one_state([0.5, 1 / 8], 8), [lost, 0])
