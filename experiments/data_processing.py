"""Do estimates obey the data-processing inequality?

Claim: Shwartz-Ziv & Tishby (2017): a network is a Markov chain X -> T_1 -> T_2 -> ..., so
I(X;T_1) >= I(X;T_2) >= ... and I(T_1;Y) >= I(T_2;Y) >= ... . That is so of the layers; what Saxe et al.
(2018) hold against it is that a layer and its estimate differ, for bins or noise are put on every layer
anew. A plane whose points violate the inequality shows the estimator, not the network.

Command:  python -m experiments.data_processing
Time:     about 8 minutes of CPU time, which 2 cores share
Expect:   exact states obey it always; tanh by every estimator nearly so, I(X;T) by all but the adaptive
          bins. relu: every estimator violates it, I(X;T) in up to 30% of networks (bins of 0.3, layers 4
          to 5), most in 30 bins on [-1, 1]: I(T;Y) in 74% of networks, by 0.09 bits on average.

50 networks 12-10-7-5-4-3-2, tanh and relu, on the 12-bit symmetric task; plain SGD (rate 0.1, batches
of 256), 8000 epochs; I(X;T) and I(T;Y) on all 4096 inputs at 6 epochs, by eight estimators. "exact" are
the float32 activations as they are, without bins or noise: each layer's states are a function of those
of the layer before, so it cannot violate the inequality, which checks the measurement. The last layer
is the softmax. Of 30 bins on [-1, 1] the last holds every relu activation above it.

Dims: activation, estimator, seed, epoch, layer.
"""

import dataclasses
import functools
import itertools
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import Arm, LabConfig, Scale, Table, levels_of, main, scale_of, table_of_rows, train
from ibjax.analysis.compression import dead_seeds
from ibjax.analysis.data_processing import ROUNDING_BITS, violation_summary
from ibjax.analysis.intervals import simultaneous_level
from ibjax.analysis.records import PlanesRecord
from ibjax.mi import adaptive_binned_mi, binned_mi, exact_mi, kde_mi, quantised_mi
from ibjax.plots import plot_along_layers, plot_violations
from ibjax.presets import SAXE_NOISE_VARIANCE, preset
from ibjax.training import TrainConfig, make_model

ACTIVATIONS = ("tanh", "relu")
NAMES = {"ixt": "I(X;T)", "ity": "I(T;Y)"}
FULL, SMOKE = Scale(epochs=8000), Scale(epochs=8, widths=(4, 3, 2), every=8)

# As shares of the last: kernel bounds of 4096 inputs take half a second a network and epoch.
RECORDED = np.array([30, 300, 1000, 3000, 8000]) / 8000

