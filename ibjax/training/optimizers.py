"""Optimizers by name, whose numeric settings may be traced: networks of one program differ in them."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import optax
from jaxtyping import Array

from ibjax.types import ArrayLike

__all__ = [
    "NUMBERS_OF_OPTIMIZERS",
    "NUMBERS_OF_SCHEDULES",
    "OPTIMIZERS",
    "RATE_SCHEDULES",
    "GivenOptimizer",
    "NamedOptimizer",
    "Numbers",
    "OptimizerFamily",
]


class Numbers(NamedTuple):
    """Numeric settings of one network, float32 scalars that a program takes as data.

    The fields are those of a ``TrainConfig``.
    """

    learning_rate: ArrayLike
    init_scale: ArrayLike
    weight_decay: ArrayLike
    noise_variance: ArrayLike
    momentum: ArrayLike
    decay_factor: ArrayLike
    decay_epochs: ArrayLike


# An optimizer of the given numbers, in training with this many steps an epoch.
OptimizerFamily = Callable[[Numbers, int], optax.GradientTransformation]

# Functions of the learning rate, a number or a schedule, and of the other numbers.
OPTIMIZERS: dict[str, Callable[[optax.ScalarOrSchedule, Numbers], optax.GradientTransformation]] = {
    "sgd": lambda rate, _: optax.sgd(rate),
    "momentum": lambda rate, numbers: optax.sgd(rate, momentum=numbers.momentum),
    "adam": lambda rate, _: optax.adam(rate),
    "adamw": lambda rate, numbers: optax.adamw(rate, weight_decay=numbers.weight_decay),
    "rmsprop": lambda rate, _: optax.rmsprop(rate),
}

# Numbers that only one optimizer has.
NUMBERS_OF_OPTIMIZERS = {"momentum": "momentum"}


def _cosine(count, period, numbers):
    cosine = (1 + jnp.cos(jnp.pi * jnp.minimum(count / period, 1))) / 2
    return numbers.decay_factor + (1 - numbers.decay_factor) * cosine


def _steps(count, period, numbers):
    return numbers.decay_factor ** (count // period).astype(jnp.float32)


# Functions of the steps done, of those in ``decay_epochs`` and of the numbers: factors of the rate.
RATE_SCHEDULES: dict[str, Callable[[Array, Array, Numbers], Array] | None] = {
    "constant": None,
    "cosine": _cosine,
    "step": _steps,
}

# Numbers that only schedules other than "constant" have.
NUMBERS_OF_SCHEDULES = ("decay_factor", "decay_epochs")


@dataclasses.dataclass(frozen=True)
class NamedOptimizer:
    """An optimizer by name, once its numbers are known; equal to others of the same settings.

    Attributes:
        name: a name from ``OPTIMIZERS``.
        schedule: a name from ``RATE_SCHEDULES``.
        decays: whether weights decay at all; "adamw" always has its own decay.
    """

    name: str
    schedule: str = "constant"
    decays: bool = False

    def __call__(self, numbers: Numbers, steps_per_epoch: int) -> optax.GradientTransformation:
        rate: Any = numbers.learning_rate
        factor = RATE_SCHEDULES[self.schedule]
        if factor is not None:

            def scheduled(count):
                period = jnp.asarray(numbers.decay_epochs, jnp.int32) * steps_per_epoch
                return numbers.learning_rate * factor(count, period, numbers)

            rate = scheduled
        optimizer = OPTIMIZERS[self.name](rate, numbers)
        if self.decays and self.name != "adamw":
            return optax.chain(optax.add_decayed_weights(numbers.weight_decay), optimizer)
        return optimizer


@dataclasses.dataclass(frozen=True)
class GivenOptimizer:
    """A user's own Optax optimizer, which has its numbers already."""

    optimizer: optax.GradientTransformation

    def __call__(self, numbers: Numbers, steps_per_epoch: int) -> optax.GradientTransformation:
        return self.optimizer
