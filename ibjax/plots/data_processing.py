"""Figures of the data-processing inequality: where estimates rise from one layer to the next."""

import itertools
from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from ibjax.analysis._labelled import check_results
from ibjax.analysis.data_processing import dpi_violations
from ibjax.analysis.intervals import mean_interval
from ibjax.checks import check_known
from ibjax.plots.axes import (
    ARM_COLOURS,
    add_title,
    at_levels,
    check_levels,
    draw_band,
    epoch_axis,
    facets,
    joined,
    label_epochs,
    levels,
)

__all__ = ["plot_along_layers", "plot_layer_against_next", "plot_violations"]

NAMES: Mapping[str, str] = {"ixt": "I(X;T)", "ity": "I(T;Y)"}

# in bits: violations with the first and the last colour
SMALLEST, LARGEST = 0.001, 0.3


def plot_violations(summary: xr.Dataset, *, row: str | None = None, title: str = "") -> Figure:
    """Plot how many seeds violate the inequality, by estimator (rows) and pair of layers (columns).

    Numbers are percentages of seeds, colours the mean violation in bits, both averaged over recorded
    epochs. Cells are empty if no seed ever violates the inequality.

    Args:
        summary: result of ``violation_summary``, with dims
            ``(variable, [row], estimator, epoch, pair)``.
        row: optional dimension for rows of panels; columns are I(X;T) and I(T;Y).
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims.
    """
    dims = ("variable", *facets(row=row), "estimator", "epoch", "pair")
    check_results("summary", summary, {"share": dims, "excess": dims})
    check_levels("summary.variable", list(NAMES), summary, "variable")
    mean = summary[["share", "excess"]].mean("epoch")
    rows, names = levels(summary, row), summary.estimator.values
    pairs = summary.pair.values
    size = (0.8 * len(pairs) * 2 + 3.0, (0.27 * len(names) + 0.9) * len(rows) + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(rows), len(NAMES), squeeze=False, sharex=True, sharey=True)
    norm, colours = LogNorm(SMALLEST, LARGEST, clip=True), mpl.colormaps["Oranges"]
    for (i, r), (j, variable) in itertools.product(enumerate(rows), enumerate(NAMES)):
        ax = axes[i, j]
        panel_mean = at_levels(mean, {row: r, "variable": variable}).transpose("estimator", "pair")
        image = np.ma.masked_less_equal(panel_mean.excess.values, 0.0)
        ax.imshow(image, norm=norm, cmap=colours, aspect="auto")
        for (k, m), share in np.ndenumerate(panel_mean.share.values):
            if share > 0:
                text = "<1" if share < 0.01 else f"{100 * share:.0f}"
                dark = norm(panel_mean.excess.values[k, m]) > 0.65
                ax.text(m, k, text, ha="center", va="center", size=8, color="white" if dark else "black")
        ax.set_xticks(range(len(pairs)), [str(pair).replace("-", "→") for pair in pairs])
        ax.set_yticks(range(len(names)), names)
        ax.set_xticks(np.arange(len(pairs) - 1) + 0.5, minor=True)
        ax.set_yticks(np.arange(len(names) - 1) + 0.5, minor=True)
        ax.grid(which="minor", color="0.85", lw=0.6)
        ax.tick_params(which="minor", length=0)
        ax.set_title(joined(": ", r, NAMES[variable]), fontsize="medium")
    for ax in axes[-1]:
        ax.set_xlabel("pair of layers")
    label = "mean rise from a layer to the next [bits]"
    figure.colorbar(ScalarMappable(norm, colours), ax=axes, label=label, aspect=35)
    add_title(figure, title)
    return figure


