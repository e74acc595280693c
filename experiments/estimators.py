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
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import (
    Arm,
    LabConfig,
    Scale,
    Table,
    compresses_note,
    main,
    scale_of,
    table_of,
    train,
)
from ibjax.analysis.compression import compression_summary
from ibjax.analysis.records import PlanesRecord
from ibjax.functions import describe_function
from ibjax.mi import adaptive_binned_mi, binned_mi, kde_mi, noisy_mi, quantised_mi
from ibjax.plots import plot_compression_table, plot_curves
from ibjax.presets import preset
from ibjax.training import TrainConfig, make_model
from ibjax.types import MI

ACTIVATIONS = ("tanh", "relu")
SETTINGS = ("fine", "medium", "coarse")
TRACED = ("bin_width", "noise_variance")
FULL = Scale(epochs=8000, num_recorded=16)
SMOKE = Scale(epochs=8, widths=(4, 3, 2), every=8, num_recorded=3)

# Monte Carlo samples of the noise for each of the 4096 inputs: a standard error of 0.02 bits.
NUM_DRAWS = 1


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """What one sees depends on the estimator."""

    seeds: int = 26
    """Networks per arm; fewer than elsewhere, for estimators that compare all pairs of inputs."""


@dataclasses.dataclass(frozen=True)
class InSettings:
    """An estimator of a layer in three settings, for ``PlanesRecord``.

    Attributes:
        estimator: function ``estimator(t, y, *, option) -> MI``.
        option: name of the option that differs between the settings.
        values: its values, from fine to coarse.
    """

    estimator: Callable[..., MI]
    option: str
    values: tuple[float, ...]

    def __call__(self, t, y) -> MI:
        """Return the ``MI`` of (setting,) arrays."""

        def measure(value):
            return self.estimator(t, y, **{self.option: value})

        if self.option in TRACED:  # one program for all values
            return jax.lax.map(measure, jnp.asarray(self.values))
        return jax.tree.map(lambda *bits: jnp.stack(bits), *map(measure, self.values))

    @property
    def labels(self) -> list[str]:
        """Names of the settings, such as "bin_width=0.07"."""
        return [f"{self.option}={value}" for value in self.values]

    def __str__(self) -> str:
        values = ", ".join(map(str, self.values))
        return f"{describe_function(self.estimator)} with {self.option}={values}"


def estimators_of_a_layer(seed: int) -> dict[str, InSettings]:
    """Return every estimator of a layer in three settings; ``seed`` draws the noise."""
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
    estimators, scale = estimators_of_a_layer(config.seed), scale_of(config, FULL, SMOKE)
    arms = {}
    for activation in ACTIVATIONS:
        training = TrainConfig(activation=activation, **preset("paper").training, **scale.training)
        record = PlanesRecord(make_model(training), estimators, settings=SETTINGS)
        arms[(activation,)] = Arm(training, scale.task, record)
    results = train(
        config,
        arms,
        factors=("activation",),
        source="Saxe et al. (2018), sections 2 and 5, appendix C; Goldfeld et al. (2019)",
        schedule=scale.recorded,
        folder=folder,
        noise_variance="by setting",
    )
    labels = [estimator.labels for estimator in estimators.values()]
    return results.assign_coords(option=(("estimator", "setting"), labels))


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw compression by estimator and layer, and one layer's curves; tabulate, say what follows."""
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
    verdicts = [verdict(summary, activation) for activation in ACTIVATIONS]
    return figures, [table_of("compression", summary, [compresses_note(summary), *verdicts])]


def verdict(summary: xr.Dataset, activation: str) -> str:
    """Say how many of the estimators see a hidden layer compress."""
    hidden = summary.sel(activation=activation).isel(layer=slice(0, -1))
    sees = hidden.compresses.any("layer")
    seeing = [
        f"{name} ({', '.join(hidden.option.sel(estimator=name).values[settings])})"
        for name, settings in zip(hidden.estimator.values, sees.values, strict=True)
        if settings.any()
    ]
    return (
        f"{activation}: of {sees.size} estimators {int(sees.sum())} see a hidden layer compress: "
        f"{'; '.join(seeing) or 'none'}. The networks are the same: what differs is the estimator."
    )


if __name__ == "__main__":
    main("estimators", Config, run, report)
