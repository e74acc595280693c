"""From labelled arrays to matplotlib figures. No training, no files, no choice of a backend."""

import itertools
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from ibjax.analysis.compression import mean_interval

__all__ = [
    "plot_against_truth",
    "plot_compression",
    "plot_compression_table",
    "plot_curves",
    "plot_information_plane",
    "plot_probabilities",
]

EPOCH_COLOURS = "viridis"
ARM_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
MARKERS = "osD^vP*Xph"
TRUTH_STYLES = ("--", ":", "-.")

# Epochs at which the faint paths of single seeds are drawn: enough for their spread.
SPREAD_EPOCHS = 60


def plot_information_plane(
    plane: xr.Dataset, *, row: str | None = None, column: str | None = None, title: str = ""
) -> Figure:
    """Every layer's path through the information plane.

    The mean over seeds is drawn strongly, each seed faintly behind it; the colour is the epoch, on a
    log scale; each layer ends in a marker of its own with its number.

    Args:
        plane: ``ixt``, ``ity`` of dims ``([row], [column], [seed], epoch, layer)``.
        row: a dimension for rows of panels.
        column: a dimension for columns of panels.
        title: of the figure.
    """
    rows, columns = _levels(plane, row), _levels(plane, column)
    figure = Figure(figsize=(4.0 * len(columns) + 1.2, 3.4 * len(rows) + 0.5), layout="constrained")
    axes = figure.subplots(len(rows), len(columns), squeeze=False, sharex=True, sharey=True)
    norm = LogNorm(1, max(int(plane.epoch.max()), 2))
    for i, r in enumerate(rows):
        for j, c in enumerate(columns):
            panel = _select(_select(plane, row, r), column, c)
            _draw_paths(axes[i, j], panel, norm)
            axes[i, j].set_title(", ".join(str(x) for x in (c, r) if x is not None))
    for ax in axes[-1]:
        ax.set_xlabel("I(X;T) [bits]")
    for ax in axes[:, 0]:
        ax.set_ylabel("I(T;Y) [bits]")
    colours = ScalarMappable(norm, EPOCH_COLOURS)
    figure.colorbar(colours, ax=axes, label="epoch (log scale; untrained at its lower end)", aspect=35)
    axes[0, 0].legend(title="layer", loc="lower right", fontsize="small", ncols=2)
    figure.suptitle(title)
    return figure


def plot_compression(
    plane: xr.Dataset, *, row: str = "activation", compare: str = "optimizer", title: str = ""
) -> Figure:
    """I(X;T) against the epoch, per layer, with a 95% band over seeds; arms on the same axes.

    Args:
        plane: ``ixt`` of dims ``(row, compare, seed, epoch, layer)``.
        row: the dimension for rows of panels; columns are layers.
        compare: the dimension whose levels share a panel.
        title: of the figure.
    """
    rows, layers = _levels(plane, row), plane.layer.values
    figure = Figure(figsize=(2.5 * len(layers) + 0.5, 2.4 * len(rows) + 0.7), layout="constrained")
    axes = figure.subplots(len(rows), len(layers), squeeze=False, sharex=True, sharey="row")
    for i, r in enumerate(rows):
        for j, layer in enumerate(layers):
            ax = axes[i, j]
            for colour, arm in zip(ARM_COLOURS, plane[compare].values, strict=False):
                ixt = plane.ixt.sel({row: r, compare: arm, "layer": layer})
                _draw_band(ax, ixt, "epoch", colour, str(arm).upper())
            _epoch_axis(ax, plane)
            if i == 0:
                ax.set_title(f"layer {layer}" + (" (softmax)" if layer == layers[-1] else ""))
        axes[i, 0].set_ylabel(f"{r}\nI(X;T) [bits]")
    _label_epochs(axes)
    axes[0, -1].legend(fontsize="small")
    figure.suptitle(title)
    return figure


def plot_curves(
    plane: xr.Dataset,
    *,
    row: str = "activation",
    column: str = "estimator",
    compare: str = "setting",
    title: str = "",
) -> Figure:
    """I(X;T) of one layer against the epoch, with a 95% band over seeds; one panel an estimator.

    Args:
        plane: ``ixt`` of dims ``(row, column, compare, seed, epoch)``; a coordinate ``option`` of
            dims ``(column, compare)`` names the curves.
        row: the dimension for rows of panels.
        column: the dimension for columns of panels.
        compare: the dimension whose levels share a panel.
        title: of the figure.
    """
    rows, columns = _levels(plane, row), _levels(plane, column)
    figure = Figure(figsize=(2.7 * len(columns) + 0.5, 2.6 * len(rows) + 0.7), layout="constrained")
    axes = figure.subplots(len(rows), len(columns), squeeze=False, sharex=True, sharey="row")
    for (i, r), (j, c) in itertools.product(enumerate(rows), enumerate(columns)):
        ax, panel = axes[i, j], plane.sel({row: r, column: c})
        for colour, level in zip(ARM_COLOURS, plane[compare].values, strict=False):
            arm = panel.sel({compare: level})
            _draw_band(ax, arm.ixt, "epoch", colour, str(arm.option.item()))
        _epoch_axis(ax, plane)
        if i == 0:
            ax.set_title(str(c))
            ax.legend(fontsize="x-small")
        axes[i, 0].set_ylabel(f"{r}\nI(X;T) [bits]")
    _label_epochs(axes)
    figure.suptitle(title)
    return figure


