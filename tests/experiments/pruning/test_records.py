"""What is recorded after every epoch is what planes record too."""

import jax
import numpy as np
import pytest

from experiments.lab import symmetric
from experiments.lab.revisiting import RevisitingConfig, binned_plane, revisiting_training
from experiments.lab.two_passes import TwoPassRecord
from experiments.pruning.records import StoppingRecord, plane_and_parameters
from ibjax.analysis.records import PlaneRecord
from ibjax.mi import binned_mi
from ibjax.models import MLP
from ibjax.types import Split

TASK = symmetric(every=32)
ROWS = jax.random.permutation(jax.random.key(0), len(TASK.data.x))
SPLIT = Split(ROWS[:90], ROWS[90:])


@pytest.mark.slow
def test_stopping_is_recorded_as_planes_record_it():
    """With a layer dead on the training samples: only the word of all ones makes it vary."""
    model = MLP((5, 3, 2), ("relu", "relu"))
    params = jax.tree.map(jax.numpy.asarray, model.init(jax.random.key(1), TASK.data.x))
    params["params"]["layer_2"]["bias"] = jax.numpy.array([-99.0, 0.1, -99.0])
    found = StoppingRecord(model, 0.25)(params, TASK.data, SPLIT)
    plane = PlaneRecord(model, binned_mi, "train", 0.25)(params, TASK.data, SPLIT)
    assert found.keys() == StoppingRecord(model, 0.25).variables.keys()
    for name, value in found.items():
        np.testing.assert_allclose(value, plane[name], rtol=1e-6, err_msg=name)
    assert found["num_varying"][1] <= 1


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_parameters_are_kept_beside_the_plane(activation):
    training = revisiting_training(RevisitingConfig(smoke=True), TASK, activation=activation)
    plane, both = binned_plane(TASK, training), plane_and_parameters(TASK, training)
    assert isinstance(both, TwoPassRecord) == (activation == "relu")
    if activation == "relu":
        plane, both = plane.record_of(None), both.record_of(None)
    assert both.variables.keys() == {*plane.variables, "parameters"}
    assert both.rows == plane.rows == "train"
