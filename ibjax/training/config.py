"""What defines the training of one arm of an experiment, apart from its data and its seeds."""

import dataclasses
import functools
from typing import Any

import optax

from ibjax.checks import check_known, check_positive, check_whole
from ibjax.models import MLP
from ibjax.numerics import cross_entropy, squared_error

__all__ = ["LOSSES", "OPTIMIZERS", "SPLITS", "TrainConfig", "make_model", "make_optimizer"]

OPTIMIZERS = {
    "sgd": optax.sgd,
    "momentum": functools.partial(optax.sgd, momentum=0.9),
    "adam": optax.adam,
    "adamw": optax.adamw,
    "rmsprop": optax.rmsprop,
}

# Of feature-major outputs (k, n) and the samples' y: (n,) labels, or (k, n) numbers.
LOSSES = {"cross_entropy": cross_entropy, "squared_error": squared_error}

SPLITS = ("random", "first_rows", "all_rows")


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """How a network is built and trained.

    Attributes:
        widths: units of the hidden layers and, last, of the output (12 inputs come with the data).
        activation: a name from ``ibjax.models.ACTIVATIONS``, or one for each hidden layer.
        init: a name from ``ibjax.models.INITS``.
        loss: whose mean over samples is minimised: "cross_entropy" of class labels, nats (one output is
            the logit of class 1 against class 0, a sigmoid unit); or "squared_error" |f(x) - y|^2 of
            numbers, summed over outputs.
        optimizer: a name from ``OPTIMIZERS``; ``fit`` also takes any Optax optimizer.
        learning_rate: step size.
        weight_decay: coefficient of the parameters added to the gradient (for "adamw" decoupled).
        batch_size: samples a step; None for full-batch gradient descent.
        num_epochs: passes over the training samples.
        split: "random" (each seed its own), "first_rows" (the 2017 code's, unshuffled), or "all_rows"
            for training and none for the test.
        train_fraction: of the rows, for training; "all_rows" does not ask for it.
        shuffle: draw the order of the samples anew each epoch; else one order for all.
        noise_variance: of Gaussian noise added to every hidden layer in training.

    Raises:
        ValueError: for unknown names, numbers that are not positive, a negative decay or noise.
    """

    widths: tuple[int, ...] = (10, 7, 5, 4, 3, 2)
    activation: str | tuple[str, ...] = "tanh"
    init: str = "fan_in"
    loss: str = "cross_entropy"
    optimizer: str = "sgd"
    learning_rate: float = 0.1
    weight_decay: float = 0.0
    batch_size: int | None = 256
    num_epochs: int = 8000
    split: str = "random"
    train_fraction: float = 0.8
    shuffle: bool = True
    noise_variance: float = 0.0

    def __post_init__(self):
        for width in self.widths:
            check_whole("widths", width)
        check_known("optimizer", self.optimizer, OPTIMIZERS)
        check_known("loss", self.loss, LOSSES)
        check_known("split", self.split, SPLITS)
        check_positive("learning_rate", self.learning_rate)
        check_whole("num_epochs", self.num_epochs)
        if self.batch_size is not None:
            check_whole("batch_size", self.batch_size)
        for name in ("weight_decay", "noise_variance"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name}: expected 0 or more, finite, got {getattr(self, name)!r}")
        make_model(self)  # checks the names of activations and init

    @property
    def activations(self) -> tuple[str, ...]:
        """One name for each hidden layer."""
        if isinstance(self.activation, str):
            return (self.activation,) * (len(self.widths) - 1)
        return tuple(self.activation)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for provenance."""
        return dataclasses.asdict(self)


def make_model(config: TrainConfig) -> MLP:
    """The config's network."""
    return MLP(tuple(config.widths), config.activations, config.init, config.noise_variance)


def make_optimizer(config: TrainConfig) -> optax.GradientTransformation:
    """The config's optimizer; the same object for equal settings, so that programs are shared."""
    return _named_optimizer(config.optimizer, config.learning_rate, config.weight_decay)


@functools.lru_cache(maxsize=64)
def _named_optimizer(name, learning_rate, weight_decay):
    if name == "adamw":
        return optax.adamw(learning_rate, weight_decay=weight_decay)
    optimizer = OPTIMIZERS[name](learning_rate)
    if weight_decay > 0:
        return optax.chain(optax.add_decayed_weights(weight_decay), optimizer)
    return optimizer