def plot_compression_table(summary: xr.Dataset, *, title: str = "") -> Figure:
    """Compression of every layer (columns) as every estimator sees it (rows), one panel an activation.

    The number is the mean over seeds; it is bold where the 95% interval leaves out 0.

    Args:
        summary: ``compression``, ``compression_low`` and ``compression_high`` of dims ``(activation,
            estimator, setting, layer)``, bits, and a coordinate ``option`` (estimator, setting).
        title: of the figure.
    """
    names = [
        f"{estimator}, {option.item()}"
        for estimator in summary.estimator.values
        for option in summary.option.sel(estimator=estimator)
    ]
    layers, activations = summary.layer.values, summary.activation.values
    size = ((0.75 * len(layers) + 0.6) * len(activations) + 2.6, 0.28 * len(names) + 1.3)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, len(activations), squeeze=False, sharey=True)[0]
    scale = max(float(np.abs(summary.compression).max()), 0.1)
    for ax, activation in zip(axes, activations, strict=True):
        panel = summary.sel(activation=activation).stack(row=("estimator", "setting"))
        panel = panel.transpose("row", "layer")
        image = ax.imshow(panel.compression, cmap="RdBu_r", vmin=-scale, vmax=scale, aspect="auto")
        sure = (panel.compression_low > 0) | (panel.compression_high < 0)
        for (i, j), value in np.ndenumerate(panel.compression.values):
            weight = "bold" if sure.values[i, j] else "normal"
            colour = "white" if abs(value) > 0.6 * scale else "black"
            ax.text(j, i, f"{value:.1f}", ha="center", va="center", weight=weight, color=colour, size=8)
        ax.set_xticks(range(len(layers)), layers)
        ax.set_yticks(range(len(names)), names)
        ax.set_title(activation)
        ax.set_xlabel("layer")
        for line in range(1, summary.sizes["estimator"]):
            ax.axhline(line * summary.sizes["setting"] - 0.5, color="black", lw=0.8)
    figure.colorbar(image, ax=axes, label="compression of I(X;T) [bits]", aspect=35)
    figure.suptitle(title)
    return figure


