"""Does a layer compress? I(X;T) from its peak to the end of training, with intervals over seeds.

Each seed's peak minus its final I(X;T) is never negative, so its interval excludes 0 even for noise.
Here the epoch of the peak is chosen by the other seeds: compression of a seed is its I(X;T) at the
epoch where the mean over the other seeds is largest, minus its final I(X;T). Without compression it
is 0 on average.
"""

from typing import NamedTuple

import numpy as np
import scipy.stats
import xarray as xr

from ibjax.checks import check_rank, check_same_length

__all__ = [
    "NEGLIGIBLE_BITS",
    "Interval",
    "compression",
    "compression_at",
    "compression_summary",
    "dead_seeds",
    "epochs_of_equal_loss",
    "mean_interval",
    "optimizer_difference",
    "peak_epochs",
    "seed_compression",
]

# A layer compresses if the interval of its compression lies above this.
NEGLIGIBLE_BITS = 0.05


class Interval(NamedTuple):
    """A mean over seeds, its 95% confidence interval, and the seeds that it rests on."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    num_seeds: np.ndarray


def mean_interval(values: np.ndarray, axis: int = 0, level: float = 0.95) -> Interval:
    """Mean and Student's t interval over ``axis``; NaN (diverged seeds) is left out and counted.

    Returns:
        ``Interval`` of arrays without ``axis``; NaN limits for fewer than two values.

    Example:
        >>> interval = mean_interval(np.array([1.0, 2.0, 3.0, np.nan]))
        >>> float(interval.mean), round(float(interval.low), 3), int(interval.num_seeds)
        (2.0, -0.484, 3)
    """
    values = np.asarray(values, np.float64)
    valid = np.isfinite(values)
    count = valid.sum(axis=axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(valid, values, 0.0).sum(axis=axis) / count
        squares = np.where(valid, (values - np.expand_dims(mean, axis)) ** 2, 0.0).sum(axis=axis)
        error = np.sqrt(squares / (count - 1) / count)
    half = scipy.stats.t.ppf(0.5 + level / 2, np.maximum(count - 1, 1)) * error
    half = np.where(count > 1, half, np.nan)
    return Interval(mean, mean - half, mean + half, count)


def peak_epochs(ixt: np.ndarray) -> np.ndarray:
    """For each seed the position of the epoch where the other seeds' mean I(X;T) is largest.

    Args:
        ixt: (seed, epoch) bits; NaN where a seed has diverged.

    Returns:
        (seed,) int; -1 where no other seed is valid.
    """
    check_rank("ixt", ixt, 2, "(seed, epoch)")
    valid = np.isfinite(ixt)
    values = np.where(valid, ixt, 0.0)
    others = values.sum(axis=0) - values
    count = valid.sum(axis=0) - valid
    mean = np.where(count > 0, others / np.maximum(count, 1), -np.inf)
    return np.where((count > 0).any(axis=1), mean.argmax(axis=1), -1)


def compression(ixt: np.ndarray) -> np.ndarray:
    """(seed, epoch) -> (seed,): I(X;T) at the others' peak minus the final, bits; NaN if unknown."""
    last = np.full(len(ixt), np.shape(ixt)[1] - 1)
    return compression_at(ixt, last)


