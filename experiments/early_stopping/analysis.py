"""Stops of training, and what layers have compressed until then."""

import functools
import itertools

import numpy as np
import xarray as xr

from experiments.lab.revisiting import stop_positions, stopping_epochs
from ibjax.analysis.compression import compression_at
from ibjax.analysis.data_processing import share_interval
from ibjax.analysis.intervals import Interval
from ibjax.analysis.stopping import early_stopping, perfect_stopping, stopped_at

__all__ = [
    "STOPPING",
    "compression_until_stops",
    "epochs_of_stops",
    "share_reached",
    "stop_epochs",
    "stopped",
    "with_stops",
]

STOPPING = ("early stopping", "perfect stopping", "all epochs")


def epochs_of_stops(losses: xr.DataArray, patience: int) -> xr.DataArray:
    """Return the epochs at which training stops, (factors..., stopping, seed); -1 for diverged seeds.

    Args:
        losses: validation losses (factors..., seed, epoch) after every epoch. That of the untrained
            network does not count.
        patience: number of epochs without a better loss after which training stops early.
    """
    rules = (
        functools.partial(early_stopping, patience=patience),
        lambda by_seed, _: perfect_stopping(by_seed),
        lambda by_seed, epochs: np.where(perfect_stopping(by_seed) >= 0, len(epochs) - 1, -1),
    )
    stops = [stopping_epochs(losses, rule) for rule in rules]
    by_stopping = xr.concat(stops, xr.DataArray(list(STOPPING), dims="stopping", name="stopping"))
    return by_stopping.transpose(..., "stopping", "seed")


def with_stops(arm: xr.Dataset, stops: xr.DataArray) -> xr.Dataset:
    """Add ``stop`` (stopping, seed), positions on the axis of epochs, which has all stops.

    Args:
        arm: Dataset with ``epoch``.
        stops: epochs (stopping, seed), -1 for diverged seeds.
    """
    positions = stop_positions(arm, stops.transpose("stopping", "seed").values)
    attrs = {"units": "1", "long_name": "position on the axis of epochs; -1: diverged"}
    return arm.assign(stop=(("stopping", "seed"), positions, attrs)).assign_coords(
        stopping=list(STOPPING)
    )


def stop_epochs(arm: xr.Dataset, stopping: str) -> np.ndarray:
    """Return the epochs (seed,) at which training stops; NaN for diverged seeds."""
    position = arm.stop.sel(stopping=stopping).values
    return np.where(position >= 0, arm.epoch.values[position], np.nan)


def stopped(arm: xr.Dataset, stopping: str) -> xr.Dataset:
    """Return the planes of networks that are stopped and stay as they are."""
    position = arm.stop.sel(stopping=stopping).values
    return xr.Dataset({name: stopped_at(arm[name], position) for name in ("ixt", "ity")})


def compression_until_stops(arm: xr.Dataset) -> xr.DataArray:
    """Return compression of I(X;T) until training stops, bits: (stopping, layer, halving, seed)."""
    ixt = arm.ixt.transpose("layer", "seed", "epoch").values
    values = [
        compression_at(layer, arm.stop.sel(stopping=stopping).values)
        for stopping, layer in itertools.product(STOPPING, ixt)
    ]
    coords = {"stopping": list(STOPPING), "layer": arm.layer.values}
    amounts = np.reshape(values, (len(STOPPING), len(ixt), *values[0].shape))
    return xr.DataArray(amounts, coords, ("stopping", "layer", "halving", "seed"))


def share_reached(phase: np.ndarray, stop: np.ndarray) -> Interval:
    """Return the share of seeds that stop in a phase or after it, with its exact 95% interval.

    Args:
        phase: (seed,) epochs at which the phase begins; NaN where it never does.
        stop: (seed,) epochs at which training stops; NaN for none.
    """
    both = np.isfinite(phase) & np.isfinite(stop)
    total = int(both.sum())
    if not total:
        return Interval(np.nan, np.nan, np.nan, 0)
    count = int((phase[both] <= stop[both]).sum())
    return Interval(count / total, *share_interval(count, total), total)
