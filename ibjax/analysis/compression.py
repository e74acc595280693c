"""Does a layer compress? The fall of I(X;T) from its peak to the end of training, with intervals.

Estimated is the fall of the mean curve: the largest mean of I(X;T) over networks, over epochs, minus the
mean at the end. Each seed's own peak minus its final I(X;T) is never negative, so its interval excludes
0 even for noise. A peak chosen by all other seeds is nearly the same epoch for all of them, so Student's
interval excludes 0 in a quarter of runs without compression or more. Here the seeds are halved at
random; the epoch at which the mean of one half peaks is applied to the seeds of the other half, and
estimate and interval are averaged over the halvings (``halving_interval``). ``benchmarks.calibration``
simulates them.

Bias: a half that takes an epoch beside the peak makes the fall too small, never too large; this shows
where the peak is as flat as the seeds' noise.
"""

from collections.abc import Callable

import numpy as np
import xarray as xr

from ibjax.analysis._inputs import as_numbers, as_positions, check_epochs, check_text
from ibjax.analysis._labelled import check_results, check_same_seeds
from ibjax.analysis.intervals import (
    halving_interval,
    halvings,
    mean_interval,
    simultaneous_level,
)
from ibjax.analysis.phases import NEGLIGIBLE_BITS, fitting_end
from ibjax.checks import check_same_length
from ibjax.types import ArrayLike

__all__ = [
    "NEGLIGIBLE_BITS",
    "ROUNDING_BITS",
    "compression",
    "compression_after_fitting",
    "compression_at",
    "compression_summary",
    "dead_seeds",
    "epochs_of_equal_loss",
    "optimizer_difference",
    "peak_epochs",
    "seed_compression",
]

# Smaller differences are float32 rounding: the estimators are accurate to 1e-5 bits.
ROUNDING_BITS = 1e-4

OF_PLANES = ("seed", "epoch", "layer")

# Text of the Dataset attribute ``note`` that says why a statistic is NaN.
FEW_SEEDS = "compression needs two known seeds or more: the peak of each is chosen by others"


def peak_epochs(ixt: ArrayLike) -> np.ndarray:
    """Find for each seed the position of the epoch where the mean I(X;T) of the other half peaks.

    Epochs at which that mean is within ``ROUNDING_BITS`` of its maximum tie, and the middle one of them,
    by position, is the peak. On a plateau, rounding would otherwise choose. Its first epoch would catch
    a seed that arrives later than the others below the plateau, its last one a seed that leaves earlier;
    in the middle both are on it. The rule uses the other half only, so it introduces no bias.

    Args:
        ixt: (seed, epoch) bits; a seed with NaN anywhere, as one that has diverged, chooses nothing.

    Returns:
        (halving, seed) int positions, by ``intervals.halvings``; -1 where the other half has no seed.

    Raises:
        ValueError: for anything but an array of numbers of that shape.

    Example:
        >>> plateau = [0.0, 6.0, 6.0, 6.0, 5.0]
        >>> peak_epochs(np.array([plateau, plateau]))[0]
        array([2, 2])
    """
    ixt = as_numbers("ixt", ixt, "(seed, epoch)")
    halves = _halves(np.isfinite(ixt).all(axis=1))
    return _chosen_by_other_half(halves, _peaks(_half_means(ixt, halves)))


def _halves(known: np.ndarray) -> np.ndarray:
    """Halve the known seeds: (seed,) -> (halving, half, seed) bool."""
    count = int(known.sum())
    first = halvings(max(count, 1))[:, :count]
    halves = np.zeros((len(first), 2, len(known)), bool)
    halves[:, 0, known], halves[:, 1, known] = first, ~first
    return halves


def _half_means(values: np.ndarray, halves: np.ndarray) -> np.ndarray:
    """Average curves over the seeds of each half, (seed, epoch) -> (halving, half, epoch)."""
    known = np.asarray(halves.any(axis=(0, 1)))
    with np.errstate(invalid="ignore"):
        mean = halves.astype(float) @ np.where(known[:, None], values, 0.0)
        return mean / halves.sum(axis=2, keepdims=True)


