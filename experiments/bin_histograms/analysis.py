"""Counts of activations over bins: empty bins, saturation, histograms, and the errors of binned planes.

The fraction of activations in the outermost bins is saturation as bins see it.
"""

import numpy as np
import xarray as xr

from ibjax.analysis._inputs import as_integers, as_numbers
from ibjax.analysis._labelled import check_same_seeds
from ibjax.analysis.intervals import mean_interval, rank_correlation
from ibjax.types import ArrayLike

__all__ = [
    "correlation_over_epochs",
    "correlations",
    "empty_bins",
    "errors",
    "extreme_share",
    "histograms",
    "shown_positions",
]

# Epochs whose histograms and errors are kept: fractions of the last one, on a log scale.
SHOWN = (0.0, 0.4, 0.7, 1.0)


def empty_bins(counts: ArrayLike, num_bins: ArrayLike) -> np.ndarray:
    """Count the bins of the range that hold at most one activation, as the paper's code does.

    Args:
        counts: (..., epoch, layer, bins) counts, all within the range.
        num_bins: (..., layer) or (layer,) number of bins in the range.

    Returns:
        (..., epoch, layer) numbers of empty bins; NaN where nothing is counted.

    Raises:
        ValueError: for other axes, counts that are not whole or negative, ranges with other axes, and
            ranges of no bin, or more bins than there are, where something is counted.
    """
    counts = _checked_counts(counts)
    num_bins = _checked_range(num_bins, counts)
    empty = num_bins[..., None, :] - (counts > 1).sum(axis=-1)
    return np.where(counts.any(axis=-1), empty, np.nan)


def extreme_share(counts: ArrayLike, num_bins: ArrayLike) -> np.ndarray:
    """Return the fraction of activations in the two outermost bins of the range: binned saturation.

    For tanh these are both flat ends, for ReLU the bin of 0 and that of the largest activation.

    Args:
        counts: (..., epoch, layer, bins).
        num_bins: (..., layer) number of bins in the range.

    Returns:
        (..., epoch, layer) from 0 to 1; NaN where nothing is counted.

    Raises:
        ValueError: as :func:`empty_bins`.
    """
    counts = _checked_counts(counts)
    num_bins = _checked_range(num_bins, counts)
    last = np.broadcast_to(np.maximum(num_bins, 1)[..., None, :, None] - 1, (*counts.shape[:-1], 1))
    top = np.take_along_axis(counts, last, axis=-1)[..., 0]
    extreme = counts[..., 0] + np.where(last[..., 0] > 0, top, 0)
    total = counts.sum(axis=-1)
    return np.where(total > 0, extreme / np.maximum(total, 1), np.nan)


