"""Figures of gradients and of the phases of training."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ibjax.analysis._labelled import check_results, check_same_levels
from ibjax.analysis.gradients import gradient_curves
from ibjax.analysis.intervals import mean_interval, median_interval, rank_correlation
from ibjax.plots.axes import (
    ARM_COLOURS,
    add_title,
    check_dimensions,
    draw_band,
    epoch_axis,
    label_epochs,
)

__all__ = ["plot_gradient_phases", "plot_phase_epochs"]

PHASES: dict[str, tuple[str, ...]] = {
    "network_diffusion": ("seed",),
    "compression": ("seed", "layer"),
    "compresses": ("layer",),
}

MEAN_COLOUR, STD_COLOUR, IXT_COLOUR, SATURATED_COLOUR = ARM_COLOURS


def plot_gradient_phases(arm: xr.Dataset, phases: xr.Dataset, *, title: str = "") -> Figure:
    """Plot gradients, information and saturation of every layer on one axis of epochs.

    Columns are layers. Rows are the norms of the minibatch gradients' mean and standard deviation over
    the weights' norm, as in figure 4 of Shwartz-Ziv & Tishby (2017), as geometric means over seeds;
    I(X;T); and the fraction of saturated units. Bands are 95% intervals over seeds. Grey marks the
    median epoch at which the network's diffusion starts, dashed that at which the layer starts to
    compress, if it does.

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
        gradients.set_title(f"layer {layer}" + (" (softmax)" if layer == layers[-1] else ""))
        draw_band(information, layer_arm.ixt, "epoch", IXT_COLOUR, "I(X;T)")
        if layer_arm.saturated.notnull().any():
            draw_band(saturation, layer_arm.saturated, "epoch", SATURATED_COLOUR, "saturated")
        else:
            saturation.text(0.5, 0.5, "not defined", transform=saturation.transAxes, ha="center")
        for ax in column:
            epoch_axis(ax, arm)
            _mark(ax, phases.network_diffusion.values, "0.5", "-", "diffusion starts")
            if phase.compresses:
                _mark(ax, phase.compression.values, "black", "--", "compression starts")
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


def plot_phase_epochs(phases: xr.Dataset, *, row: str = "activation", title: str = "") -> Figure:
    """Plot each seed's start of compression against its start of diffusion, one panel per layer.

    The line is where both coincide. For layers that do not compress, the epochs of diffusion are marked
    at the lower end.

    Args:
        phases: Dataset with ``network_diffusion`` (row, seed), ``compression`` (row, seed, layer),
            ``compresses`` (row, layer), as from ``phase_epochs``.
        row: dimension for rows of panels.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims.
    """
    check_dimensions(row=row)
    check_results("phases", phases, {name: (row, *dims) for name, dims in PHASES.items()})
    rows, layers = phases[row].values, phases.layer.values
    figure = Figure(figsize=(2.5 * len(layers) + 0.5, 2.6 * len(rows) + 0.7), layout="constrained")
    axes = figure.subplots(len(rows), len(layers), squeeze=False, sharex=True, sharey=True)
    # Epoch 0 has no place on a log scale and is drawn at 1.
    diffusion, compression = (phases[k].clip(min=1) for k in ("network_diffusion", "compression"))
    drawn = np.append(diffusion.values, compression.where(phases.compresses).values)
    ends = 0.7 * np.nanmin(drawn, initial=100), 1.4 * np.nanmax(drawn, initial=100)
    for axes_of_row, name in zip(axes, rows, strict=True):
        for ax, layer in zip(axes_of_row, layers, strict=True):
            layer_phases = phases.sel({row: name, "layer": layer})
            ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal")
            ax.plot(ends, ends, color="0.6", lw=1)
            ax.grid(alpha=0.3)
            ax.set_title(f"{name}, layer {layer}")
            x, y = diffusion.sel({row: name}), compression.sel({row: name, "layer": layer})
            if not layer_phases.compresses:
                ax.text(0.5, 0.9, "does not compress", transform=ax.transAxes, ha="center")
                ax.plot(x, np.full(x.shape, 1.2 * ends[0]), "|", color=ARM_COLOURS[0])
                continue
            ax.plot(x, y, "o", ms=4, alpha=0.6, color=ARM_COLOURS[0])
            rho = rank_correlation(
                layer_phases.network_diffusion.values, layer_phases.compression.values
            )
            text = f"$\\rho$ = {rho.estimate:.2f} ({rho.low:.2f} to {rho.high:.2f})"
            ax.text(0.5, 0.9, text, transform=ax.transAxes, ha="center", fontsize="small")
        axes_of_row[0].set_ylabel("compression starts\n[epoch]")
    for ax in axes[-1]:
        ax.set_xlabel("diffusion starts [epoch]")
    add_title(figure, title)
    return figure


def _draw_geometric(ax: Axes, values: xr.DataArray, colour: str, label: str) -> None:
    """Draw the geometric mean over seeds and its 95% interval, without zeros, which are dead layers."""
    values = values.transpose("seed", "epoch")
    band = mean_interval(np.log(values.where(values > 0).values))
    ax.plot(values.epoch, np.exp(band.estimate), color=colour, label=label)
    ax.fill_between(values.epoch, np.exp(band.low), np.exp(band.high), color=colour, alpha=0.25, lw=0)


def _mark(ax: Axes, epochs: np.ndarray, colour: str, style: str, label: str) -> None:
    """Draw a line at the median and a band over its interval, if there is one."""
    interval = median_interval(epochs)
    if interval.num_seeds > 0:
        ax.axvline(interval.estimate, color=colour, linestyle=style, lw=1.2, label=label)
        ax.axvspan(interval.low, interval.high, color=colour, alpha=0.15, lw=0)
