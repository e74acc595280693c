"""Splits of a dataset's rows into training and test samples."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ibjax.types import Split

__all__ = ["all_rows_split", "first_rows_split", "num_training_samples", "random_split"]


def num_training_samples(num_samples: int, train_fraction: float) -> int:
    """round(train_fraction * num_samples): 3277 of 4096 at 0.8.

    Raises:
        ValueError: if a part would be empty.
    """
    count = round(train_fraction * num_samples)
    if not 0 < count < num_samples:
        raise ValueError(
            f"train_fraction: expected at least one training and one test sample of {num_samples}, "
            f"got {train_fraction} ({count} training samples)"
        )
    return count


def random_split(key: Array, num_samples: int, train_fraction: float) -> Split:
    """A random split: the first ``round(train_fraction n)`` rows of a permutation, and the rest."""
    count = num_training_samples(num_samples, train_fraction)
    order = jax.random.permutation(key, num_samples).astype(jnp.int32)
    return Split(order[:count], order[count:])


def all_rows_split(num_samples: int) -> Split:
    """All rows train, none is for the test: where the test error is known without samples."""
    order = np.arange(num_samples, dtype=np.int32)
    return Split(jnp.asarray(order), jnp.asarray(order[:0]))


def first_rows_split(num_samples: int, train_fraction: float) -> Split:
    """The 2017 code's split: the first rows train, unshuffled.

    On the symmetric task every test word then begins with "11".
    """
    count = num_training_samples(num_samples, train_fraction)
    order = np.arange(num_samples, dtype=np.int32)
    return Split(jnp.asarray(order[:count]), jnp.asarray(order[count:]))
