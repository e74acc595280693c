"""Figures of I(X;T) against the epoch, and of its compression."""

import itertools
from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ibjax.analysis._inputs import as_sequence
from ibjax.analysis._labelled import check_results
from ibjax.plots.axes import (
    add_title,
    arm_looks,
    at_levels,
    check_dimensions,
    draw_band,
    epoch_axis,
    facets,
    joined,
    label_epochs,
    levels,
)

# Number of names side by side in a legend below the panels.
LEGEND_COLUMNS = 9

# Layers whose mean changes by less in all arms would be flat lines.
FLAT_BITS = 0.2

__all__ = ["plot_compression", "plot_compression_table", "plot_curves"]


def plot_compression(
    plane: xr.Dataset, *, row: str | None = None, compare: str | None = None, title: str = ""
) -> Figure:
    """Plot I(X;T) against the epoch, per layer, with a 95% band over seeds; arms share axes.

    Layers whose mean over seeds changes by less than 0.2 bits in all arms have no panel; the title names
    them.

    Args:
        plane: Dataset with ``ixt`` of dims ``([row], [compare], seed, epoch, layer)``.
        row: optional dimension for rows of panels; columns are layers.
        compare: optional dimension whose levels share a panel.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims.
    """
    used = facets(row=row, compare=compare)
    check_results("plane", plane, {"ixt": (*used, "seed", "epoch", "layer")})
    rows, arms, last = levels(plane, row), levels(plane, compare), plane.layer.values[-1]
    flat, layers = _flat_and_moving_layers(plane)
    looks = arm_looks(len(arms))
    figure = Figure(figsize=(2.5 * len(layers) + 0.5, 2.4 * len(rows) + 0.7), layout="constrained")
    axes = figure.subplots(len(rows), len(layers), squeeze=False, sharex=True, sharey="row")
    for i, r in enumerate(rows):
        for j, layer in enumerate(layers):
            ax = axes[i, j]
            for (colour, style), arm in zip(looks, arms, strict=True):
                ixt = at_levels(plane.ixt, {row: r, compare: arm, "layer": layer})
                draw_band(ax, ixt, "epoch", colour, joined("", arm), style)
            epoch_axis(ax, plane)
            if i == 0:
                ax.set_title(f"layer {layer}" + (" (softmax)" if layer == last else ""))
        axes[i, 0].set_ylabel(joined("\n", r, "I(X;T) [bits]"))
    label_epochs(axes)
    if compare is not None:
        handles, names = axes[0, 0].get_legend_handles_labels()
        look = {"title": compare.replace("_", " "), "fontsize": "small", "ncols": LEGEND_COLUMNS}
        figure.legend(handles, names, loc="outside lower center", **look)
    if len(flat):
        note = f"changes by less than {FLAT_BITS} bits: layer {', '.join(map(str, flat))}"
        title = f"{title}; {note}" if title else note
    add_title(figure, title)
    return figure


