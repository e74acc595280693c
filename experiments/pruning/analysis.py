"""End layers that a network could do without, by their paths, and accuracies at the stop."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from experiments.lab import levels_of
from experiments.lab.revisiting import stop_positions
from ibjax.analysis._inputs import as_numbers, as_positions
from ibjax.analysis._labelled import check_same_seeds
from ibjax.analysis.intervals import mean_interval
from ibjax.analysis.stopping import at_position
from ibjax.checks import check_finite, check_positive, check_same_length
from ibjax.types import ArrayLike

__all__ = [
    "FACTORS",
    "Arms",
    "accuracy_of_all",
    "alive",
    "control_accuracies",
    "hidden_distances",
    "hidden_widths",
    "known_choices",
    "mean_distances",
    "removable",
    "removals_of",
    "similar_end_layers",
    "stop_accuracy",
    "trained_arms",
    "trajectory_distances",
]

FACTORS = ("dataset", "activation", "step")

# The networks of one step by dataset, activation and step.
Arms = Mapping[tuple[str, str, str], xr.Dataset]


def trajectory_distances(ixt: ArrayLike, ity: ArrayLike, stop: ArrayLike) -> np.ndarray:
    """Measure how far apart neighbouring layers move through the plane until training stops.

    The distance is the root mean square, over recorded epochs up to the stop, of that between the two
    layers' points (I(X;T), I(T;Y)) at the same epoch::

        d_l^2 = mean_e (I(X;T_l+1) - I(X;T_l))^2 + (I(T_l+1;Y) - I(T_l;Y))^2.

    Args:
        ixt: (seed, epoch, layer) I(X;T) in bits.
        ity: (seed, epoch, layer) I(T;Y) in bits.
        stop: (seed,) positions on the axis of epochs; -1 for none.

    Returns:
        (seed, layer - 1) distances in bits; NaN for seeds without a stop.

    Raises:
        ValueError: for other shapes, stops that are not positions, labelled arrays with different seeds.
    """
    check_same_seeds(ixt=ixt, ity=ity, stop=stop)
    ixt = as_numbers("ixt", ixt, "(seed, epoch, layer)")
    ity = as_numbers("ity", ity, "(seed, epoch, layer)")
    if ixt.shape != ity.shape:
        raise ValueError(f"ixt, ity: expected the same shape, got {ixt.shape} and {ity.shape}")
    stop = as_positions("stop", stop, ixt.shape[1])
    check_same_length("ixt", ixt, "stop", stop)
    squares = np.diff(ixt, axis=-1) ** 2 + np.diff(ity, axis=-1) ** 2
    until = np.arange(squares.shape[1]) <= stop[:, None]  # (seed, epoch)
    total = np.where(until[..., None], squares, 0.0).sum(axis=1)
    mean = total / np.maximum(until.sum(axis=1), 1)[:, None]
    return np.where(stop[:, None] >= 0, np.sqrt(mean), np.nan)


def similar_end_layers(distances: ArrayLike, threshold: float | int) -> int:
    """Count the layers at the end that move as the layer before them does.

    Layers are counted from the last one backwards until one is farther than the threshold from the layer
    before. The first layer has none before it and is never counted.

    Args:
        distances: (layer - 1,) distances of neighbouring layers, such as means over seeds, bits.
        threshold: distance below which two layers are similar, bits.

    Returns:
        The number of such layers, from 0 to the number of layers less one.

    Raises:
        ValueError: for distances that are not numbers, a threshold that is not positive.

    Example:
        >>> similar_end_layers(np.array([0.1, 2.0, 0.3, 0.2]), 0.5)
        2
    """
    check_positive("threshold", threshold)
    distances = as_numbers("distances", distances, "(layer - 1,)")
    check_finite("distances", distances)
    far = np.flatnonzero(distances[::-1] >= threshold)
    return int(far[0]) if len(far) else len(distances)


def alive(arm: xr.Dataset) -> np.ndarray:
    """Return (seed,): whether all hidden layers have a varying unit at the stop; False without one."""
    varying = _hidden(arm, "num_varying").num_varying
    at_stop = at_position(varying, stop_positions(arm, arm.stop.values)).transpose("seed", "layer")
    return np.all(at_stop.values > 0, axis=1)


def hidden_distances(arm: xr.Dataset) -> np.ndarray:
    """Return distances of neighbouring hidden layers, (seed, layer - 1), bits; NaN for dead networks."""
    hidden = _hidden(arm, "ixt", "ity")
    distances = trajectory_distances(
        hidden.ixt.values, hidden.ity.values, stop_positions(arm, arm.stop.values)
    )
    return np.where(alive(arm)[:, None], distances, np.nan)


def mean_distances(arm: xr.Dataset) -> np.ndarray:
    """Return mean distances of neighbouring hidden layers, (layer - 1,), bits; NaN if all are dead."""
    return mean_interval(hidden_distances(arm)).estimate


def removable(arm: xr.Dataset, threshold: float) -> int:
    """Count the last hidden layers that are similar to those before; 0 if all networks are dead."""
    mean = mean_distances(arm)
    return similar_end_layers(mean, threshold) if len(mean) and np.isfinite(mean).all() else 0


def accuracy_of_all(arm: xr.Dataset) -> np.ndarray:
    """Return test accuracies at the stop, (seed,), of dead networks too; NaN for diverged ones."""
    return at_position(arm.test_accuracy, stop_positions(arm, arm.stop.values)).values


def stop_accuracy(arm: xr.Dataset) -> np.ndarray:
    """Return test accuracies at the stop, (seed,); NaN for dead networks."""
    return np.where(alive(arm), accuracy_of_all(arm), np.nan)


def trained_arms(results: xr.Dataset) -> Arms:
    """Return the arms of all steps that were trained, at the epochs that they recorded."""
    arms = {}
    for levels in levels_of(results, FACTORS):
        arm = results.sel(levels)
        recorded = np.isfinite(arm.ixt).any(("seed", "layer"))
        if recorded.any():
            arms[tuple(levels.values())] = arm.isel(epoch=recorded.values)
    return arms


def known_choices(arm: xr.Dataset) -> xr.Dataset:
    """Return a step's choices of layers, without those that only other steps have."""
    return arm.isel(choice=arm.choice_removes.isel(layer=0).notnull().values)


