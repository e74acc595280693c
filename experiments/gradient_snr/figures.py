"""Figures of gradients and of the phases of training."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ibjax.analysis._labelled import check_results, check_same_levels
from ibjax.analysis.gradients import gradient_curves
from ibjax.analysis.intervals import mean_interval
from ibjax.plots.axes import (
    ARM_COLOURS,
    add_title,
    check_dimensions,
    draw_band,
    epoch_axis,
    label_epochs,
    log_axis,
)

__all__ = ["plot_gradient_phases", "plot_phase_epochs"]

PHASES: dict[str, tuple[str, ...]] = {
    "diffusion": ("seed", "layer"),
    "compression": ("seed", "layer"),
    "compresses": ("layer",),
}

MEAN_COLOUR, STD_COLOUR, IXT_COLOUR, SATURATED_COLOUR = ARM_COLOURS

# Colours and labels of the two starts.
STARTS = {"diffusion": ("#56b4e9", "diffusion starts"), "compression": ("black", "compression starts")}


def plot_gradient_phases(arm: xr.Dataset, phases: xr.Dataset, *, title: str = "") -> Figure:
    """Plot gradients, information and saturation of every layer on one axis of epochs.

    Columns are layers. Rows are the norms of the minibatch gradients' mean and standard deviation over
    the weights' norm, as in figure 4 of Shwartz-Ziv & Tishby (2017), as geometric means over seeds;
    I(X;T); and the fraction of saturated units. Bands are 95% intervals over seeds. Vertical lines mark
    the median epochs at which the layer's own diffusion and its compression start, each only if more
    than half of the seeds have one and, for compression, if the layer compresses. Short lines at the
    lower end of the panels of gradients and of I(X;T) are the single seeds' starts.

    Args:
        arm: Dataset with ``gradient_mean``, ``gradient_std``, ``weight_norm``, ``ixt`` and ``saturated``
            of dims ``(seed, epoch, layer)``.
        phases: result of ``phase_epochs`` for the arm.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims, layers that differ.
    """
    measured = ("gradient_mean", "gradient_std", "weight_norm", "ixt", "saturated")
    check_results("arm", arm, dict.fromkeys(measured, ("seed", "epoch", "layer")))
    check_results("phases", phases, PHASES)
    check_same_levels("layer", arm=arm, phases=phases)
    layers = arm.layer.values
    figure = Figure(figsize=(2.5 * len(layers) + 0.5, 7.2), layout="constrained")
    axes = figure.subplots(3, len(layers), squeeze=False, sharex=True, sharey="row")
    mean, std = gradient_curves(arm, "normalised")
    for column, layer in zip(axes.T, layers, strict=True):
        layer_arm, phase = arm.sel(layer=layer), phases.sel(layer=layer)
        gradients, information, saturation = column
        _draw_geometric(gradients, mean.sel(layer=layer), MEAN_COLOUR, "mean")
        _draw_geometric(gradients, std.sel(layer=layer), STD_COLOUR, "standard deviation")
        gradients.set_yscale("log")
        softmax = " (softmax)" if layer == layers[-1] else ""
        diffuse = int(phase.diffusion.notnull().sum())
        gradients.set_title(f"layer {layer}{softmax}\n{diffuse} of {phase.sizes['seed']} diffuse")
        draw_band(information, layer_arm.ixt, "epoch", IXT_COLOUR, "I(X;T)")
        defined = bool(layer_arm.saturated.notnull().any())
        if defined:
            draw_band(saturation, layer_arm.saturated, "epoch", SATURATED_COLOUR, "saturated")
        else:
            saturation.text(0.5, 0.5, "not defined", transform=saturation.transAxes, ha="center")
        for ax in column:
            epoch_axis(ax, arm)
        marked = column if defined else column[:-1]
        _mark(marked, gradients, phase.diffusion.values, "diffusion", "-")
        if phase.compresses:
            _mark(marked, information, phase.compression.values, "compression", "--")
    labels = ("gradients over weights\n[nats]", "I(X;T) [bits]", "saturated units\n[share]")
    for ax, label in zip(axes[:, 0], labels, strict=True):
        ax.set_ylabel(label)
    label_epochs(axes)
    drawn = [ax.get_legend_handles_labels() for ax in axes[0]]
    handle_by_label = {
        label: h for handles, labels in drawn for h, label in zip(handles, labels, strict=True)
    }
    figure.legend(handle_by_label.values(), handle_by_label.keys(), loc="outside lower center", ncols=4)
    add_title(figure, title)
    return figure


def plot_phase_epochs(phases: xr.Dataset, *, column: str = "activation", title: str = "") -> Figure:
    """Plot each seed's start of diffusion and of compression, layer by layer, one panel per arm.

    Every seed is a point: distributions over seeds are drawn rather than their means, because starts can
    be bimodal. Starts of compression are drawn for layers that compress. Seeds without a start are
    counted at the upper end.

    Args:
        phases: Dataset with ``diffusion`` and ``compression`` (column, seed, layer), ``compresses``
            (column, layer), as from ``phase_epochs``.
        column: dimension for columns of panels.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims.
    """
    check_dimensions(column=column)
    check_results("phases", phases, {name: (column, *dims) for name, dims in PHASES.items()})
    columns, layers = phases[column].values, phases.layer.values
    figure = Figure(figsize=(0.95 * len(layers) * len(columns) + 1, 4), layout="constrained")
    axes = figure.subplots(1, len(columns), squeeze=False, sharex=True, sharey=True)[0]
    for ax, name in zip(axes, columns, strict=True):
        log_axis(ax)
        for i, layer in enumerate(layers):
            layer_phases = phases.sel({column: name, "layer": layer})
            for shift, (start, (colour, _)) in zip((-0.2, 0.2), STARTS.items(), strict=True):
                if start == "diffusion" or layer_phases.compresses:
                    # Epoch 0 has no place on a log scale and is drawn at 1.
                    epochs = layer_phases[start].clip(min=1).values
                    _draw_strip(ax, i + shift, epochs, colour)
        ax.set_xticks(range(len(layers)), layers)
        ax.set_xlim(-0.5, len(layers) - 0.5)
        ax.grid(alpha=0.3, axis="y")
        ax.set(title=name, xlabel="layer")
    axes[0].set_ylabel("epoch")
    bottom, top = axes[0].get_ylim()
    axes[0].set_ylim(min(0.8, bottom), 4 * top)  # with room for the counts
    looks = {"marker": "o", "linestyle": "none", "markersize": 5}
    handles = [Line2D([], [], color=colour, label=label, **looks) for colour, label in STARTS.values()]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    add_title(figure, title)
    return figure


def _draw_strip(ax: Axes, place: float, epochs: np.ndarray, colour: str) -> None:
    """Draw seeds side by side in a strip, and count those without an epoch above it."""
    around = np.linspace(-0.13, 0.13, len(epochs))
    ax.plot(place + around, epochs, "o", ms=3, alpha=0.6, mew=0, color=colour)
    if missing := int(np.isnan(epochs).sum()):
        look = {
            "transform": ax.get_xaxis_transform(),
            "ha": "center",
            "va": "top",
            "fontsize": "x-small",
        }
        ax.text(place, 0.98, f"{missing}\nnever", color=colour, **look)


def _draw_geometric(ax: Axes, values: xr.DataArray, colour: str, label: str) -> None:
    """Draw the geometric mean over seeds and its 95% interval, without zeros, which are dead layers."""
    values = values.transpose("seed", "epoch")
    band = mean_interval(np.log(values.where(values > 0).values))
    ax.plot(values.epoch, np.exp(band.estimate), color=colour, label=label)
    ax.fill_between(values.epoch, np.exp(band.low), np.exp(band.high), color=colour, alpha=0.25, lw=0)


def _mark(column: np.ndarray, rug: Axes, epochs: np.ndarray, start: str, style: str) -> None:
    """Mark the median start in all panels of a column, if most seeds have one, and seeds in one."""
    colour, label = STARTS[start]
    look = {"transform": rug.get_xaxis_transform(), "color": colour, "ms": 7, "alpha": 0.5}
    rug.plot(epochs, np.full(len(epochs), 0.04), "|", **look)
    # A seed without a start would have it later than all others.
    median = np.median(np.where(np.isnan(epochs), np.inf, epochs))
    if np.isfinite(median):
        for ax in column:
            ax.axvline(median, color=colour, linestyle=style, lw=1.2, label=label)
