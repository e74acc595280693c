"""The samples that networks train on: what is refused, and which rows are for training."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ibjax.checks import (
    as_array,
    check_finite,
    check_integer,
    check_known,
    check_nonempty,
    check_rank,
    check_same_length,
)
from ibjax.datasets.splits import (
    all_rows_split,
    first_rows_split,
    num_training_samples,
    random_split,
)
from ibjax.training.config import TrainConfig
from ibjax.training.steps import Keys
from ibjax.types import ArrayLike, Dataset, Samples, Split

__all__ = [
    "DrawData",
    "DrawLabels",
    "check_form",
    "check_values",
    "checked_data",
    "checked_purposes",
    "samples_of",
    "split_of",
]

# draw(key) -> the samples of one seed.
DrawData: TypeAlias = Callable[[Array], Samples]

# drawn labels: (key) -> (n,) int labels of one seed.
DrawLabels: TypeAlias = Callable[[Array], Array]


def checked_data(config: TrainConfig, data: Samples) -> Dataset:
    """Samples that all seeds share, in 32 bits.

    Raises:
        ValueError: as ``check_form`` and ``check_values``.
    """
    data = Dataset(as_array(data.x), as_array(data.y))
    check_form(config, data)
    check_values(config, data)
    kind = jnp.float32 if config.loss == "squared_error" else jnp.int32
    return Dataset(jnp.asarray(data.x, jnp.float32), jnp.asarray(data.y, kind))


def check_form(config: TrainConfig, data: Samples) -> None:
    """Shapes and kinds, which are known before any sample is drawn.

    Raises:
        ValueError: for other shapes or kinds, empty data, a batch larger than the training set.
    """
    x, y = data.x, data.y
    check_rank("x", x, 2, "(n_samples, n_inputs)")
    if config.loss == "squared_error":
        if np.ndim(y) != 2 or np.shape(y)[1] != config.widths[-1]:
            raise ValueError(f"y: expected shape (n_samples, {config.widths[-1]}), got {np.shape(y)}")
    else:
        check_rank("y", y, 1, "(n_samples,)")
    check_nonempty("x", x)
    check_same_length("x", x, "y", y)
    if config.loss != "squared_error":
        check_integer("y", y)
    num_samples = np.shape(x)[0]
    num_train = num_samples
    if config.split != "all_rows":
        num_train = num_training_samples(num_samples, config.train_fraction)
    if config.batch_size is not None and config.batch_size > num_train:
        raise ValueError(
            f"batch_size: expected at most the {num_train} training samples, "
            f"got {config.batch_size}; None takes all of them"
        )


def check_values(config: TrainConfig, data: Samples) -> None:
    """Numbers that are known, of one seed or of many.

    Raises:
        ValueError: for NaN or infinite numbers, labels without an output.
    """
    check_finite("x", data.x)
    if config.loss == "squared_error":
        check_finite("y", data.y)
        return
    lowest, highest = int(np.min(data.y)), int(np.max(data.y))
    outputs = config.widths[-1]
    if lowest < 0 or highest >= max(outputs, 2):  # one output tells 1 from 0
        raise ValueError(
            f"y: expected labels from 0 to {max(outputs, 2) - 1}, which the network's {outputs} outputs "
            f"tell apart, got {lowest} to {highest}"
        )


def checked_purposes(purpose_seeds: Mapping[str, ArrayLike], num_seeds: int) -> dict[str, np.ndarray]:
    """What stands in place of the seeds for each purpose, (seed,) int32.

    Raises:
        ValueError: for unknown purposes, or other than one whole number for each seed.
    """
    checked = {}
    for purpose, given in purpose_seeds.items():
        check_known("purpose_seeds", purpose, Keys._fields)
        numbers = np.asarray(given)
        whole = numbers.shape == (num_seeds,) and np.issubdtype(numbers.dtype, np.integer)
        if not whole or numbers.min() < 0 or numbers.max() >= 2**31:
            raise ValueError(
                f"purpose_seeds: expected {num_seeds} whole numbers from 0 to 2^31 - 1 for "
                f"{purpose!r}, got {given!r}"
            )
        checked[purpose] = numbers.astype(np.int32)
    return checked


def split_of(config: TrainConfig, key: Array, num_samples: int) -> Split:
    """A seed's training and test rows."""
    if config.split == "all_rows":
        return all_rows_split(num_samples)
    if config.split == "first_rows":
        return first_rows_split(num_samples, config.train_fraction)
    return random_split(key, num_samples, config.train_fraction)


def samples_of(shared: Any, own: Any) -> Any:
    """A seed's samples: all that it has drawn, or the shared ones, with labels of its own if drawn."""
    if shared is None:
        return own
    return shared if own is None else Dataset(shared.x, own)
