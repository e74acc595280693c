"""Splits of a dataset's rows into training and test samples."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ibjax.checks import as_key, as_whole, check_number
from ibjax.tracing import own_settings
from ibjax.types import Split

__all__ = [
    "REVISITING_ROWS",
    "all_rows_split",
    "first_rows_split",
    "hold_out",
    "num_fitted_samples",
    "num_training_samples",
    "random_split",
    "revisiting_split",
]

# Rows of the symmetric task, and how many of them are for the test in the split of "Revisiting".
REVISITING_ROWS, REVISITING_TEST = 4096, 820


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


def num_fitted_samples(num_training: int, validation_fraction: float) -> int:
    """Return floor((1 - validation_fraction) num_training), for example 2620 of 3276 at 0.2.

    This is the number of training samples that updates use if the others are held out for validation,
    as Keras counts it.

    Raises:
        ValueError: for a fraction outside [0, 1), and one that leaves a part empty, unless it is 0.
    """
    num_training = as_whole("num_training", num_training)
    check_number("validation_fraction", validation_fraction, at_least=0, below=1)
    if validation_fraction == 0:
        return num_training
    count = int(num_training * (1 - float(validation_fraction)))
    if not 0 < count < num_training:
        raise ValueError(
            "validation_fraction: expected at least one sample to train on and one for validation of "
            f"{num_training}, got {validation_fraction} ({count} samples to train on)"
        )
    return count


def hold_out(rows: Array, validation_fraction: float) -> tuple[Array, Array]:
    """Divide training rows into those that updates use and, last, those held out for validation.

    Args:
        rows: (n_train,) training rows of a ``Split``.
        validation_fraction: fraction of them to hold out; 0 for none.

    Returns:
        The first ``num_fitted_samples(n_train, validation_fraction)`` rows, and the rest.

    Raises:
        ValueError: as ``num_fitted_samples``.
    """
    count = num_fitted_samples(len(rows), validation_fraction)
    if count == len(rows):  # without a slice, so that traced programs are those without validation
        return rows, jnp.asarray(np.zeros(0, np.int32))
    return rows[:count], rows[count:]


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


def revisiting_split() -> Split:
    """Return the one split of the symmetric task in the code of "Revisiting the Information Plane".

    It is scikit-learn's ``train_test_split`` with ``random_state=42`` on the 4096 words in counting
    order: of a permutation, 820 rows for the test, then 3276 for training. Their labels have H(Y) =
    0.99767 bits, as in the paper's table 1.

    References:
        Schiemer & Ye (2019), by their code.
    """
    # NumPy keeps this old generator's numbers the same in all versions.
    order = np.random.RandomState(42).permutation(REVISITING_ROWS).astype(np.int32)
    return Split(jnp.asarray(order[REVISITING_TEST:]), jnp.asarray(order[:REVISITING_TEST]))