def _peaks(mean: np.ndarray) -> np.ndarray:
    """Return positions of the peaks of mean curves, (..., epoch) -> (...,); -1 for unknown ones."""
    unknown = np.isnan(mean)
    peak = _middle_peak(np.where(unknown, -np.inf, mean))
    return np.where(unknown.any(axis=-1), -1, peak)


def _chosen_by_other_half(halves: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Give each seed what the other half has chosen, (halving, half) -> (halving, seed); -1 for none."""
    by_other = np.where(halves[:, 0], chosen[:, 1:], chosen[:, :1])
    return np.where(halves.any(axis=1), by_other, -1)


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
        (halving, seed) I(X;T) at the epoch of ``peak_epochs`` minus the final I(X;T), bits; NaN where
        either is unknown, as for a single seed. ``halving_interval`` gives the mean and its interval.

    Raises:
        ValueError: as ``peak_epochs``.
    """
    ixt = as_numbers("ixt", ixt, "(seed, epoch)")
    return compression_at(ixt, np.full(len(ixt), ixt.shape[1] - 1))


def compression_after_fitting(ixt: ArrayLike, ity: ArrayLike, epochs: ArrayLike) -> np.ndarray:
    """Compute compression from the peak since the layer has fitted, seed by seed.

    Before it has fitted, a layer may fall from where its initial weights put it, which is not the phase
    of compression that Shwartz-Ziv & Tishby (2017) speak of. Each half chooses for the other: a layer
    has fitted at the ``fitting_end`` of its mean I(T;Y), and the peak is that of the mean I(X;T) from
    there on. A layer whose mean I(T;Y) gains no more than ``NEGLIGIBLE_BITS`` has nothing to fit, and
    any epoch may be its peak.

    Args:
        ixt: (seed, epoch) I(X;T), bits; NaN where a seed has diverged.
        ity: (seed, epoch) I(T;Y), bits, of the same layer.
        epochs: (epoch,) recorded epochs.

    Returns:
        (halving, seed) bits, as ``compression``.

    Raises:
        ValueError: as ``peak_epochs`` and ``phases.fitting_end``, and for curves of other lengths.
    """
    check_same_seeds(ixt=ixt, ity=ity)
    ixt, ity = as_numbers("ixt", ixt, "(seed, epoch)"), as_numbers("ity", ity, "(seed, epoch)")
    if ixt.shape != ity.shape:
        raise ValueError(f"ity: expected the shape of ixt, {ixt.shape}, got {ity.shape}")
    epochs = check_epochs(epochs, "ixt", ixt)
    halves = _halves(np.isfinite(ixt).all(axis=1) & np.isfinite(ity).all(axis=1))
    mean, mean_ity = _half_means(ixt, halves), _half_means(ity, halves)
    fitted = fitting_end(mean_ity.reshape(-1, len(epochs)), epochs).reshape(*mean.shape[:2], 1)
    before = epochs < fitted  # nowhere, where there is nothing to fit
    peak = _chosen_by_other_half(halves, _peaks(np.where(before, -np.inf, mean)))
    return _falls(ixt, peak, np.full(len(ixt), len(epochs) - 1))


def compression_at(ixt: ArrayLike, position: ArrayLike) -> np.ndarray:
    """Compute compression up to a given epoch of each seed: 0 for a seed whose peak is still to come.

    Args:
        ixt: (seed, epoch) bits.
        position: (seed,) positions on the axis of epochs; -1 for none.

    Returns:
        (halving, seed) bits, as ``compression``; NaN where a position or a peak is missing.

    Raises:
        ValueError: as ``peak_epochs``, and for positions that are not those of ``ixt``.
    """
    check_same_seeds(ixt=ixt, position=position)
    ixt = as_numbers("ixt", ixt, "(seed, epoch)")
    position = as_positions("position", position, ixt.shape[1])
    check_same_length("ixt", ixt, "position", position)
    return _falls(ixt, peak_epochs(ixt), position)


def _falls(ixt: np.ndarray, peak: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Return the fall from (halving, seed) peaks to (seed,) positions; 0 where the peak comes later."""
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


def compression_summary(arm: xr.Dataset, variable: str = "ixt", level: float | int = 0.95) -> xr.Dataset:
    """Summarise peak, final value and compression of every layer, for one arm or several.

    Args:
        arm: Dataset with ``ixt`` of dims ``(factors..., seed, epoch, layer)``, where the factors' levels
            are arms; and with ``ity``, for compression after fitting.
        variable: variable of the same dims to use instead of ``ixt``; for ``ity``, compression is the
            fall after its peak.
        level: confidence level of each interval, and of all those behind ``compresses`` at once.

    Returns:
        Dataset over ``(factors..., layer)``: ``peak`` (largest mean over seeds, in the middle of a
        plateau as in ``peak_epochs``), ``peak_epoch``, ``final`` (mean over seeds), ``compression`` with
        ``compression_low`` and ``compression_high``, bits, and ``num_seeds``; ``compresses``, whether
        the lower limit lies above ``NEGLIGIBLE_BITS`` by intervals that hold for all layers and arms of
        the Dataset at once, whose number is the attribute ``num_intervals``. With ``ity``,
        ``after_fitting`` with its limits and ``compresses_after_fitting`` are those of
        ``compression_after_fitting``, and ``fitted_epoch`` is the epoch at which the mean I(T;Y) has
        made nine tenths of its gain; NaN without a gain. If fewer than two seeds are known, compression
        is NaN, and the attribute ``note`` says why.

    Raises:
        ValueError: for other variables or dims, a level outside (0, 1).
    """
    check_text("variable", variable)
    check_results("arm", arm, {variable: OF_PLANES}, factors=True)
    ixt = arm[variable].transpose("seed", "epoch", ..., "layer")
    mean = mean_interval(ixt.values).estimate  # (epoch, factors..., layer)
    peak = _middle_peak(np.moveaxis(np.where(np.isfinite(mean), mean, -np.inf), 0, -1))
    falls = _per_curve(compression, ixt.values)
    columns = {
        "peak": np.take_along_axis(mean, peak[None], axis=0)[0],
        "peak_epoch": arm.epoch.values[peak],
        "final": mean_interval(ixt.values[:, -1]).estimate,
        **_interval_columns("compression", "compresses", falls, level),
        "num_seeds": np.isfinite(falls).any(axis=0).sum(axis=0),
    }
    if variable == "ixt" and "ity" in arm:
        check_results("arm", arm, {"ity": OF_PLANES}, factors=True)
        columns |= _after_fitting(ixt, arm.ity.transpose(*ixt.dims), level)
    summary = _summary(ixt.isel(seed=0, epoch=0), columns)
    return summary.assign_attrs(num_intervals=int((summary.num_seeds > 1).sum()))


def _interval_columns(
    name: str, decision: str, falls: np.ndarray, level: float | int
) -> dict[str, np.ndarray]:
    """Return an estimate with its limits, and whether it is clear by limits that hold at once."""
    interval = halving_interval(falls, level)
    num_intervals = max(int((interval.num_seeds > 1).sum()), 1)
    at_once = halving_interval(falls, simultaneous_level(num_intervals, level))
    return {
        name: interval.estimate,
        f"{name}_low": interval.low,
        f"{name}_high": interval.high,
        decision: at_once.low > NEGLIGIBLE_BITS,
    }


def _after_fitting(ixt: xr.DataArray, ity: xr.DataArray, level: float | int) -> dict[str, np.ndarray]:
    """Return the columns of compression after fitting, from (seed, epoch, factors..., layer) curves."""
    epochs = ixt.epoch.values
    falls = _per_curve(
        lambda ixt, ity: compression_after_fitting(ixt, ity, epochs), ixt.values, ity.values
    )
    known = np.isfinite(ity.values).all(axis=1, keepdims=True)
    mean = mean_interval(np.where(known, ity.values, np.nan)).estimate  # (epoch, factors..., layer)
    fitted = fitting_end(mean.reshape(len(epochs), -1).T, epochs).reshape(mean.shape[1:])
    columns = _interval_columns("after_fitting", "compresses_after_fitting", falls, level)
    return columns | {"fitted_epoch": fitted}


def seed_compression(results: xr.Dataset) -> xr.DataArray:
    """Compute ``compression`` of every layer of every arm, seed by seed.

    Args:
        results: Dataset with ``ixt`` of dims ``(factors..., seed, epoch, layer)``, bits.

    Returns:
        Array with the dims of ``ixt``, ``halving`` in place of ``epoch``, bits: ``halving_interval`` of
        dims ``(halving, seed, ...)`` gives intervals of means and of differences between arms, whose
        halvings are the same. NaN if fewer than two seeds are known, as the attribute ``note`` then
        says.

    Raises:
        ValueError: for other variables or dims.
    """
    check_results("results", results, {"ixt": OF_PLANES}, factors=True)
    ixt = results.ixt.transpose("seed", "epoch", ..., "layer")
    amounts = _per_curve(compression, ixt.values)
    dims = ("halving", "seed", *ixt.dims[2:])
    coords = {name: c for name, c in ixt.coords.items() if "epoch" not in c.dims}
    attrs = ixt.attrs | _notes(np.isfinite(amounts).any(axis=0).sum(axis=0))
    by_halving = xr.DataArray(amounts, coords, dims, ixt.name, attrs)
    return by_halving.transpose(..., "layer", "halving", "seed")


def optimizer_difference(first: xr.Dataset, second: xr.Dataset, level: float | int = 0.95) -> xr.Dataset:
    """Compute how much more the first arm compresses than the second, paired by seed.

    Args:
        first: Dataset with ``ixt`` (seed, epoch, layer) and ``train_loss`` (seed, epoch).
        second: Dataset with the same variables and seeds, hence the same initial networks and splits.
        level: confidence level of each interval.

    Returns:
        Dataset over ``layer``: ``at_end`` (at the last epoch) and ``at_equal_loss`` (where both first
        reach the lowest training loss that both reach), bits, each with ``_low`` and ``_high`` of the
        interval of the paired difference. NaN if fewer than two seeds are known, as the attribute
        ``note`` then says.

    Raises:
        ValueError: for other variables or dims, arms of different seeds or layers, a level outside
            (0, 1).
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
        ]  # each (halving, seed, layer)
        interval = halving_interval(amounts[0] - amounts[1], level)
        columns |= {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}
    known = interval.num_seeds
    return _summary(arms[0].ixt.isel(seed=0, epoch=0), columns).assign_attrs(_notes(known))


def _per_curve(statistic: Callable[..., np.ndarray], *values: np.ndarray) -> np.ndarray:
    """Apply a statistic to each curve, (seed, epoch, ...) -> (halving, seed, ...)."""
    shape = values[0].shape
    curves = [np.moveaxis(v.reshape(*shape[:2], -1), -1, 0) for v in values]
    statistics = [statistic(*each) for each in zip(*curves, strict=True)]
    return np.stack(statistics, axis=-1).reshape(-1, shape[0], *shape[2:])


def _summary(like: xr.DataArray, columns: dict[str, np.ndarray]) -> xr.Dataset:
    """Make a Dataset of columns over the dims of ``like``, with units and a note on unknown values."""
    counts = {"peak_epoch": "epochs", "fitted_epoch": "epochs"}
    counts |= dict.fromkeys(("num_seeds", "compresses", "compresses_after_fitting"), "1")
    data = {k: (like.dims, v, {"units": counts.get(k, "bits")}) for k, v in columns.items()}
    summary = xr.Dataset(data, {dim: like[dim].values for dim in like.dims})
    return summary.assign_attrs(_notes(columns["num_seeds"])) if "num_seeds" in columns else summary


def _notes(num_seeds: np.ndarray) -> dict[str, str]:
    return {"note": FEW_SEEDS} if (np.asarray(num_seeds) == 0).any() else {}
