"""Figures of layers seen through bins: histograms, their course over training, shared states, errors."""

import itertools

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ibjax.analysis._labelled import check_results
from ibjax.analysis.intervals import mean_interval
from ibjax.checks import check_finite
from ibjax.plots.axes import (
    add_legend,
    add_title,
    arm_looks,
    draw_band,
    epoch_axis,
    label_epochs,
)

__all__ = ["plot_bin_course", "plot_bin_errors", "plot_bin_histograms", "plot_state_shares"]

COURSE = {
    "ixt": "I(X;T) [bits]",
    "extreme": "activations in\noutermost bins [share]",
    "empty": "empty bins",
}
STATES = {
    "alone": ("alone", "#009e73"),
    "pure": ("with own class", "#56b4e9"),
    "mixed": ("with other classes", "#d55e00"),
}


def _grid(num_rows: int, num_columns: int, **options) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(2.5 * num_columns + 0.6, 2.2 * num_rows + 0.8), layout="constrained")
    return figure, figure.subplots(num_rows, num_columns, squeeze=False, **options)


def _layer_titles(axes: np.ndarray, layers: np.ndarray) -> None:
    for ax, layer in zip(axes[0], layers, strict=True):
        ax.set_title(f"layer {layer}" + (" (softmax)" if layer == layers[-1] else ""), fontsize="medium")


def plot_bin_histograms(seen: xr.Dataset, *, title: str = "") -> Figure:
    """Plot the fraction of a layer's activations in each bin at a few epochs, on a log scale.

    Args:
        seen: Dataset with ``histogram`` (activation, shown, layer, bin), a mean over seeds, and
            ``lowest`` and ``bin_width`` (activation, layer), the lower end and the width of the bins.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims.
    """
    check_results(
        "seen",
        seen,
        {
            "histogram": ("activation", "shown", "layer", "bin"),
            "lowest": ("activation", "layer"),
            "bin_width": ("activation", "layer"),
        },
    )
    check_finite("seen.lowest", seen.lowest.values)
    check_finite("seen.bin_width", seen.bin_width.values)
    layers, activations = seen.layer.values, seen.activation.values
    figure, axes = _grid(len(activations), len(layers), sharey=True)
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.9, seen.sizes["shown"]))
    for (i, activation), (j, layer) in itertools.product(enumerate(activations), enumerate(layers)):
        ax, layer_bins = axes[i, j], seen.sel(activation=activation, layer=layer)
        shares = layer_bins.histogram.transpose("shown", "bin").values
        used = np.nan_to_num(shares).any(axis=0)
        count = len(used) - used[::-1].argmax()
        edges = float(layer_bins.lowest) + float(layer_bins.bin_width) * np.arange(count + 1)
        for colour, epoch, share in zip(colours, seen.shown.values, shares, strict=True):
            drawn = np.where(share[:count] > 0, share[:count], np.nan)
            ax.stairs(drawn, edges, color=colour, label=str(epoch), lw=1.1, baseline=None)
        ax.set_yscale("log")
        ax.grid(alpha=0.3)
        if i == len(activations) - 1:
            ax.set_xlabel("activation")
    for ax, activation in zip(axes[:, 0], activations, strict=True):
        ax.set_ylabel(f"{activation}\nshare of activations")
    _layer_titles(axes, layers)
    axes[0, 0].legend(title="epoch", fontsize="x-small", title_fontsize="x-small", loc="lower center")
    add_title(figure, title)
    return figure


