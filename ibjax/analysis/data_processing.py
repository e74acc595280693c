"""Does an estimate obey the data-processing inequality? X -> T_1 -> T_2 -> ... only loses information.

Each layer is a function of the one before, so I(X;T_1) >= I(X;T_2) >= ... and I(T_1;Y) >= I(T_2;Y) >=
... hold for the layers. They need not hold for estimates: bins or noise are applied to every layer
separately, and a binned or noisy layer is not a function of the binned or noisy layer before.
"""

import itertools

import numpy as np
import scipy.stats
import xarray as xr

from ibjax.analysis._inputs import as_integers, as_numbers, check_broadcast
from ibjax.analysis._labelled import check_results
from ibjax.analysis.compression import ROUNDING_BITS
from ibjax.analysis.intervals import mean_interval
from ibjax.checks import check_number
from ibjax.types import ArrayLike

__all__ = ["ROUNDING_BITS", "dpi_violations", "share_interval", "violation_summary"]

VARIABLES = ("ixt", "ity")


def dpi_violations(information: ArrayLike) -> np.ndarray:
    """Measure by how much the inequality is violated between neighbouring layers.

    Args:
        information: (..., layer) I(X;T) or I(T;Y) in bits, from the input to the output.

    Returns:
        (..., layer - 1) excess of the second layer of each pair over the first, in bits; 0 where it has
        less, or at most ``ROUNDING_BITS`` more; NaN where either is NaN.

    Raises:
        ValueError: for anything but an array of numbers, and fewer than two layers.

    Example:
        >>> dpi_violations(np.array([12.0, 9.0, 9.5, 9.5])).tolist()
        [0.0, 0.5, 0.0]
    """
    information = as_numbers("information", information, "(..., layer)")
    if information.shape[-1] < 2:
        raise ValueError(f"information: expected two layers or more, got shape {information.shape}")
    rise = np.diff(information, axis=-1)
    return np.where(rise > ROUNDING_BITS, rise, np.where(np.isnan(rise), np.nan, 0.0))


def share_interval(
    count: ArrayLike, total: ArrayLike, level: float | int = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Return the exact interval (Clopper & Pearson 1934) of a proportion, ``count`` of ``total``.

    Args:
        count: (...) numbers of cases, whole.
        total: (...) numbers of trials; for 0 nothing is known, and the interval is [0, 1].
        level: confidence level of the interval, between 0 and 1.

    Raises:
        ValueError: for numbers that are negative or not whole, shapes that do not broadcast, counts
            above the total, and a level outside (0, 1).

    Example:
        >>> [round(float(end), 3) for end in share_interval(np.array(0), np.array(50))]
        [0.0, 0.071]
    """
    count, total = (
        as_integers(name, x, "(...)", at_least=0) for name, x in (("count", count), ("total", total))
    )
    check_broadcast(count=count, total=total)
    if (count > total).any():
        raise ValueError(f"count: expected at most the total, got {count.tolist()} of {total.tolist()}")
    check_number("level", level, above=0.0, below=1.0)
    beta, tail = scipy.stats.beta, (1 - level) / 2
    low = np.where(count > 0, beta.ppf(tail, np.maximum(count, 1), total - count + 1), 0.0)
    high = np.where(count < total, beta.ppf(1 - tail, count + 1, np.maximum(total - count, 1)), 1.0)
    return low, high


def violation_summary(plane: xr.Dataset, level: float | int = 0.95) -> xr.Dataset:
    """Summarise where, how often and by how much the inequality is violated.

    Args:
        plane: Dataset with ``ixt`` and ``ity`` of dims ``(factors..., seed, epoch, layer)``, bits, with
            the output as the last layer; NaN where a seed has diverged.
        level: confidence level of each interval. For the largest of several, such as those of all epochs
            and pairs, ``intervals.simultaneous_level`` gives one at which all hold at once.

    Returns:
        Dataset over ``(variable, factors..., epoch, pair)``: ``excess``, the mean violation over seeds
        (0 for those without), with ``excess_low`` and ``excess_high``, and ``largest``, the
        largest over seeds, bits; ``share``, the fraction of seeds that violate it, with ``share_low``
        and ``share_high``; and ``num_seeds``. Coordinates: ``variable``, "ixt" or "ity"; ``pair``, "1-2"
        for layers 1 and 2. The limits are NaN if fewer than two seeds are known.

    Raises:
        ValueError: for other variables or dims, fewer than two layers, a level outside (0, 1).
    """
    check_results("plane", plane, dict.fromkeys(VARIABLES, ("seed", "epoch", "layer")), factors=True)
    layers = plane.layer.values
    pairs = [f"{a}-{b}" for a, b in itertools.pairwise(layers)]
    summaries: list[xr.Dataset] = []
    for name in VARIABLES:
        values = plane[name].transpose("seed", ..., "epoch", "layer")
        excess = dpi_violations(values.values)  # (seed, factors..., epoch, pair)
        interval = mean_interval(excess, level=level)
        count = (excess > 0).sum(axis=0)
        low, high = share_interval(count, interval.num_seeds, level)
        known = interval.num_seeds > 0
        columns = {
            "excess": (interval.estimate, "bits"),
            "excess_low": (interval.low, "bits"),
            "excess_high": (interval.high, "bits"),
            "largest": (np.where(np.isfinite(excess), excess, 0.0).max(axis=0), "bits"),
            "share": (count / np.maximum(interval.num_seeds, 1), "1"),
            "share_low": (low, "1"),
            "share_high": (high, "1"),
        }
        dims = (*values.dims[1:-1], "pair")
        data = {
            k: (dims, np.where(known, column, np.nan), {"units": units})
            for k, (column, units) in columns.items()
        }
        data["num_seeds"] = (dims, interval.num_seeds, {"units": "1"})
        coords = {d: values[d].values for d in dims[:-1]} | {"pair": pairs}
        summaries.append(xr.Dataset(data, coords))
    return xr.concat(summaries, xr.DataArray(list(VARIABLES), dims="variable", name="variable"))
