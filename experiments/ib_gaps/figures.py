"""Figures of layers below the information curve, with suboptimal curves and finite-sample bounds."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib import colormaps
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

__all__ = ["plot_gaps", "plot_layer_terms", "plot_suboptimal"]

# Darker for more samples.
SURE_COLOURS = colormaps["YlOrBr_r"]


def plot_gaps(results: xr.Dataset, *, title: str = "") -> Figure:
    """Plot the plane of Tishby & Zaslavsky (2015), figure 2, in numbers.

    Left: the information curve, what bounds guarantee of the optimum for some numbers of samples, with
    the points (R(n), D_IB(n)) as stars, and the layers at the end of training. Right: the layers' paths,
    by their information about the true labels and (hollow) about the training labels.

    Args:
        results: Dataset with ``curve_ixt``, ``curve_ity`` (point,), ``guaranteed`` (num_samples, point),
            ``best_ixt``, ``best_guaranteed`` (num_samples,), ``ict``, ``ity``, ``ity_train``
            (seed, epoch, layer); bits.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims.
    """
    curve = dict.fromkeys(("curve_ixt", "curve_ity"), ("point",))
    measured = dict.fromkeys(("ict", "ity", "ity_train"), ("seed", "epoch", "layer"))
    best = dict.fromkeys(("best_ixt", "best_guaranteed"), ("num_samples",))
    sure = {"guaranteed": ("num_samples", "point")}
    check_results("results", results, curve | best | sure | measured)
    figure = Figure(figsize=(8.6, 4.9), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    order = np.argsort(results.curve_ixt.values)
    x, y = results.curve_ixt.values[order], results.curve_ity.values[order]
    for ax in (left, right):
        ax.plot(np.append(0, x), np.append(0, y), color="black", lw=1.8, label="optimum")
        ax.grid(alpha=0.3)
        ax.set_xlabel("I(C;T), C the classes of equal p(y|x) [bits]")
    left.set_ylabel("I(T;Y) [bits]")
    colours = SURE_COLOURS(np.linspace(0.7, 0.2, results.sizes["num_samples"]))
    for colour, n in zip(colours, results["num_samples"].values, strict=True):
        at_n = results.sel(num_samples=n)
        bound = at_n.guaranteed.values[order]
        if (bound > 0).any():
            left.plot(
                x, np.where(bound > 0, bound, np.nan), color=colour, lw=1.6, label=f"sure with n = {n:,}"
            )
            star = {"ms": 11, "mec": "black", "zorder": 4}
            left.plot(at_n.best_ixt, at_n.best_guaranteed, "*", color=colour, **star)
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
    left.set_title("the end of training, and what is sure of the optimum", fontsize="medium")
    right.set_title("paths; full: true labels, hollow: training labels", fontsize="medium")
    left.legend(fontsize="small", loc="lower right")
    right.legend(fontsize="small", loc="lower right")
    add_title(figure, title)
    return figure


def plot_suboptimal(results: xr.Dataset, *, title: str = "") -> Figure:
    """Plot the curves of few clusters for the noisy score, and how far they lie below the optimum.

    Left: the information curve with its first bifurcations, and the curves of few clusters. Right: their
    distance from it at equal I(X;T).

    Args:
        results: Dataset with ``score_curve_ixt``, ``score_curve_ity`` (score_point,),
            ``score_forced_ixt``, ``score_forced_ity``, ``score_forced_loss`` (clusters, score_point),
            ``score_split_ixt``, ``score_split_ity`` (score_split,); bits.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims.
    """
    curve = dict.fromkeys(("score_curve_ixt", "score_curve_ity"), ("score_point",))
    forced = [f"score_forced_{name}" for name in ("ixt", "ity", "loss")]
    splits = dict.fromkeys(("score_split_ixt", "score_split_ity"), ("score_split",))
    check_results(
        "results", results, curve | splits | dict.fromkeys(forced, ("clusters", "score_point"))
    )
    figure = Figure(figsize=(8.6, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True)
    order = np.argsort(results.score_curve_ixt.values)
    x, y = results.score_curve_ixt.values[order], results.score_curve_ity.values[order]
    left.plot(np.append(0, x), np.append(0, y), color="black", lw=1.8, label="optimum")
    few = results.isel(score_split=slice(results.sizes["clusters"] + 1))
    left.plot(few.score_split_ixt, few.score_split_ity, "o", color="black", ms=5, label="bifurcations")
    for colour, clusters in zip(ARM_COLOURS, results.clusters.values, strict=False):
        at_most = results.sel(clusters=clusters)
        rank = np.argsort(at_most.score_forced_ixt.values)  # NaN, the end of the optimum, last
        ixt, ity, loss = (at_most[name].values[rank] for name in forced)
        left.plot(ixt, ity, color=colour, lw=1.6, label=f"at most {clusters} clusters")
        right.plot(ixt, loss, color=colour, lw=1.6, label=f"at most {clusters} clusters")
    for ax in (left, right):
        ax.grid(alpha=0.3)
        ax.set_xlabel("I(X;T) [bits]")
        ax.set_xlim(0, 1.1 * np.log2(results.clusters.values.max()))
    left.set_ylabel("I(T;Y) [bits]")
    right.set_ylabel("I(T;Y) below the optimum [bits]")
    left.legend(fontsize="small", loc="lower right")
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
