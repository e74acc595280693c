"""Rules for the phases of training: when layers fit and compress, when drift turns into diffusion.

All rules use a seed's own curve, smoothed by a running median: with steps as large as in the papers, the
mean gradient changes tenfold from one epoch to the next.
"""

from collections.abc import Callable

import numpy as np
import xarray as xr

from ibjax.analysis._inputs import as_numbers, check_epochs, check_text
from ibjax.analysis._labelled import check_results
from ibjax.checks import check_function, check_number
from ibjax.types import ArrayLike

__all__ = [
    "DIFFUSION_LEVEL",
    "NEGLIGIBLE_BITS",
    "OF_LAYERS",
    "STARTED",
    "by_layer",
    "compression_end",
    "compression_start",
    "diffusion_start",
    "fitting_end",
    "plane_phases",
    "reaching_epoch",
    "running_median",
]

# Smaller changes of a curve count as none: a layer compresses if the interval of its compression lies
# above this.
NEGLIGIBLE_BITS = 0.05

# Dims of a variable that the rules are applied to, layer by layer.
OF_LAYERS = ("seed", "epoch", "layer")

# Curves are smoothed over the recorded epochs within this factor of each epoch.
SMOOTHING = 1.5

# Fractions of compression after which it counts as started and as complete.
STARTED, COMPLETE = 0.1, 0.9

# Signal-to-noise ratio below which gradients diffuse.
DIFFUSION_LEVEL = 1.0


def running_median(values: ArrayLike, epochs: ArrayLike) -> np.ndarray:
    """Compute the median over recorded epochs from e / 1.5 to 1.5 e, at every recorded epoch e.

    Epochs are weighted by what they span on a log scale, so that the median is balanced where the
    schedule changes from every epoch to fewer.

    Args:
        values: (seed, epoch) curves.
        epochs: (epoch,) recorded epochs, increasing.

    Returns:
        (seed, epoch) medians; NaN where a value in the window is NaN.

    Raises:
        ValueError: for other shapes, and epochs that do not increase.
    """
    values = as_numbers("values", values, "(seed, epoch)")
    epochs = check_epochs(epochs, "values", values)
    # Each epoch spans half the way to its neighbours.
    edges = np.log(np.concatenate([epochs[:1], (epochs[1:] + epochs[:-1]) / 2, epochs[-1:]]) + 1)
    first = np.searchsorted(epochs, epochs / SMOOTHING, side="left")
    end = np.searchsorted(epochs, epochs * SMOOTHING, side="right")
    medians = [
        _weighted_median(values[:, a:b], np.diff(edges[a : b + 1]))
        for a, b in zip(first, end, strict=True)
    ]
    return np.stack(medians, axis=1)


def _weighted_median(values, weights):
    """Return the smallest value with half the weight at or below it, (seed,)."""
    order = values.argsort(axis=1)
    below = weights[order].cumsum(axis=1)
    middle = (below >= 0.5 * below[:, -1:]).argmax(axis=1)
    chosen = np.take_along_axis(values, order, axis=1)[np.arange(len(values)), middle]
    return np.where(np.isnan(values).any(axis=1), np.nan, chosen)


def diffusion_start(
    snr: ArrayLike, epochs: ArrayLike, *, level: float | int = DIFFUSION_LEVEL
) -> np.ndarray:
    """Find the epoch at which drift turns into diffusion, for each seed.

    Drift means a signal-to-noise ratio of ``level`` or more, diffusion a ratio below it. Diffusion
    starts at the first recorded epoch from which the running median of the ratio stays below the level
    to the end.

    Args:
        snr: (seed, epoch) signal-to-noise ratio of a layer or of the network.
        epochs: (epoch,) recorded epochs.
        level: ratio that separates drift from diffusion, positive; in the paper it is 1.

    Returns:
        (seed,) epochs; NaN if there is no drift, no diffusion at the end, or an unknown ratio (a dead
        layer, a diverged network).

    Raises:
        ValueError: as ``running_median``, and for a level that is not a positive number.

    Source:
        The phases are those of Shwartz-Ziv & Tishby (2017), section 3.4; the rule is ours.
    """
    snr, epochs = _checked_curves("snr", snr, epochs)
    check_number("level", level, above=0.0)
    smooth = running_median(snr, epochs)
    drifts = smooth >= level
    last = smooth.shape[1] - 1 - drifts[:, ::-1].argmax(axis=1)  # last drift, if any
    known = drifts.any(axis=1) & ~drifts[:, -1] & ~np.isnan(smooth).any(axis=1)
    return np.where(known, epochs[np.minimum(last + 1, len(epochs) - 1)], np.nan)


def compression_start(ixt: ArrayLike, epochs: ArrayLike, *, part: float | int = STARTED) -> np.ndarray:
    """Find the epoch at which a layer starts to compress, for each seed.

    This is the last recorded epoch at which the running median of I(X;T) has lost no more than ``part``
    of what it loses from its maximum to the end.

    Args:
        ixt: (seed, epoch) bits.
        epochs: (epoch,) recorded epochs.
        part: fraction of the loss, between 0 and 1, after which compression counts as started.

    Returns:
        (seed,) epochs; NaN if the loss is at most ``NEGLIGIBLE_BITS`` or unknown. A seed's maximum minus
        its last value is never negative; use ``compression_summary`` to decide whether a layer
        compresses at all.

    Raises:
        ValueError: as ``running_median``, and for a part that is not between 0 and 1.
    """
    check_number("part", part, above=0.0, below=1.0)
    return _compressed(ixt, epochs, part)


