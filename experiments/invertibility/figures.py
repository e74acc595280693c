"""Figures of what layers lose exactly, in bins and by arithmetic, and of samples at all zeros."""

import xarray as xr
from matplotlib.figure import Figure

from ibjax.analysis._labelled import check_results
from ibjax.analysis.intervals import mean_interval
from ibjax.plots.axes import (
    add_legend,
    add_title,
    arm_looks,
    draw_band,
    epoch_axis,
    label_epochs,
)

__all__ = ["plot_arithmetics", "plot_invertibility"]


def plot_invertibility(lost: xr.Dataset, *, title: str = "") -> Figure:
    """Plot H(X) - I(X;T) of exact states and in bins, and the fraction of samples in the zero state.

    Args:
        lost: Dataset with ``lost`` (activation, estimator, seed, epoch, layer), bits, first for exact
            states and second for bins, and ``zero_state`` without estimator.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims, fewer than two estimators.
    """
    dims = ("activation", "estimator", "seed", "epoch", "layer")
    zeros = ("activation", "seed", "epoch", "layer")
    check_results("lost", lost, {"lost": dims, "zero_state": zeros})
    if lost.sizes["estimator"] < 2:
        raise ValueError(f"lost: expected exact states and bins, got {[*lost.estimator.values]}")
    looks = arm_looks(lost.sizes["activation"])
    layers = lost.layer.values
    figure = Figure(figsize=(2.4 * len(layers) + 0.6, 5.4), layout="constrained")
    axes = figure.subplots(2, len(layers), squeeze=False, sharex=True, sharey="row")
    exact, binned = lost.estimator.values[:2]
    for j, layer in enumerate(layers):
        for (colour, style), activation in zip(looks, lost.activation.values, strict=True):
            arm = lost.sel(activation=activation, layer=layer)
            draw_band(axes[0, j], arm.lost.sel(estimator=exact), "epoch", colour, str(activation), style)
            mean = arm.lost.sel(estimator=binned).mean("seed")
            axes[0, j].plot(arm.epoch, mean, "--", color=colour, lw=1)
            if layer != layers[-1]:
                draw_band(axes[1, j], arm.zero_state, "epoch", colour, str(activation), style)
        axes[0, j].set_title(f"layer {layer}" + (" (softmax)" if layer == layers[-1] else ""))
    for ax in axes.flat:
        epoch_axis(ax, lost)
    axes[1, -1].text(0.5, 0.5, "no such state", ha="center", transform=axes[1, -1].transAxes)
    axes[0, 0].set_ylabel("H(X) - I(X;T) [bits]")
    axes[1, 0].set_ylabel("samples at all zeros [share]")
    label_epochs(axes)
    add_legend(axes[0, 0])
    add_title(figure, title)
    return figure


def plot_arithmetics(final: xr.Dataset, *, title: str = "") -> Figure:
    """Plot who shares a state after training, and what this loses, by hidden layer and arithmetic.

    Args:
        final: Dataset with ``shared_samples`` and ``lost_finally``, bits, (activation, arithmetic, seed,
            layer), NaN for the output.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims.
    """
    dims = ("activation", "arithmetic", "seed", "layer")
    labels = {"shared_samples": "samples that share a state", "lost_finally": "H(X|T) [bits]"}
    check_results("final", final, dict.fromkeys(labels, dims))
    looks = arm_looks(final.sizes["arithmetic"])
    count = final.sizes["activation"]
    figure = Figure(figsize=(3.6 * count + 0.6, 5.4), layout="constrained")
    axes = figure.subplots(len(labels), count, squeeze=False, sharex=True, sharey="row")
    layers = final.layer.values[:-1]
    for j, activation in enumerate(final.activation.values):
        for row, name in zip(axes, labels, strict=True):
            for i, ((colour, _), arithmetic) in enumerate(
                zip(looks, final.arithmetic.values, strict=True)
            ):
                values = final[name].sel(activation=activation, arithmetic=arithmetic, layer=layers)
                mean = mean_interval(values.transpose("seed", "layer").values)
                ends = [mean.estimate - mean.low, mean.high - mean.estimate]
                place = layers + 0.12 * (i - 1)
                row[j].errorbar(
                    place,
                    mean.estimate,
                    ends,
                    fmt="o",
                    ms=4,
                    color=colour,
                    capsize=2,
                    label=str(arithmetic),
                )
            row[j].grid(alpha=0.3)
        axes[0, j].set_title(str(activation))
        axes[-1, j].set_xticks(layers)
        axes[-1, j].set_xlabel("hidden layer")
    for ax, label in zip(axes[:, 0], labels.values(), strict=True):
        ax.set_ylabel(label)
    add_legend(axes[0, 0])
    add_title(figure, title)
    return figure
