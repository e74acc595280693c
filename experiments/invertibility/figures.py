"""Figures of what layers lose exactly and in bins, and of samples whose activations are all zero."""

import xarray as xr
from matplotlib.figure import Figure

from ibjax.analysis._labelled import check_results
from ibjax.plots.axes import (
    add_legend,
    add_title,
    arm_looks,
    draw_band,
    epoch_axis,
    label_epochs,
)

__all__ = ["plot_invertibility"]


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
