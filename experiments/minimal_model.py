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
not an artefact of bins, but of limited resolution.

Dims: activation, weight, seed.
"""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from scipy.signal import fftconvolve
from scipy.special import entr, logit, ndtr

from experiments.lab import LabConfig, Table, main
from ibjax.mi import binned_mi
from ibjax.models import ACTIVATIONS
from ibjax.plots import plot_against_truth, plot_probabilities
from ibjax.results import environment

NUM_BINS = 30
BIN_WIDTH = 2 / NUM_BINS
NUM_SAMPLES = 4096
FULL_WEIGHTS, SMOKE_WEIGHTS = 61, 7
FARTHEST = 9.0  # standard deviations of X; beyond are 2e-19 of the draws

SHOWN = {"activation": ("tanh", "relu"), "weight": (0.2, 1.0, 20.0), "below": 2.0}


class Unit(NamedTuple):
    """An increasing activation by its inverse, and its range; None where it has no end."""

    inverse: Callable[[np.ndarray], np.ndarray]
    lowest: float | None
    highest: float | None

    def edges(self, weight: float, width: float) -> np.ndarray:
        """Multiples of ``width`` around all of h."""
        low = -FARTHEST * weight if self.lowest is None else self.lowest
        high = FARTHEST * weight if self.highest is None else self.highest
        return width * np.arange(np.floor(low / width + 1e-9), np.ceil(high / width - 1e-9) + 1)


UNITS = {
    "tanh": Unit(np.arctanh, -1.0, 1.0),
    "sigmoid": Unit(logit, 0.0, 1.0),
    "softsign": Unit(lambda h: h / (1 - np.abs(h)), -1.0, 1.0),
    "relu": Unit(lambda h: h, 0.0, None),
    "linear": Unit(lambda h: h, None, None),
}


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Compression by saturation, in the smallest network: one unit, its input normal, no training."""

    seeds: int = 10
    """Draws of the samples."""


def bin_width(activation: str) -> float:
    """2/30, and 1/30 for the sigmoid, whose range is half as wide."""
    unit = UNITS[activation]
    if unit.lowest is None or unit.highest is None:
        return BIN_WIDTH
    return (unit.highest - unit.lowest) / NUM_BINS


def noise_variance(activation: str) -> float:
    """That of a uniform variable as wide as a bin."""
    return bin_width(activation) ** 2 / 12


def probabilities(activation: str, weight: float, inner_edges: np.ndarray) -> np.ndarray:
    """Of the cells of h = f(w X) between these edges and beyond them, exactly."""
    x = np.concatenate([[-np.inf], UNITS[activation].inverse(inner_edges) / weight, [np.inf]])
    # From the nearer end, so that tails keep their digits.
    above, below = -np.diff(ndtr(-x)), np.diff(ndtr(x))
    return np.where(x[:-1] > 0, above, below)


