"""Configuration of the training of one arm of an experiment, apart from its data and seeds."""

import dataclasses
import functools
from typing import Any

import numpy as np
import optax

from ibjax.checks import as_whole, check_flag, check_known, check_number, is_concrete
from ibjax.losses import cross_entropy, squared_error
from ibjax.models import MLP, as_names, as_widths
from ibjax.training.optimizers import OPTIMIZERS, RATE_SCHEDULES, NamedOptimizer, Numbers

__all__ = [
    "LOSSES",
    "SPLITS",
    "TrainConfig",
    "make_model",
    "make_optimizer",
    "named_optimizer",
    "numbers_of",
]

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
        init_scale: factor on every initial kernel.
        loss: loss whose mean over samples is minimised: "cross_entropy" of class labels, in nats (one
            output is the logit of class 1 against class 0, a sigmoid unit), or "squared_error" |f(x) -
            y|^2 of numbers, summed over outputs.
        optimizer: "sgd", "momentum", "adam", "adamw" or "rmsprop", with Optax's other settings; ``fit``
            also takes any Optax optimizer.
        learning_rate: step size, at the start if it follows a schedule.
        learning_rate_schedule: "constant"; "cosine", half a cosine from ``learning_rate`` down to
            ``decay_factor`` times it at ``decay_epochs``, where it stays; or "step", a factor of
            ``decay_factor`` after every ``decay_epochs``. ``fit`` takes an Optax optimizer with any
            other schedule.
        decay_factor: factor of the schedule.
        decay_epochs: epochs of the schedule; None for all of them under "cosine", for a third, rounded
            up, under "step".
        momentum: decay of the accumulated gradients of the optimizer "momentum".
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
        dropout_rate: probability with which each hidden unit is set to 0 in training, the others being
            scaled up.

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
    init_scale: float = 1.0
    momentum: float = 0.9
    learning_rate_schedule: str = "constant"
    decay_factor: float = 0.1
    decay_epochs: int | None = None
    dropout_rate: float = 0.0

    def __post_init__(self):
        widths = as_widths(self.widths)
        activation = self.activation
        if not isinstance(activation, str):
            activation = as_names("activation", activation)
        batch_size, decay_epochs = self.batch_size, self.decay_epochs
        if batch_size is not None:
            batch_size = as_whole("batch_size", batch_size)
        if decay_epochs is not None:
            decay_epochs = as_whole("decay_epochs", decay_epochs)
        check_known("optimizer", self.optimizer, OPTIMIZERS)
        check_known("learning_rate_schedule", self.learning_rate_schedule, RATE_SCHEDULES)
        check_known("loss", self.loss, LOSSES)
        check_known("split", self.split, SPLITS)
        check_flag("shuffle", self.shuffle)
        fraction_limits = {} if self.split in FIXED_SPLITS else {"above": 0, "below": 1}
        plain = {
            "widths": widths,
            "activation": activation,
            "batch_size": batch_size,
            "decay_epochs": decay_epochs,
            "num_epochs": as_whole("num_epochs", self.num_epochs),
            "learning_rate": _as_float("learning_rate", self.learning_rate, above=0),
            "weight_decay": _as_float("weight_decay", self.weight_decay, at_least=0),
            "noise_variance": _as_float("noise_variance", self.noise_variance, at_least=0),
            "train_fraction": _as_float("train_fraction", self.train_fraction, **fraction_limits),
            "validation_fraction": _as_float(
                "validation_fraction", self.validation_fraction, at_least=0, below=1
            ),
            "init_scale": _as_float("init_scale", self.init_scale, above=0),
            "momentum": _as_float("momentum", self.momentum, at_least=0, below=1),
            "decay_factor": _as_float("decay_factor", self.decay_factor, at_least=0),
            "dropout_rate": _as_float("dropout_rate", self.dropout_rate, at_least=0, below=1),
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
    return MLP(
        config.widths, config.activations, config.init, config.noise_variance, config.dropout_rate
    )


def numbers_of(config: TrainConfig) -> Numbers:
    """Return the config's numeric settings, as float32."""
    values = {name: getattr(config, name) for name in Numbers._fields if name != "decay_epochs"}
    parts = {"constant": config.num_epochs, "cosine": 1, "step": 3}[config.learning_rate_schedule]
    period = config.decay_epochs or -(-config.num_epochs // parts)
    return Numbers(**{k: np.float32(v) for k, v in values.items()}, decay_epochs=np.float32(period))


def named_optimizer(config: TrainConfig, *, decays: bool) -> NamedOptimizer:
    """Return the config's optimizer without its numbers; ``decays`` tells whether weights decay."""
    return NamedOptimizer(config.optimizer, config.learning_rate_schedule, decays)


def make_optimizer(config: TrainConfig, steps_per_epoch: int = 1) -> optax.GradientTransformation:
    """Return a config's optimizer: the same object for equal settings, so that programs are shared.

    Args:
        config: training configuration.
        steps_per_epoch: number of steps in an epoch, for schedules of the learning rate.
    """
    steps = as_whole("steps_per_epoch", steps_per_epoch)
    named = named_optimizer(config, decays=config.weight_decay > 0)
    return _made_optimizer(named, numbers_of(config), steps)


@functools.lru_cache(maxsize=64)
def _made_optimizer(named, numbers, steps_per_epoch):
    return named(numbers, steps_per_epoch)


def _as_float(name, x, **limits) -> float:
    check_number(name, x, **limits)
    if not is_concrete(x):
        raise ValueError(f"{name}: expected a known number, got a traced value")
    return float(x)
