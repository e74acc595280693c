"""Shared containers, and the two conventions that every array in ibjax follows.

Axis order: ``(..., seed, epoch, layer, ...)``. Leading axes are an experiment's own factors
(activation, optimizer, ...). Functions are written for one network; the seed axis is added by
``vmap`` in :mod:`ibjax.training.blocks`.

Units: information is in bits and losses are in nats wherever they leave a function.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Array, Float, Int

__all__ = [
    "MI",
    "ArrayLike",
    "Estimator",
    "History",
    "LabelledSamples",
    "PyTree",
    "Record",
    "RecordFunction",
    "Samples",
    "Split",
    "TrainState",
    "Variable",
]

PyTree = Any

# Anything that NumPy can read: arrays of any framework, nested lists, numbers.
ArrayLike = Any


class LabelledSamples(NamedTuple):
    """Inputs and their labels, the data of a classification task.

    Training on squared error takes the same tuple with (n, k) float targets in place of the labels.

    Attributes:
        x: (n, d) inputs.
        y: (n,) integer class labels.
    """

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


class Variable(NamedTuple):
    """Description of a recorded variable.

    Attributes:
        dims: names of its axes after seed and epoch.
        units: its units, "bits", "nats" or "1".
        long_name: description for the labels of figures.
    """

    dims: tuple[str, ...]
    units: str
    long_name: str


@runtime_checkable
class Estimator(Protocol):
    """An estimator of one layer: a pure function that works under ``jit`` and ``vmap``.

    All estimators of ``ibjax.mi`` that take ``(t, y)`` are of this kind once their options are fixed,
    for example by ``functools.partial``.
    """

    def __call__(self, t: Any, y: Any, /) -> MI:
        """Estimate I(X;T) and I(T;Y).

        Args:
            t: (n, width) activations of the layer on n inputs.
            y: (n,) integer labels.
        """
        ...


# A record: anything that ``fit`` can call as record(params, data, split) -> pytree of arrays.
RecordFunction = Callable[[PyTree, Any, Split], PyTree]


@runtime_checkable
class Record(Protocol):
    """Measures one network at a recorded epoch and declares what it measures.

    A record is a value: a frozen dataclass of its settings. Records with equal settings are equal, so
    that ``fit`` compiles one program for them, and ``str(record)`` names the settings for provenance.
    ``fit`` itself takes any function of these arguments; :func:`ibjax.results.history_to_dataset` needs
    the declarations.
    """

    def __call__(self, params: PyTree, data: Any, split: Split, /) -> dict[str, Any]:
        """Measure one network, under ``jit`` and ``vmap``.

        Args:
            params: parameters of the network.
            data: its samples.
            split: row numbers of its training and test samples.

        Returns:
            Arrays by the names of ``variables``.
        """
        ...

    @property
    def variables(self) -> Mapping[str, Variable]:
        """Descriptions of the recorded variables, by name."""
        ...

    @property
    def coords(self) -> Mapping[str, tuple[str, ...]]:
        """Names along axes that are factors of the measurement, such as "estimator"; none by default."""
        return {}

    @property
    def rows(self) -> str:
        """Samples measured: "all" (the default), "train", "test", or "none" if only parameters are."""
        return "all"