def bins(activation: str, weight: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower edges of the bins and their probabilities."""
    edges = UNITS[activation].edges(weight, bin_width(activation))
    return edges[:-1], probabilities(activation, weight, edges[1:-1])


def binned_information(activation: str, weight: float) -> float:
    """I(h;X) in bits: the entropy of the bins, as h is a function of X."""
    return float(entr(bins(activation, weight)[1]).sum() / np.log(2))


def noisy_information(activation: str, weight: float) -> float:
    """I(h + Z; X) in bits, Z ~ N(0, s^2), from masses s/23 apart, within 1e-4 bits."""
    variance = noise_variance(activation)
    step = bin_width(activation) / 80
    masses = UNITS[activation].edges(weight, step)  # the ends of the range among them
    p = probabilities(activation, weight, masses[:-1] + step / 2)
    z = step * np.arange(-210, 211)
    noise = np.exp(-(z**2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
    density = np.maximum(fftconvolve(p, noise), 0)
    entropy = entr(density).sum() * step
    return float((entropy - np.log(2 * np.pi * np.e * variance) / 2) / np.log(2))


@functools.partial(jax.jit, static_argnames="activation")
def sampled_information(key, weights, activation: str):
    """``binned_mi`` of one draw of samples at every weight, bits."""
    unit, x = UNITS[activation], jax.random.normal(key, (NUM_SAMPLES, 1))
    no_labels = jnp.zeros(NUM_SAMPLES, int)

    def at(weight):
        h = ACTIVATIONS[activation](weight * x)
        if unit.lowest is None or unit.highest is None:
            return binned_mi(h, no_labels, bin_width=BIN_WIDTH).ixt
        return binned_mi(h, no_labels, bins=NUM_BINS, range=(unit.lowest, unit.highest)).ixt

    return jax.lax.map(at, weights)


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """The exact and the sampled information of every unit; ``folder`` is not needed."""
    weights = np.geomspace(0.1, 100, SMOKE_WEIGHTS if config.smoke else FULL_WEIGHTS)
    keys = jax.vmap(jax.random.key)(np.asarray(config.seed_range))
    sampled = [
        jax.vmap(sampled_information, in_axes=(0, None, None), out_axes=1)(
            keys, jnp.asarray(weights), name
        )
        for name in UNITS
    ]
    exact = [[binned_information(name, w) for w in weights] for name in UNITS]
    noisy = [[noisy_information(name, w) for w in weights] for name in UNITS]
    dims = ("activation", "weight")
    return xr.Dataset(
        {
            "ixt": (dims, exact, {"units": "bits", "long_name": "exact"}),
            "noisy": (dims, noisy, {"units": "bits", "long_name": "noisy unit, exact"}),
            "sampled": (
                (*dims, "seed"),
                np.asarray(sampled),
                {"units": "bits", "long_name": "binned_mi"},
            ),
        },
        {
            "activation": list(UNITS),
            "weight": ("weight", weights, {"units": "1", "long_name": "weight w"}),
            "seed": ("seed", np.asarray(config.seed_range), {"units": "1", "long_name": "random seed"}),
        },
        {
            "experiment": "minimal_model",
            "source": "Saxe et al. (2018), section 2, figure 2",
            "estimator": f"{NUM_BINS} equal bins over a bounded range, else bin_width=2/{NUM_BINS}",
            "noise_variance": "bin width squared over 12",
            "num_samples": NUM_SAMPLES,
            "seed": config.seed,
            **environment(),
        },
    )


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """The curves, the probabilities of the bins that explain them, and where they rise and fall."""
    curves = plot_against_truth(
        results,
        panel="activation",
        estimate="sampled",
        truths={"in bins, exact": "ixt", "with noise, exact": "noisy"},
        title=f"h = f(w X), X ~ N(0, 1), {results.sizes['seed']} draws of {NUM_SAMPLES}",
    )
    return {"minimal_model.png": curves, "bins.png": draw_bins()}, [table(results)]


def draw_bins() -> Figure:
    """Why: the probabilities of the bins of a saturating and of an open unit."""
    shown = {}
    for name in SHOWN["activation"]:
        for weight in SHOWN["weight"]:
            edges, p = bins(name, weight)
            bits = binned_information(name, weight)
            inside = edges < SHOWN["below"]
            shown[f"{name}, w = {weight:g}: {bits:.2f} bits"] = (edges[inside], p[inside])
    return plot_probabilities(shown, BIN_WIDTH, num_columns=len(SHOWN["weight"]))


def table(results: xr.Dataset) -> Table:
    """Per activation: the peak over weights and the value at the largest weight; bits."""
    header = (
        "activation peak at_weight at_end fall noisy_peak noisy_at_end largest_sampling_error".split()
    )
    rows = []
    for name in results.activation.values:
        one = results.sel(activation=name)
        exact, noisy = one.ixt.values, one.noisy.values
        error = float(np.abs(one.sampled.mean("seed") - one.ixt).max())
        peak = exact.argmax()
        of_bins = exact[peak], float(one.weight[peak]), exact[-1], exact[peak] - exact[-1]
        rows.append([name, *of_bins, noisy.max(), noisy[-1], error])
    falls = [row[0] for row in rows if row[4] > 0]
    rises = [row[0] for row in rows if row[4] == 0]
    sentence = (
        f"I(h;X) rises and falls again with the weight for {', '.join(falls) or 'none'}; it only rises "
        f"for {', '.join(rises) or 'none'}. There is no training here, no noise of SGD and no task."
    )
    return Table("minimal_model", header, rows, [sentence])


if __name__ == "__main__":
    main("minimal_model", Config, run, report)
