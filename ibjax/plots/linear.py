"""Figures of linear teachers and students: error, information, and the bound on both."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ibjax.analysis._inputs import check_text
from ibjax.analysis._labelled import check_labelled, check_results, check_same_levels
from ibjax.bottleneck import gaussian_ib_bound
from ibjax.checks import kind_of
from ibjax.plots.axes import (
    ARM_COLOURS,
    add_title,
    arm_looks,
    at_levels,
    check_labels,
    check_levels,
    draw_band,
    epoch_axis,
    facets,
    joined,
    label_epochs,
    levels,
    log_axis,
)
from ibjax.plots.planes import plot_information_plane

__all__ = ["plot_bounded_plane", "plot_learning", "plot_parts"]

TRAIN_COLOUR, TEST_COLOUR = ARM_COLOURS[:2]
REFERENCE_STYLES = ("--", ":", "-.", "-")
CURVE_POINTS = 200

# Largest ratio of errors shown on a logarithmic axis.
LARGEST_RATIO = 1e4

PARTS = {"ixt": "I(X;T), all inputs", "ixt_relevant": "I(X_rel;T)", "ixt_irrelevant": "I(X_irr;T)"}


def plot_bounded_plane(
    plane: xr.Dataset,
    rho2: xr.DataArray,
    *,
    row: str | None = None,
    column: str | None = None,
    title: str = "",
) -> Figure:
    """Plot the information plane with the task's Gaussian information-bottleneck curve, dashed.

    Args:
        plane: Dataset as for ``plot_information_plane``.
        rho2: squared correlation of the label with its best prediction, with dims among ``row`` and
            ``column``.
        row: optional dimension for rows of panels.
        column: optional dimension for columns of panels.
        title: title of the figure.

    Raises:
        ValueError: as ``plot_information_plane``, and for correlations of other dims or outside [0, 1).
    """
    check_labelled("rho2", rho2, {*facets(row=row, column=column)} & {*getattr(rho2, "dims", ())})
    dims = tuple(map(str, rho2.dims))
    check_results("plane", plane, dict.fromkeys(("ixt", "ity"), dims), factors=True)
    for dimension in dims:
        check_same_levels(dimension, plane=plane, rho2=rho2)
    if not ((rho2 >= 0) & (rho2 < 1)).all():
        raise ValueError(
            f"rho2: expected numbers from 0 to below 1, got {kind_of(rho2.values.tolist())}"
        )
    figure = plot_information_plane(plane, row=row, column=column, title=title)
    panels = itertools.product(levels(plane, row), levels(plane, column))
    for ax, (r, c) in zip(figure.axes, panels, strict=False):
        chosen = {k: v for k, v in ((row, r), (column, c)) if k in rho2.dims}
        ixt = np.linspace(0, max(ax.get_xlim()[1], 0.0), CURVE_POINTS)
        curve = gaussian_ib_bound([rho2.sel(chosen).item()], ixt)
        ax.plot(*curve, color="black", linestyle="--", linewidth=1, zorder=1)
    return figure


def plot_learning(
    results: xr.Dataset,
    *,
    column: str | None = None,
    layers: Sequence[int],
    loss: str,
    references: Mapping[str, str],
    title: str = "",
) -> Figure:
    """Plot errors (above) and I(X;T) and I(T;Y) of every layer (below) against the epoch.

    Curves are means over seeds with 95% bands, those of errors with bands of their logarithms; each
    level of ``column`` has a column of panels.

    Args:
        results: Dataset with ``train_loss``, ``test_loss`` ([column], seed, epoch) and ``ixt``, ``ity``
            ([column], seed, epoch, layer), bits.
        column: optional dimension for columns of panels.
        layers: layers to draw.
        loss: label of the axis of errors, which is logarithmic.
        references: variables of dims ``([column], [seed])`` to draw as horizontal lines, by their names
            in the legend.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims, layers that do not exist, names that are not text.
    """
    used = facets(column=column)
    check_text("loss", loss)
    losses = dict.fromkeys(("train_loss", "test_loss"), (*used, "seed", "epoch"))
    planes = dict.fromkeys(("ixt", "ity"), (*used, "seed", "epoch", "layer"))
    check_results("results", results, losses | planes)
    layers = check_levels("layers", layers, results, "layer")
    looks = arm_looks(len(layers))
    if not isinstance(references, Mapping) or references:  # there may be none
        check_labels("references", references)
    for name in references.values():
        check_results("results", results, {name: ()}, factors=True)
        if not set(results[name].dims) <= {*used, "seed"}:
            wanted = ", ".join((*used, "seed"))
            raise ValueError(
                f"results: expected {name} of dims among {wanted}, got {results[name].dims}"
            )
    columns = levels(results, column)
    narrow = len(columns) > 3
    size = ((1.8 if narrow else 2.6) * len(columns) + 1.0, 6.6)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(3, len(columns), squeeze=False, sharex=True, sharey="row")
    for (errors, *information), level in zip(axes.T, columns, strict=True):
        arm = at_levels(results, {column: level})
        draw_band(errors, arm.train_loss, "epoch", TRAIN_COLOUR, "training", of_log=True)
        draw_band(errors, arm.test_loss, "epoch", TEST_COLOUR, "new samples", of_log=True)
        for (label, name), style in zip(
            references.items(), itertools.cycle(REFERENCE_STYLES), strict=False
        ):
            errors.axhline(float(arm[name].mean()), color="black", linestyle=style, label=label)
        log_axis(errors)
        errors.set_title(joined("", level), fontsize="medium")
        for ax, name in zip(information, ("ixt", "ity"), strict=True):
            for (colour, style), layer in zip(looks, layers, strict=True):
                draw_band(ax, arm[name].sel(layer=layer), "epoch", colour, f"layer {layer}", style)
        for ax in (errors, *information):
            epoch_axis(ax, results)
    for ax, label in zip(axes[:, 0], (loss, "I(X;T) [bits]", "I(T;Y) [bits]"), strict=True):
        ax.set_ylabel(label)
    bottom, top = axes[0, 0].get_ylim()
    axes[0, 0].set_ylim(bottom=max(bottom, top / LARGEST_RATIO))
    axes[0, 0].legend(fontsize="x-small")
    axes[2, 0].legend(fontsize="x-small")
    label_epochs(axes)
    if narrow:
        for ax in axes[-1]:
            ax.set_xticks([tick for tick in ax.get_xticks() if tick != 1])
    add_title(figure, title)
    return figure


def plot_parts(results: xr.Dataset, *, names: Mapping[int, str], title: str = "") -> Figure:
    """Plot information about all, the relevant and the irrelevant inputs against the epoch.

    Each layer has a row of panels, each with its own axis. Curves are means over seeds with 95% bands,
    and single seeds faintly.

    Args:
        results: Dataset with ``ixt``, ``ixt_relevant``, ``ixt_irrelevant`` (seed, epoch, layer), bits.
        names: names of the layers.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims, layers that do not exist, names that are not text.
    """
    check_labels("names", names)
    check_results("results", results, dict.fromkeys(PARTS, ("seed", "epoch", "layer")))
    check_levels("names", list(names), results, "layer")
    figure = Figure(figsize=(10.0, 2.6 * len(names) + 0.7), layout="constrained")
    axes = figure.subplots(len(names), len(PARTS), squeeze=False, sharex=True)
    for row, (layer, name) in zip(axes, names.items(), strict=True):
        for ax, (part, label), colour in zip(row, PARTS.items(), ARM_COLOURS, strict=False):
            values = results[part].sel(layer=layer).transpose("epoch", "seed")
            ax.plot(results.epoch, values, color=colour, linewidth=0.5, alpha=0.15)
            draw_band(ax, values, "epoch", colour, label)
            epoch_axis(ax, results)
            ax.set_title(f"{name}: {label}", fontsize="medium")
        row[0].set_ylabel("information [bits]")
    label_epochs(axes)
    add_title(figure, title)
    return figure
