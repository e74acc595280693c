"""Figures of information estimated from samples, against their number."""

import itertools

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ibjax.analysis._inputs import as_integers
from ibjax.analysis._labelled import check_results
from ibjax.checks import check_known
from ibjax.plots.axes import ARM_COLOURS, add_title, levels

__all__ = ["plot_sample_estimates"]

SYMBOLS = {"ixt": "I(X;T)", "ity": "I(T;Y)"}
NUM_COLUMNS = 2


def plot_sample_estimates(results: xr.Dataset, name: str, *, title: str = "") -> Figure:
    """Plot estimates with bands, the exact value and the bounds, one panel per encoder.

    Bands extend from the 5th to the 95th percentile over repeats; bounds are means over repeats. Grey is
    the space between ``finite_sample_bounds``; lines are the bounds of Shamir et al.

    Args:
        results: Dataset with ``NAME``, ``NAME_corrected``, and ``_low`` and ``_high`` of ``NAME`` and
            ``NAME_shamir`` (encoder, num_samples, repeat), ``exact_NAME`` and ``cardinality`` (encoder);
            bits.
        name: "ixt" or "ity".
        title: title of the figure.

    Raises:
        ValueError: for an unknown name, other variables or dims.
    """
    check_known("name", name, SYMBOLS)
    estimates = [f"{name}{end}" for end in ("", "_corrected", "_low", "_high")]
    estimates += [f"{name}_shamir_{end}" for end in ("low", "high")]
    exact_dims = dict.fromkeys((f"exact_{name}", "cardinality"), ("encoder",))
    drawn = dict.fromkeys(estimates, ("encoder", "num_samples", "repeat"))
    check_results("results", results, drawn | exact_dims)
    as_integers("results.cardinality", results.cardinality.values, "(encoder,)", at_least=1)
    names = levels(results, "encoder")
    num_rows = -(-len(names) // NUM_COLUMNS)
    figure = Figure(figsize=(3.9 * NUM_COLUMNS, 2.1 * num_rows + 1.0), layout="constrained")
    share = name == "ity"  # at most H(Y), whatever T is
    axes = figure.subplots(num_rows, NUM_COLUMNS, squeeze=False, sharex=True, sharey=share)
    for ax, encoder in itertools.zip_longest(axes.flat, names):
        if encoder is None:
            ax.set_axis_off()
            continue
        encoder_results = results.sel(encoder=encoder).transpose("num_samples", "repeat", ...)
        n = encoder_results.num_samples
        bounds, shamir = (
            [encoder_results[f"{kind}_{end}"].mean("repeat") for end in ("low", "high")]
            for kind in (name, f"{name}_shamir")
        )
        ax.fill_between(n, *bounds, color="0.88", label="between our bounds", lw=0)
        for i, bound in enumerate(shamir):
            label = "bounds of Shamir et al." if i == 0 else None
            ax.plot(n, bound, color=ARM_COLOURS[3], lw=1.2, ls="-.", label=label)
        for kind, label, colour, style in (
            (name, "plug-in", ARM_COLOURS[0], "-"),
            (f"{name}_corrected", "Miller-Madow", ARM_COLOURS[1], "--"),
        ):
            low, high = np.percentile(encoder_results[kind].values, (5, 95), axis=1)
            ax.fill_between(n, low, high, color=colour, alpha=0.25, lw=0)
            ax.plot(n, encoder_results[kind].mean("repeat"), color=colour, linestyle=style, label=label)
        ax.axhline(float(encoder_results[f"exact_{name}"]), color="black", linestyle=":", label="exact")
        ax.set_xscale("log")
        ax.set_xlim(float(n.min()), float(n.max()))
        ax.set_title(f"{encoder}: {int(encoder_results.cardinality)} states", fontsize="medium")
        ax.grid(alpha=0.3)
    for ax in axes[-1]:
        ax.set_xlabel("samples n")
    for ax in axes[:, 0]:
        ax.set_ylabel(f"{SYMBOLS[name]} [bits]")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize="medium")
    add_title(figure, title)
    return figure
