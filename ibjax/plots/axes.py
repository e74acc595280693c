"""What figures share: colours, bands over seeds, the axis of epochs."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ibjax.analysis.compression import mean_interval

__all__ = ["ARM_COLOURS", "MARKERS", "draw_band", "epoch_axis", "label_epochs", "levels"]

ARM_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
MARKERS = "osD^vP*Xph<>"


def draw_band(ax: Axes, ixt: xr.DataArray, over: str, colour: str, label: str) -> None:
    """Mean over seeds and its 95% interval."""
    band = mean_interval(ixt.transpose("seed", over).values)
    ax.plot(ixt[over], band.mean, color=colour, label=label)
    ax.fill_between(ixt[over], band.low, band.high, color=colour, alpha=0.25, lw=0)


def epoch_axis(ax: Axes, plane: xr.Dataset) -> None:
    ax.set_xscale("symlog", linthresh=1, linscale=0.4)
    ax.set_xlim(0, max(int(plane.epoch.max()), 2))
    ax.grid(alpha=0.3)


def label_epochs(axes: np.ndarray) -> None:
    for ax in axes[-1]:
        ax.set_xlabel("epoch")
        ax.set_xticks([t for t in (0, 1, 10, 100, 1000, 10000) if t <= ax.get_xlim()[1]])


def levels(plane: xr.Dataset, dimension: str | None) -> Sequence:
    return [None] if dimension is None else list(plane[dimension].values)
