"""Single units: estimates against what is known exactly, and the bins that explain them."""

import itertools
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ibjax.plots.axes import ARM_COLOURS, draw_band, levels

__all__ = ["plot_against_truth", "plot_probabilities"]

TRUTH_STYLES = ("--", ":", "-.")


def plot_against_truth(
    results: xr.Dataset,
    *,
    panel: str = "estimator",
    over: str = "weight",
    estimate: str = "ixt",
    truths: Mapping[str, str] = MappingProxyType({"exact": "exact"}),
    title: str = "",
) -> Figure:
    """An estimate's mean over seeds with a 95% band, and what is known exactly, one panel a level.

    Args:
        results: the estimate of dims ``(panel, over, "seed")``, the truths of dims ``([panel], over)``;
            bits.
        panel: the dimension for panels.
        over: the dimension of the horizontal axis, drawn on a log scale.
        estimate: its variable.
        truths: exact variables, by the name that the legend gives them.
        title: of the figure.
    """
    names = levels(results, panel)
    num_columns = len(names) if len(names) <= 5 else 4
    num_rows = -(-len(names) // num_columns)
    figure = Figure(figsize=(2.7 * num_columns + 0.7, 2.5 * num_rows + 0.7), layout="constrained")
    axes = figure.subplots(num_rows, num_columns, squeeze=False, sharex=True, sharey=True)
    for ax, name in itertools.zip_longest(axes.flat, names):
        if name is None:
            ax.set_axis_off()
            continue
        one = results.sel({panel: name})
        for (label, truth), style in zip(truths.items(), TRUTH_STYLES, strict=False):
            ax.plot(one[over], one[truth], color="black", linestyle=style, label=label, zorder=3)
        draw_band(ax, one[estimate], over, ARM_COLOURS[0], "estimate")
        ax.set_xscale("log")
        ax.set_title(name)
        ax.grid(alpha=0.3)
    for ax in axes[-1]:
        ax.set_xlabel(results[over].attrs.get("long_name", over))
    for ax in axes[:, 0]:
        ax.set_ylabel("I(X;T) [bits]")
    axes[0, 0].legend(fontsize="small")
    figure.suptitle(title)
    return figure


def plot_probabilities(
    panels: Mapping[str, tuple[np.ndarray, np.ndarray]], bin_width: float, *, num_columns: int
) -> Figure:
    """Bars of the probabilities of a unit's bins, one panel each.

    Args:
        panels: by title, lower edges (bin,) and probabilities (bin,).
        bin_width: of all bins.
        num_columns: of panels.
    """
    num_rows = -(-len(panels) // num_columns)
    figure = Figure(figsize=(3.4 * num_columns, 2.3 * num_rows), layout="constrained")
    axes = figure.subplots(num_rows, num_columns, squeeze=False, sharey=True, sharex="row")
    for ax, (title, (edges, p)) in zip(axes.flat, panels.items(), strict=False):
        ax.bar(edges, p, width=bin_width, align="edge", color=ARM_COLOURS[0], edgecolor="white", lw=0.3)
        ax.set_title(title)
        ax.grid(alpha=0.3)
    for ax in axes[-1]:
        ax.set_xlabel("activation h")
    for ax in axes[:, 0]:
        ax.set_ylabel("probability of the bin")
    return figure
