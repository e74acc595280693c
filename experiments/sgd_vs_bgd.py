"""Is the randomness of SGD needed for compression?

Claim: Shwartz-Ziv & Tishby (2017), sections 3.3 and 3.4: layers first fit, then compress, because
the noise of stochastic gradient descent makes the weights diffuse. Against it: Saxe et al. (2018),
section 4 and figure 5: full-batch gradient descent, which has no noise, compresses tanh networks just
as well, and relu networks compress under neither.

Command:  python -m experiments.sgd_vs_bgd
Time:     4 to 8 minutes on 2 cores, 1.4 GB; benchmarks/RESULTS.md says where they go
Expect:   tanh: hidden layers 2 to 5 compress under both, by up to 4.6 bits; relu: no hidden layer does
          under SGD, and full-batch descent hardly learns at its rate (experiments.full_batch_rates);
          linear: layers 4 and 5 by less than a bit, under both.

50 networks 12-10-7-5-4-3-2 per arm on the 12-bit symmetric task, each with its own initial weights,
split and shuffling; plain SGD (rate 0.1, batches of 256) against full-batch descent (rate 0.5, but
0.1 for linear, which diverges at 0.5); 8000 epochs; I(X;T) and I(T;Y) on all 4096 inputs in bins of
0.07 at 210 epochs. ``--preset idnns`` and ``--preset saxe`` give the codes' own settings instead.

Dims: activation, optimizer, seed, epoch, layer.
"""

import dataclasses
import itertools
from pathlib import Path
from typing import Literal

import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import (
    Arm,
    LabConfig,
    Scale,
    Table,
    compresses_note,
    layer_rows,
    main,
    scale_of,
    seeds_table,
    symmetric,
    table_of_rows,
    train,
)
from ibjax.analysis.compression import compression_summary, dead_seeds, optimizer_difference
from ibjax.analysis.intervals import simultaneous_level
from ibjax.analysis.records import PlaneRecord
from ibjax.plots import plot_compression, plot_information_plane
from ibjax.presets import preset
from ibjax.training import TrainConfig, make_model

ACTIVATIONS = ("tanh", "relu", "linear")
OPTIMIZERS = ("sgd", "bgd")
FULL_EPOCHS, SMOKE_EPOCHS = 8000, 30

# Full-batch descent makes 1 step where SGD makes 13; linear networks diverge at 0.5.
BGD_RATE = {"tanh": 0.5, "relu": 0.5, "linear": 0.1}

# Training accuracy by which full-batch descent must lag behind SGD to say nothing of what training does.
ACCURACY_LAG = 0.05


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Is the randomness of SGD needed for compression?"""

    preset: Literal["paper", "idnns", "saxe"] = "paper"
    """Whose settings: the paper's text, or the 2017 or the 2018 code."""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure all arms; checkpoints go to ``folder`` if given."""
    convention, task = preset(config.preset), symmetric()
    arms = {}
    for activation, optimizer in itertools.product(ACTIVATIONS, OPTIMIZERS):
        training = arm_config(config, activation, optimizer)
        record = PlaneRecord(make_model(training), convention.estimator)
        arms[activation, optimizer] = Arm(training, task, record)
    return train(
        config,
        arms,
        factors=("activation", "optimizer"),
        source=convention.source,
        schedule=convention.schedule,
        folder=folder,
        preset=config.preset,
        binning=convention.binning,
    )


