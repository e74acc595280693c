"""Figures of factors' effects within seeds, and of variance components over networks."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ibjax.analysis._labelled import check_labelled, check_results
from ibjax.analysis.intervals import mean_interval
from ibjax.plots.axes import (
    MARKERS,
    add_legend,
    add_title,
    arm_looks,
    at_levels,
    check_labels,
    check_levels,
    facets,
    joined,
    levels,
)

__all__ = ["plot_effects", "plot_variance_parts"]


def plot_effects(effects: xr.Dataset, *, labels: Mapping[str, str], title: str = "") -> Figure:
    """Plot effects against the layer, one panel per outcome: seeds as dots, means with 95% intervals.

    Args:
        effects: Dataset of variables of dims ``(effect, layer, seed)``, bits.
        labels: labels of the variables, one panel each.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims, labels that are not text.
    """
    check_labels("labels", labels)
    check_results("effects", effects, dict.fromkeys(labels, ("effect", "layer", "seed")))
    names = effects.effect.values
    spread = min(0.24, 0.8 / len(names))
    figure = Figure(figsize=(5.4 * len(labels), 3.8), layout="constrained")
    axes = figure.subplots(1, len(labels), squeeze=False)[0]
    layers = effects.layer.values
    for ax, (variable, label) in zip(axes, labels.items(), strict=True):
        ax.axhline(0, color="0.4", lw=0.8)
        for k, ((colour, _), name) in enumerate(zip(arm_looks(len(names)), names, strict=True)):
            values = effects[variable].sel(effect=name).transpose("seed", "layer").values
            place = layers + spread * (k - (len(names) - 1) / 2)
            jitter = np.linspace(-0.07, 0.07, len(values))[:, None]
            ax.plot(place + jitter, values, ".", color=colour, alpha=0.25, ms=3)
            interval = mean_interval(values)
            ends = np.stack([interval.estimate - interval.low, interval.high - interval.estimate])
            look = {"fmt": MARKERS[k % len(MARKERS)], "ms": 5, "capsize": 3, "mec": "black", "mew": 0.6}
            ax.errorbar(place, interval.estimate, ends, color=colour, label=str(name), **look)
        ax.set_xticks(layers, [*map(str, layers[:-1]), f"{layers[-1]} (softmax)"])
        ax.set_xlabel("layer")
        ax.set_ylabel(f"effect on {label} [bits]")
        ax.grid(alpha=0.3)
    add_legend(axes[0], title="effect of")
    add_title(figure, title)
    return figure


def plot_variance_parts(
    parts: xr.DataArray, *, row: str | None = None, labels: Mapping[str, str], title: str = ""
) -> Figure:
    """Plot standard deviations due to each source against the layer, one panel per arm.

    Negative estimates of a variance are drawn at 0.

    Args:
        parts: variances with dims ``([row], arm, source, layer)``, squared bits.
        row: optional dimension for rows of panels; columns are arms.
        labels: labels of the sources.
        title: title of the figure.

    Raises:
        ValueError: for other dims or sources, labels that are not text.
    """
    used = facets(row=row)
    check_labels("labels", labels)
    check_labelled("parts", parts, (*used, "arm", "source", "layer"))
    check_levels("labels", list(labels), parts, "source")
    rows, arms, layers = levels(parts, row), parts.arm.values, parts.layer.values
    figure = Figure(figsize=(3.0 * len(arms) + 0.8, 2.5 * len(rows) + 0.9), layout="constrained")
    axes = figure.subplots(len(rows), len(arms), squeeze=False, sharex=True, sharey="row")
    width, looks = 0.8 / len(labels), arm_looks(len(labels))
    for line, r in zip(axes, rows, strict=True):
        for ax, arm in zip(line, arms, strict=True):
            for k, ((colour, _), (source, label)) in enumerate(zip(looks, labels.items(), strict=True)):
                values = at_levels(parts, {row: r, "arm": arm, "source": source}).values
                place = layers + width * (k - (len(labels) - 1) / 2)
                height = np.sqrt(np.maximum(values, 0))
                ax.bar(place, height, width, color=colour, label=label)
            ax.set_title(f"{arm}", fontsize="medium")
            ax.set_xticks(layers)
            ax.grid(alpha=0.3, axis="y")
        line[0].set_ylabel(joined("\n", r, "standard deviation [bits]"))
    for ax in axes[-1]:
        ax.set_xlabel("layer")
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), title="due to")
    add_title(figure, title)
    return figure
