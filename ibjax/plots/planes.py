"""Figure of the information plane."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from ibjax.analysis._inputs import as_numbers
from ibjax.analysis._labelled import check_results
from ibjax.analysis.intervals import mean_interval
from ibjax.checks import kind_of
from ibjax.plots.axes import (
    MARKERS,
    OUTPUT_MARKER,
    add_title,
    at_levels,
    facets,
    joined,
    levels,
    plain_log_labels,
)

__all__ = ["plot_information_plane"]

EPOCH_COLOURS = "viridis"

# Number of epochs at which the faint paths of single seeds are drawn: enough to show their spread.
SPREAD_EPOCHS = 60

# Markers are translucent and shrink from the first layer to the last: those at one place are all seen.
MARKER_COLOUR, MARKER_SIZES = (1.0, 1.0, 1.0, 0.4), (10.0, 7.0)

# Bits within which a layer counts as being at the corner.
AT_CORNER = 0.05


def plot_information_plane(
    plane: xr.Dataset,
    *,
    row: str | None = None,
    column: str | None = None,
    title: str = "",
    corner: tuple[float, float] | None = None,
) -> Figure:
    """Plot every layer's path through the information plane.

    The mean over seeds is drawn strongly, each seed faintly behind it; the colour is the epoch, on a
    log scale; each layer ends in a marker of its own with its number. If networks differ in depth, the
    output of each has the same marker. Of a plane of ``information_plane``, the ceilings log2 n and H(Y)
    are drawn, and a small circle is at every point that is flagged.

    Args:
        plane: Dataset with ``ixt``, ``ity`` of dims ``([row], [column], [seed], epoch, layer)``.
        row: optional dimension for rows of panels.
        column: optional dimension for columns of panels.
        title: title of the figure.
        corner: (H(X), I(X;Y)), bits, drawn as a star: no layer is beyond it. Layers that never leave it
            are named, since they have no path.

    Raises:
        ValueError: for other variables or dims, a corner that is not a pair of numbers.
    """
    used = facets(row=row, column=column)
    several = hasattr(plane, "dims") and "seed" in plane.dims
    dims = (*used, *(["seed"] if several else []), "epoch", "layer")
    check_results("plane", plane, {"ixt": dims, "ity": dims})
    if corner is not None and as_numbers("corner", corner, "(2,)").shape != (2,):
        raise ValueError(f"corner: expected a pair of numbers, got {kind_of(corner)}")
    rows, columns = levels(plane, row), levels(plane, column)
    figure = Figure(figsize=(4.0 * len(columns) + 1.2, 3.4 * len(rows) + 0.5), layout="constrained")
    axes = figure.subplots(len(rows), len(columns), squeeze=False, sharex=True, sharey=True)
    norm = LogNorm(1, max(int(plane.epoch.max()), 2))
    depths = _depths(plane)
    same_depth = len(np.unique(depths[depths > 0])) <= 1
    for i, r in enumerate(rows):
        for j, c in enumerate(columns):
            panel = at_levels(plane, {row: r, column: c})
            _draw_paths(axes[i, j], panel, norm, mark_output=not same_depth)
            if corner is not None:
                look = {"ms": 17, "mfc": "none", "mec": "crimson", "mew": 1.5, "zorder": 5}
                axes[i, j].plot(*corner, "*", clip_on=False, **look)
                _name_layers_at(axes[i, j], panel, corner)
            _draw_ceilings(axes[i, j], panel)
            axes[i, j].set_title(joined(", ", c, r))
    for ax in axes.flat:
        ax.autoscale_view()
    # Limits that are set end the scaling, and all panels share them: only once everything is drawn.
    axes[0, 0].set_xlim(left=min(0.0, axes[0, 0].get_xlim()[0]))
    for ax in axes[-1]:
        ax.set_xlabel("I(X;T) [bits]")
    for ax in axes[:, 0]:
        ax.set_ylabel("I(T;Y) [bits]")
    colours = ScalarMappable(norm, EPOCH_COLOURS)
    label = "epoch (log scale; untrained at its lower end)"
    plain_log_labels(figure.colorbar(colours, ax=axes, label=label, aspect=35).ax.yaxis)
    # Networks of different depth do not all have the same layers; the deepest one's are all of them.
    handles, labels = max((ax.get_legend_handles_labels() for ax in axes.flat), key=lambda x: len(x[0]))
    look = {"title": "layer", "fontsize": "small", "ncols": max(len(labels), 1)}
    figure.legend(handles, labels, loc="outside lower center", **look)
    add_title(figure, title)
    return figure


def _depths(plane: xr.Dataset) -> np.ndarray:
    """Return the number of layers of every panel's networks, which are padded with NaN."""
    finite = np.isfinite(plane.ixt).any([d for d in ("seed", "epoch") if d in plane.ixt.dims])
    return finite.sum("layer").values