def arm_config(config: Config, activation: str, optimizer: str) -> TrainConfig:
    """Return one arm's training: the preset's, with full batches and their rate for "bgd"."""
    options = preset(config.preset).training
    # The preset "saxe" has its own number of epochs.
    full = Scale(epochs=options.get("num_epochs", FULL_EPOCHS))
    options = options | scale_of(config, full, Scale(epochs=SMOKE_EPOCHS)).training
    if optimizer == "bgd":
        options["batch_size"] = None
        if config.preset == "paper":
            options["learning_rate"] = BGD_RATE[activation]
    return TrainConfig(activation=activation, **options)


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw the information planes and the compression curves, and tabulate, with the verdict."""
    title = f"{results.preset}: {results.binning}, {results.sizes['seed']} seeds"
    figures = {
        "information_plane.png": plot_information_plane(
            results, row="optimizer", column="activation", title=title
        ),
        "compression.png": plot_compression(
            results, row="activation", compare="optimizer", title=f"{title}, mean with 95% band"
        ),
    }
    seeds = seeds_table(results, ["train_loss", "train_accuracy", "test_accuracy"])
    return figures, [compression_table(results), difference_table(results), seeds]


def compression_table(results: xr.Dataset) -> Table:
    """Tabulate by arm and layer peak, final, compression with its interval; bits.

    Arms with dead seeds are shown once more without them.
    """
    rows, summary = [], compression_summary(results)
    for activation, optimizer in itertools.product(ACTIVATIONS, OPTIMIZERS):
        levels = {"activation": activation, "optimizer": optimizer}
        arm = results.sel(levels)
        shown, dead = {optimizer: summary.sel(levels)}, dead_seeds(arm)
        if dead.any() and not dead.all():
            shown[f"{optimizer} alive"] = compression_summary(arm.isel(seed=~dead))
        for name, seeds in shown.items():
            rows += layer_rows(seeds, activation=activation, optimizer=name)
    return table_of_rows("compression", rows, [compresses_note(summary)])


def difference_table(results: xr.Dataset) -> Table:
    """Tabulate SGD - BGD of the compression, at the last epoch and at equal loss; and the verdict."""
    rows = []
    for activation in ACTIVATIONS:
        arms = [results.sel(activation=activation, optimizer=name) for name in OPTIMIZERS]
        rows += layer_rows(optimizer_difference(arms[0], arms[1]), activation=activation)
    return table_of_rows("sgd_minus_bgd", rows, [verdict(results, a) for a in ACTIVATIONS])


def verdict(results: xr.Dataset, activation: str) -> str:
    """Say what follows for one activation, and what does not, from the intervals of hidden layers."""
    summary = compression_summary(results).sel(activation=activation)
    arms = {name: results.sel(activation=activation, optimizer=name) for name in OPTIMIZERS}
    hidden = {"layer": slice(0, -1)}
    compressing = {}

    def amount(name: str) -> str:
        layers = summary.sel(optimizer=name).isel(hidden)
        falling = layers.isel(layer=layers.compresses.values)
        compressing[name] = falling.isel(layer=falling.compresses_after_fitting.values).layer.values
        if not falling.sizes["layer"]:
            return f"no hidden layer compresses under {name.upper()}"
        numbers, largest = ", ".join(map(str, falling.layer.values)), float(falling.compression.max())
        text = f"hidden layers {numbers} compress under {name.upper()} (by up to {largest:.2f} bits)"
        if len(compressing[name]) == falling.sizes["layer"]:
            return text
        return f"{text}, after fitting {', '.join(map(str, compressing[name])) or 'none'}"

    facts = f"{activation}: {amount('sgd')}; {amount('bgd')}."
    limits = "This is compression of the layers as binned; whether the bins or the network lose"
    if len(compressing["bgd"]):
        follows = "Noise is not needed: descent without any compresses."
        limits += " information, and whether it serves generalisation, does not follow."
    elif len(compressing["sgd"]):
        level = simultaneous_level(summary.sizes["layer"] - 1)
        difference = optimizer_difference(arms["sgd"], arms["bgd"], level).isel(hidden)
        equal = bool((difference.at_equal_loss_low > 0).any())
        follows = "Only SGD compresses" + (", at equal training loss too" if equal else "")
        follows += "; that its noise is the cause, not its progress, "
        follows += "is supported." if equal else "does not follow, since it also trains further."
        limits += " information does not follow."
    else:
        fit = {name: float(arm.train_accuracy.isel(epoch=-1).mean()) for name, arm in arms.items()}
        follows = "With this activation training does not compress, with noise or without."
        if fit["sgd"] - fit["bgd"] > ACCURACY_LAG:
            follows = (
                "With this activation SGD does not compress. Of full-batch descent nothing follows, for "
                f"it has not learnt: its training accuracy is {fit['bgd']:.0%}, SGD's {fit['sgd']:.0%}."
            )
        limits += " information is not at issue; that the network keeps every bit does not follow."
    return f"{facts} {follows} {limits}"


if __name__ == "__main__":
    main("sgd_vs_bgd", Config, run, report)
