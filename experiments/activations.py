"""Which nonlinearities compress? Seven of them in bins and by kernels, side by side.

Claim: Saxe et al. (2018), section 2 and figure 1 (with appendix figures of softsign and softplus):
compression on the information plane comes from the nonlinearity. Those that saturate on both sides
(tanh, softsign) compress; those that saturate on one side or on none do not. The same networks on the
plane by bins and by the kernel estimate of Kolchinsky & Tracey.

Command:  python -m experiments.activations
Time:     25 to 35 minutes on 2 cores, 1.7 GB: half training, half kernels
Expect:   by both estimators: tanh compresses in layers 2 to 5, by up to 4.7 bits, softsign in layers 4
          and 5, by up to 1.4; relu, leaky_relu and softplus nowhere. Linear layers lose up to 0.9 bits,
          elu, which saturates on one side, 0.3 in bins.

50 networks 12-10-7-5-4-3-2 per activation on the 12-bit symmetric task; plain SGD (rate 0.1, batches of
256), 8000 epochs; I(X;T) and I(T;Y) on all 4096 inputs in bins of 0.07, and the upper kernel bound with
noise of variance 0.001, at 25 epochs.

Dims: activation, estimator, seed, epoch, layer.
"""

import dataclasses
from pathlib import Path

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
from ibjax.plots import plot_compression_table, plot_information_plane
from ibjax.presets import SAXE_BIN_WIDTH, SAXE_ESTIMATORS, SAXE_NOISE_VARIANCE, preset
from ibjax.training import TrainConfig, make_model

# Activations of the paper's figures, and others.
IN_PAPER, OTHERS = ("tanh", "softsign", "relu", "softplus"), ("leaky_relu", "elu", "linear")
SMOKE_ACTIVATIONS = ("tanh", "relu")
SATURATE_TWICE = ("tanh", "softsign")
FULL, SMOKE = Scale(epochs=8000, num_recorded=26), Scale(epochs=8, widths=(4, 3, 2), every=8)


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Which nonlinearities compress? Seven of them in bins and by kernels, side by side."""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train the networks and measure them by both estimators; checkpoints go to ``folder`` if given."""
    scale = scale_of(config, FULL, SMOKE)
    arms = {}
    for activation in SMOKE_ACTIVATIONS if config.smoke else IN_PAPER + OTHERS:
        training = TrainConfig(activation=activation, **preset("paper").training, **scale.training)
        record = PlanesRecord(make_model(training), SAXE_ESTIMATORS)
        arms[(activation,)] = Arm(training, scale.task, record)
    return train(
        config,
        arms,
        factors=("activation",),
        source="Saxe et al. (2018), section 2, figure 1",
        schedule=scale.recorded,
        folder=folder,
        bin_width=SAXE_BIN_WIDTH,
        noise_variance=SAXE_NOISE_VARIANCE,
    )


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw the planes and tabulate the compression of every layer and which activations compress."""
    summary = compression_summary(results)
    seeds = f"{results.sizes['seed']} seeds"
    figures = {
        "compression_by_activation.png": plot_compression_table(
            summary,
            rows=["activation"],
            column="estimator",
            title=f"Compression of I(X;T), bits, mean over {seeds}",
        )
    }
    for name, chosen in (("information_plane.png", IN_PAPER), ("other_activations.png", OTHERS)):
        shown = [activation for activation in results.activation.values if activation in chosen]
        if shown:
            title = f"bins of {results.bin_width}; KDE, noise variance {results.noise_variance}; {seeds}"
            figures[name] = plot_information_plane(
                results.sel(activation=shown), row="estimator", column="activation", title=title
            )
    verdicts = [verdict(summary, activation) for activation in results.activation.values]
    return figures, [table_of("compression", summary, [compresses_note(summary), *verdicts])]


def verdict(summary: xr.Dataset, activation: str) -> str:
    """Say which hidden layers compress, by either estimator, and whether the claim holds."""
    saturates, holds, facts = activation in SATURATE_TWICE, True, []
    for name in summary.estimator.values:
        hidden = summary.sel(activation=activation, estimator=name).isel(layer=slice(0, -1))
        layers = hidden.layer[hidden.compresses].values.tolist()
        holds &= bool(layers) == saturates
        amount = "none"
        if layers:
            largest = float(hidden.compression.sel(layer=layers).max())
            amount = f"layers {', '.join(map(str, layers))}, up to {largest:.2f} bits"
        facts.append(f"{name}: {amount}")
    expected = "compresses (saturates on both sides)" if saturates else "does not compress"
    return (
        f"{activation}: hidden layers that compress, {'; '.join(facts)}. Claim, {expected}: "
        f"{'holds' if holds else 'does not hold by both'}."
    )


if __name__ == "__main__":
    main("activations", Config, run, report)
