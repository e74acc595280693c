"""Networks by their parameters: kept in results, and evaluated on the host by NumPy."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from ibjax.models import LEAKY_SLOPE, MLP
from ibjax.training import TrainConfig
from ibjax.training.blocks import training_settings
from ibjax.training.data import split_of
from ibjax.training.steps import seed_keys
from ibjax.types import PyTree, Record, Split, Variable

__all__ = ["HOST_ACTIVATIONS", "HostLayer", "ParametersRecord", "host_layers", "splits_of"]

# The slope that float32 holds, so that float64 applies the same function.
SLOPE = float(np.float32(LEAKY_SLOPE))

# Activations by NumPy, in the precision of their argument.
HOST_ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.where(z < 0, SLOPE * z, z),
    "linear": lambda z: z,
}


@dataclasses.dataclass(frozen=True)
class ParametersRecord(Record):
    """Record of a network's parameters, in the order of ``ravel_pytree``.

    They take 4 bytes each for every seed and epoch: 14 MB for 50 networks of the papers' size and 270
    epochs, 0.4 GB if they have MNIST's 784 inputs.

    Args:
        model: the network.
    """

    model: MLP

    def __call__(self, params: PyTree, data: Any, split: Split) -> dict[str, Any]:
        return {"parameters": ravel_pytree(params)[0]}

    @property
    def variables(self) -> dict[str, Variable]:
        """Description of the recorded variable."""
        return {"parameters": Variable(("parameter",), "1", "parameters of the network")}

    def __str__(self) -> str:
        return "parameters"


class HostLayer(NamedTuple):
    """An affine layer on the host: float64 kernel (fan_in, fan_out) and bias (fan_out,)."""

    kernel: np.ndarray
    bias: np.ndarray


def host_layers(model: MLP, num_inputs: int, parameters: np.ndarray) -> list[HostLayer]:
    """Return a network's layers, the output last, by its (parameter,) parameters.

    Args:
        model: the network.
        num_inputs: number of inputs.
        parameters: as ``ParametersRecord`` keeps them.
    """
    fans = (num_inputs, *model.widths)
    layers = {
        f"layer_{i}": {
            "bias": np.zeros(fan_out, np.float32),
            "kernel": np.zeros((fan_in, fan_out), np.float32),
        }
        for i, (fan_in, fan_out) in enumerate(itertools.pairwise(fans), 1)
    }
    _, as_params = ravel_pytree({"params": layers})
    named = as_params(jnp.asarray(parameters, jnp.float32))["params"]
    return [
        HostLayer(*(np.asarray(layer[part], np.float64) for part in ("kernel", "bias")))
        for layer in (named[name] for name in layers)
    ]


def splits_of(training: TrainConfig, seeds: Sequence[int] | np.ndarray, num_samples: int) -> list[Split]:
    """Return each seed's rows for training and testing, as ``fit`` draws them."""
    with training_settings():
        rows = jax.vmap(lambda s: split_of(training, seed_keys(s).split, num_samples))(np.asarray(seeds))
    return [Split(*parts) for parts in zip(*map(np.asarray, rows), strict=True)]
