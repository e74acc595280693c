"""Configuration of the training of one arm of an experiment, apart from its data and seeds."""

import dataclasses
import functools
from typing import Any

import optax

from ibjax.checks import as_whole, check_flag, check_known, check_number, is_concrete
from ibjax.losses import cross_entropy, squared_error
from ibjax.models import MLP, as_names, as_widths

__all__ = ["LOSSES", "OPTIMIZERS", "SPLITS", "TrainConfig", "make_model", "make_optimizer"]

OPTIMIZERS = {
    "sgd": optax.sgd,
    "momentum": functools.partial(optax.sgd, momentum=0.9),
    "adam": optax.adam,
    "adamw": optax.adamw,
    "rmsprop": optax.rmsprop,
}

# Losses of feature-major outputs (k, n) and the samples' y: (n,) labels, or (k, n) numbers.
LOSSES = {"cross_entropy": cross_entropy, "squared_error": squared_error}

SPLITS = ("random", "first_rows", "all_rows", "revisiting")

# Splits whose number of training rows is not a fraction of one's choice.
FIXED_SPLITS = ("all_rows", "revisiting")


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Configuration for building and training a network.

    Fields are converted to plain Python values, from NumPy numbers and lists too.

    Attributes:
        widths: numbers of units in the hidden layers and, last, the output (the data give the inputs).
        activation: a name from ``ibjax.models.ACTIVATIONS``, or one for each hidden layer.
        init: a name from ``ibjax.models.INITS``.
        loss: loss whose mean over samples is minimised: "cross_entropy" of class labels, in nats (one
            output is the logit of class 1 against class 0, a sigmoid unit), or "squared_error" |f(x) -
            y|^2 of numbers, summed over outputs.
        optimizer: a name from ``OPTIMIZERS``; ``fit`` also takes any Optax optimizer.
        learning_rate: step size.
        weight_decay: coefficient of the parameters added to the gradient (decoupled for "adamw").
        batch_size: samples per step; None for full-batch gradient descent.
        num_epochs: number of passes over the training samples.
        split: "random" (a different one for each seed), "first_rows" (that of the 2017 code,
            unshuffled), "all_rows" (all for training, none for the test), or "revisiting" (that of the
            2019 code for the symmetric task, the same for all seeds).
        train_fraction: fraction of rows used for training; ignored for the splits "all_rows" and
            "revisiting".
        validation_fraction: fraction of the training rows, the last of them, that updates do not use.
            Records get all training rows, and divide them by ``ibjax.datasets.splits.hold_out``.
        shuffle: whether to draw a new order of the samples each epoch instead of keeping one order.
        noise_variance: variance of Gaussian noise added to every hidden layer in training.

    Raises:
        ValueError: for unknown names, numbers that are not positive, a negative decay or noise variance,
            fractions that are not between 0 and 1.
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
    validation_fraction: float = 0.0

    def __post_init__(self):
        widths = as_widths(self.widths)
        activation = self.activation
        if not isinstance(activation, str):
            activation = as_names("activation", activation)
        batch_size = self.batch_size
        if batch_size is not None:
            batch_size = as_whole("batch_size", batch_size)
        check_known("optimizer", self.optimizer, OPTIMIZERS)
        check_known("loss", self.loss, LOSSES)
        check_known("split", self.split, SPLITS)
        check_flag("shuffle", self.shuffle)
        fraction_limits = {} if self.split in FIXED_SPLITS else {"above": 0, "below": 1}
        plain = {
            "widths": widths,
            "activation": activation,
            "batch_size": batch_size,
            "num_epochs": as_whole("num_epochs", self.num_epochs),
            "learning_rate": _as_float("learning_rate", self.learning_rate, above=0),
            "weight_decay": _as_float("weight_decay", self.weight_decay, at_least=0),
            "noise_variance": _as_float("noise_variance", self.noise_variance, at_least=0),
            "train_fraction": _as_float("train_fraction", self.train_fraction, **fraction_limits),
            "validation_fraction": _as_float(
                "validation_fraction", self.validation_fraction, at_least=0, below=1
            ),
            "shuffle": bool(self.shuffle),
        }
        for name, value in plain.items():
            object.__setattr__(self, name, value)
        make_model(self)  # checks the names of activations and init

    @property
    def activations(self) -> tuple[str, ...]:
        """Activation names, one for each hidden layer."""
        if isinstance(self.activation, str):
            return (self.activation,) * (len(self.widths) - 1)
        return self.activation

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, for provenance."""
        return dataclasses.asdict(self)


def make_model(config: TrainConfig) -> MLP:
    """Return the network of a config."""
    return MLP(config.widths, config.activations, config.init, config.noise_variance)


def make_optimizer(config: TrainConfig) -> optax.GradientTransformation:
    """Return a config's optimizer: the same object for equal settings, so that programs are shared."""
    return _named_optimizer(config.optimizer, config.learning_rate, config.weight_decay)


@functools.lru_cache(maxsize=64)
def _named_optimizer(name, learning_rate, weight_decay):
    if name == "adamw":
        return optax.adamw(learning_rate, weight_decay=weight_decay)
    optimizer = OPTIMIZERS[name](learning_rate)
    if weight_decay > 0:
        return optax.chain(optax.add_decayed_weights(weight_decay), optimizer)
    return optimizer


def _as_float(name, x, **limits) -> float:
    check_number(name, x, **limits)
    if not is_concrete(x):
        raise ValueError(f"{name}: expected a known number, got a traced value")
    return float(x)
