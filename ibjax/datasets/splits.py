"""Splits of a dataset's rows into training and test samples."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ibjax.checks import as_key, as_whole, check_number
from ibjax.tracing import own_settings
from ibjax.types import Split

__all__ = ["all_rows_split", "first_rows_split", "num_training_samples", "random_split"]


def num_training_samples(num_samples: int, train_fraction: float) -> int:
    """Return round(train_fraction * num_samples), for example 3277 of 4096 at 0.8.

    Raises:
        ValueError: if a part would be empty.
    """
    num_samples = as_whole("num_samples", num_samples)
    check_number("train_fraction", train_fraction)
    train_fraction = float(train_fraction)
    count = round(train_fraction * num_samples)
    if not 0 < count < num_samples:
        raise ValueError(
            f"train_fraction: expected at least one training and one test sample of {num_samples}, "
            f"got {train_fraction} ({count} training samples)"
        )
    return count


@own_settings()
def random_split(key: Array, num_samples: int, train_fraction: float) -> Split:
    """Split at random: the first ``round(train_fraction n)`` rows of a permutation, and the rest."""
    count = num_training_samples(num_samples, train_fraction)
    order = jax.random.permutation(as_key("key", key), num_samples).astype(jnp.int32)
    return Split(order[:count], order[count:])


def all_rows_split(num_samples: int) -> Split:
    """Use all rows for training and none for the test, if the test error is known without samples."""
    order = np.arange(as_whole("num_samples", num_samples), dtype=np.int32)
    return Split(jnp.asarray(order), jnp.asarray(order[:0]))


def first_rows_split(num_samples: int, train_fraction: float) -> Split:
    """Use the first rows for training, unshuffled, as in the 2017 code.

    On the symmetric task, every test word then begins with "11".
    """
    count = num_training_samples(num_samples, train_fraction)
    order = np.arange(num_samples, dtype=np.int32)
    return Split(jnp.asarray(order[:count]), jnp.asarray(order[count:]))
