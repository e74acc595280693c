"""Figures of variational autoencoders of two points: encodings, reconstructions, and their course."""

import itertools
from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from scipy.stats import norm

from ibjax.analysis._labelled import check_results
from ibjax.plots.axes import (
    add_legend,
    add_title,
    arm_looks,
    check_dimensions,
    check_labels,
    check_levels,
    draw_band,
    levels,
)

__all__ = ["plot_encodings", "plot_vae_course"]

POINT_COLOURS = ("#0072b2", "#d55e00")


def plot_encodings(vaes: xr.Dataset, seed: int, *, title: str = "") -> Figure:
    """Plot encodings q(z|x), their mean q(z) beside the prior, and decoded z, by objective.

    One network is drawn strongly, the others faintly, with encodings mirrored if that of x = 1 lies to
    the left: z and -z are equivalent under the prior.

    Args:
        vaes: Dataset with ``mean``, ``width`` (objective, seed, point), ``m``, ``s``
            (objective, seed, z).
        seed: seed of the network drawn strongly.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims, a seed that does not exist.
    """
    encodings = dict.fromkeys(("mean", "width"), ("objective", "seed", "point"))
    decoders = dict.fromkeys(("m", "s"), ("objective", "seed", "z"))
    check_results("vaes", vaes, encodings | decoders)
    check_levels("seed", [seed], vaes, "seed")
    names = levels(vaes, "objective")
    figure = Figure(figsize=(3.2 * len(names) + 0.6, 7.2), layout="constrained")
    axes = figure.subplots(3, len(names), squeeze=False, sharex=True, sharey="row")
    z = vaes.z.values
    for ax, name in zip(axes.T, names, strict=True):
        for drawn_seed in [*(s for s in vaes.seed.values if s != seed), seed]:
            vae = vaes.sel(objective=name, seed=drawn_seed)
            mean, flip = vae["mean"].values, float(np.diff(vae["mean"].values)[0]) < 0
            mean = -mean if flip else mean
            m, s = (vae[k].values[:: -1 if flip else 1] for k in "ms")
            density = norm.pdf(z[:, None], mean, vae["width"].values)  # (z, point)
            strong = drawn_seed == seed
            look = {"lw": 1.8, "alpha": 1.0} if strong else {"lw": 0.5, "alpha": 0.12}
            for i, colour in enumerate(POINT_COLOURS):
                label = f"q(z|x={'-+'[i]}1)" if strong else None
                ax[0].plot(z, density[:, i], color=colour, label=label, **look)
            ax[1].plot(
                z, density.mean(axis=1), color="#009e73", label="q(z)" if strong else None, **look
            )
            ax[2].plot(z, m, color="#cc79a7", label="m(z)" if strong else None, **look)
            if strong:
                ax[2].fill_between(z, m - s, m + s, color="#cc79a7", alpha=0.3, lw=0, label="± s(z)")
        ax[1].plot(z, norm.pdf(z), color="black", linestyle="--", label="prior p(z)")
        ax[0].set_title(str(name))
        ax[2].set_xlabel("z")
        ax[2].set_ylim(-3, 3)
        for panel in ax:
            panel.grid(alpha=0.3)
    for ax, label in zip(axes[:, 0], ("density", "density", "reconstruction of x"), strict=True):
        ax.set_ylabel(label)
        ax.legend(fontsize="x-small")
    add_title(figure, title)
    return figure


def plot_vae_course(
    vaes: xr.Dataset, *, column: str, labels: Mapping[str, str], title: str = ""
) -> Figure:
    """Plot variables against the step, one row each, objectives on the same axes.

    Curves are means over seeds with 95% bands, and single seeds faintly.

    Args:
        vaes: Dataset of variables of dims ``(column, objective, seed, step)``.
        column: dimension for columns of panels.
        labels: axis labels by variable.
        title: title of the figure.

    Raises:
        ValueError: for other variables or dims, labels that are not text.
    """
    check_dimensions(column=column)
    check_labels("labels", labels)
    check_results("vaes", vaes, dict.fromkeys(labels, (column, "objective", "seed", "step")))
    looks = arm_looks(vaes.sizes["objective"])
    columns = levels(vaes, column)
    figure = Figure(figsize=(4.4 * len(columns) + 0.6, 2.0 * len(labels) + 0.8), layout="constrained")
    axes = figure.subplots(len(labels), len(columns), squeeze=False, sharex=True, sharey="row")
    for (i, name), (j, level) in itertools.product(enumerate(labels), enumerate(columns)):
        ax = axes[i, j]
        for (colour, style), arm in zip(looks, vaes.objective.values, strict=True):
            curves = vaes[name].sel({column: level, "objective": arm})
            ax.plot(curves.step, curves.transpose("step", "seed"), color=colour, lw=0.4, alpha=0.15)
            draw_band(ax, curves, "step", colour, str(arm), style)
        ax.set_xscale("symlog", linthresh=1, linscale=0.4)
        ax.set_xlim(0, int(vaes.step.max()))
        ax.grid(alpha=0.3)
        if i == 0:
            ax.set_title(str(level))
    for ax, label in zip(axes[:, 0], labels.values(), strict=True):
        ax.set_ylabel(label)
    for ax in axes[-1]:
        ax.set_xlabel("step")
    add_legend(axes[0, -1])
    add_title(figure, title)
    return figure
