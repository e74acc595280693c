"""Compression by saturation, in the smallest network: one unit, its input normal, no training.

Claim: Saxe et al. (2018), section 2 and figure 2: h = f(w X), X ~ N(0, 1), binned. A unit that
saturates on both sides loses information as its weight grows, because ever more of h falls into the
two outermost bins; a unit that does not saturate, or on one side only, does not.

Command:  python -m experiments.minimal_model
Time:     15 seconds on 2 cores
Expect:   tanh rises to 4.90 bits at w = 0.9 and falls to 1.15 at w = 100, towards 1 bit, the sign of X;
          sigmoid and softsign fall, too. relu and linear only rise: to 6.8 and 12.6 bits at w = 100.

Bounded units have 30 equal bins over their range, relu and linear unclipped bins of the same width as
tanh's, 2/30. ``ixt`` is exact, by normal distribution functions; ``sampled`` is ``binned_mi`` of 4096
draws; ``noisy`` is what a unit with Gaussian noise of a bin's variance keeps, also exact: compression is
no artefact of bins, but of limited resolution.

Dims: activation, weight, seed.
"""

import dataclasses
import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import LabConfig, Table, main, table_of
from ibjax.analysis.single_unit import UNITS, binned_unit_mi, noisy_unit_mi, unit_bins
from ibjax.mi import binned_mi
from ibjax.models import ACTIVATIONS
from ibjax.plots import plot_against_truth, plot_probabilities
from ibjax.results import environment

NUM_BINS = 30
# The sigmoid's range is half as wide as the others'.
BIN_WIDTHS = {name: (1 if name == "sigmoid" else 2) / NUM_BINS for name in UNITS}
NUM_SAMPLES = 4096
FULL_WEIGHTS, SMOKE_WEIGHTS = 61, 7

DRAWN_UNITS, DRAWN_WEIGHTS, DRAWN_BELOW = ("tanh", "relu"), (0.2, 1.0, 20.0), 2.0


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Compression by saturation, in the smallest network: one unit, its input normal, no training."""

    trains = False

    seeds: int = 10
    """Draws of the samples."""


@functools.partial(jax.jit, static_argnames="activation")
def sampled_mi(key, weights, activation: str):
    """Return ``binned_mi`` of one draw of samples at every weight, bits."""
    span, x = UNITS[activation].span, jax.random.normal(key, (NUM_SAMPLES, 1))
    no_labels = jnp.zeros(NUM_SAMPLES, int)

    def measure(weight):
        h = ACTIVATIONS[activation](weight * x)
        if span is None:
            return binned_mi(h, no_labels, bin_width=BIN_WIDTHS[activation]).ixt
        return binned_mi(h, no_labels, bins=NUM_BINS, range=span).ixt

    return jax.lax.map(measure, weights)


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Compute the exact and the sampled information of every unit; ``folder`` is not needed."""
    weights = np.geomspace(0.1, 100, SMOKE_WEIGHTS if config.smoke else FULL_WEIGHTS)
    keys = jax.vmap(jax.random.key)(np.asarray(config.seed_range))
    sampled_by_seed = jax.vmap(sampled_mi, in_axes=(0, None, None), out_axes=1)
    sampled = np.asarray([sampled_by_seed(keys, jnp.asarray(weights), name) for name in UNITS])
    exact, noisy = [], []
    for name, width in BIN_WIDTHS.items():
        exact.append([binned_unit_mi(name, w, bin_width=width) for w in weights])
        noisy.append([noisy_unit_mi(name, w, noise_variance=width**2 / 12) for w in weights])
    dims = ("activation", "weight")
    return xr.Dataset(
        {
            "ixt": (dims, exact, {"units": "bits", "long_name": "I(h;X), exact"}),
            "noisy": (dims, noisy, {"units": "bits", "long_name": "I(h + noise; X), exact"}),
            "sampled": ((*dims, "seed"), sampled, {"units": "bits", "long_name": "binned_mi"}),
        },
        {
            "activation": list(UNITS),
            "weight": ("weight", weights, {"units": "1", "long_name": "weight w"}),
            "seed": ("seed", np.asarray(config.seed_range), {"units": "1", "long_name": "random seed"}),
        },
        {
            "source": "Saxe et al. (2018), section 2, figure 2",
            "estimator": f"{NUM_BINS} equal bins over a bounded range, else bin_width=2/{NUM_BINS}",
            "noise_variance": "bin width squared over 12",
            "num_samples": NUM_SAMPLES,
            "seed": config.seed,
            **environment(),
        },
    )


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw the curves and the bins that explain them, and tabulate where they rise and fall."""
    curves = plot_against_truth(
        results,
        over="weight",
        column="activation",
        estimate="sampled",
        truths={"in bins, exact": "ixt", "with noise, exact": "noisy"},
        title=f"h = f(w X), X ~ N(0, 1), {results.sizes['seed']} draws of {NUM_SAMPLES}",
    )
    return {"minimal_model.png": curves, "bins.png": draw_bins()}, [table(results)]


def draw_bins() -> Figure:
    """Draw the bins' probabilities of a saturating and of an open unit, which explain the curves."""
    shown = {}
    for name in DRAWN_UNITS:
        for weight in DRAWN_WEIGHTS:
            edges, p = unit_bins(name, weight, bin_width=BIN_WIDTHS[name])
            bits = binned_unit_mi(name, weight, bin_width=BIN_WIDTHS[name])
            inside = edges < DRAWN_BELOW
            shown[f"{name}, w = {weight:g}: {bits:.2f} bits"] = (edges[inside], p[inside])
    return plot_probabilities(shown, BIN_WIDTHS["tanh"], num_columns=len(DRAWN_WEIGHTS))


def table(results: xr.Dataset) -> Table:
    """Tabulate by activation the peak over weights and the value at the largest weight; bits."""
    exact, noisy = results.ixt, results.noisy
    peak, at_end = exact.max("weight"), exact.isel(weight=-1, drop=True)
    summary = xr.Dataset(
        {
            "peak": peak,
            "at_weight": exact.idxmax("weight"),
            "at_end": at_end,
            "fall": peak - at_end,
            "noisy_peak": noisy.max("weight"),
            "noisy_at_end": noisy.isel(weight=-1, drop=True),
            "sampling_error": np.abs(results.sampled.mean("seed") - exact).max("weight"),
        }
    )
    falls, rises = (
        ", ".join(results.activation.values[chosen]) or "none"
        for chosen in (summary.fall > 0, summary.fall == 0)
    )
    sentence = (
        f"I(h;X) rises and falls again with the weight for {falls}; it only rises for {rises}. There is "
        "no training here, no noise of SGD and no task."
    )
    return table_of("minimal_model", summary, [sentence])


if __name__ == "__main__":
    main("minimal_model", Config, run, report)