def compression_end(ixt: ArrayLike, epochs: ArrayLike) -> np.ndarray:
    """Find the epoch at which a layer has almost finished compressing, for each seed.

    As ``compression_start``, with nine tenths of the loss instead of a tenth. For a layer that still
    compresses at the last epoch, this depends on how long training lasts.

    Args:
        ixt: (seed, epoch) bits.
        epochs: (epoch,) recorded epochs.

    Returns:
        (seed,) epochs; NaN as in ``compression_start``.

    Raises:
        ValueError: as ``running_median``.
    """
    return _compressed(ixt, epochs, COMPLETE)


def _compressed(ixt, epochs, part) -> np.ndarray:
    """Find the last recorded epoch at which no more than a given fraction of the loss has occurred."""
    ixt, epochs = _checked_curves("ixt", ixt, epochs)
    smooth = running_median(ixt, epochs)
    peak = smooth.max(axis=1)
    lost = peak - smooth[:, -1]
    before = smooth >= (peak - part * lost)[:, None]
    last = smooth.shape[1] - 1 - before[:, ::-1].argmax(axis=1)
    return np.where(lost > NEGLIGIBLE_BITS, epochs[last], np.nan)


def fitting_end(ity: ArrayLike, epochs: ArrayLike) -> np.ndarray:
    """Find the epoch at which a layer has almost finished fitting the labels, for each seed.

    This is the first recorded epoch at which the running median of I(T;Y) has gained nine tenths of what
    it gains from its first value to its maximum.

    Args:
        ity: (seed, epoch) bits.
        epochs: (epoch,) recorded epochs.

    Returns:
        (seed,) epochs; NaN if the gain is at most ``NEGLIGIBLE_BITS`` or unknown: with fine bins many
        layers have I(T;Y) = H(Y) before any training.

    Raises:
        ValueError: as ``running_median``.
    """
    ity, epochs = _checked_curves("ity", ity, epochs)
    smooth = running_median(ity, epochs)
    gained = smooth.max(axis=1) - smooth[:, 0]
    done = smooth >= (smooth[:, 0] + COMPLETE * gained)[:, None]
    return np.where(gained > NEGLIGIBLE_BITS, epochs[done.argmax(axis=1)], np.nan)


def reaching_epoch(values: ArrayLike, epochs: ArrayLike, level: float | int) -> np.ndarray:
    """Find the first recorded epoch at which the running median of a curve reaches a level.

    Args:
        values: (seed, epoch) curves, such as I(T;Y) in bits.
        epochs: (epoch,) recorded epochs.
        level: level to reach.

    Returns:
        (seed,) epochs; NaN for a seed that never reaches it.

    Raises:
        ValueError: as ``running_median``, and for a level that is not a finite number.
    """
    values, epochs = _checked_curves("values", values, epochs)
    check_number("level", level)
    reached = running_median(values, epochs) >= level
    return np.where(reached.any(axis=1), epochs[reached.argmax(axis=1)], np.nan)


def by_layer(rule: Callable[..., np.ndarray], arm: xr.Dataset, variable: str) -> np.ndarray:
    """Apply a rule of this module to every layer's curves.

    Args:
        rule: function of (seed, epoch) curves and (epoch,) epochs.
        arm: Dataset with the variable (seed, epoch, layer).
        variable: name of the variable.

    Returns:
        (seed, layer, ...): the rule's results, (seed, ...), for each layer.

    Raises:
        ValueError: for other variables or dims, and as the rule.
    """
    check_function("rule", rule, "of (curves, epochs)")
    check_text("variable", variable)
    check_results("arm", arm, {variable: OF_LAYERS})
    curves = arm[variable].transpose("layer", "seed", "epoch").values
    return np.stack([rule(curve, arm.epoch.values) for curve in curves], axis=1)


def plane_phases(arm: xr.Dataset) -> xr.Dataset:
    """Find when every layer fits and compresses, seed by seed, by the rules of this module.

    Args:
        arm: Dataset with ``ixt`` and ``ity`` (seed, epoch, layer), bits.

    Returns:
        Dataset (seed, layer): ``peak``, the maximum of I(X;T)'s running median, bits; ``peak_epoch``,
        ``fitting_end``, ``compression_start`` and ``compression_end``, epochs, NaN as in the functions
        of these names and where a seed diverged.

    Raises:
        ValueError: for other variables or dims.
    """
    check_results("arm", arm, dict.fromkeys(("ixt", "ity"), OF_LAYERS))
    epochs = arm.epoch.values
    smooth = np.moveaxis(by_layer(running_median, arm, "ixt"), 1, 2)  # (seed, epoch, layer)
    peak_epoch = epochs[np.nan_to_num(smooth).argmax(axis=1)]
    columns = {
        "peak": (smooth.max(axis=1), "bits"),
        "peak_epoch": (np.where(np.isfinite(smooth[:, -1]), peak_epoch, np.nan), "epochs"),
        "fitting_end": (by_layer(fitting_end, arm, "ity"), "epochs"),
        "compression_start": (by_layer(compression_start, arm, "ixt"), "epochs"),
        "compression_end": (by_layer(compression_end, arm, "ixt"), "epochs"),
    }
    data = {name: (("seed", "layer"), v, {"units": units}) for name, (v, units) in columns.items()}
    return xr.Dataset(data, {"layer": arm.layer.values})


def _checked_curves(name: str, values, epochs) -> tuple[np.ndarray, np.ndarray]:
    values = as_numbers(name, values, "(seed, epoch)")
    return values, check_epochs(epochs, name, values)
