"""Does an estimate obey the data-processing inequality? X -> T_1 -> T_2 -> ... only loses information.

Each layer is a function of the one before, so that I(X;T_1) >= I(X;T_2) >= ... and
I(T_1;Y) >= I(T_2;Y) >= ... hold of the layers. They need not hold of what an estimator says of them:
bins or noise are put on every layer anew, and a layer's are no function of those of the layer before.
"""

import itertools

import numpy as np
import scipy.stats
import xarray as xr

from ibjax.analysis.compression import mean_interval
from ibjax.types import ArrayLike

__all__ = ["ROUNDING_BITS", "dpi_violations", "share_interval", "violation_summary"]

# A rise by less is float32's: the estimators' bits are right to 1e-5.
ROUNDING_BITS = 1e-4

VARIABLES = ("ixt", "ity")


def dpi_violations(information: np.ndarray) -> np.ndarray:
    """By how much the inequality is violated between neighbouring layers.

    Args:
        information: (..., layer) of I(X;T) or of I(T;Y), bits, from the input to the output.

    Returns:
        (..., layer - 1) bits: what the second layer of a pair has more than the first; 0 where it has
        less, or more by at most ``ROUNDING_BITS``; NaN where either is NaN.

    Raises:
        ValueError: for fewer than two layers.

    Example:
        >>> dpi_violations(np.array([12.0, 9.0, 9.5, 9.5])).tolist()
        [0.0, 0.5, 0.0]
    """
    if np.ndim(information) == 0 or np.shape(information)[-1] < 2:
        raise ValueError(f"information: expected two layers or more, got shape {np.shape(information)}")
    rise = np.diff(np.asarray(information, np.float64), axis=-1)
    return np.where(rise > ROUNDING_BITS, rise, np.where(np.isnan(rise), np.nan, 0.0))


def share_interval(count: ArrayLike, total: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """The exact 95% interval (Clopper & Pearson 1934) of a share, ``count`` of ``total``.

    Example:
        >>> [round(float(end), 3) for end in share_interval(np.array(0), np.array(50))]
        [0.0, 0.071]
    """
    count, total = np.asarray(count, np.float64), np.asarray(total, np.float64)
    beta = scipy.stats.beta
    low = np.where(count > 0, beta.ppf(0.025, np.maximum(count, 1), total - count + 1), 0.0)
    high = np.where(count < total, beta.ppf(0.975, count + 1, np.maximum(total - count, 1)), 1.0)
    return low, high


def violation_summary(plane: xr.Dataset) -> xr.Dataset:
    """Where, how often and by how much the inequality is violated.

    Args:
        plane: ``ixt`` and ``ity`` of dims ``(factors..., seed, epoch, layer)``, bits, with the output
            as the last layer; NaN where a seed has diverged.

    Returns:
        Dataset over ``(variable, factors..., epoch, pair)``: ``excess``, the violation's mean over
        seeds (0 for those without), with ``excess_low`` and ``excess_high`` (95%), and ``largest`` of
        the seeds, bits; ``share`` of seeds that violate it, with ``share_low`` and ``share_high``; and
        ``num_seeds``. Coordinates: ``variable``, "ixt" or "ity"; ``pair``, "1-2" for layers 1 and 2.
    """
    layers = plane.layer.values
    pairs = [f"{a}-{b}" for a, b in itertools.pairwise(layers)]
    of_variables: list[xr.Dataset] = []
    for name in VARIABLES:
        values = plane[name].transpose("seed", ..., "epoch", "layer")
        excess = dpi_violations(values.values)  # (seed, factors..., epoch, pair)
        interval = mean_interval(excess)
        count = (excess > 0).sum(axis=0)
        low, high = share_interval(count, interval.num_seeds)
        known = interval.num_seeds > 0
        columns = {
            "excess": (interval.mean, "bits"),
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
        of_variables.append(xr.Dataset(data, coords))
    return xr.concat(of_variables, xr.DataArray(list(VARIABLES), dims="variable", name="variable"))
