"""The size of pre-activations, and saturation."""

import jax
import numpy as np
import pytest

from experiments.phase_diagram.records import DriveRecord
from ibjax.datasets import symmetric_task
from ibjax.models import MLP
from ibjax.types import LabelledSamples, Split


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_is_the_twins(activation):
    task = symmetric_task()
    data = LabelledSamples(task.x[::64], task.y[::64])
    model = MLP((5, 3, 2), (activation,) * 2)
    params = model.init(jax.random.key(0), data.x[:1])
    params = jax.tree.map(lambda p: 3 * p + 0.1, params)
    measured = DriveRecord(model)(params, data, Split(np.arange(9), np.arange(9)))
    h, sizes, flat = np.asarray(data.x, float), [], []
    for i in (1, 2, 3):
        layer = params["params"][f"layer_{i}"]
        z = h @ np.asarray(layer["kernel"], float) + np.asarray(layer["bias"], float)
        sizes.append(np.sqrt(np.mean(z**2)))
        h = np.tanh(z) if activation == "tanh" else np.maximum(z, 0)
        flat.append(np.mean(1 - h**2 < 0.1) if activation == "tanh" else np.mean(z <= 0))
    np.testing.assert_allclose(measured["pre_activation"], sizes, rtol=1e-5)
    np.testing.assert_allclose(measured["saturated"], [*flat[:2], np.nan], rtol=1e-5)
    assert set(measured) == set(DriveRecord(model).variables)


def test_of_anything_but_an_mlp_is_refused():
    with pytest.raises(ValueError, match="model: expected an ibjax"):
        DriveRecord(5)