def correlation_over_epochs(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """Compute Spearman's correlation of two curves within each seed and layer.

    Args:
        a: (seed, epoch, layer) first curves.
        b: (seed, epoch, layer) second curves.

    Returns:
        (seed, layer); NaN where a curve is constant or fewer than four epochs are known.

    Raises:
        ValueError: for other shapes, and labelled arrays of different seeds.
    """
    check_same_seeds(a=a, b=b)
    a, b = (as_numbers(name, x, "(seed, epoch, layer)") for name, x in (("a", a), ("b", b)))
    if a.shape != b.shape:
        raise ValueError(f"a, b: expected the same shape, got {a.shape} and {b.shape}")
    seeds, _, layers = a.shape
    return np.array(
        [
            [rank_correlation(a[s, :, i], b[s, :, i]).estimate for i in range(layers)]
            for s in range(seeds)
        ]
    )


def correlations(results: xr.Dataset) -> xr.DataArray:
    """Correlate I(X;T) over epochs with what bins see, within seeds.

    Dims: what ("extreme" or "empty"), dataset, activation, bins, seed, layer.
    """
    curves = ["seed", "epoch", "layer"]
    rho = {
        what: xr.apply_ufunc(
            correlation_over_epochs,
            results.ixt,
            results[what].astype(float),
            input_core_dims=[curves, curves],
            output_core_dims=[["seed", "layer"]],
            vectorize=True,
        )
        for what in ("extreme", "empty")
    }
    return xr.Dataset(rho).to_array("what")


def histograms(seen: xr.Dataset) -> xr.Dataset:
    """Return what counts show: empty bins, saturation, and histograms at a few epochs.

    Args:
        seen: ``counts``, ``num_bins``, ``lowest`` and ``bin_width`` of a ``BinsRecord`` in bins of one
            width, the coordinate ``bins``.
    """
    counts = seen.counts.transpose("seed", "epoch", "layer", "bin")
    # The same at all epochs, but missing where activations are not finite.
    num_bins = seen.num_bins.max("epoch").transpose("seed", "layer").values
    lowest, width = (seen[name].mean(("seed", "epoch")).values for name in ("lowest", "bin_width"))
    kept = np.minimum(num_bins, counts.sizes["bin"])
    extreme = extreme_share(counts.values, kept)
    total = counts.sum("bin")
    cut = (num_bins > counts.sizes["bin"])[:, None]  # (seed, epoch, layer)
    beyond = np.where(cut, counts[..., -1], 0) / np.maximum(total.values, 1)
    shown = {"epoch": shown_positions(counts.epoch.values)}
    shares = counts.isel(shown) / total.isel(shown).where(total.isel(shown) > 0)
    mean = mean_interval(shares.values).estimate
    variables = {
        "empty": (total.dims, empty_bins(counts.values, kept), "bins with at most one activation"),
        "extreme": (total.dims, extreme, "share of activations in the outermost bins"),
        "beyond": (total.dims, beyond, "share of activations in the last bin kept, if there are more"),
        "histogram": (("shown", "layer", "bin"), mean, "share of activations, mean over seeds"),
        "num_bins": (("seed", "layer"), kept, "bins of the range"),
        "lowest": (("layer",), lowest, "lower end of the bins, mean over seeds"),
        "bin_width": (("layer",), width, "width of the stretched bins, mean over seeds"),
    }
    return xr.Dataset(
        {
            k: (dims, values, {"units": "1", "long_name": text})
            for k, (dims, values, text) in variables.items()
        },
        {
            "shown": ("shown", shares.epoch.values, {"units": "epochs"}),
            "bin": np.arange(counts.sizes["bin"]),
            "bins": counts.bins,
        },
    )


def errors(planes: xr.Dataset, exact: str) -> xr.Dataset:
    """Return ``error_ixt`` and ``error_ity`` (seed, shown, layer, width), bits: exact states less bins.

    Args:
        planes: Dataset with ``ixt`` and ``ity`` by ``estimator``, named by the width of its bins.
        exact: name of the estimator of exact states.
    """
    shown = planes.isel(epoch=shown_positions(planes.epoch.values)).rename(epoch="shown")
    binned = shown.drop_sel(estimator=exact).rename(estimator="width")
    difference = shown.sel(estimator=exact, drop=True) - binned
    for name, values in difference.items():
        values.attrs = {"units": "bits", "long_name": f"{name} of exact states less that in bins"}
    widths = (
        "width",
        binned.width.values.astype(float),
        {"units": "1", "long_name": "width of the bins"},
    )
    difference = difference.rename({"ixt": "error_ixt", "ity": "error_ity"}).assign_coords(width=widths)
    return difference.transpose("seed", "shown", "layer", "width")


def shown_positions(epochs: np.ndarray) -> np.ndarray:
    """Return the positions of the epochs nearest to ``SHOWN``, each once."""
    wanted = np.expm1(np.array(SHOWN) * np.log1p(epochs[-1]))
    return np.unique(np.abs(epochs - wanted[:, None]).argmin(axis=1))


def _checked_counts(counts) -> np.ndarray:
    return as_integers("counts", counts, "(..., epoch, layer, bins)", at_least=0)


def _checked_range(num_bins, counts) -> np.ndarray:
    """Return checked numbers of bins, (..., layer), for counts (..., epoch, layer, bins)."""
    num_bins = as_integers("num_bins", num_bins, "(..., layer)", at_least=0)
    filled = counts.any(axis=(-3, -1))  # (..., layer)
    if num_bins.shape != filled.shape[filled.ndim - num_bins.ndim :]:
        raise ValueError(
            f"num_bins: expected the last axes of {filled.shape}, got shape {num_bins.shape}"
        )
    if num_bins.max() > counts.shape[-1] or (filled & (num_bins == 0)).any():
        raise ValueError(
            f"num_bins: expected 1 to the {counts.shape[-1]} bins of counts, "
            f"got {num_bins.min()} to {num_bins.max()}"
        )
    return num_bins
