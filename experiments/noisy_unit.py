"""Compression by saturation, in one noisy unit whose information is known exactly.

Claim: Goldfeld et al. (2019), section 2 and figure 2 (and Saxe et al. 2018, section 2, in bins): the
information of T = tanh(w X) + Z, Z ~ N(0, 0.01), with its input is not monotone in the weight. As w
grows the four inputs -1.5, -0.5, 0.5, 1.5 first come apart and then, as tanh saturates, merge into
two: I(X;T) rises to nearly 2 bits and falls to 1. Every estimator that applies should show it.

Command:  python -m experiments.noisy_unit
Time:     4 minutes on 2 cores, most of them renyi_mi's eigenvalues
Expect:   exact: 1.95 bits at w = 0.85, 1.00 bits at w = 5. All rise and fall; noisy_mi, ross_mi and
          ksg_mi are within 0.01 bits of the curve, the KDE bounds on either side of it.

For each weight and seed 1000 draws of (X, T) for the estimators of samples; the four noiseless
activations for those that know the noise. The exact value is an integral over T.

Dims: estimator, weight, seed. Variables: ``ixt`` (estimator, weight, seed) and ``exact`` (weight), bits.
"""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import LabConfig, Table, interval_cells, main, table_of_rows
from ibjax.analysis.intervals import mean_interval
from ibjax.mi import edge_mi, gaussian_mi, kde_mi, ksg_mi, noisy_mi, renyi_mi, ross_mi
from ibjax.plots import plot_against_truth
from ibjax.results import environment

INPUTS = np.array([-1.5, -0.5, 0.5, 1.5], np.float32)
NOISE_VARIANCE = 0.01
NUM_SAMPLES = 1000
FULL_WEIGHTS, SMOKE_WEIGHTS = 12, 4


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Compression by saturation, in one noisy unit whose information is known exactly."""

    trains = False

    seeds: int = 10
    """Draws of the samples."""


def estimators() -> dict[str, Callable]:
    """Return estimators by name: functions of the weight, x, t, the inputs' numbers and a key, bits."""
    centres = jnp.asarray(INPUTS)[:, None]
    numbers = jnp.arange(len(INPUTS))

    def kde(bound):
        return lambda w, x, t, label, key: (
            kde_mi(jnp.tanh(w * centres), numbers, noise_variance=NOISE_VARIANCE, bound=bound).ixt
        )

    return {
        "noisy_mi": lambda w, x, t, label, key: (
            noisy_mi(
                jnp.tanh(w * centres),
                numbers,
                noise_variance=NOISE_VARIANCE,
                key=key,
                num_draws=NUM_SAMPLES // len(INPUTS),
            ).ixt
        ),
        "kde_mi, upper": kde("upper"),
        "kde_mi, lower": kde("lower"),
        "ross_mi": lambda w, x, t, label, key: ross_mi(t, label),
        "ksg_mi": lambda w, x, t, label, key: ksg_mi(x, t),
        "edge_mi": lambda w, x, t, label, key: edge_mi(x, t, key=key),
        "renyi_mi": lambda w, x, t, label, key: renyi_mi(x, t),
        "gaussian_mi": lambda w, x, t, label, key: gaussian_mi(x, t),
    }


def exact_information(weight: float) -> float:
    """Return I(X;T) = h(T) - h(T|X) in bits, by the trapezoidal rule, exact for smooth densities."""
    t = np.linspace(-2.5, 2.5, 20_001)
    scaled = (t - np.tanh(weight * INPUTS.astype(float))[:, None]) / np.sqrt(NOISE_VARIANCE)
    density = np.exp(-(scaled**2) / 2).mean(axis=0) / np.sqrt(2 * np.pi * NOISE_VARIANCE)
    log_density = np.log2(np.maximum(density, np.finfo(float).tiny))
    entropy = -np.trapezoid(density * log_density, t)
    return float(entropy - np.log2(2 * np.pi * np.e * NOISE_VARIANCE) / 2)


@functools.partial(jax.jit, static_argnames="estimator")
def estimates(estimator: Callable, weight, keys):
    """Return I(X;T) by one estimator at one weight, for a draw of the samples per key, bits."""

    def estimate(key):
        for_input, for_noise, for_estimator = jax.random.split(key, 3)
        label = jax.random.randint(for_input, (NUM_SAMPLES,), 0, len(INPUTS))
        x = jnp.asarray(INPUTS)[label]
        noise = jnp.sqrt(NOISE_VARIANCE) * jax.random.normal(for_noise, x.shape)
        return estimator(weight, x, jnp.tanh(weight * x) + noise, label, for_estimator)

    return jax.vmap(estimate)(keys)


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Apply every estimator at every weight to each seed's draw; ``folder`` is not needed."""
    weights = np.geomspace(0.1, 5, SMOKE_WEIGHTS if config.smoke else FULL_WEIGHTS).astype(np.float32)
    keys = jax.vmap(jax.random.key)(np.asarray(config.seed_range))
    named = estimators()
    ixt = [[estimates(estimator, w, keys) for w in weights] for estimator in named.values()]
    bits = {"units": "bits", "long_name": "I(X;T)"}
    return xr.Dataset(
        {
            "ixt": (("estimator", "weight", "seed"), np.asarray(jax.device_get(ixt)), bits),
            "exact": ("weight", [exact_information(float(w)) for w in weights], bits),
        },
        {
            "estimator": list(named),
            "weight": ("weight", weights, {"units": "1", "long_name": "weight w"}),
            "seed": ("seed", np.asarray(config.seed_range), {"units": "1", "long_name": "random seed"}),
        },
        {
            "source": "Goldfeld et al. (2019), section 2",
            "noise_variance": NOISE_VARIANCE,
            "num_samples": NUM_SAMPLES,
            "inputs": INPUTS.tolist(),
            "seed": config.seed,
            **environment(),
        },
    )


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw every estimator against the exact curve, and tabulate how far it is off."""
    title = f"T = tanh(w X) + N(0, {results.noise_variance}), {results.sizes['seed']} draws of samples"
    figure = plot_against_truth(results, over="weight", column="estimator", title=title)
    return {"noisy_unit.png": figure}, [falls_table(results)]


def falls_table(results: xr.Dataset) -> Table:
    """Tabulate by estimator the peak over weights, the value at the largest, the fall between; bits."""
    exact = results.exact.values
    curves = {"exact": exact[None]} | {
        name: results.ixt.sel(estimator=name).transpose("seed", "weight").values
        for name in results.estimator.values
    }
    rows = []
    for name, ixt in curves.items():
        mean = ixt.mean(axis=0)
        peak = mean.argmax()
        rows.append(
            {
                "estimator": name,
                "peak": mean[peak],
                "at_weight": float(results.weight[peak]),
                "at_end": mean[-1],
                **interval_cells("fall", mean_interval(ixt[:, peak] - ixt[:, -1])),
                "largest_error": np.abs(mean - exact).max(),
            }
        )
    falling = [row["estimator"] for row in rows[1:] if row["fall_low"] > 0]
    sentence = f"I(X;T) rises and falls with the weight, as exactly, by: {', '.join(falling) or 'none'}."
    return table_of_rows("noisy_unit", rows, [sentence])


if __name__ == "__main__":
    main("noisy_unit", Config, run, report)
