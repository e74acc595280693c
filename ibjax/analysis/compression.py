"""Does a layer compress? I(X;T) from its peak to the end of training, with intervals over seeds.

Each seed's peak minus its final I(X;T) is never negative, so its interval excludes 0 even for noise.
Here the epoch of the peak is chosen by the other seeds: compression of a seed is its I(X;T) at the
epoch where the mean over the other seeds is largest, minus its final I(X;T). Without compression it
is 0 on average.
"""

import numpy as np
import xarray as xr

from ibjax.analysis._inputs import as_numbers, as_positions, check_text
from ibjax.analysis._labelled import check_results, check_same_seeds
from ibjax.analysis.intervals import mean_interval
from ibjax.checks import check_same_length
from ibjax.types import ArrayLike

__all__ = [
    "NEGLIGIBLE_BITS",
    "ROUNDING_BITS",
    "compression",
    "compression_at",
    "compression_summary",
    "dead_seeds",
    "epochs_of_equal_loss",
    "optimizer_difference",
    "peak_epochs",
    "seed_compression",
]

# A layer compresses if the interval of its compression lies above this.
NEGLIGIBLE_BITS = 0.05

# Smaller differences are float32 rounding: the estimators are accurate to 1e-5 bits.
ROUNDING_BITS = 1e-4

OF_PLANES = ("seed", "epoch", "layer")

# Name of the Dataset attribute that says why a statistic is NaN.
FEW_SEEDS = "compression needs two known seeds or more: the peak of each is chosen by the others"


def peak_epochs(ixt: ArrayLike) -> np.ndarray:
    """Find for each seed the position of the epoch where the mean I(X;T) of the other seeds peaks.

    Epochs at which that mean is within ``ROUNDING_BITS`` of its maximum tie, and the middle one of them,
    by position, is the peak. On a plateau, rounding would otherwise choose. Its first epoch would catch
    a seed that arrives later than the others below the plateau, its last one a seed that leaves earlier;
    in the middle both are on it. The rule uses the other seeds only, so it introduces no bias. If the
    peak is clear, a single epoch is in the tie.

    Args:
        ixt: (seed, epoch) bits; NaN where a seed has diverged.

    Returns:
        (seed,) int positions; -1 where no other seed is valid.

    Raises:
        ValueError: for anything but an array of numbers of that shape.

    Example:
        >>> plateau = [0.0, 6.0, 6.0, 6.0, 5.0]
        >>> peak_epochs(np.array([plateau, plateau]))
        array([2, 2])
    """
    ixt = as_numbers("ixt", ixt, "(seed, epoch)")
    valid = np.isfinite(ixt)
    values = np.where(valid, ixt, 0.0)
    others = values.sum(axis=0) - values
    count = valid.sum(axis=0) - valid
    mean = np.where(count > 0, others / np.maximum(count, 1), -np.inf)
    return np.where((count > 0).any(axis=1), _middle_peak(mean), -1)