def _flat_and_moving_layers(plane: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Tell layers that hardly change in any arm from the others; all are shown if none changes."""
    mean = plane.ixt.mean("seed")
    change = mean.max("epoch") - mean.min("epoch")
    most = change.max([d for d in change.dims if d != "layer"])
    flat = (most < FLAT_BITS).values
    if flat.all():
        flat = np.zeros_like(flat)
    return plane.layer.values[flat], plane.layer.values[~flat]


def plot_curves(
    plane: xr.Dataset,
    *,
    row: str | None = None,
    column: str | None = None,
    compare: str | None = None,
    title: str = "",
) -> Figure:
    """Plot I(X;T) of one layer against the epoch, with a 95% band over seeds.

    Args:
        plane: Dataset with ``ixt`` of dims ``([row], [column], [compare], seed, epoch)``; with
            ``compare``, a coordinate ``option`` of dims among ``(column, compare)`` names the curves.
        row: optional dimension for rows of panels.
        column: optional dimension for columns of panels.
        compare: optional dimension whose levels share a panel.
        title: title of the figure.

    Raises:
        ValueError: for other variables, coordinates or dims.
    """
    used = facets(row=row, column=column, compare=compare)
    check_results("plane", plane, {"ixt": (*used, "seed", "epoch")})
    if compare is not None:
        _check_option("plane", plane, facets(column=column, compare=compare))
    rows, columns, arms = levels(plane, row), levels(plane, column), levels(plane, compare)
    looks = arm_looks(len(arms))
    figure = Figure(figsize=(2.7 * len(columns) + 0.5, 2.6 * len(rows) + 0.7), layout="constrained")
    axes = figure.subplots(len(rows), len(columns), squeeze=False, sharex=True, sharey="row")
    for (i, r), (j, c) in itertools.product(enumerate(rows), enumerate(columns)):
        ax = axes[i, j]
        for (colour, style), level in zip(looks, arms, strict=True):
            arm = at_levels(plane, {row: r, column: c, compare: level})
            label = "" if compare is None else str(arm.option.item())
            draw_band(ax, arm.ixt, "epoch", colour, label, style)
        epoch_axis(ax, plane)
        if i == 0:
            ax.set_title(joined("", c))
            if compare is not None:
                ax.legend(fontsize="x-small")
        axes[i, 0].set_ylabel(joined("\n", r, "I(X;T) [bits]"))
    label_epochs(axes)
    add_title(figure, title)
    return figure


def plot_compression_table(
    summary: xr.Dataset,
    *,
    rows: Sequence[str],
    column: str | None = None,
    title: str = "",
) -> Figure:
    """Draw a table of the compression of every layer (columns) in every arm (rows).

    Numbers are means over seeds, in bold where the layer compresses by intervals that hold for all at
    once.

    Args:
        summary: result of ``compression_summary``: ``compression``, bits, and ``compresses`` of dims
            ``([column], *rows, layer)``; a coordinate ``option`` of dims ``rows`` names the levels of
            the last one.
        rows: dimensions whose levels are the rows.
        column: optional dimension for tables side by side.
        title: title of the figure.

    Raises:
        ValueError: for other variables, coordinates or dims.
    """
    rows = as_sequence("rows", rows, "dimensions")
    named = {f"rows[{i}]": dimension for i, dimension in enumerate(rows)}
    check_dimensions(**named)
    used = facets(column=column, **named)
    ends = ("compression", "compresses")
    check_results("summary", summary, dict.fromkeys(ends, (*used, "layer")))
    if "option" in summary.coords:
        _check_option("summary", summary, rows)
    arms = summary.stack(arm=rows)
    last = arms.option.values if "option" in arms.coords else [key[-1] for key in arms.arm.values]
    names = [", ".join((*key[:-1], str(x))) for key, x in zip(arms.arm.values, last, strict=True)]
    layers, columns = summary.layer.values, levels(summary, column)
    size = ((0.75 * len(layers) + 0.6) * len(columns) + 2.6, 0.28 * len(names) + 1.3)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, len(columns), squeeze=False, sharey=True)[0]
    scale = max(float(np.abs(summary.compression).max()), 0.1)
    for ax, level in zip(axes, columns, strict=True):
        level_arms = at_levels(arms, {column: level}).transpose("arm", "layer")
        image = ax.imshow(level_arms.compression, cmap="RdBu_r", vmin=-scale, vmax=scale, aspect="auto")
        for (i, j), value in np.ndenumerate(level_arms.compression.values):
            weight = "bold" if level_arms.compresses.values[i, j] else "normal"
            colour = "white" if abs(value) > 0.6 * scale else "black"
            look = {"ha": "center", "va": "center", "weight": weight, "color": colour, "size": 8}
            ax.text(j, i, f"{round(value, 1) + 0.0:.1f}", **look)
        ax.set_xticks(range(len(layers)), layers)
        ax.set_yticks(range(len(names)), names)
        ax.set_title(joined("", level))
        ax.set_xlabel("layer")
        if len(rows) > 1:
            group = len(names) // summary.sizes[rows[0]]
            for line in range(group, len(names), group):
                ax.axhline(line - 0.5, color="black", lw=0.8)
    figure.colorbar(image, ax=axes, label="compression of I(X;T) [bits]", aspect=35)
    add_title(figure, title)
    return figure


def _check_option(name: str, results: xr.Dataset, dims: Sequence[str]) -> None:
    """Refuse results without a coordinate ``option`` of these dims."""
    if "option" not in results.coords or not set(results.option.dims) <= set(dims):
        raise ValueError(
            f"{name}: expected a coordinate option ({', '.join(dims)}), got {[*results.coords]}"
        )
