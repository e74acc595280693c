"""Code shared by figures: colours, bands over seeds, the axis of epochs, and checks."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from ibjax.analysis._inputs import as_sequence, check_text
from ibjax.analysis.intervals import mean_interval
from ibjax.checks import kind_of

__all__ = [
    "ARM_COLOURS",
    "LAYER_COLOURS",
    "MARKERS",
    "OUTPUT_MARKER",
    "add_legend",
    "add_title",
    "arm_looks",
    "at_levels",
    "check_dimensions",
    "check_labels",
    "check_levels",
    "draw_band",
    "epoch_axis",
    "facets",
    "joined",
    "label_epochs",
    "levels",
    "log_axis",
    "plain_log_labels",
]

Labelled = TypeVar("Labelled", xr.Dataset, xr.DataArray)

ARM_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
LAYER_COLOURS = (*ARM_COLOURS, "#56b4e9", "#e69f00", "#000000")
LINE_STYLES = ("-", "--", ":", "-.")
# Markers of layers; a star is the corner of the plane, and the last one any network's output.
MARKERS = "osD^vPXph<"
OUTPUT_MARKER = ">"

# Number of names per column in a legend beside the panels.
LEGEND_ROWS = 20


def arm_looks(count: int) -> list[tuple[Any, str]]:
    """Return a colour and a line style for each of ``count`` curves, all different."""
    if count <= len(LAYER_COLOURS):
        return [(colour, "-") for colour in LAYER_COLOURS[:count]]
    colours = mpl.colormaps["turbo"](np.linspace(0.02, 0.98, count))
    return list(zip(colours, itertools.cycle(LINE_STYLES), strict=False))


def draw_band(
    ax: Axes,
    ixt: xr.DataArray,
    over: str,
    colour: Any,
    label: str,
    linestyle: str = "-",
    linewidth: float | None = None,
    *,
    of_log: bool = False,
) -> None:
    """Draw the mean over seeds and its 95% interval.

    Args:
        of_log: whether the interval is that of the mean's logarithm (delta method), for log axes: it has
            no limit below 0. Of 50 values that are not negative its limits are within a factor of 8.
    """
    mean, low, high, _ = mean_interval(ixt.transpose("seed", over).values)
    if of_log:
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.exp((high - mean) / mean)
        low, high = mean / ratio, mean * ratio
    ax.plot(ixt[over], mean, color=colour, label=label, ls=linestyle, lw=linewidth)
    ax.fill_between(ixt[over], low, high, color=colour, alpha=0.25, lw=0)


def epoch_axis(ax: Axes, plane: xr.Dataset) -> None:
    ax.set_xscale("symlog", linthresh=1, linscale=0.4)
    ax.set_xlim(0, max(int(plane.epoch.max()), 2))
    ax.xaxis.set_major_formatter(_epoch_label)
    ax.grid(alpha=0.3)


def _epoch_label(epoch: Any, _: Any) -> str:
    """Label powers of ten, but not epoch 1, whose label would lie on that of epoch 0."""
    if epoch in (0, 1):
        return "" if epoch else "0"
    return f"$10^{{{round(math.log10(epoch))}}}$" if epoch > 0 else ""


class PlainLogFormatter(LogFormatter):
    """Labels the ticks that matplotlib's does, with plain numbers: 0.6 rather than 6 x 10^-1."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:g}" if super().__call__(x, pos) else ""


def log_axis(ax: Axes) -> None:
    """Give a vertical axis a log scale with plain numbers, also within one decade."""
    ax.set_yscale("log")
    plain_log_labels(ax.yaxis)


def plain_log_labels(axis: Axis) -> None:
    """Label the ticks of a log scale with plain numbers, also within one decade."""
    axis.set_major_formatter(PlainLogFormatter())
    axis.set_minor_formatter(PlainLogFormatter(minor_thresholds=(1.5, 0.5)))


def label_epochs(axes: np.ndarray) -> None:
    for ax in axes[-1]:
        ax.set_xlabel("epoch")
        ax.set_xticks([t for t in (0, 1, 10, 100, 1000, 10000) if t <= ax.get_xlim()[1]])


def levels(plane: xr.Dataset | xr.DataArray, dimension: str | None) -> Sequence:
    return [None] if dimension is None else list(plane[dimension].values)


def at_levels(data: Labelled, chosen: Mapping[str | None, Any]) -> Labelled:
    """Select one level of each dimension; None stands for a dimension that the figure does not use."""
    return data.sel({dimension: level for dimension, level in chosen.items() if dimension is not None})


def joined(separator: str, *parts: Any) -> str:
    """Join the parts of a label, without levels of dimensions that the figure does not use."""
    return separator.join(str(part) for part in parts if part is not None)


def add_title(figure: Figure, title: str) -> None:
    check_text("title", title)
    figure.suptitle(title)


def add_legend(ax: Axes, **look) -> None:
    """Add a legend of a panel's curves, if named: in the panel or, if many, beside all panels."""
    handles, names = ax.get_legend_handles_labels()
    if not names:
        return
    if len(names) <= len(ARM_COLOURS):
        ax.legend(fontsize="small", **look)
        return
    assert isinstance(ax.figure, Figure)
    columns = -(-len(names) // LEGEND_ROWS)
    ax.figure.legend(handles, names, loc="outside right upper", fontsize="small", ncols=columns, **look)


def check_dimensions(**dimensions: str) -> None:
    """Refuse anything but names of dimensions, and the same name twice.

    Args:
        **dimensions: names of dimensions by argument name.
    """
    for name, dimension in dimensions.items():
        check_text(name, dimension)
    if len(set(dimensions.values())) < len(dimensions):
        names = ", ".join(dimensions.values())
        raise ValueError(f"{', '.join(dimensions)}: expected different dimensions, got {names}")


def facets(**dimensions: str | None) -> tuple[str, ...]:
    """Return the dimensions that a figure uses, those that are not None.

    Args:
        **dimensions: names of dimensions by argument name.

    Raises:
        ValueError: as ``check_dimensions``.
    """
    used = {name: dimension for name, dimension in dimensions.items() if dimension is not None}
    check_dimensions(**used)
    return tuple(used.values())


def check_labels(name: str, labels: Any) -> None:
    """Refuse anything but a mapping of one or more names to text."""
    texts = list(labels.values()) if isinstance(labels, Mapping) else []
    if not texts or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{name}: expected a mapping to labels, got {kind_of(labels)}")


def check_levels(name: str, chosen: Any, results: xr.Dataset | xr.DataArray, dimension: str) -> tuple:
    """Return the chosen levels of a dimension; refuse levels that it does not have."""
    chosen = as_sequence(name, chosen, f"levels of {dimension}")
    chosen = tuple(x.item() if isinstance(x, np.ndarray) and x.ndim == 0 else x for x in chosen)
    known = results[dimension].values.tolist()
    for level in chosen:
        single = isinstance(level, str | int | float | np.generic) and not isinstance(level, bool)
        if not single or level not in known:
            few = ", ".join(map(str, known[:8])) + (", ..." if len(known) > 8 else "")
            raise ValueError(f"{name}: expected levels of {dimension} ({few}), got {kind_of(level)}")
    return chosen
