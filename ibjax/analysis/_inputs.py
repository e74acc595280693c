"""Checks and conversion of numbers, sequences and text that analyses take.

Numbers may come from any array library. NaN is accepted: it stands for seeds that diverged and for
layers that a network does not have. So is infinity, which a ratio or a loss may reach.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ibjax.arrays import as_array, as_float32
from ibjax.checks import (
    check_finite,
    check_integer,
    check_nonempty,
    check_rank,
    check_same_length,
    is_concrete,
    kind_of,
)

__all__ = [
    "as_floats",
    "as_integers",
    "as_numbers",
    "as_positions",
    "as_probabilities",
    "as_rows",
    "as_sequence",
    "check_below",
    "check_broadcast",
    "check_epochs",
    "check_text",
]


def as_numbers(name: str, x: Any, axes: str, *, empty: bool = False) -> np.ndarray:
    """Convert concrete real numbers to float64.

    Args:
        name: name of the argument, for messages.
        x: anything that an array can be made from.
        axes: required axes, such as "(seed, epoch)"; "(..., layer)" allows others before.
        empty: whether the array may be empty, as for live networks if all are dead.

    Raises:
        ValueError: for anything but an array of concrete real numbers, other axes, and, unless allowed,
            empty arrays.
    """
    return _known(name, x, axes, empty).astype(np.float64)


def as_integers(name: str, x: Any, axes: str, *, at_least: int | None = None) -> np.ndarray:
    """Convert concrete whole numbers of any type to int64.

    Raises:
        ValueError: as ``as_numbers``, for other numbers, and for those below ``at_least``.
    """
    x = _known(name, x, axes)
    if not (np.issubdtype(x.dtype, np.integer) or (np.isfinite(x) & (x == np.floor(x))).all()):
        raise ValueError(f"{name}: expected whole numbers, got {kind_of(x)} of others")
    if at_least is not None and x.min() < at_least:
        raise ValueError(f"{name}: expected numbers of {at_least} or more, got {x.min()}")
    return x.astype(np.int64)


def as_probabilities(name: str, x: Any) -> np.ndarray:
    """Return (n,) concrete numbers from 0 to 1, checked."""
    x = as_numbers(name, x, "(n,)")
    check_finite(name, x)
    if x.min() < 0 or x.max() > 1:
        raise ValueError(f"{name}: expected probabilities from 0 to 1, got {x.min()} to {x.max()}")
    return x


def as_positions(name: str, x: Any, num_epochs: int) -> np.ndarray:
    """Return checked (seed,) positions on the axis of epochs; -1 for none."""
    x = as_integers(name, x, "(seed,)", at_least=-1)
    if x.max() >= num_epochs:
        raise ValueError(f"{name}: expected positions of {num_epochs} epochs from 0, got {x.max()}")
    return x


def as_floats(name: str, x: Any, axes: str) -> Any:
    """Convert finite numbers with these axes, none empty, to float32; traced values are not checked.

    Raises:
        ValueError: as ``as_float32``, and for other axes.
    """
    x = as_array(name, x)
    check_rank(name, x, axes.strip("(,)").count(",") + 1, axes)
    check_nonempty(name, x)
    return as_float32(name, x)


def as_rows(name: str, rows: Any, num_rows: int | None = None) -> Any:
    """Return row numbers (n,), checked to be below ``num_rows``, by default n, unless traced."""
    rows = as_array(name, rows)
    check_rank(name, rows, 1, "(n,)")
    check_nonempty(name, rows)
    check_integer(name, rows)
    check_below(name, rows, len(rows) if num_rows is None else num_rows)
    return jnp.asarray(rows)


def check_below(name: str, numbers: Any, end: int) -> None:
    """Refuse concrete numbers that are not from 0 to below ``end``."""
    if not is_concrete(numbers):
        return
    numbers = np.asarray(numbers)
    if numbers.min() < 0 or numbers.max() >= end:
        raise ValueError(
            f"{name}: expected numbers from 0 to {end - 1}, got {numbers.min()} to {numbers.max()}"
        )


def check_epochs(epochs: Any, name: str, curves: np.ndarray) -> np.ndarray:
    """Check recorded epochs (epoch,): concrete, increasing, one for each place on the curves' axis."""
    epochs = as_numbers("epochs", epochs, "(epoch,)")
    check_finite("epochs", epochs)
    check_same_length(f"{name}.T", curves.T, "epochs", epochs)
    if epochs.min() < 0 or (np.diff(epochs) <= 0).any():
        raise ValueError(f"epochs: expected increasing numbers from 0, got {kind_of(epochs.tolist())}")
    return epochs


def check_broadcast(**arrays: Any) -> None:
    """Refuse shapes that do not broadcast.

    Args:
        **arrays: arrays by argument name.
    """
    try:
        np.broadcast_shapes(*map(np.shape, arrays.values()))
    except ValueError:
        shapes = " and ".join(str(np.shape(x)) for x in arrays.values())
        raise ValueError(
            f"{', '.join(arrays)}: expected shapes that go together, got {shapes}"
        ) from None


def as_sequence(name: str, x: Any, what: str) -> tuple:
    """Return the entries, one or more, of a list, a tuple or an array's first axis."""
    if (
        isinstance(x, str | bytes)
        or not isinstance(x, Sequence | np.ndarray | jax.Array)
        or (isinstance(x, np.ndarray | jax.Array) and x.ndim == 0)
    ):
        raise ValueError(f"{name}: expected a sequence of {what}, got {kind_of(x)}")
    if len(x) == 0:
        raise ValueError(f"{name}: expected a sequence of {what}, got none")
    return tuple(x)


def check_text(name: str, x: Any) -> None:
    if not isinstance(x, str):
        raise ValueError(f"{name}: expected text, got {kind_of(x)}")


def _known(name, x, axes, empty=False) -> np.ndarray:
    names = [axis.strip() for axis in axes.strip("()").split(",") if axis.strip()]
    rank = len(names) - names.count("...")
    if (
        hasattr(x, "dims") and rank and set(names) - {"..."} <= set(x.dims)
    ):  # labelled axes, in any order
        x = x.transpose(*(... if axis == "..." else axis for axis in names), missing_dims="ignore")
    x = as_array(name, x)
    if not is_concrete(x):
        raise ValueError(f"{name}: expected known numbers, got traced ones")
    if x.ndim < rank or ("..." not in names and x.ndim > rank):
        raise ValueError(f"{name}: expected shape {axes}, got shape {x.shape}")
    if not empty:
        check_nonempty(name, x)
    return np.asarray(x)