def compression_at(ixt: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Compression up to an epoch of each seed's own: 0 for a seed whose peak is still to come.

    Args:
        ixt: (seed, epoch) bits.
        position: (seed,) positions on the axis of epochs; -1 for none.

    Returns:
        (seed,) bits; NaN where a position or a peak is missing.
    """
    check_same_length("ixt", ixt, "position", position)
    peak = peak_epochs(ixt)
    seed = np.arange(len(ixt))
    change = ixt[seed, np.minimum(peak, position)] - ixt[seed, position]
    return np.where((peak >= 0) & (np.asarray(position) >= 0), change, np.nan)


def epochs_of_equal_loss(loss_a: np.ndarray, loss_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each seed the recorded epochs at which two arms first reach the same training loss.

    The loss is the lowest that both reach: the larger of the two minima.

    Args:
        loss_a: (seed, epoch) nats.
        loss_b: (seed, epoch) nats; may have other epochs.

    Returns:
        Two (seed,) arrays of positions on the axis of epochs; -1 where an arm has diverged.
    """
    check_same_length("loss_a", loss_a, "loss_b", loss_b)
    lowest = [np.min(np.where(np.isfinite(x), x, np.inf), axis=1) for x in (loss_a, loss_b)]
    common = np.maximum(*lowest)[:, None]
    ended = ~(np.isfinite(loss_a[:, -1]) & np.isfinite(loss_b[:, -1]))
    reached = [np.argmax(x <= common, axis=1) for x in (loss_a, loss_b)]
    return np.where(ended, -1, reached[0]), np.where(ended, -1, reached[1])


def dead_seeds(arm: xr.Dataset) -> np.ndarray:
    """(seed,): whether a hidden layer ends constant over all inputs, with I(X;T) = 0."""
    final = arm.ixt.isel(epoch=-1, layer=slice(0, -1)).transpose("seed", "layer").values
    return (final == 0).any(axis=1)


def compression_summary(arm: xr.Dataset, variable: str = "ixt") -> xr.Dataset:
    """Peak, final and compression of every layer of one arm, or of each of several.

    Args:
        arm: ``ixt`` of dims ``(factors..., seed, epoch, layer)``, the factors' levels being arms.
        variable: another of the same dims in place of ``ixt``; of ``ity`` it is the fall after its peak.

    Returns:
        Dataset over ``(factors..., layer)``: ``peak`` (largest mean over seeds), ``peak_epoch``,
        ``final`` (mean over seeds), ``compression`` with ``compression_low`` and
        ``compression_high`` (95%), bits, and ``num_seeds``.
    """
    for factor in arm[variable].dims:
        if factor not in ("seed", "epoch", "layer"):
            arms = [arm.sel({factor: level}) for level in arm[factor].values]
            levels = [compression_summary(one, variable) for one in arms]
            return xr.concat(levels, xr.DataArray(arm[factor].values, dims=str(factor), name=factor))
    ixt = arm[variable].transpose("seed", "epoch", "layer").values
    mean = mean_interval(ixt).mean  # (epoch, layer)
    peak = np.where(np.isfinite(mean), mean, -np.inf).argmax(axis=0)
    values = np.stack([compression(layer) for layer in np.moveaxis(ixt, 2, 0)], axis=1)
    interval = mean_interval(values)
    columns = {
        "peak": mean[peak, np.arange(len(peak))],
        "peak_epoch": arm.epoch.values[peak],
        "final": mean_interval(ixt[:, -1]).mean,
        "compression": interval.mean,
        "compression_low": interval.low,
        "compression_high": interval.high,
        "num_seeds": interval.num_seeds,
    }
    return _over_layers(arm, columns)


def seed_compression(results: xr.Dataset) -> xr.DataArray:
    """``compression`` of every layer of every arm, seed by seed.

    Args:
        results: ``ixt`` of dims ``(factors..., seed, epoch, layer)``, bits.

    Returns:
        The dims of ``ixt`` without ``epoch``, bits.
    """
    ixt = results.ixt.transpose(..., "layer", "seed", "epoch")
    curves = ixt.values.reshape(-1, *ixt.shape[-2:])
    amounts = np.stack([compression(curve) for curve in curves]).reshape(ixt.shape[:-1])
    return ixt.isel(epoch=-1, drop=True).copy(data=amounts)


def optimizer_difference(first: xr.Dataset, second: xr.Dataset) -> xr.Dataset:
    """How much more the first arm compresses than the second, seed by seed.

    Args:
        first: ``ixt`` (seed, epoch, layer) and ``train_loss`` (seed, epoch).
        second: the same seeds, hence the same initial networks and splits.

    Returns:
        Dataset over ``layer``: ``at_end`` (at the last epoch) and ``at_equal_loss`` (where both
        first reach the lowest training loss that both reach), bits, each with ``_low`` and
        ``_high`` of the 95% interval of the paired difference.
    """
    arms = [arm.transpose("seed", "epoch", "layer") for arm in (first, second)]
    reached = epochs_of_equal_loss(*(arm.train_loss.values for arm in arms))
    ends = [np.full(arm.sizes["seed"], arm.sizes["epoch"] - 1) for arm in arms]
    columns = {}
    for name, positions in (("at_end", ends), ("at_equal_loss", reached)):
        amounts = [
            np.stack([compression_at(layer, position) for layer in arm.ixt.values.T.swapaxes(1, 2)])
            for arm, position in zip(arms, positions, strict=True)
        ]  # each (layer, seed)
        interval = mean_interval(amounts[0] - amounts[1], axis=1)
        columns |= {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return _over_layers(first, columns)


def _over_layers(arm, columns):
    counts = {"peak_epoch": "epochs", "num_seeds": "1"}
    data = {k: ("layer", v, {"units": counts.get(k, "bits")}) for k, v in columns.items()}
    return xr.Dataset(data, {"layer": arm.layer.values})
