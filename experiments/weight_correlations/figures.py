"""Figures of correlations of weights against the epoch, beside those of random weights."""

import itertools

import xarray as xr
from matplotlib.figure import Figure

from ibjax.analysis._labelled import check_results
from ibjax.plots.axes import ARM_COLOURS, add_title, check_dimensions, epoch_axis, label_epochs, levels

__all__ = ["plot_weight_correlations"]

LABELS = {
    "within": "units of a layer, |cos|",
    "matched": "networks, units matched",
    "unmatched": "networks, as they are",
}


def plot_weight_correlations(summary: xr.Dataset, *, row: str = "activation", title: str = "") -> Figure:
    """Plot every layer's correlations against the epoch with 95% bands; random weights are dashed.

    Args:
        summary: Dataset with ``within``, ``matched``, ``unmatched`` of dims ``(row, epoch, layer)``,
            each with ``_low`` and ``_high``; ``matched_null`` of the same dims; ``within_null`` of dims
            ``(row, layer)``.
        row: dimension for rows of panels; columns are layers.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims.
    """
    check_dimensions(row=row)
    curves = [f"{name}{end}" for name in LABELS for end in ("", "_low", "_high")]
    drawn = dict.fromkeys([*curves, "matched_null"], (row, "epoch", "layer"))
    drawn |= {"within_null": (row, "layer")}
    check_results("summary", summary, drawn)
    rows, layers = levels(summary, row), summary.layer.values
    figure = Figure(figsize=(1.5 * len(layers) + 0.8, 2.5 * len(rows) + 1.1), layout="constrained")
    axes = figure.subplots(len(rows), len(layers), squeeze=False, sharex=True, sharey=True)
    for (i, r), (j, layer) in itertools.product(enumerate(rows), enumerate(layers)):
        ax, layer_summary = axes[i, j], summary.sel({row: r, "layer": layer})
        for colour, (name, label) in zip(ARM_COLOURS, LABELS.items(), strict=False):
            ax.plot(layer_summary.epoch, layer_summary[name], color=colour, label=label)
            band = layer_summary[f"{name}_low"], layer_summary[f"{name}_high"]
            ax.fill_between(layer_summary.epoch, *band, color=colour, alpha=0.25, lw=0)
            if name != "unmatched":  # of random weights it is 0
                null = layer_summary[f"{name}_null"].broadcast_like(layer_summary.epoch)
                ax.plot(layer_summary.epoch, null, color=colour, linestyle="--", lw=1.2)
        epoch_axis(ax, summary)
        ax.set_ylim(max(ax.get_ylim()[0], -1), 1)  # bands of few networks reach beyond correlations
        if i == 0:
            ax.set_title(f"layer {layer}" + (" (output)" if layer == layers[-1] else ""))
    for ax, r in zip(axes[:, 0], rows, strict=True):
        ax.set_ylabel(f"{r}\ncorrelation of weights")
    label_epochs(axes)
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, fontsize="small")
    add_title(figure, title)
    return figure
