"""Figures of training and validation losses and accuracies beside the phases of the plane."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ibjax.analysis._labelled import check_results, check_same_levels
from ibjax.plots.axes import ARM_COLOURS, add_title, draw_band, epoch_axis, label_epochs, log_axis

__all__ = ["plot_generalisation"]

PARTS = {"train": "training", "validation": "validation"}
QUANTITIES = {"loss": "cross-entropy [nats]", "accuracy": "accuracy"}


def plot_generalisation(
    results: xr.Dataset, phases: xr.Dataset, rises: xr.Dataset, *, title: str = ""
) -> Figure:
    """Plot cross-entropy and accuracy against the epoch, and when each layer fits and compresses.

    Curves are means over seeds with 95% bands, those of losses with bands of their logarithms; dashed
    lines are the median epoch of the smallest validation loss; bars extend from the median start of
    compression to its median end; dots are median ends of fitting. They are left out for layers in which
    fewer than half of the seeds get there.

    Args:
        results: Dataset with losses, nats, and accuracies (activation, seed, epoch).
        phases: Dataset with ``fitting_end``, ``compression_start``, ``compression_end``
            (activation, seed, layer).
        rises: Dataset with ``epoch`` (activation, seed) of the smallest validation loss.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims, activations that differ.
    """
    measured = [f"{part}_{quantity}" for part in PARTS for quantity in QUANTITIES]
    check_results("results", results, dict.fromkeys(measured, ("activation", "seed", "epoch")))
    named = ("fitting_end", "compression_start", "compression_end")
    check_results("phases", phases, dict.fromkeys(named, ("activation", "seed", "layer")))
    check_results("rises", rises, {"epoch": ("activation", "seed")})
    check_same_levels("activation", results=results, phases=phases, rises=rises)
    activations = results.activation.values
    figure = Figure(figsize=(11.5, 2.8 * len(activations) + 0.6), layout="constrained")
    axes = figure.subplots(len(activations), 3, squeeze=False, sharex=True)
    for row, activation in zip(axes, activations, strict=True):
        arm = results.sel(activation=activation)
        onset = float(np.nanmedian(rises.epoch.sel(activation=activation)))
        for ax, (quantity, label) in zip(row, QUANTITIES.items(), strict=False):
            for colour, (part, name) in zip(ARM_COLOURS, PARTS.items(), strict=False):
                draw_band(
                    ax,
                    arm[f"{part}_{quantity}"],
                    "epoch",
                    colour,
                    name,
                    of_log=quantity == "loss",
                )
            ax.set_ylabel(f"{activation}\n{label}" if ax is row[0] else label)
        log_axis(row[0])
        _draw_phases(row[2], phases.sel(activation=activation))
        for ax in row:
            ax.axvline(onset, color="0.3", ls="--", lw=1, label="least validation loss")
            epoch_axis(ax, results)
    label_epochs(axes)
    axes[0, 1].legend(fontsize="small")
    axes[0, 2].legend(fontsize="small", loc="upper left")
    add_title(figure, title)
    return figure


def _draw_phases(ax: Axes, phases: xr.Dataset) -> None:
    layers = phases.layer.values
    for layer in layers:
        middle = {}
        for name in ("fitting_end", "compression_start", "compression_end"):
            epochs = phases[name].sel(layer=layer).values
            common = np.isfinite(epochs).mean() >= 0.5
            middle[name] = np.nanmedian(epochs) if common else np.nan
        ends = [middle["compression_start"], middle["compression_end"]]
        first = layer == layers[0]
        label = "compression" if first else None
        ax.plot(ends, [layer, layer], lw=6, color=ARM_COLOURS[3], solid_capstyle="butt", label=label)
        label = "fitted" if first else None
        ax.plot(middle["fitting_end"], layer, "o", color=ARM_COLOURS[2], label=label)
    ax.set_yticks(layers, [*map(str, layers[:-1]), f"{layers[-1]} (softmax)"])
    ax.set_ylim(layers[-1] + 0.6, layers[0] - 0.6)
    ax.set_ylabel("layer")
