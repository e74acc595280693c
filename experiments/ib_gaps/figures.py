"""Figures of layers below the information curve, with suboptimal curves and finite-sample bounds."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ibjax.analysis._labelled import check_results
from ibjax.plots.axes import (
    ARM_COLOURS,
    MARKERS,
    add_legend,
    add_title,
    arm_looks,
    check_labels,
    draw_band,
    epoch_axis,
    label_epochs,
)

__all__ = ["plot_gaps", "plot_layer_terms"]


def plot_gaps(results: xr.Dataset, *, title: str = "") -> Figure:
    """Plot the plane of Tishby & Zaslavsky (2015), figure 2, in numbers.

    Left: the information curve, the curves with fewer clusters, what bounds guarantee of the optimum for
    some numbers of samples, and the layers at the end of training. Right: the layers' paths, by their
    information about the true labels and (hollow) about the training labels.

    Args:
        results: Dataset with ``curve_ixt``, ``curve_ity`` (point,), ``forced_ixt``, ``forced_ity``
            (clusters, point), ``guaranteed`` (num_samples, point), ``ict``, ``ity``, ``ity_train``
            (seed, epoch, layer); bits.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims.
    """
    curve = dict.fromkeys(("curve_ixt", "curve_ity"), ("point",))
    forced = dict.fromkeys(("forced_ixt", "forced_ity"), ("clusters", "point"))
    measured = dict.fromkeys(("ict", "ity", "ity_train"), ("seed", "epoch", "layer"))
    sure = {"guaranteed": ("num_samples", "point")}
    check_results("results", results, curve | forced | sure | measured)
    figure = Figure(figsize=(11.5, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    order = np.argsort(results.curve_ixt.values)
    x, y = results.curve_ixt.values[order], results.curve_ity.values[order]
    for ax in (left, right):
        ax.plot(np.append(0, x), np.append(0, y), color="black", lw=1.8, label="optimum")
        ax.grid(alpha=0.3)
        ax.set_xlabel("I(C;T), C the classes of equal p(y|x) [bits]")
    left.set_ylabel("I(T;Y) [bits]")
    for i, clusters in enumerate(results.clusters.values):
        forced = results.sel(clusters=clusters)
        rank = np.argsort(forced.forced_ixt.values)
        left.plot(
            forced.forced_ixt.values[rank], forced.forced_ity.values[rank], color=ARM_COLOURS[0],
            lw=1.2, ls=("-", "--", ":")[i % 3], label=f"at most {clusters} clusters",
        )  # fmt: skip
    for i, n in enumerate(results.num_samples.values):
        bound = results.guaranteed.sel(num_samples=n).values[order]
        if (bound > 0).any():
            shade = {"color": ARM_COLOURS[1], "lw": 1.2, "ls": ("-", "--", ":", "-.")[i % 4]}
            left.plot(x, np.where(bound > 0, bound, np.nan), label=f"sure with n = {n:.0e}", **shade)
    mean = results.mean("seed")
    for i, layer in enumerate(results.layer.values):
        marker, end = MARKERS[i % len(MARKERS)], {"layer": layer, "epoch": results.epoch[-1]}
        seeds, average = results.sel(end), mean.sel(end)
        left.plot(seeds.ict, seeds.ity, ".", color=ARM_COLOURS[2], ms=3, alpha=0.35)
        look = {"marker": marker, "ms": 7, "mec": "black", "zorder": 4}
        left.plot(average.ict, average.ity, color=ARM_COLOURS[2], **look)
        path = mean.sel(layer=layer).transpose("epoch", ...)
        right.plot(path.ict, path.ity, color=ARM_COLOURS[2], lw=1.2)
        right.plot(path.ict, path.ity_train, color=ARM_COLOURS[3], lw=1.0, ls="--")
        right.plot(
            average.ict, average.ity, color=ARM_COLOURS[2], label=f"layer {layer}", ls="none", **look
        )
        right.plot(average.ict, average.ity_train, color="white", **look)
    left.set_ylim(0, 1.02)
    left.legend(fontsize="small", loc="lower right")
    right.legend(fontsize="small", loc="lower right", title="full: true, hollow: training labels")
    add_title(figure, title)
    return figure


def plot_layer_terms(results: xr.Dataset, *, labels: Mapping[str, str], title: str = "") -> Figure:
    """Plot each layer's terms against the epoch, with 95% bands over seeds, average panel per layer.

    Args:
        results: Dataset of variables of dims ``(seed, epoch, layer)``, bits.
        labels: labels of the variables that share a panel.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims, labels that are not text.
    """
    check_labels("labels", labels)
    check_results("results", results, dict.fromkeys(labels, ("seed", "epoch", "layer")))
    layers = results.layer.values
    figure = Figure(figsize=(2.5 * len(layers) + 0.5, 3.2), layout="constrained")
    axes = figure.subplots(1, len(layers), squeeze=False, sharex=True, sharey=True)
    for ax, layer in zip(axes[0], layers, strict=True):
        for (colour, style), (name, label) in zip(arm_looks(len(labels)), labels.items(), strict=True):
            draw_band(ax, results[name].sel(layer=layer), "epoch", colour, label, style)
        epoch_axis(ax, results)
        ax.set_title(f"layer {layer}" + (" (softmax)" if layer == layers[-1] else ""))
    axes[0, 0].set_ylabel("[bits]")
    add_legend(axes[0, -1])
    label_epochs(axes)
    add_title(figure, title)
    return figure
