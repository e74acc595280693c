"""Figures of single units: estimates against exact values, and the bins that explain them."""

import itertools
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ibjax.analysis._inputs import as_numbers, check_text
from ibjax.analysis._labelled import check_results
from ibjax.checks import as_whole, check_positive, check_same_length, kind_of
from ibjax.plots.axes import (
    ARM_COLOURS,
    add_title,
    at_levels,
    check_labels,
    draw_band,
    facets,
    joined,
    levels,
)
from ibjax.types import ArrayLike

__all__ = ["plot_against_truth", "plot_probabilities"]

TRUTH_STYLES = ("--", ":", "-.", "-")


def plot_against_truth(
    results: xr.Dataset,
    *,
    over: str,
    column: str | None = None,
    estimate: str = "ixt",
    truths: Mapping[str, str] = MappingProxyType({"exact": "exact"}),
    title: str = "",
) -> Figure:
    """Plot an estimate's mean over seeds with a 95% band, and exact values.

    Args:
        results: Dataset with the estimate, of dims ``([column], over, "seed")``, and the exact values,
            of dims ``([column], over)``; bits.
        over: dimension of the horizontal axis, which is logarithmic.
        column: optional dimension for panels; more than five stand in several lines.
        estimate: variable of the estimate.
        truths: variables of exact values, by their names in the legend.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims, names that are not text.
    """
    check_text("over", over)
    used = facets(column=column, over=over)
    check_text("estimate", estimate)
    check_labels("truths", truths)
    check_results("results", results, {estimate: (*used, "seed")})
    for truth in truths.values():
        truth_dims = used if truth in results and column in results[truth].dims else (over,)
        check_results("results", results, {truth: truth_dims})
    as_numbers(f"results.{over}", results[over].values, "(level,)")
    panels = levels(results, column)
    num_columns = len(panels) if len(panels) <= 5 else 4
    num_rows = -(-len(panels) // num_columns)
    figure = Figure(figsize=(2.7 * num_columns + 0.7, 2.5 * num_rows + 0.7), layout="constrained")
    axes = figure.subplots(num_rows, num_columns, squeeze=False, sharex=True, sharey=True)
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    for ax, level in zip(axes.flat, panels, strict=False):
        arm = at_levels(results, {column: level})
        for (label, truth), style in zip(truths.items(), itertools.cycle(TRUTH_STYLES), strict=False):
            ax.plot(arm[over], arm[truth], color="black", linestyle=style, label=label, zorder=3)
        draw_band(ax, arm[estimate], over, ARM_COLOURS[0], "estimate")
        ax.set_xscale("log")
        ax.set_title(joined("", level))
        ax.grid(alpha=0.3)
    for ax in axes[-1]:
        ax.set_xlabel(results[over].attrs.get("long_name", over))
    for ax in axes[:, 0]:
        ax.set_ylabel("I(X;T) [bits]")
    axes[0, 0].legend(fontsize="small")
    add_title(figure, title)
    return figure


def plot_probabilities(
    panels: Mapping[str, tuple[ArrayLike, ArrayLike]],
    bin_width: float | int,
    *,
    num_columns: int | np.integer,
) -> Figure:
    """Plot bars of the probabilities of a unit's bins, one panel for each unit.

    Args:
        panels: lower edges (bin,) and probabilities (bin,), by title of the panel.
        bin_width: width of all bins.
        num_columns: number of columns of panels.

    Raises:
        ValueError: for panels without edges and probabilities, a width or a number that is not positive.
    """
    check_positive("bin_width", bin_width)
    drawn = _checked_bars(panels)
    num_columns = min(as_whole("num_columns", num_columns), len(drawn))
    num_rows = -(-len(drawn) // num_columns)
    figure = Figure(figsize=(3.4 * num_columns, 2.3 * num_rows), layout="constrained")
    axes = figure.subplots(num_rows, num_columns, squeeze=False, sharey=True, sharex="row")
    for ax, (title, (edges, p)) in zip(axes.flat, drawn.items(), strict=False):
        ax.bar(edges, p, width=bin_width, align="edge", color=ARM_COLOURS[0], edgecolor="white", lw=0.3)
        ax.set_title(title)
        ax.grid(alpha=0.3)
    for ax in axes[-1]:
        ax.set_xlabel("activation h")
    for ax in axes[:, 0]:
        ax.set_ylabel("probability of the bin")
    return figure


def _checked_bars(panels) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    if not isinstance(panels, Mapping) or not panels:
        raise ValueError(
            f"panels: expected a mapping of titles to edges and probabilities, got {kind_of(panels)}"
        )
    bars = {}
    for title, pair in panels.items():
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise ValueError(f"panels: expected edges and probabilities, got {kind_of(pair)}")
        edges, p = (as_numbers(f"panels[{title!r}]", part, "(bin,)") for part in pair)
        check_same_length("edges", edges, "probabilities", p)
        bars[str(title)] = edges, p
    return bars
