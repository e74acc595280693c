"""Figures of layers against the information-bottleneck curve, and of the betas closest to them."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ibjax.analysis._labelled import check_results
from ibjax.analysis.intervals import mean_interval
from ibjax.plots.axes import (
    LAYER_COLOURS,
    MARKERS,
    add_legend,
    add_title,
    arm_looks,
    check_dimensions,
    draw_band,
    epoch_axis,
    label_epochs,
    levels,
)

__all__ = ["plot_fixed_points", "plot_layer_betas"]


def plot_fixed_points(results: xr.Dataset, *, column: str, title: str = "") -> Figure:
    """Plot every layer at the end of training against the curve: by I(X;T) above, by I(C;T) below.

    Each seed is a faint dot, the mean a marker with the layer's number, its path over training a line;
    the curve is black.

    Args:
        results: Dataset with ``ixt``, ``ict``, ``ity`` (column, seed, epoch, layer), ``curve_ixt``,
            ``curve_ity`` (column, point), bits.
        column: dimension for columns of panels.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims.
    """
    check_dimensions(column=column)
    measured = dict.fromkeys(("ixt", "ict", "ity"), (column, "seed", "epoch", "layer"))
    curve = dict.fromkeys(("curve_ixt", "curve_ity"), (column, "point"))
    check_results("results", results, measured | curve)
    columns = levels(results, column)
    figure = Figure(figsize=(4.6 * len(columns), 7.4), layout="constrained")
    axes = figure.subplots(2, len(columns), squeeze=False, sharey=True, sharex="row")
    for panels, level in zip(axes.T, columns, strict=True):
        arm = results.sel({column: level}).transpose("seed", "epoch", "layer", ...)
        for ax, rate in zip(panels, ("ixt", "ict"), strict=True):
            _draw_layers(ax, arm, rate)
            ax.grid(alpha=0.3)
        panels[0].set_title(f"I(X;Y) = {level} bits")
    for ax in axes[0]:
        ax.set_xlabel("I(X;T) [bits]")
    for ax in axes[1]:
        ax.set_xlabel("I(C;T), C the 44 classes of equal p(y|x) [bits]")
    for ax in axes[:, 0]:
        ax.set_ylabel("I(T;Y), true p(y|x) [bits]")
    axes[1, 0].legend(title="layer", loc="lower right", fontsize="small", ncols=2)
    add_title(figure, title)
    return figure


def _draw_layers(ax: Axes, arm: xr.Dataset, rate: str) -> None:
    order = np.argsort(arm.curve_ixt.values)
    x, y = arm.curve_ixt.values[order], arm.curve_ity.values[order]
    end = max(float(np.nanmax(arm[rate].values)), x[-1])
    ax.plot([0, *x, end], [0, *y, y[-1]], color="black", lw=1.5, label="curve", zorder=1)
    for i, layer in enumerate(arm.layer.values):  # colours and markers repeat at different rates
        colour, marker = LAYER_COLOURS[i % len(LAYER_COLOURS)], MARKERS[i % len(MARKERS)]
        x, y = arm[rate].values[:, :, i], arm.ity.values[:, :, i]  # (seed, epoch)
        mean_x, mean_y = mean_interval(x).estimate, mean_interval(y).estimate
        ax.plot(mean_x, mean_y, color=colour, lw=1.2, alpha=0.8)
        ax.plot(x[:, -1], y[:, -1], ".", color=colour, ms=4, alpha=0.4, mew=0)
        look = {"marker": marker, "markersize": 8, "markeredgecolor": "black", "linestyle": "none"}
        ax.plot(mean_x[-1], mean_y[-1], color=colour, label=str(layer), zorder=4, **look)


def plot_layer_betas(results: xr.Dataset, *, column: str, title: str = "") -> Figure:
    """Plot every layer's beta, on a log scale, and its distance to that encoder, against the epoch.

    Curves are the geometric mean of beta and the mean of the distance over seeds, with 95% bands.

    Args:
        results: Dataset with ``beta`` and ``distance``, bits, (column, seed, epoch, layer).
        column: dimension for columns of panels.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims.
    """
    check_dimensions(column=column)
    dims = (column, "seed", "epoch", "layer")
    check_results("results", results, {"beta": dims, "distance": dims})
    looks = arm_looks(results.sizes["layer"])
    columns = levels(results, column)
    figure = Figure(figsize=(4.6 * len(columns), 6.6), layout="constrained")
    axes = figure.subplots(2, len(columns), squeeze=False, sharex=True, sharey="row")
    for (betas, distances), level in zip(axes.T, columns, strict=True):
        arm = results.sel({column: level})
        for (colour, style), layer in zip(looks, arm.layer.values, strict=True):
            curves, name = arm.sel(layer=layer), f"layer {layer}"
            draw_band(betas, np.log10(curves.beta), "epoch", colour, name, style)
            draw_band(distances, curves.distance, "epoch", colour, name, style)
        betas.set_title(f"I(X;Y) = {level} bits")
        for ax in (betas, distances):
            epoch_axis(ax, results)
    axes[0, 0].set_ylabel("log10 of the closest beta")
    axes[1, 0].set_ylabel("KL(layer || bottleneck) [bits]")
    add_legend(axes[0, 0])
    label_epochs(axes)
    add_title(figure, title)
    return figure