def removals_of(arms: Arms, name: str, threshold: float) -> dict[str, dict[str, Any]]:
    """Return what ``plot_removals`` draws of a dataset's first step: accuracies of living networks."""
    ends, counts, choices, anew = {}, {}, {}, {}
    for (dataset, activation, step), arm in arms.items():
        if (dataset, step) != (name, "0"):
            continue
        living = alive(arm)
        of_ends = arm.end_accuracy.transpose("num_removed", "seed").values
        of_choices = known_choices(arm).bridged_accuracy.transpose("choice", "seed").values
        ends[activation] = np.where(living, of_ends, np.nan)
        choices[activation] = np.where(living, of_choices, np.nan)
        counts[activation] = removable(arm, threshold)
        pruned = arms.get((dataset, activation, "1"))
        anew[activation] = {} if pruned is None else {"criterion": stop_accuracy(pruned)}
        for rule, accuracy in control_accuracies(arm).items():
            anew[activation][rule] = accuracy
    return {"ends": ends, "counts": counts, "choices": choices, "anew": anew}


def control_accuracies(arm: xr.Dataset) -> dict[str, np.ndarray]:
    """Return accuracies of networks trained anew by rule, (seed,); NaN for dead ones."""
    living = (arm.control_stop >= 0) & ~arm.control_dead
    accuracy = arm.control_accuracy.where(living)
    return {
        rule: accuracy.sel(rule=rule).values
        for rule in arm.rule.values.tolist()
        if arm.control_removes.sel(rule=rule).isel(layer=0).notnull()
    }


def hidden_widths(arm: xr.Dataset) -> tuple[int, ...]:
    """Return the widths of an arm's hidden layers, from its results' provenance."""
    levels = "/".join(arm[name].item() for name in FACTORS)
    return tuple(json.loads(json.loads(arm.attrs["arms"])[levels]["widths"])[:-1])


def _hidden(arm: xr.Dataset, *variables: str) -> xr.Dataset:
    count = int(arm.num_layers) - 1
    return arm[[*variables]].isel(layer=slice(0, count)).transpose("seed", "epoch", "layer")
