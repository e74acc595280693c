"""Measurement in two passes: training keeps parameters, which are measured once all epochs are known.

Bins that end at the largest activation of all recorded epochs are known only then.
"""

import dataclasses
import functools
import threading
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from ibjax.batching import blocks_of_seeds
from ibjax.models import MLP
from ibjax.training import TrainConfig
from ibjax.training.arguments import checked_devices
from ibjax.training.blocks import training_settings
from ibjax.training.data import checked_data, split_of
from ibjax.training.devices import run_tasks
from ibjax.training.steps import seed_keys
from ibjax.types import ArrayLike, History, LabelledSamples, PyTree, Record, Split, Variable

__all__ = ["TwoPassRecord", "activation_limits", "measured_history"]


@dataclasses.dataclass(frozen=True)
class TwoPassRecord(Record):
    """Record of a network's parameters, to be measured with the limits of its own activations.

    ``train`` measures them after training: it takes the smallest and the largest activation of each
    hidden layer over training samples, units and recorded epochs, and then the record that
    ``record_of`` makes of them. Parameters take 4 bytes each for every seed and epoch: 14 MB for 50
    networks of the papers' size and 270 epochs, 0.4 GB if they have MNIST's 784 inputs.

    Args:
        model: the network.
        record_of: function from limits, (hidden layers, 2) traced numbers, to the record that measures;
            None in place of limits gives the record that declares variables, coordinates and rows.
    """

    model: MLP
    record_of: Callable[[Any], Record]

    def __call__(self, params: PyTree, data: Any, split: Split) -> dict[str, Any]:
        return {"parameters": ravel_pytree(params)[0]}

    @property
    def variables(self) -> dict[str, Variable]:
        """Description of the recorded variable."""
        return {"parameters": Variable(("parameter",), "1", "parameters of the network")}

    @property
    def coords(self) -> dict[str, tuple[str, ...]]:
        """Names along the axes of what is measured after training."""
        return dict(self.record_of(None).coords)

    @property
    def rows(self) -> str:
        """Samples measured after training."""
        return self.record_of(None).rows

    def __str__(self) -> str:
        return f"{self.record_of(None)}, limits over all recorded epochs"


def activation_limits(
    model: MLP, params: PyTree, data: LabelledSamples, split: Split
) -> Float[Array, "hidden 2"]:
    """Return the smallest and the largest activation of each hidden layer on the training samples.

    A layer with an activation that is not finite has none: (inf, -inf).
    """
    _, hidden = model.apply(params, data.x[split.train].T, method="feature_major")
    ends = jnp.stack([jnp.stack([h.min(), h.max()]) for h in map(jnp.asarray, hidden)])
    finite = jnp.isfinite(ends).all(axis=1, keepdims=True)
    return jnp.where(finite, ends, jnp.array([jnp.inf, -jnp.inf]))


def measured_history(
    history: History,
    record: TwoPassRecord,
    training: TrainConfig,
    data: LabelledSamples,
    *,
    split_seeds: ArrayLike,
    lanes: int,
) -> History:
    """Return a history whose parameters are measured, each network's with its own limits.

    Args:
        history: result of ``fit`` with this record.
        record: record that kept the parameters.
        training: training configuration.
        data: samples that all seeds share.
        split_seeds: (seed,) seeds that draw the networks' splits.
        lanes: number of networks per compiled program.
    """
    kept, split_seeds = history.records["parameters"], np.asarray(split_seeds)
    with training_settings():
        data = checked_data(training, record.model, data)
        untrained = record.model.init(jax.random.key(0), jnp.zeros((1, data.x.shape[1])))
        splits = jax.vmap(lambda s: split_of(training, seed_keys(s).split, len(data.x)))(split_seeds)
    _, as_params = ravel_pytree(untrained)
    measure = _Measure(record, as_params)
    blocks = blocks_of_seeds(np.arange(len(kept)), lanes)

    parts: list[Any] = [None] * len(blocks)

    def measured_block(device, i):
        filled = np.resize(blocks[i], min(lanes, len(kept)))
        own_splits = jax.tree.map(lambda rows: rows[filled], splits)
        with training_settings():
            samples, own_splits = jax.device_put((data, own_splits), device)
            at_epochs = [jax.device_put(kept[filled, e], device) for e in range(kept.shape[1])]
            at_each = [_limits(measure, p, samples, own_splits) for p in at_epochs]
            limits = jnp.stack(
                [
                    functools.reduce(jnp.minimum, [ends[..., 0] for ends in at_each]),
                    functools.reduce(jnp.maximum, [ends[..., 1] for ends in at_each]),
                ],
                axis=-1,
            )
            records = [
                jax.device_get(_measured(measure, p, samples, own_splits, limits)) for p in at_epochs
            ]
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves, axis=1), *records)
        parts[i] = jax.tree.map(lambda x: x[: len(blocks[i])], stacked)

    run_tasks(measured_block, len(blocks), checked_devices(None), threading.Event())
    return history._replace(records=jax.tree.map(lambda *x: np.concatenate(x), *parts))


@dataclasses.dataclass(frozen=True, eq=False)
class _Measure:
    """Static settings of the second pass."""

    record: TwoPassRecord
    as_params: Callable[[Array], PyTree]


@functools.partial(jax.jit, static_argnames=("measure",))
def _limits(measure, parameters, data, splits):
    def lane(parameters, split):
        return activation_limits(measure.record.model, measure.as_params(parameters), data, split)

    return jax.vmap(lane)(parameters, splits)


@functools.partial(jax.jit, static_argnames=("measure",))
def _measured(measure, parameters, data, splits, limits):
    def lane(parameters, split, limits):
        return measure.record.record_of(limits)(measure.as_params(parameters), data, split)

    return jax.vmap(lane)(parameters, splits, limits)