def plot_against_truth(
    results: xr.Dataset,
    *,
    panel: str = "estimator",
    over: str = "weight",
    estimate: str = "ixt",
    truths: Mapping[str, str] = MappingProxyType({"exact": "exact"}),
    title: str = "",
) -> Figure:
    """An estimate's mean over seeds with a 95% band, and what is known exactly, one panel a level.

    Args:
        results: the estimate of dims ``(panel, over, "seed")``, the truths of dims ``([panel], over)``;
            bits.
        panel: the dimension for panels.
        over: the dimension of the horizontal axis, drawn on a log scale.
        estimate: its variable.
        truths: exact variables, by the name that the legend gives them.
        title: of the figure.
    """
    names = _levels(results, panel)
    num_columns = len(names) if len(names) <= 5 else 4
    num_rows = -(-len(names) // num_columns)
    figure = Figure(figsize=(2.7 * num_columns + 0.7, 2.5 * num_rows + 0.7), layout="constrained")
    axes = figure.subplots(num_rows, num_columns, squeeze=False, sharex=True, sharey=True)
    for ax, name in itertools.zip_longest(axes.flat, names):
        if name is None:
            ax.set_axis_off()
            continue
        one = results.sel({panel: name})
        for (label, truth), style in zip(truths.items(), TRUTH_STYLES, strict=False):
            ax.plot(one[over], one[truth], color="black", linestyle=style, label=label, zorder=3)
        _draw_band(ax, one[estimate], over, ARM_COLOURS[0], "estimate")
        ax.set_xscale("log")
        ax.set_title(name)
        ax.grid(alpha=0.3)
    for ax in axes[-1]:
        ax.set_xlabel(results[over].attrs.get("long_name", over))
    for ax in axes[:, 0]:
        ax.set_ylabel("I(X;T) [bits]")
    axes[0, 0].legend(fontsize="small")
    figure.suptitle(title)
    return figure


def plot_probabilities(
    panels: Mapping[str, tuple[np.ndarray, np.ndarray]], bin_width: float, *, num_columns: int
) -> Figure:
    """Bars of the probabilities of a unit's bins, one panel each.

    Args:
        panels: by title, lower edges (bin,) and probabilities (bin,).
        bin_width: of all bins.
        num_columns: of panels.
    """
    num_rows = -(-len(panels) // num_columns)
    figure = Figure(figsize=(3.4 * num_columns, 2.3 * num_rows), layout="constrained")
    axes = figure.subplots(num_rows, num_columns, squeeze=False, sharey=True, sharex="row")
    for ax, (title, (edges, p)) in zip(axes.flat, panels.items(), strict=False):
        ax.bar(edges, p, width=bin_width, align="edge", color=ARM_COLOURS[0], edgecolor="white", lw=0.3)
        ax.set_title(title)
        ax.grid(alpha=0.3)
    for ax in axes[-1]:
        ax.set_xlabel("activation h")
    for ax in axes[:, 0]:
        ax.set_ylabel("probability of the bin")
    return figure


def _draw_band(ax: Axes, ixt: xr.DataArray, over: str, colour: str, label: str) -> None:
    """Mean over seeds and its 95% interval."""
    band = mean_interval(ixt.transpose("seed", over).values)
    ax.plot(ixt[over], band.mean, color=colour, label=label)
    ax.fill_between(ixt[over], band.low, band.high, color=colour, alpha=0.25, lw=0)


def _epoch_axis(ax: Axes, plane: xr.Dataset) -> None:
    ax.set_xscale("symlog", linthresh=1, linscale=0.4)
    ax.set_xlim(0, max(int(plane.epoch.max()), 2))
    ax.grid(alpha=0.3)


def _label_epochs(axes: np.ndarray) -> None:
    for ax in axes[-1]:
        ax.set_xlabel("epoch")
        ax.set_xticks([t for t in (0, 1, 10, 100, 1000, 10000) if t <= ax.get_xlim()[1]])


def _draw_paths(ax: Axes, panel: xr.Dataset, norm: LogNorm) -> None:
    if "seed" not in panel.dims:
        panel = panel.expand_dims("seed")
    panel = panel.transpose("seed", "epoch", "layer", ...)
    colour_of = np.maximum(panel.epoch.values, 1)
    for i, layer in enumerate(panel.layer.values):
        x, y = panel.ixt.values[:, :, i], panel.ity.values[:, :, i]  # (seed, epoch)
        if not np.isfinite(x).any():
            continue  # a layer that this network does not have
        if len(x) > 1:
            some = np.unique(np.linspace(0, x.shape[1] - 1, SPREAD_EPOCHS).astype(int))
            faint = {"linewidth": 0.5, "alpha": 0.15}
            _add_path(ax, x[:, some], y[:, some], colour_of[some], norm, **faint)
        mean_x, mean_y = mean_interval(x).mean, mean_interval(y).mean
        _add_path(ax, mean_x[None], mean_y[None], colour_of, norm, linewidth=2.2, alpha=1.0)
        marker = MARKERS[i % len(MARKERS)]
        look = {"marker": marker, "markersize": 7, "markeredgecolor": "black", "linestyle": "none"}
        ax.plot(mean_x[-1], mean_y[-1], color="white", label=str(layer), zorder=4, **look)
    ax.autoscale_view()
    ax.set_xlim(left=min(0.0, ax.get_xlim()[0]))
    ax.grid(alpha=0.3)


def _add_path(ax: Axes, x, y, colour_of, norm, **look) -> None:
    """Segments between consecutive epochs, coloured by the later one; x and y are (path, epoch)."""
    points = np.stack([x, y], axis=-1)
    segments = np.stack([points[:, :-1], points[:, 1:]], axis=2).reshape(-1, 2, 2)
    colours = np.tile(colour_of[1:], len(points))
    valid = np.isfinite(segments).all(axis=(1, 2))
    lines = LineCollection(list(segments[valid]), cmap=EPOCH_COLOURS, norm=norm, **look)
    lines.set_array(colours[valid])
    lines.set_capstyle("round")
    lines.set_rasterized(True)
    ax.add_collection(lines)


def _levels(plane: xr.Dataset, dimension: str | None) -> Sequence:
    return [None] if dimension is None else list(plane[dimension].values)


def _select(plane: xr.Dataset, dimension: str | None, level) -> xr.Dataset:
    return plane if dimension is None else plane.sel({dimension: level})
