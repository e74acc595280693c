"""Figures of stopping epochs beside the validation loss and every layer's I(X;T)."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ibjax.analysis._inputs import as_integers
from ibjax.analysis._labelled import check_results
from ibjax.plots.axes import (
    ARM_COLOURS,
    add_title,
    check_levels,
    draw_band,
    epoch_axis,
    label_epochs,
    log_axis,
)

__all__ = ["plot_stops"]

STOP_COLOURS = {"early stopping": "#009e73", "perfect stopping": "#d55e00"}


def plot_stops(results: xr.Dataset, *, title: str = "") -> Figure:
    """Plot the validation loss and I(X;T) of every layer against the epoch, with stopping epochs.

    Curves are means over seeds with 95% bands; lines are median stops, with the quartiles shaded.

    Args:
        results: Dataset with ``validation_loss`` (activation, seed, epoch), nats, ``ixt`` with
            ``layer``, bits, and ``stop`` (activation, stopping, seed), positions on the axis of epochs,
            -1 for none.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims, stops that are not positions.
    """
    check_results(
        "results",
        results,
        {
            "validation_loss": ("activation", "seed", "epoch"),
            "ixt": ("activation", "seed", "epoch", "layer"),
            "stop": ("activation", "stopping", "seed"),
        },
    )
    check_levels("results.stopping", list(STOP_COLOURS), results, "stopping")
    stops = as_integers("results.stop", results.stop.values, "(...)", at_least=-1)
    if stops.max() >= results.sizes["epoch"]:
        raise ValueError(
            f"results.stop: expected positions below {results.sizes['epoch']}, got {stops.max()}"
        )
    activations, layers = results.activation.values, results.layer.values
    size = (2.3 * (len(layers) + 1) + 0.6, 2.4 * len(activations) + 0.9)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(activations), len(layers) + 1, squeeze=False, sharex=True)
    for row, activation in zip(axes, activations, strict=True):
        arm = results.sel(activation=activation)
        draw_band(row[0], arm.validation_loss, "epoch", ARM_COLOURS[0], "", of_log=True)
        log_axis(row[0])
        row[0].set_ylabel(f"{activation}\nvalidation loss [nats]")
        for ax, layer in zip(row[1:], layers, strict=True):
            draw_band(ax, arm.ixt.sel(layer=layer), "epoch", ARM_COLOURS[0], "")
            if ax is not row[1]:
                ax.sharey(row[1])
                ax.tick_params(labelleft=False)
        row[1].set_ylabel("I(X;T) [bits]")
        for ax in row:
            _draw_stops(ax, arm)
            epoch_axis(ax, results)
    for ax, layer in zip(axes[0, 1:], layers, strict=True):
        ax.set_title(f"layer {layer}" + (" (softmax)" if layer == layers[-1] else ""), fontsize="medium")
    label_epochs(axes)
    handles = [line for line in axes[0, 0].get_lines() if line.get_label() in STOP_COLOURS]
    labels = [str(line.get_label()) for line in handles]
    figure.legend(handles, labels, loc="outside lower center", ncols=len(handles))
    add_title(figure, title)
    return figure


def _draw_stops(ax: Axes, arm: xr.Dataset) -> None:
    for stopping, colour in STOP_COLOURS.items():
        position = arm.stop.sel(stopping=stopping).values
        if (position >= 0).any():
            epochs = arm.epoch.values[position[position >= 0]]
            low, middle, high = np.quantile(epochs, [0.25, 0.5, 0.75])
            ax.axvspan(low, high, color=colour, alpha=0.15, lw=0)
            ax.axvline(middle, color=colour, lw=1.2, label=stopping)