def _middle_peak(mean: np.ndarray) -> np.ndarray:
    """Return the middle position within ``ROUNDING_BITS`` of the maximum, (..., epoch) -> (...,)."""
    ties = mean >= mean.max(axis=-1, keepdims=True) - ROUNDING_BITS
    rank = ties.cumsum(axis=-1)
    return (rank == (rank[..., -1:] + 1) // 2).argmax(axis=-1)


def compression(ixt: ArrayLike) -> np.ndarray:
    """Compute the compression of every seed up to the end of training.

    Args:
        ixt: (seed, epoch) bits; NaN where a seed has diverged.

    Returns:
        (seed,) I(X;T) at the epoch of ``peak_epochs`` minus the final I(X;T), bits; NaN where either is
        unknown, as for a single seed.

    Raises:
        ValueError: as ``peak_epochs``.
    """
    ixt = as_numbers("ixt", ixt, "(seed, epoch)")
    return compression_at(ixt, np.full(len(ixt), ixt.shape[1] - 1))


def compression_at(ixt: ArrayLike, position: ArrayLike) -> np.ndarray:
    """Compute compression up to a given epoch of each seed: 0 for a seed whose peak is still to come.

    Args:
        ixt: (seed, epoch) bits.
        position: (seed,) positions on the axis of epochs; -1 for none.

    Returns:
        (seed,) bits; NaN where a position or a peak is missing.

    Raises:
        ValueError: as ``peak_epochs``, and for positions that are not those of ``ixt``.
    """
    check_same_seeds(ixt=ixt, position=position)
    ixt = as_numbers("ixt", ixt, "(seed, epoch)")
    position = as_positions("position", position, ixt.shape[1])
    check_same_length("ixt", ixt, "position", position)
    peak = peak_epochs(ixt)
    seed = np.arange(len(ixt))
    change = ixt[seed, np.minimum(peak, position)] - ixt[seed, position]
    return np.where((peak >= 0) & (position >= 0), change, np.nan)


def epochs_of_equal_loss(loss_a: ArrayLike, loss_b: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Find for each seed the recorded epochs at which two arms first reach the same training loss.

    This loss is the lowest that both reach, the larger of the two minima.

    Args:
        loss_a: (seed, epoch) training loss in nats.
        loss_b: (seed, epoch) training loss in nats of the same seeds; may have other epochs.

    Returns:
        Two (seed,) arrays of positions on the axis of epochs; -1 where an arm has diverged.

    Raises:
        ValueError: for other shapes, and arms whose labelled seeds differ.
    """
    check_same_seeds(loss_a=loss_a, loss_b=loss_b)
    loss_a = as_numbers("loss_a", loss_a, "(seed, epoch)")
    loss_b = as_numbers("loss_b", loss_b, "(seed, epoch)")
    check_same_length("loss_a", loss_a, "loss_b", loss_b)
    lowest = [np.min(np.where(np.isfinite(x), x, np.inf), axis=1) for x in (loss_a, loss_b)]
    common = np.maximum(*lowest)[:, None]
    ended = ~(np.isfinite(loss_a[:, -1]) & np.isfinite(loss_b[:, -1]))
    reached = [np.argmax(x <= common, axis=1) for x in (loss_a, loss_b)]
    return np.where(ended, -1, reached[0]), np.where(ended, -1, reached[1])


def dead_seeds(arm: xr.Dataset) -> np.ndarray:
    """Return (seed,): whether all units of a hidden layer end constant over the measured samples.

    A layer that varies within one bin has a binned I(X;T) of 0 as well, but is not dead.

    Args:
        arm: Dataset with ``num_varying`` of dims ``(seed, epoch, layer)``, as ``PlaneRecord`` measures
            it, the output as the last layer.

    Raises:
        ValueError: for other variables or dims.
    """
    check_results("arm", arm, {"num_varying": OF_PLANES})
    final = arm.num_varying.isel(epoch=-1, layer=slice(0, -1)).transpose("seed", "layer").values
    return (final == 0).any(axis=1)


def compression_summary(arm: xr.Dataset, variable: str = "ixt") -> xr.Dataset:
    """Summarise peak, final value and compression of every layer, for one arm or several.

    Args:
        arm: Dataset with ``ixt`` of dims ``(factors..., seed, epoch, layer)``, where the factors' levels
            are arms.
        variable: variable of the same dims to use instead of ``ixt``; for ``ity``, compression is the
            fall after its peak.

    Returns:
        Dataset over ``(factors..., layer)``: ``peak`` (largest mean over seeds, in the middle of a
        plateau as in ``peak_epochs``), ``peak_epoch``, ``final`` (mean over seeds), ``compression`` with
        ``compression_low`` and ``compression_high`` (95%), bits, and ``num_seeds``. If fewer than two
        seeds are known, compression is NaN, and the attribute ``note`` says why.

    Raises:
        ValueError: for other variables or dims.
    """
    check_text("variable", variable)
    check_results("arm", arm, {variable: OF_PLANES}, factors=True)
    ixt = arm[variable].transpose("seed", "epoch", ..., "layer")
    mean = mean_interval(ixt.values).estimate  # (epoch, factors..., layer)
    peak = _middle_peak(np.moveaxis(np.where(np.isfinite(mean), mean, -np.inf), 0, -1))
    interval = mean_interval(_per_curve(compression, ixt.values))
    columns = {
        "peak": np.take_along_axis(mean, peak[None], axis=0)[0],
        "peak_epoch": arm.epoch.values[peak],
        "final": mean_interval(ixt.values[:, -1]).estimate,
        "compression": interval.estimate,
        "compression_low": interval.low,
        "compression_high": interval.high,
        "num_seeds": interval.num_seeds,
    }
    return _summary(ixt.isel(seed=0, epoch=0), columns)


def seed_compression(results: xr.Dataset) -> xr.DataArray:
    """Compute ``compression`` of every layer of every arm, seed by seed.

    Args:
        results: Dataset with ``ixt`` of dims ``(factors..., seed, epoch, layer)``, bits.

    Returns:
        Array with the dims of ``ixt`` without ``epoch``, bits. NaN if fewer than two seeds are known, as
        the attribute ``note`` then says.

    Raises:
        ValueError: for other variables or dims.
    """
    check_results("results", results, {"ixt": OF_PLANES}, factors=True)
    ixt = results.ixt.transpose(..., "layer", "seed", "epoch")
    amounts = np.moveaxis(_per_curve(compression, np.moveaxis(ixt.values, (-2, -1), (0, 1))), 0, -1)
    seed_amounts = ixt.isel(epoch=-1, drop=True).copy(data=amounts)
    return seed_amounts.assign_attrs(_notes(np.isfinite(amounts).sum(axis=-1)))


def optimizer_difference(first: xr.Dataset, second: xr.Dataset) -> xr.Dataset:
    """Compute how much more the first arm compresses than the second, paired by seed.

    Args:
        first: Dataset with ``ixt`` (seed, epoch, layer) and ``train_loss`` (seed, epoch).
        second: Dataset with the same variables and seeds, hence the same initial networks and splits.

    Returns:
        Dataset over ``layer``: ``at_end`` (at the last epoch) and ``at_equal_loss`` (where both first
        reach the lowest training loss that both reach), bits, each with ``_low`` and ``_high`` of the
        95% interval of the paired difference. NaN if fewer than two seeds are known, as the attribute
        ``note`` then says.

    Raises:
        ValueError: for other variables or dims, and arms of different seeds or layers.
    """
    for name, arm in (("first", first), ("second", second)):
        check_results(name, arm, {"ixt": OF_PLANES, "train_loss": ("seed", "epoch")})
    check_same_seeds(first=first, second=second)
    arms = [arm[["ixt", "train_loss"]].transpose("seed", "epoch", "layer") for arm in (first, second)]
    if arms[0].sizes["layer"] != arms[1].sizes["layer"]:
        raise ValueError(
            "first, second: expected networks of as many layers, "
            f"got {arms[0].sizes['layer']} and {arms[1].sizes['layer']}"
        )
    reached = epochs_of_equal_loss(*(arm.train_loss.values for arm in arms))
    ends = [np.full(arm.sizes["seed"], arm.sizes["epoch"] - 1) for arm in arms]
    columns = {}
    for name, positions in (("at_end", ends), ("at_equal_loss", reached)):
        amounts = [
            _per_curve(lambda curve, position=position: compression_at(curve, position), arm.ixt.values)
            for arm, position in zip(arms, positions, strict=True)
        ]  # each (seed, layer)
        interval = mean_interval(amounts[0] - amounts[1])
        columns |= {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}
    known = interval.num_seeds
    return _summary(arms[0].ixt.isel(seed=0, epoch=0), columns).assign_attrs(_notes(known))


def _per_curve(statistic, values: np.ndarray) -> np.ndarray:
    """Apply a (seed, epoch) -> (seed,) statistic to each curve, (seed, epoch, ...) -> (seed, ...)."""
    curves = values.reshape(*values.shape[:2], -1)
    statistics = [statistic(curves[..., i]) for i in range(curves.shape[-1])]
    return np.stack(statistics, axis=1).reshape(values.shape[0], *values.shape[2:])


def _summary(like: xr.DataArray, columns: dict[str, np.ndarray]) -> xr.Dataset:
    """Make a Dataset of columns over the dims of ``like``, with units and a note on unknown values."""
    counts = {"peak_epoch": "epochs", "num_seeds": "1"}
    data = {k: (like.dims, v, {"units": counts.get(k, "bits")}) for k, v in columns.items()}
    summary = xr.Dataset(data, {dim: like[dim].values for dim in like.dims})
    return summary.assign_attrs(_notes(columns["num_seeds"])) if "num_seeds" in columns else summary


def _notes(num_seeds: np.ndarray) -> dict[str, str]:
    return {"note": FEW_SEEDS} if (np.asarray(num_seeds) == 0).any() else {}
