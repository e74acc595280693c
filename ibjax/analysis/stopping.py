"""Epochs at which training would have stopped: positions on the axis of recorded epochs of a history.

A network stopped at a recorded epoch is the same as one that is trained further and examined there, so
stopping is an index into records and needs no separate training. Losses are seen at recorded epochs
only.
"""

import numpy as np
import xarray as xr

from ibjax.analysis._inputs import as_numbers, as_positions, check_epochs
from ibjax.analysis._labelled import check_labelled, check_same_seeds
from ibjax.checks import check_number
from ibjax.types import ArrayLike

__all__ = ["at_position", "early_stopping", "perfect_stopping", "stopped_at"]


def early_stopping(
    loss: ArrayLike,
    epochs: ArrayLike,
    *,
    patience: float | int,
    min_decrease: float | int = 0.0,
) -> np.ndarray:
    """Find where training stops because the validation loss no longer improves.

    This is the first recorded epoch, without a better loss itself, that is ``patience`` epochs or more
    after the last one at which the loss fell below all previous losses by more than ``min_decrease``, or
    the last recorded epoch if there is none. The network is taken as it is then, not as it was at its
    best.

    Args:
        loss: (seed, epoch) validation loss, nats.
        epochs: (epoch,) recorded epochs, increasing.
        patience: number of epochs without a better loss; 0 stops at the first such epoch.
        min_decrease: decrease of the loss beyond which it counts as better, nats.

    Returns:
        (seed,) positions on the axis of epochs; -1 for a seed with a loss that is not a number.

    Raises:
        ValueError: for other shapes, epochs that do not increase, a patience or a ``min_decrease`` that
            is negative.

    Example:
        >>> loss = np.array([[1.0, 0.5, 0.6, 0.7, 0.4]])
        >>> early_stopping(loss, np.array([0, 10, 20, 30, 40]), patience=15)
        array([3])
    """
    loss = as_numbers("loss", loss, "(seed, epoch)")
    epochs = check_epochs(epochs, "loss", loss)
    check_number("patience", patience, at_least=0)
    check_number("min_decrease", min_decrease, at_least=0.0)
    best = np.full(len(loss), np.inf)
    best_epoch = np.full(len(loss), epochs[0])
    stop = np.full(len(loss), len(epochs) - 1)
    running = np.ones(len(loss), bool)
    for i, epoch in enumerate(epochs):
        better = loss[:, i] < best - min_decrease
        best = np.where(better, loss[:, i], best)
        best_epoch = np.where(better, epoch, best_epoch)
        halts = running & ~better & (epoch - best_epoch >= patience)
        stop[halts] = i
        running &= ~halts
    return np.where(np.isfinite(loss).all(axis=1), stop, -1)


def perfect_stopping(loss: ArrayLike) -> np.ndarray:
    """Find where the validation loss is smallest over all of training, as known only afterwards.

    Args:
        loss: (seed, epoch) validation loss, nats.

    Returns:
        (seed,) positions on the axis of epochs, the first of equal minima; -1 for a seed with a loss
        that is not a number.

    Raises:
        ValueError: for anything but an array of numbers of that shape.
    """
    loss = as_numbers("loss", loss, "(seed, epoch)")
    known = np.isfinite(loss).all(axis=1)
    lowest = np.where(np.isfinite(loss), loss, np.inf).argmin(axis=1)
    return np.where(known, lowest, -1)


def at_position(values: xr.DataArray, position: ArrayLike) -> xr.DataArray:
    """Select each seed's values at an epoch of its own.

    Args:
        values: array with dims ``seed``, ``epoch`` and others.
        position: (seed,) positions on the axis of epochs; -1 for none.

    Returns:
        The values without ``epoch``; NaN for seeds without a position.

    Raises:
        ValueError: for other dims, positions outside the axis of epochs, another number of seeds.
    """
    where = xr.DataArray(_checked_positions(values, position), dims="seed")
    seed = xr.DataArray(np.arange(values.sizes["seed"]), dims="seed")
    chosen = values.isel(seed=seed, epoch=where.clip(min=0)).drop_vars("epoch", errors="ignore")
    return chosen.where(where >= 0)


def stopped_at(values: xr.DataArray, position: ArrayLike) -> xr.DataArray:
    """Return the values of stopped networks: unchanged from each seed's own stopping epoch on.

    A mean over seeds at an epoch is then one over all networks, whether still training or stopped
    before.

    Args:
        values: array with dims ``seed``, ``epoch`` and others.
        position: (seed,) positions on the axis of epochs; -1 for none.

    Returns:
        Values with the same dims; NaN for seeds without a position.

    Raises:
        ValueError: as ``at_position``.
    """
    position = _checked_positions(values, position)
    epoch = np.minimum(np.arange(values.sizes["epoch"]), position[:, None])
    where = xr.DataArray(epoch, dims=("seed", "epoch"))
    seed = xr.DataArray(np.arange(values.sizes["seed"]), dims="seed")
    held = values.isel(seed=seed, epoch=where.clip(min=0))
    return held.assign_coords(epoch=values.epoch).where(where >= 0).transpose(*values.dims)


def _checked_positions(values, position) -> np.ndarray:
    check_labelled("values", values, ("seed", "epoch"), factors=True)
    check_same_seeds(values=values, position=position)
    position = as_positions("position", position, values.sizes["epoch"])
    if len(position) != values.sizes["seed"]:
        raise ValueError(
            f"position: expected one for each of the {values.sizes['seed']} seeds, got {len(position)}"
        )
    return position
