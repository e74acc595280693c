"""Schedules of recorded epochs. Epoch e is the network after e epochs of updates.

Epoch 0 and the last are always recorded. The papers' codes count differently: the 2017 code records
before the epoch with index i, which is epoch i here; the 2018 code records after it, which is epoch i +
1.
"""

from collections.abc import Iterator

import numpy as np

from ibjax.arrays import as_array
from ibjax.checks import as_whole, check_known, kind_of
from ibjax.types import ArrayLike

__all__ = ["SCHEDULES", "idnns_epochs", "log_spaced_epochs", "recorded_epochs", "saxe_epochs"]


def log_spaced_epochs(num_epochs: int, num_recorded: int = 210) -> np.ndarray:
    """Return epoch 0 and ``num_recorded - 1`` more up to ``num_epochs``, evenly spaced on a log scale.

    Epochs that would coincide after rounding are moved to the next free ones, so that exactly
    ``num_recorded`` are recorded if there are that many.

    Returns:
        (min(num_recorded, num_epochs + 1),) increasing int64; 0 and the last at least.
    """
    num_epochs = as_whole("num_epochs", num_epochs)
    num_recorded = as_whole("num_recorded", num_recorded)
    count = min(num_recorded - 1, num_epochs)
    if count < 2:
        return _with_ends(range(1, count), num_epochs)
    epochs = np.rint(np.geomspace(1, num_epochs, count)).astype(np.int64)
    place = np.arange(count)
    spread = np.maximum.accumulate(epochs - place) + place
    return _with_ends(np.minimum(spread, num_epochs - count + 1 + place), num_epochs)


def idnns_epochs(num_epochs: int) -> np.ndarray:
    """Return the 2017 code's epochs: unique(logspace(log2 1, log2 E, 400, base 2)) - 1, and the last."""
    num_epochs = as_whole("num_epochs", num_epochs)
    points = np.logspace(0, np.log2(num_epochs), 400, base=2).astype(np.int64)
    return _with_ends(np.unique(points) - 1, num_epochs)


def saxe_epochs(num_epochs: int) -> np.ndarray:
    """Return the 2018 code's epochs: all below 20, every 5th below 100, 20th below 2000, then 100th."""
    num_epochs = as_whole("num_epochs", num_epochs)
    index = np.arange(num_epochs)
    step = np.select([index < 20, index < 100, index < 2000], [1, 5, 20], 100)
    return _with_ends(index[index % step == 0] + 1, num_epochs)


SCHEDULES = {"log": log_spaced_epochs, "idnns": idnns_epochs, "saxe": saxe_epochs}


def recorded_epochs(schedule: str | ArrayLike, num_epochs: int) -> np.ndarray:
    """Return a named schedule's epochs, or the given ones, with 0 and ``num_epochs``; increasing int64.

    Raises:
        ValueError: for an unknown name, numbers that are not whole, or epochs outside 0..num_epochs.
    """
    num_epochs = as_whole("num_epochs", num_epochs)
    if isinstance(schedule, str):
        check_known("schedule", schedule, SCHEDULES)
        return SCHEDULES[schedule](num_epochs)
    given = list(schedule) if isinstance(schedule, Iterator) else schedule
    epochs = np.asarray(as_array("schedule", given))
    if epochs.ndim != 1 or (epochs.size and not np.issubdtype(epochs.dtype, np.integer)):
        raise ValueError(
            f"schedule: expected the name of a schedule or whole numbers, got {kind_of(given)}"
        )
    if ((epochs < 0) | (epochs > num_epochs)).any():
        raise ValueError(
            f"schedule: expected epochs from 0 to {num_epochs}, got {epochs.min()} to {epochs.max()}"
        )
    return _with_ends(epochs, num_epochs)


def _with_ends(epochs, num_epochs):
    return np.unique(np.concatenate([[0], np.asarray(epochs, np.int64), [num_epochs]]))