def plot_along_layers(
    plane: xr.Dataset, variable: str, *, row: str | None = None, title: str = ""
) -> Figure:
    """Plot estimates against the layer, a panel per estimator, a curve per epoch; any rise violates.

    Means over seeds with 95% bands.

    Args:
        plane: Dataset with the variable, of dims ``([row], estimator, seed, epoch, layer)``, bits.
        variable: "ixt" or "ity".
        row: optional dimension for rows of panels.
        title: title of the figure.

    Raises:
        ValueError: for an unknown variable, other variables or dims.
    """
    check_known("variable", variable, NAMES)
    used = facets(row=row)
    check_results("plane", plane, {variable: (*used, "estimator", "seed", "epoch", "layer")})
    rows, names = levels(plane, row), plane.estimator.values
    figure = Figure(figsize=(1.75 * len(names) + 1.4, 2.3 * len(rows) + 0.8), layout="constrained")
    axes = figure.subplots(len(rows), len(names), squeeze=False, sharex=True, sharey=True)
    epochs = plane.epoch.values
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.92, len(epochs)))
    for (i, r), (j, name) in itertools.product(enumerate(rows), enumerate(names)):
        ax = axes[i, j]
        bits = at_levels(plane[variable], {row: r, "estimator": name}).transpose(
            "epoch", "seed", "layer"
        )
        for colour, epoch, values in zip(colours, epochs, bits.values, strict=True):
            band = mean_interval(values)
            ax.plot(plane.layer, band.estimate, "o-", ms=2.5, lw=1.2, color=colour, label=str(epoch))
            ax.fill_between(plane.layer, band.low, band.high, color=colour, alpha=0.25, lw=0)
        ax.set_xticks(plane.layer.values)
        ax.grid(alpha=0.3)
        if i == 0:
            ax.set_title(name, fontsize="small")
    for ax, r in zip(axes[:, 0], rows, strict=True):
        ax.set_ylabel(joined("\n", r, f"{NAMES[variable]} [bits]"))
    for ax in axes[-1]:
        ax.set_xlabel("layer")
    axes[0, -1].legend(title="epoch", fontsize="x-small", title_fontsize="x-small")
    add_title(figure, title)
    return figure


def plot_layer_against_next(
    plane: xr.Dataset,
    layer: int,
    following: int,
    *,
    row: str | None = None,
    column: str | None = None,
    title: str = "",
) -> Figure:
    """Plot I(X;T) of a layer and of a later one against the epoch, with the latter's apparent gain.

    Means over seeds with 95% bands. Where the second curve is above the first, the estimate violates the
    inequality; the dashed line is the fraction of seeds in which it does, on the right-hand axis. The
    first curve is wide, so that it is seen behind a second one of the same values.

    Args:
        plane: Dataset with ``ixt`` of dims ``([row], [column], seed, epoch, layer)``, bits.
        layer: number of the first layer.
        following: number of the later layer.
        row: optional dimension for rows of panels.
        column: optional dimension for columns of panels.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims, layers that do not exist.
    """
    used = facets(row=row, column=column)
    check_results("plane", plane, {"ixt": (*used, "seed", "epoch", "layer")})
    check_levels("layer, following", (layer, following), plane, "layer")
    rows, columns = levels(plane, row), levels(plane, column)
    figure = Figure(figsize=(3.9 * len(columns) + 0.9, 2.6 * len(rows) + 0.8), layout="constrained")
    axes = figure.subplots(len(rows), len(columns), squeeze=False, sharex=True, sharey=True)
    for (i, r), (j, c) in itertools.product(enumerate(rows), enumerate(columns)):
        ax, share_ax = axes[i, j], axes[i, j].twinx()
        pair = []
        for colour, number, width in zip(ARM_COLOURS, (layer, following), (4.5, 1.5), strict=False):
            chosen = at_levels(plane.ixt, {row: r, column: c, "layer": number})
            pair.append(chosen.transpose("seed", "epoch"))
            draw_band(ax, pair[-1], "epoch", colour, f"layer {number}", linewidth=width)
        excess = dpi_violations(np.stack([curve.values for curve in pair], axis=-1))[..., 0]
        share = (excess > 0).sum(axis=0) / np.maximum(np.isfinite(excess).sum(axis=0), 1)
        share_ax.plot(plane.epoch, share, "--", color="0.3", lw=1, label="networks that violate")
        share_ax.set_ylim(-0.03, 1.03)
        if j == len(columns) - 1:
            share_ax.set_ylabel("share of networks")
        else:
            share_ax.set_yticklabels([])
        epoch_axis(ax, plane)
        ax.set_title(joined(", ", c, r), fontsize="medium")
    for ax in axes[:, 0]:
        ax.set_ylabel("I(X;T) [bits]")
    label_epochs(axes)
    lines = [*axes[0, 0].get_lines(), *share_ax.get_lines()]
    names = [str(line.get_label()) for line in lines]
    figure.legend(lines, names, loc="outside lower center", ncols=len(lines), fontsize="small")
    add_title(figure, title)
    return figure