def plot_bin_course(seen: xr.Dataset, *, title: str = "") -> Figure:
    """Plot I(X;T), the fraction of activations in the outermost bins, and empty bins, over training.

    Means over seeds with 95% bands.

    Args:
        seen: Dataset with ``ixt``, ``extreme``, ``empty`` of dims ``(activation, seed, epoch, layer)``.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims.
    """
    check_results("seen", seen, dict.fromkeys(COURSE, ("activation", "seed", "epoch", "layer")))
    layers = seen.layer.values
    figure, axes = _grid(len(COURSE), len(layers), sharex=True, sharey="row")
    looks = arm_looks(seen.sizes["activation"])
    for (i, name), (j, layer) in itertools.product(enumerate(COURSE), enumerate(layers)):
        for (colour, style), activation in zip(looks, seen.activation.values, strict=True):
            values = seen[name].sel(activation=activation, layer=layer)
            draw_band(axes[i, j], values, "epoch", colour, str(activation), style)
        epoch_axis(axes[i, j], seen)
    # Layers differ a hundredfold in their empty bins, and some have none.
    empty = axes[list(COURSE).index("empty"), 0]
    empty.set_yscale("symlog", linthresh=1)
    empty.set_ylim(bottom=0)
    empty.yaxis.set_major_formatter("{x:g}")
    for ax, label in zip(axes[:, 0], COURSE.values(), strict=True):
        ax.set_ylabel(label)
    _layer_titles(axes, layers)
    label_epochs(axes)
    add_legend(axes[0, -1])
    add_title(figure, title)
    return figure


def plot_state_shares(seen: xr.Dataset, *, title: str = "") -> Figure:
    """Plot samples by whom they share their state with, over training; means over seeds.

    Args:
        seen: Dataset with ``alone``, ``pure``, ``mixed`` of dims ``(activation, seed, epoch, layer)``.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims.
    """
    check_results("seen", seen, dict.fromkeys(STATES, ("activation", "seed", "epoch", "layer")))
    layers, activations = seen.layer.values, seen.activation.values
    figure, axes = _grid(len(activations), len(layers), sharex=True, sharey=True)
    mean = seen[list(STATES)].mean("seed")
    for (i, activation), (j, layer) in itertools.product(enumerate(activations), enumerate(layers)):
        layer_states = mean.sel(activation=activation, layer=layer)
        labels, colours = zip(*STATES.values(), strict=True)
        shares = [layer_states[name].values for name in STATES]
        axes[i, j].stackplot(layer_states.epoch, shares, labels=labels, colors=colours, alpha=0.8)
        epoch_axis(axes[i, j], seen)
        axes[i, j].set_ylim(0, 1)
    for ax, activation in zip(axes[:, 0], activations, strict=True):
        ax.set_ylabel(f"{activation}\nshare of samples")
    _layer_titles(axes, layers)
    label_epochs(axes)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(STATES), title="in a state")
    add_title(figure, title)
    return figure


def plot_bin_errors(errors: xr.Dataset, *, title: str = "") -> Figure:
    """Plot the errors of I(X;T) and I(T;Y) against the bin width, one curve per shown epoch.

    Args:
        errors: Dataset with ``error_ixt``, ``error_ity`` of dims
            ``(activation, seed, shown, layer, width)``, bits.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims.
    """
    dims = ("activation", "seed", "shown", "layer", "width")
    check_results("errors", errors, {"error_ixt": dims, "error_ity": dims})
    layers = errors.layer.values
    rows = list(itertools.product(errors.activation.values, ("error_ixt", "error_ity")))
    figure, axes = _grid(len(rows), len(layers), sharex=True, sharey="row")
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.9, errors.sizes["shown"]))
    names = {"error_ixt": "I(X;T)", "error_ity": "I(T;Y)"}
    for (i, (activation, name)), (j, layer) in itertools.product(enumerate(rows), enumerate(layers)):
        layer_errors = errors[name].sel(activation=activation, layer=layer)
        for colour, epoch in zip(colours, errors.shown.values, strict=True):
            band = mean_interval(layer_errors.sel(shown=epoch).transpose("seed", "width").values)
            axes[i, j].plot(errors.width, band.estimate, color=colour, label=str(epoch), lw=1.3)
            axes[i, j].fill_between(errors.width, band.low, band.high, color=colour, alpha=0.25, lw=0)
        axes[i, j].set_xscale("log")
        axes[i, j].grid(alpha=0.3)
        axes[i, 0].set_ylabel(f"{activation}\nerror of {names[name]} [bits]")
    for ax in axes[-1]:
        ax.set_xlabel("width of the bins")
    _layer_titles(axes, layers)
    axes[0, 0].legend(title="epoch", fontsize="x-small", title_fontsize="x-small")
    add_title(figure, title)
    return figure
