"""What one sees depends on the estimator: the same networks through every estimator of the plane.

Claim: Saxe et al. (2018), sections 2 and 5 and appendix C, and Goldfeld et al. (2019): a deterministic
layer keeps log2 n bits or infinitely many, so compression on the information plane is a property of
the noise, or of the bins, that an estimator adds. Chelombiev et al. (2019): with bins that follow the
activations relu networks compress, too. Lorenzen et al. (2021): in a quantised network's own states
there is little to see.

Command:  python -m experiments.estimators
Time:     25 to 40 minutes on 2 cores, 4.4 GB
Expect:   tanh: layers 4 and 5 compress by all eighteen estimators, layer 5 by 0.5 to 8.2 bits.
          relu: hidden layers do only where bins or levels follow their own range (adaptive bins,
          quantised), not in bins of one width, nor with noise.

The networks of sgd_vs_bgd (12-10-7-5-4-3-2, plain SGD, rate 0.1, batches of 256, 8000 epochs), tanh
and relu, measured on all 4096 inputs at 16 epochs by six estimators in three settings each. Noise and
bins are in units of the activations; "fine" resolves most, "coarse" least.

Dims: activation, estimator, setting, seed, epoch, layer.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import LabConfig, Table, main, progress_bar, table_of
from ibjax.analysis.compression import NEGLIGIBLE_BITS, compression_summary
from ibjax.analysis.records import planes_record, select_estimator
from ibjax.datasets import symmetric_task
from ibjax.mi import adaptive_binned_mi, binned_mi, kde_mi, noisy_mi, quantised_mi
from ibjax.plots import plot_compression_table, plot_curves
from ibjax.presets import preset
from ibjax.results import describe_function, environment, history_to_dataset, stack_arms
from ibjax.training import TrainConfig, fit, make_model
from ibjax.types import MI, Dataset

ACTIVATIONS = ("tanh", "relu")
SETTINGS = ("fine", "medium", "coarse")
TRACED = ("bin_width", "noise_variance")
FULL_EPOCHS, SMOKE_EPOCHS = 8000, 8
NUM_RECORDED = 16

# Monte Carlo samples of the noise for each of the 4096 inputs: a standard error of 0.02 bits.
NUM_DRAWS = 1

# A smoke run's network: most of its time is compilation, layer by layer.
SMOKE_WIDTHS = (4, 3, 2)


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """What one sees depends on the estimator."""

    seeds: int = 26
    """Networks per arm; fewer than elsewhere, for estimators that compare all pairs of inputs."""


class InSettings(NamedTuple):
    """An estimator of a layer and the option that its three settings, fine to coarse, give it."""

    estimator: Callable[..., MI]
    option: str
    values: tuple[float, ...]

    def __call__(self, t, y) -> MI:
        """``MI`` of (setting,) arrays."""

        def measure(value):
            return self.estimator(t, y, **{self.option: value})

        if self.option in TRACED:  # one program for all values
            return jax.lax.map(measure, jnp.asarray(self.values))
        return jax.tree.map(lambda *bits: jnp.stack(bits), *map(measure, self.values))


def estimators_of_a_layer(seed: int) -> dict[str, InSettings]:
    """Every estimator of a layer in three settings."""
    noisy = functools.partial(noisy_mi, key=jax.random.key(seed), num_draws=NUM_DRAWS)
    variances = (1e-3, 1e-2, 1e-1)
    return {
        "binned": InSettings(binned_mi, "bin_width", (0.01, 0.07, 0.3)),
        "adaptive bins": InSettings(adaptive_binned_mi, "bins", (100, 30, 10)),
        "quantised": InSettings(quantised_mi, "bits", (12, 8, 4)),
        "noisy": InSettings(noisy, "noise_variance", variances),
        "KDE upper": InSettings(kde_mi, "noise_variance", variances),
        "KDE lower": InSettings(functools.partial(kde_mi, bound="lower"), "noise_variance", variances),
    }


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train the networks and measure them by every estimator; checkpoints go to ``folder`` if given."""
    named = estimators_of_a_layer(config.seed)
    data = symmetric_task()
    if config.smoke:
        data = Dataset(data.x[::8], data.y[::8])
    num_epochs = config.epochs or (SMOKE_EPOCHS if config.smoke else FULL_EPOCHS)
    recorded = np.unique(np.geomspace(1, num_epochs, 3 if config.smoke else NUM_RECORDED).astype(int))
    options = {**preset("paper").training, "num_epochs": num_epochs}
    if config.smoke:
        options["widths"] = SMOKE_WIDTHS
    arms = {}
    with progress_bar(len(ACTIVATIONS)) as on_advance_of:
        for activation in ACTIVATIONS:
            training = TrainConfig(activation=activation, **options)
            history = fit(
                training,
                data,
                record=planes_record(make_model(training), list(named.values())),
                schedule=recorded,
                on_advance=on_advance_of(activation),
                **config.fit_options(folder, activation),
            )
            for (i, name), (j, setting) in itertools.product(enumerate(named), enumerate(SETTINGS)):
                own = select_estimator(history, i, j)
                arms[activation, name, setting] = history_to_dataset(own, training.as_dict())
    results = stack_arms(arms, ("activation", "estimator", "setting"))
    labels = [[f"{row.option}={value}" for value in row.values] for row in named.values()]
    return results.assign_coords(option=(("estimator", "setting"), labels)).assign_attrs(
        experiment="estimators",
        dataset="ibjax.datasets.symmetric_task(): 4096 binary words, hard labels",
        estimator="; ".join(f"{name}: {describe_function(e.estimator)}" for name, e in named.items()),
        measured_on="every 8th input" if config.smoke else "all 4096 inputs",
        num_samples=len(data.y),
        seed=config.seed,
        **environment(),
    )


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Compression by estimator and layer, the curves of one layer, the table and what follows."""
    summary = compression_summary(results).assign_coords(option=results.option)
    seeds = f"{results.sizes['seed']} seeds"
    drawn = int(results.layer[-2])  # the last hidden one, where tanh networks compress most in bins
    figures = {
        "compression_by_estimator.png": plot_compression_table(
            summary,
            rows=["estimator", "setting"],
            column="activation",
            title=f"Compression of I(X;T), bits, mean over {seeds}",
        ),
        "curves_by_estimator.png": plot_curves(
            results.sel(layer=drawn),
            row="activation",
            column="estimator",
            compare="setting",
            title=f"Layer {drawn}, mean with 95% band, {seeds}",
        ),
    }
    found = [verdict(summary, activation) for activation in ACTIVATIONS]
    return figures, [table_of("compression", summary, found)]


def verdict(summary: xr.Dataset, activation: str) -> str:
    """Say how many of the estimators see a hidden layer compress."""
    hidden = summary.sel(activation=activation).isel(layer=slice(0, -1))
    sees = (hidden.compression_low > NEGLIGIBLE_BITS).any("layer")
    found = [
        f"{name} ({', '.join(hidden.option.sel(estimator=name).values[row])})"
        for name, row in zip(hidden.estimator.values, sees.values, strict=True)
        if row.any()
    ]
    return (
        f"{activation}: of {sees.size} estimators {int(sees.sum())} see a hidden layer compress: "
        f"{'; '.join(found) or 'none'}. The networks are the same: what differs is the estimator."
    )


if __name__ == "__main__":
    main("estimators", Config, run, report)
