"""Figures: maps of the grid, and compression against one number of a layer."""

from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from experiments.phase_diagram.conclusions import PAPERS, PRIMARY
from ibjax.plots import plot_phase_diagram
from ibjax.plots.axes import add_title, plain_log_labels

__all__ = ["plot_maps", "plot_misses", "plot_predictions"]

AXES: dict[str, Any] = {"x": "learning_rate", "y": "init_scale", "row": "activation"}
MARKS = {
    "Shwartz-Ziv & Tishby (tanh), Saxe et al. (relu)": (PAPERS["learning_rate"], PAPERS["init_scale"])
}
LABELS = {"learning_rate": "learning rate", "init_scale": "factor on initial weights"}


def plot_maps(cells: xr.Dataset, *, title: str = "") -> dict[str, Figure]:
    """Draw maps of compression, information and saturation by layer, and of accuracy, by file name."""
    cells = _labelled(cells)
    hidden = cells.isel(layer=slice(0, -1))
    options: dict[str, Any] = {"contour": "learnt", "marks": MARKS, **AXES}
    by_layer = {
        "compression.png": (hidden, "compression"),
        "label_information.png": (cells, "ity"),
        "saturated.png": (hidden, "saturated"),
    }
    figures = {
        file: plot_phase_diagram(data, value=value, column="layer", title=title, **options)
        for file, (data, value) in by_layer.items()
    }
    networks = cells[["learnt", "test_accuracy"]]
    across: dict[str, Any] = {
        "x": AXES["x"],
        "y": AXES["y"],
        "column": "activation",
        "marks": MARKS,
        "title": title,
    }
    figures["test_accuracy.png"] = plot_phase_diagram(
        networks, value="test_accuracy", contour="learnt", **across
    )
    figures["learnt.png"] = plot_phase_diagram(networks, value="learnt", **across)
    return figures


def plot_misses(predicted: xr.Dataset, *, title: str = "") -> Figure:
    """Map measured less predicted compression of held-out cells."""
    chosen = predicted.sel(PRIMARY)
    error = (chosen.measured - chosen.predicted).assign_attrs(
        long_name="measured less predicted compression", units="bits"
    )
    data = _labelled(xr.Dataset({"error": error}))
    return plot_phase_diagram(data, value="error", column="layer", marks=MARKS, title=title, **AXES)


def plot_predictions(predicted: xr.Dataset, *, title: str = "") -> Figure:
    """Plot each cell's compression against its final pre-activation, with its held-out prediction."""
    chosen = predicted.sel(PRIMARY)
    activations, layers = chosen.activation.values, chosen.layer.values
    size = (2.6 * len(layers) + 1.6, 2.5 * len(activations) + 0.8)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(activations), len(layers), squeeze=False, sharex="col", sharey=True)
    start = chosen.init_scale.values
    norm = LogNorm(float(start.min()), float(start.max()) * (1 if len(start) > 1 else 2))
    for line, name in zip(axes, activations, strict=True):
        for ax, layer in zip(line, layers, strict=True):
            panel = chosen.sel(activation=name, layer=layer)
            flat = panel.stack(cell=("init_scale", "learning_rate"))
            size = 2**flat.control_value
            look = {"color": "0.75", "lw": 1.2, "zorder": 1}
            ax.vlines(size, flat.predicted_low, flat.predicted_high, label="95% interval", **look)
            ax.plot(size, flat.predicted, "_", color="black", ms=5, mew=1.2, label="predicted", zorder=2)
            look = {"cmap": "coolwarm", "norm": norm, "s": 16, "edgecolors": "0.3", "linewidths": 0.3}
            ax.scatter(size, flat.measured, c=flat.init_scale, label="measured", zorder=3, **look)
            paper = panel.sel(PAPERS, method="nearest")
            ring = {"ms": 10, "mfc": "none", "mec": "black", "mew": 1.4, "zorder": 4}
            ax.plot(2**paper.control_value, paper.measured, "o", label="papers' settings", **ring)
            ax.set_xscale("log")
            if not np.isfinite(size).any():  # a log scale needs numbers
                ax.set_xlim(0.5, 2)
            plain_log_labels(ax.xaxis)
            ax.grid(alpha=0.3)
            if name == activations[0]:
                ax.set_title(f"layer {layer}", fontsize="medium")
        line[0].set_ylabel(f"{name}\ncompression [bits]")
    for ax in axes[-1]:
        ax.set_xlabel("final rms pre-activation")
    colours = ScalarMappable(norm, mpl.colormaps["coolwarm"])
    bar = figure.colorbar(colours, ax=axes, label=LABELS["init_scale"], aspect=14 * len(activations))
    plain_log_labels(bar.ax.yaxis)
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), fontsize="small")
    add_title(figure, title)
    return figure


def _labelled(data: xr.Dataset) -> xr.Dataset:
    data = data.copy()
    for name, text in LABELS.items():
        data[name] = data[name].assign_attrs(long_name=text, units="1")
    return data
