"""Linear layers merged for training: the same outputs, the same gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ibjax.models import MLP, merge_linear
from tests.marks import slow
from tests.test_models import float32, random_params


@pytest.mark.parametrize(
    ("widths", "activations", "remaining"),
    [
        slow((10, 7, 5, 4, 3, 2), ("linear",) * 5, (2,)),
        ((10, 7, 5, 2), ("tanh", "linear", "relu"), (10, 5, 2)),
        slow((10, 7, 5, 2), ("linear", "tanh", "linear"), (7, 2)),
        slow((3, 30, 2), ("linear", "linear"), (3, 2)),
        slow((1, 12, 2), ("linear", "tanh"), (1, 12, 2)),  # a bottleneck: 12 + 12 products, not 144
        slow((10, 2), ("tanh",), (10, 2)),
    ],
)
def test_merged_linear_layers_are_the_same_network(widths, activations, remaining):
    model = MLP(widths, activations)
    merged_model, merged = merge_linear(model, 12)
    assert merged_model.widths == remaining
    params = float32(random_params(widths, 12))
    x = jnp.asarray(np.random.default_rng(1).normal(size=(50, 12)), jnp.float32)
    y = np.arange(50) % 2

    def loss(params, model, change):
        logits, _ = model.apply(change(params), x)
        return -jax.nn.log_softmax(logits)[jnp.arange(50), y].mean()

    expected, gradient = jax.value_and_grad(loss)(params, model, lambda p: p)
    got, merged_gradient = jax.value_and_grad(loss)(params, merged_model, merged)
    np.testing.assert_allclose(got, expected, rtol=2e-6)
    for a, b in zip(*map(jax.tree.leaves, (merged_gradient, gradient)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=2e-6)


def test_noise_keeps_linear_layers_apart():
    model = MLP((10, 7, 2), ("linear", "linear"), noise_variance=0.1)
    merged_model, merged = merge_linear(model, 12)
    assert merged_model == model
    params = random_params(model.widths, 12)
    assert merged(params) == params
