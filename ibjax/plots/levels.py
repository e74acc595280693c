"""Figures of one number per seed, by the level of a factor."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ibjax.analysis._inputs import as_numbers, check_text
from ibjax.analysis._labelled import check_results
from ibjax.analysis.intervals import median_interval
from ibjax.plots.axes import ARM_COLOURS, add_title, check_labels, log_axis

__all__ = ["plot_by_level"]

MOST_COLUMNS = 3


def plot_by_level(
    values: xr.Dataset, over: str, *, labels: Mapping[str, str], ylabel: str, title: str = ""
) -> Figure:
    """Plot medians with 95% intervals over seeds against a factor's levels, in log scale; seeds as dots.

    Zeros are drawn at 1, and levels that fewer than half of the seeds reach have no median.

    Args:
        values: Dataset of variables of dims ``(over, "seed")``; NaN for seeds without a value.
        over: name of the factor, whose levels are numbers.
        labels: labels of the variables, one panel each, at most three in a row.
        ylabel: label of the vertical axis of all panels.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims, levels that are not numbers, labels that are not text.
    """
    check_text("over", over)
    check_labels("labels", labels)
    check_text("ylabel", ylabel)
    check_results("values", values, dict.fromkeys(labels, (over, "seed")))
    as_numbers(f"values.{over}", values[over].values, "(level,)")
    num_rows = -(-len(labels) // MOST_COLUMNS)
    num_columns = -(-len(labels) // num_rows)
    figure = Figure(figsize=(3.8 * num_columns + 0.4, 3.2 * num_rows + 0.4), layout="constrained")
    grid = figure.subplots(num_rows, num_columns, squeeze=False, sharex=True, sharey=True)
    axes, spare = np.split(grid.ravel(), [len(labels)])
    for ax in spare:
        ax.remove()
    levels = values[over].values
    for ax, (name, label) in zip(axes, labels.items(), strict=True):
        level_values = values[name].clip(min=1).transpose(over, "seed").values
        shift = np.linspace(-0.15, 0.15, level_values.shape[1])
        for level, seed_values in zip(levels, level_values, strict=True):
            ax.plot(level + shift, seed_values, ".", color=ARM_COLOURS[0], alpha=0.25, ms=5)
        known = np.isfinite(level_values).mean(axis=1) >= 0.5
        intervals = [median_interval(seed_values) for seed_values in level_values[known]]
        middle = np.array([interval.estimate for interval in intervals])
        ends = np.abs(
            np.array([(interval.low, interval.high) for interval in intervals]).reshape(-1, 2).T - middle
        )
        ax.errorbar(levels[known], middle, ends, fmt="o-", color=ARM_COLOURS[1], capsize=3, zorder=3)
        log_axis(ax)
        ax.set_xticks(levels)
        ax.set_title(label, fontsize="medium")
        ax.grid(alpha=0.3)
    for ax in grid[:, 0]:
        ax.set_ylabel(ylabel)
    for ax in axes[-num_columns:]:  # the last panel of every column
        ax.set_xlabel(values[over].attrs.get("long_name", over))
        ax.tick_params(labelbottom=True)
    add_title(figure, title)
    return figure