# Columns of the table of violations: who violates the inequality, and by how much.
LEVELS = ("activation", "variable", "estimator", "pair")
AMOUNTS = ("share", "share_low", "share_high", "excess", "excess_low", "excess_high", "largest")


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Do estimates obey the data-processing inequality?"""


ESTIMATORS = {
    "exact": exact_mi,
    "bins of 0.07": functools.partial(binned_mi, bin_width=0.07),
    "bins of 0.3": functools.partial(binned_mi, bin_width=0.3),
    "30 on [-1, 1]": functools.partial(binned_mi, bins=30, range=(-1.0, 1.0)),
    "adaptive, 30": functools.partial(adaptive_binned_mi, bins=30),
    "8-bit levels": functools.partial(quantised_mi, bits=8),
    "KDE upper": functools.partial(kde_mi, noise_variance=SAXE_NOISE_VARIANCE),
    "KDE lower": functools.partial(kde_mi, noise_variance=SAXE_NOISE_VARIANCE, bound="lower"),
}


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train the networks and measure them by every estimator; checkpoints go to ``folder`` if given."""
    scale = scale_of(config, FULL, SMOKE)
    arms = {}
    for activation in ACTIVATIONS:
        training = TrainConfig(activation=activation, **preset("paper").training, **scale.training)
        record = PlanesRecord(make_model(training), ESTIMATORS)
        arms[(activation,)] = Arm(training, scale.task, record)
    return train(
        config,
        arms,
        factors=("activation",),
        source="Shwartz-Ziv & Tishby (2017); Saxe et al. (2018)",
        schedule=np.rint(RECORDED * scale.epochs).astype(int),
        folder=folder,
        noise_variance=SAXE_NOISE_VARIANCE,
        rounding_bits=ROUNDING_BITS,
    )


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw violations and estimates along the layers; tabulate, and say what follows."""
    summary = violation_summary(results)
    seeds = f"{results.sizes['seed']} seeds"
    figures = {
        "violations.png": plot_violations(
            summary,
            row="activation",
            title=f"Violations of the data-processing inequality: % of {seeds}",
        )
    }
    for name in NAMES:
        title = f"From layer to layer, mean with 95% band, {seeds}: where it rises, it cannot be true"
        figures[f"along_layers_{name}.png"] = plot_along_layers(
            results, name, row="activation", title=title
        )
    # The largest of all violations are quoted, so their intervals hold for all at once.
    at_once = violation_summary(results, simultaneous_level(summary.excess.size))
    levels = itertools.product(results.activation.values, NAMES)
    sentences = [verdict(at_once, activation, variable) for activation, variable in levels]
    exact = results.sel(estimator="exact")
    dead = sum(int(dead_seeds(exact.sel(activation=name)).sum()) for name in exact.activation.values)
    sentences.append(
        f"Networks that diverged, left out: {int(exact.diverged.sum())}. With a hidden layer constant "
        f"at the end, kept: {dead}."
    )
    sentences.append(
        f"limits: of intervals that hold for all {summary.excess.size} epochs, pairs of layers, "
        "estimators, activations and variables at once, since the largest are chosen among them"
    )
    return figures, [violations_table(at_once, sentences)]


def violations_table(summary: xr.Dataset, sentences: list[str]) -> Table:
    """Make a row for each estimator and pair of layers that violates it: when, how often, by how much.

    Shares and bits are those of the epoch at which the mean violation is largest.
    """
    rows = []
    for named in levels_of(summary, LEVELS):
        violation = summary.sel(named)
        epochs = violation.epoch.values[violation.share.values > 0]
        if len(epochs):
            worst = violation.isel(epoch=int(violation.excess.argmax("epoch")))
            amounts = {name: float(worst[name]) for name in AMOUNTS}
            epochs_cell = " ".join(map(str, epochs))
            rows.append({**named, "epochs": epochs_cell, "at_epoch": int(worst.epoch), **amounts})
    columns = [*LEVELS, "epochs", "at_epoch", *AMOUNTS]
    return table_of_rows("violations", rows, sentences, columns=columns)


def verdict(summary: xr.Dataset, activation: str, variable: str) -> str:
    """Say where each estimator violates the inequality most, by how much, and how often at the end."""
    estimates = summary.sel(activation=activation, variable=variable)
    violated = (estimates.share > 0).any(["epoch", "pair"])
    obeyed_by = estimates.estimator[~violated].values.tolist()
    text = f"{activation}, {NAMES[variable]}: obeyed by {', '.join(obeyed_by) or 'none'}."
    if "exact" not in obeyed_by:
        text += " Exact states violate it, which cannot be: something is wrong with the measurement."
    for name in estimates.estimator[violated].values:
        estimate = estimates.sel(estimator=name)
        worst = estimate.isel(estimate.excess.argmax(("epoch", "pair")))
        text += (
            f" {name}: most between layers {worst.pair.item()} at epoch {worst.epoch.item()}, by "
            f"{float(worst.excess):.3f} bits ({float(worst.excess_low):.3f} to "
            f"{float(worst.excess_high):.3f}), in {float(worst.share):.0%} of networks; at the end in "
            f"at most {float(estimate.share.isel(epoch=-1).max()):.0%}, whatever the pair."
        )
    return text


if __name__ == "__main__":
    main("data_processing", Config, run, report)
