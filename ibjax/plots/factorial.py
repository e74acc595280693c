"""Figures of factors' effects within seeds, and of shares of the variance over networks."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ibjax.analysis._labelled import check_results
from ibjax.analysis.intervals import mean_interval
from ibjax.plots.axes import (
    ARM_COLOURS,
    MARKERS,
    add_legend,
    add_title,
    arm_looks,
    at_levels,
    check_labels,
    facets,
    joined,
    levels,
)

__all__ = ["plot_effects", "plot_variance_shares"]


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


def plot_variance_shares(
    shares: xr.Dataset, *, row: str | None = None, labels: Mapping[str, str], title: str = ""
) -> Figure:
    """Plot how much of the variance each of two factors explains, layer by layer, one panel per arm.

    Bars stand for the whole variance: the first factor's main effect from below, the second's from above
    and their interaction between. Whiskers are the intervals of the two main effects, and hence of the
    total effects, which are the rest of the bar. The standard deviation stands above each bar, because
    shares of almost nothing mean nothing. Estimates and limits beyond 0 or 1 are drawn there; NaN leaves
    its place empty.

    Args:
        shares: Dataset with ``std`` (the values' standard deviation, bits) and, for each of the two
            factors, variables of its name (the share of its main effect) and of its name with ``_low``
            and ``_high``, all of dims ``([row], arm, layer)``.
        row: optional dimension for rows of panels; columns are arms.
        labels: labels of the two factors, by name, and of "interaction".
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims, labels that are not text or not of two factors and
            their interaction.
    """
    used = facets(row=row)
    check_labels("labels", labels)
    factors = [name for name in labels if name != "interaction"]
    if len(factors) != 2 or len(labels) != 3:
        raise ValueError(f"labels: expected two factors and interaction, got {', '.join(labels)}")
    measured = ["std", *(name + end for name in factors for end in ("", "_low", "_high"))]
    check_results("shares", shares, dict.fromkeys(measured, (*used, "arm", "layer")))
    rows, arms, layers = levels(shares, row), shares.arm.values, shares.layer.values
    figure = Figure(figsize=(3.0 * len(arms) + 0.8, 2.5 * len(rows) + 0.9), layout="constrained")
    axes = figure.subplots(len(rows), len(arms), squeeze=False, sharex=True, sharey=True)
    for line, r in zip(axes, rows, strict=True):
        for ax, arm in zip(line, arms, strict=True):
            _draw_shares(ax, at_levels(shares, {row: r, "arm": arm}), factors, labels)
            ax.set_title(f"{arm}", fontsize="medium", pad=14)
            ax.set_xticks(layers)
        line[0].set_ylabel(joined("\n", r, "share of the variance"))
    for ax in axes[-1]:
        ax.set_xlabel("layer (above: standard deviation in bits)")
    axes[0, 0].set(xlim=(layers[0] - 0.6, layers[-1] + 0.6), ylim=(0, 1))
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), title="explained by")
    add_title(figure, title)
    return figure


def _draw_shares(ax: Axes, panel: xr.Dataset, factors: Sequence[str], labels: Mapping[str, str]) -> None:
    """Draw one panel's bars of the variance and the whiskers of both main effects."""
    layers, (first, second) = panel.layer.values, factors
    ends = panel.clip(min=0, max=1)
    below, above = ends[first].values, 1 - ends[second].values
    parts = {first: (0, below), "interaction": (below, above), second: (above, 1)}
    colours = dict(zip((first, second, "interaction"), (*ARM_COLOURS[:2], "0.8"), strict=True))
    for name, label in labels.items():
        bottom, top = parts[name]
        ax.bar(layers, top - bottom, 0.8, bottom=bottom, color=colours[name], alpha=0.7, label=label)
    low, high = (ends[f"{first}_{end}"].values for end in ("low", "high"))
    ax.vlines(layers - 0.15, low, high, color="black", lw=1.5)
    low, high = (1 - ends[f"{second}_{end}"].values for end in ("low", "high"))
    ax.vlines(layers + 0.15, low, high, color="black", lw=1.5)
    look = {"transform": ax.get_xaxis_transform(), "ha": "center", "va": "bottom", "fontsize": "x-small"}
    for layer, std in zip(layers, panel["std"].values, strict=True):
        ax.text(layer, 1.01, f"{std:.2f}", **look)