def _name_layers_at(ax: Axes, panel: xr.Dataset, corner: tuple[float, float]) -> None:
    """Write which layers' mean paths never leave the corner."""
    mean = panel[["ixt", "ity"]].mean("seed") if "seed" in panel.dims else panel
    away = np.hypot(mean.ixt - corner[0], mean.ity - corner[1]).max("epoch", skipna=False)
    still = panel.layer.values[(away < AT_CORNER).values]
    if len(still):
        text = f"always at the star: {', '.join(map(str, still))}"
        look = {"ha": "right", "fontsize": "small", "bbox": {"fc": "white", "ec": "0.8"}, "zorder": 5}
        ax.text(0.96, 0.05, text, transform=ax.transAxes, **look)


def _draw_ceilings(ax: Axes, panel: xr.Dataset) -> None:
    """Draw log2 n, H(Y) and the flagged points, where the plane tells them."""
    look = {"color": "0.4", "linestyle": ":", "linewidth": 1.2, "zorder": 0}
    written = {
        "color": "0.3",
        "fontsize": "small",
        "textcoords": "offset points",
        "annotation_clip": False,
    }
    if "log2_n" in panel.coords:
        bits = float(np.max(panel.log2_n))
        ax.axvline(bits, **look)
        place = {"xycoords": ax.get_xaxis_transform(), "xytext": (-3, 4), "ha": "right", "va": "bottom"}
        ax.annotate("log$_2$ n", (bits, 0), **place, **written)
    if "entropy_y" in panel.coords:
        bits = float(np.max(panel.entropy_y))
        ax.axhline(bits, **look)
        place = {"xycoords": ax.get_yaxis_transform(), "xytext": (4, -3), "ha": "left", "va": "top"}
        ax.annotate("H(Y)", (0, bits), **place, **written)
    if "flagged" in panel:
        flagged = panel.flagged.any("flag")
        x, y = (panel[name].where(flagged).values.ravel() for name in ("ixt", "ity"))
        ax.plot(x, y, "o", ms=4, mfc="white", mec="crimson", mew=0.8, ls="none", zorder=3)


def _draw_paths(ax: Axes, panel: xr.Dataset, norm: LogNorm, *, mark_output: bool) -> None:
    if "seed" not in panel.dims:
        panel = panel.expand_dims("seed")
    panel = panel.transpose("seed", "epoch", "layer", ...)
    colour_of = np.maximum(panel.epoch.values, 1)
    output = _depths(panel) - 1 if mark_output else None
    sizes = np.linspace(*MARKER_SIZES, panel.sizes["layer"])
    for i, layer in enumerate(panel.layer.values):
        x, y = panel.ixt.values[:, :, i], panel.ity.values[:, :, i]  # (seed, epoch)
        if not np.isfinite(x).any():
            continue  # a layer that this network does not have
        if len(x) > 1:
            some = np.unique(np.linspace(0, x.shape[1] - 1, SPREAD_EPOCHS).astype(int))
            faint = {"linewidth": 0.5, "alpha": 0.15}
            _add_path(ax, x[:, some], y[:, some], colour_of[some], norm, **faint)
        mean_x, mean_y = mean_interval(x).estimate, mean_interval(y).estimate
        _add_path(ax, mean_x[None], mean_y[None], colour_of, norm, linewidth=2.2, alpha=1.0)
        marker = OUTPUT_MARKER if i == output else MARKERS[i % len(MARKERS)]
        look = {
            "marker": marker,
            "markersize": sizes[i],
            "markeredgecolor": "black",
            "linestyle": "none",
        }
        ax.plot(
            mean_x[-1],
            mean_y[-1],
            color=MARKER_COLOUR,
            label="output" if i == output else str(layer),
            zorder=4,
            **look,
        )
    ax.grid(alpha=0.3)


def _add_path(ax: Axes, x, y, colour_of, norm, **look) -> None:
    """Add segments between consecutive epochs, coloured by the later one; x and y are (path, epoch)."""
    points = np.stack([x, y], axis=-1)
    segments = np.stack([points[:, :-1], points[:, 1:]], axis=2).reshape(-1, 2, 2)
    colours = np.tile(colour_of[1:], len(points))
    valid = np.isfinite(segments).all(axis=(1, 2))
    lines = LineCollection(list(segments[valid]), cmap=EPOCH_COLOURS, norm=norm, **look)
    lines.set_array(colours[valid])
    lines.set_capstyle("round")
    lines.set_rasterized(True)
    ax.add_collection(lines)
