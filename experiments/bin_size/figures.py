"""Distances of layers from (H(X), I(X;Y)), by the bin size."""

import itertools

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ibjax.analysis._labelled import check_labelled
from ibjax.analysis.intervals import mean_interval
from ibjax.plots.axes import MARKERS, add_title

__all__ = ["plot_drift"]


def plot_drift(away: xr.DataArray, *, title: str = "") -> Figure:
    """Plot distances against bins, wide to fine, a curve per layer; means with 95% intervals over seeds.

    Args:
        away: distances with dims ``(dataset, activation, bins, seed, layer)``, bits.
        title: title of the figure.

    Raises:
        ValueError: for other dims.
    """
    check_labelled("away", away, ("dataset", "activation", "bins", "seed", "layer"))
    rows, columns = away.dataset.values, away.activation.values
    figure = Figure(figsize=(4.4 * len(columns) + 0.6, 3.2 * len(rows) + 0.5), layout="constrained")
    axes = figure.subplots(len(rows), len(columns), squeeze=False, sharex=True, sharey="row")
    place = np.arange(away.sizes["bins"])
    layers = away.layer.values
    colours = mpl.colormaps["plasma"](np.linspace(0, 0.85, len(layers)))
    for (i, r), (j, c) in itertools.product(enumerate(rows), enumerate(columns)):
        ax = axes[i, j]
        for k, layer in enumerate(layers):
            distances = away.sel(dataset=r, activation=c, layer=layer).transpose("seed", "bins")
            mean = mean_interval(distances.values)
            ends = np.stack([mean.estimate - mean.low, mean.high - mean.estimate])
            shift = 0.06 * (k - (len(layers) - 1) / 2)
            label = f"{layer} (softmax)" if layer == layers[-1] else str(layer)
            look = {"marker": MARKERS[k % len(MARKERS)], "ms": 4, "lw": 1.2, "capsize": 2}
            ax.errorbar(place + shift, mean.estimate, ends, color=colours[k], label=label, **look)
        ax.set_title(f"{r}, {c}", fontsize="medium")
        ax.set_xticks(place, [str(level) for level in away.bins.values])
        ax.set_ylim(bottom=0)
        ax.grid(alpha=0.3)
    for ax in axes[-1]:
        ax.set_xlabel("width of the bins")
    for ax in axes[:, 0]:
        ax.set_ylabel("distance [bits]")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", title="layer", fontsize="small")
    add_title(figure, title)
    return figure
