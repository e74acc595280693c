"""Shared containers, and the two conventions that every array in ibjax follows.

Axis order: ``(..., seed, epoch, layer, ...)``. Leading axes are an experiment's own factors
(activation, optimizer, ...). Functions are written for one network; the seed axis is added by
``vmap`` in :mod:`ibjax.training.loop`.

Units: information is in bits and losses are in nats wherever they leave a function.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Array, Float, Int

__all__ = [
    "MI",
    "ArrayLike",
    "Dataset",
    "Estimator",
    "History",
    "PyTree",
    "Record",
    "Samples",
    "Split",
    "TrainState",
]

PyTree = Any

# Anything that NumPy can read: arrays of any framework, nested lists, numbers.
ArrayLike = Any


class Dataset(NamedTuple):
    """Inputs and integer labels of a classification task."""

    x: Float[Array, "n d"]
    y: Int[Array, " n"]


@runtime_checkable
class Samples(Protocol):
    """Samples for training: a ``Dataset``, or another tuple of arrays that has these fields."""

    @property
    def x(self) -> Any:
        """(n, d) inputs."""
        ...

    @property
    def y(self) -> Any:
        """(n,) class labels, or (n, k) numbers."""
        ...


class Split(NamedTuple):
    """Row numbers of one network's training and test samples."""

    train: Int[Array, " n_train"]
    test: Int[Array, " n_test"]


class MI(NamedTuple):
    """I(X;T) and I(T;Y) of one layer, in bits."""

    ixt: Float[Array, ""]
    ity: Float[Array, ""]


class TrainState(NamedTuple):
    """State that training carries from one epoch to the next: parameters and optimizer state."""

    params: PyTree
    opt_state: PyTree


class History(NamedTuple):
    """Result of training.

    Attributes:
        seeds: (seed,) seeds of the networks, each with key ``jax.random.key(seed)``.
        epochs: (epoch,) recorded epochs; epoch e is the network after e epochs of updates.
        records: pytree of the record function's results, each leaf with leading axes ``(seed, epoch)``.
        diverged: (seed,) True if the final parameters are not all finite.
        params: final parameters, each leaf with leading axis ``(seed,)``.
    """

    seeds: np.ndarray
    epochs: np.ndarray
    records: PyTree
    diverged: np.ndarray
    params: PyTree


# estimator(t, y) -> MI: t is (n, width) activations, y is (n,) integer labels.
Estimator = Callable[..., MI]

# record(params, data, split) -> pytree of arrays, for one network; data are its Samples.
Record = Callable[[PyTree, Any, Split], PyTree]
