"""Figures of networks as points in the information plane: at a few epochs, and as a film."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.animation import FuncAnimation
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ibjax.analysis._inputs import check_text
from ibjax.analysis._labelled import check_results
from ibjax.plots.axes import MARKERS, check_levels

__all__ = ["animate_snapshots", "plot_snapshots"]

LAYER_COLOURS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#e69f00", "#d55e00")


def plot_snapshots(plane: xr.Dataset, epochs: Sequence[int], *, title: str = "") -> Figure:
    """Plot every layer of every network at some epochs, one panel each, with a cross at a layer's mean.

    Args:
        plane: Dataset with ``ixt``, ``ity`` of dims ``(seed, epoch, layer)``, bits.
        epochs: recorded epochs to draw.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims, epochs that were not recorded, a title that is not text.
    """
    check_text("title", title)
    check_results("plane", plane, dict.fromkeys(("ixt", "ity"), ("seed", "epoch", "layer")))
    epochs = check_levels("epochs", epochs, plane, "epoch")
    figure = Figure(figsize=(4.0 * len(epochs) + 0.8, 4.2), layout="constrained")
    axes = figure.subplots(1, len(epochs), squeeze=False, sharex=True, sharey=True)[0]
    for ax, epoch in zip(axes, epochs, strict=True):
        _prepare(ax, plane)
        now = plane.sel(epoch=epoch).transpose("seed", "layer")
        for i, layer in enumerate(now.layer.values):
            x, y = now.ixt.values[:, i], now.ity.values[:, i]
            look = {"color": _colour(i), "marker": MARKERS[i % len(MARKERS)]}
            ax.scatter(x, y, s=22, alpha=0.45, lw=0, label=str(layer), **look)
            ax.plot(np.nanmean(x), np.nanmean(y), "x", color="black", ms=9, mew=2)
        ax.set_title(f"epoch {epoch}" + (", untrained" if epoch == 0 else ""))
    axes[0].set_ylabel("I(T;Y) [bits]")
    axes[-1].legend(title="layer", loc="lower right", fontsize="small")
    figure.suptitle(f"{title}; x: mean over networks")
    return figure


def animate_snapshots(plane: xr.Dataset, *, title: str = "") -> FuncAnimation:
    """Animate ``plot_snapshots`` over all recorded epochs.

    Args:
        plane: Dataset with ``ixt``, ``ity`` of dims ``(seed, epoch, layer)``, bits.
        title: title of the film.

    Raises:
        ValueError: for other variables or dims, a title that is not text.
    """
    check_text("title", title)
    check_results("plane", plane, dict.fromkeys(("ixt", "ity"), ("seed", "epoch", "layer")))
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    ax = figure.subplots()
    _prepare(ax, plane)
    ax.set_ylabel("I(T;Y) [bits]")
    at = plane.transpose("epoch", "seed", "layer")
    points = np.stack([at.ixt.values, at.ity.values], axis=-1)  # (epoch, seed, layer, 2)
    drawn = []
    for i, layer in enumerate(at.layer.values):
        look = {"color": _colour(i), "marker": MARKERS[i % len(MARKERS)], "label": str(layer)}
        drawn.append(ax.scatter(*points[0, :, i].T, s=26, alpha=0.6, lw=0, **look))
    ax.legend(title="layer", loc="lower right", fontsize="small")
    head = ax.set_title("")

    def draw(frame: int):
        for i, scatter in enumerate(drawn):
            scatter.set_offsets(points[frame, :, i])
        head.set_text(f"{title}, epoch {at.epoch.values[frame]}")
        return [*drawn, head]

    draw(0)
    return FuncAnimation(figure, draw, frames=len(points), blit=False)


def _prepare(ax: Axes, plane: xr.Dataset) -> None:
    for set_limits, values in ((ax.set_xlim, plane.ixt), (ax.set_ylim, plane.ity)):
        most = float(values.max().fillna(1.0))
        set_limits(-0.03 * most, 1.05 * most)
    ax.set_xlabel("I(X;T) [bits]")
    ax.grid(alpha=0.3)


def _colour(layer: int) -> str:
    return LAYER_COLOURS[layer % len(LAYER_COLOURS)]
