"""Do networks compress on real images? MNIST, tanh and relu, by kernel bounds and in bins.

Claim: Saxe et al. (2018), section 2 and figure 1 C, D: on MNIST, too, tanh layers compress while
training goes on, and relu layers do not.

Command:  python -m experiments.mnist                                   (needs the extra "mnist")
          python -m experiments.mnist --data FOLDER                     (with files that you have)
          python -m experiments.mnist --data FOLDER --train-split test  (with the test files alone)
Time:     about 2 hours on 2 cores, 3 GB; half an hour with ``--train-split test``, 51 minutes of a
          core. ``--full``, the paper's 10,000 epochs: 2 to 3 days on 2 cores, about an hour on an
          accelerator. But for the second these are estimates: of short runs on 2 cores, and of 4.7
          million steps an arm of 0.2 to 0.3 ms on an accelerator.
Expect:   the paper, after 10,000 epochs: tanh layers compress, relu layers do not. With the test images
          alone tanh layers 2 to 4 lose 0.9 to 2.0 bits by either estimator, relu layers none. Layer 1 is
          at the estimates' ceiling from the start, and nothing follows for it.

Networks 784-1024-20-20-20-10, plain SGD (rate 0.001, batches of 128) on the 60,000 training images;
I(X;T) and I(T;Y) on the 10,000 test images at 12 epochs, or 40 with ``--full``. ``kde``: the upper bound
with noise of variance 0.1 (of I(X;T); I(T;Y) is a difference of two, a bound on neither side); ``bins``:
of width 0.5, unclipped. Neither can tell more than log2 10,000 = 13.29 bits: a layer at this ceiling
shows the number of images, not what it keeps. ``--train-split test`` trains on 80% of the test images,
drawn for each seed, and measures on all of them.

Dims: activation, estimator, seed, epoch, layer.
"""

import dataclasses
import functools
import itertools
from pathlib import Path
from typing import Literal

import jax.numpy as jnp
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import (
    Arm,
    LabConfig,
    Scale,
    Table,
    Task,
    compresses_note,
    layer_rows,
    main,
    scale_of,
    seeds_table,
    table_of_rows,
    train,
)
from ibjax.analysis.compression import compression_summary
from ibjax.analysis.records import PlanesRecord
from ibjax.datasets import mnist
from ibjax.datasets.splits import num_training_samples
from ibjax.mi import binned_mi, kde_mi
from ibjax.plots import plot_compression, plot_information_plane
from ibjax.training import TrainConfig, log_spaced_epochs, make_model
from ibjax.types import LabelledSamples

ACTIVATIONS, WIDTHS = ("tanh", "relu"), (1024, 20, 20, 20, 10)
NOISE_VARIANCE, BIN_WIDTH = 0.1, 0.5
ESTIMATORS = {
    "kde": functools.partial(kde_mi, noise_variance=NOISE_VARIANCE, bound="upper"),
    "bins": functools.partial(binned_mi, bin_width=BIN_WIDTH),
}

# The paper's run records more epochs, on an accelerator: on a CPU layer 1 takes half a minute a network.
PAPER = Scale(epochs=10_000, widths=WIDTHS, num_recorded=40)
FULL = Scale(epochs=200, widths=WIDTHS, num_recorded=12)
SMOKE = Scale(epochs=2, widths=(128, 20, 10))

# A smoke run's images of each split.
SMOKE_IMAGES = 1000

# From this share of log2 n on, I(X;T) says how many images there are.
CEILING = 0.99


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Do networks compress on real images?"""

    seeds: int = 5
    """Networks per arm."""
    full: bool = False
    """The paper's 10,000 epochs, for an accelerator."""
    train_split: Literal["train", "test"] = "train"
    """Images to train on; with "test" 80% of the test images, no others are needed."""
    data: Path | None = None
    """Folder of the IDX files, gzipped or plain; without it they are downloaded once."""

    @property
    def scale(self) -> Scale:
        """The scale that the options ask for."""
        return scale_of(self, PAPER if self.full else FULL, SMOKE)

    @property
    def cpu_lanes(self) -> int:
        """Number of networks per compiled program on a CPU, as of ``Task.one_by_one``."""
        return 1

    @property
    def rows(self) -> str:
        """Rows of the task on which information is measured: the test images, in either case."""
        return "test" if self.train_split == "train" else "all"


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure both arms; checkpoints go to ``folder`` if given."""
    task, scale = images(config), config.scale
    arms = {}
    for activation in ACTIVATIONS:
        training = TrainConfig(
            activation=activation,
            init="fan_out",
            learning_rate=1e-3,
            batch_size=128,
            **scale.training,
            **task.split,
        )
        record = PlanesRecord(make_model(training), ESTIMATORS, rows=config.rows)
        arms[(activation,)] = Arm(training, task, record)
    num_train = num_training_samples(task.num_samples, task.split["train_fraction"])
    return train(
        config,
        arms,
        factors=("activation",),
        source="Saxe et al. (2018), section 2, figure 1 C, D",
        schedule=log_spaced_epochs(scale.epochs, scale.num_recorded),
        folder=folder,
        trained_on=f"{num_train:,} {config.train_split} images",
        noise_variance=NOISE_VARIANCE,
        binning=f"bins of {BIN_WIDTH}, unclipped",
    )


def images(config: Config) -> Task:
    """Return the task: training images and after them test images, or test images alone."""
    data, split = _some(config, "test"), {"split": "random", "train_fraction": 0.8}
    if config.train_split == "train":
        training = _some(config, "train")
        data = LabelledSamples(*(jnp.concatenate(arrays) for arrays in zip(training, data, strict=True)))
        split = {"split": "first_rows", "train_fraction": len(training.y) / len(data.y)}
    text = "ibjax.datasets.mnist(): images of 784 pixels in [0, 1], 10 classes"
    return Task("mnist", data, 10, len(data.y), text, split=split, one_by_one=True)


def _some(config: Config, split: str) -> LabelledSamples:
    data = mnist(split, folder=config.data)
    return LabelledSamples(*(a[:SMOKE_IMAGES] for a in data)) if config.smoke else data


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw the information planes and the compression curves, and tabulate, with the verdict."""
    title = (
        f"MNIST by activation and estimator: trained on {results.trained_on}, measured on "
        f"{results.num_samples:,} test images,\n{results.sizes['seed']} seeds; KDE: upper bound; "
        f"ceiling {np.log2(results.num_samples):.2f} bits"
    )
    names = {"kde": f"KDE, noise variance {NOISE_VARIANCE}", "bins": f"bins of {BIN_WIDTH}"}
    shown = results.assign_coords(estimator=[names[name] for name in results.estimator.values])
    figures = {
        "information_plane.png": plot_information_plane(
            shown, row="estimator", column="activation", title=title
        ),
        "compression.png": plot_compression(
            shown, row="activation", compare="estimator", title=f"{title}, mean with 95% band"
        ),
    }
    quality = ("train_loss", "test_loss", "train_accuracy", "test_accuracy")
    seeds = seeds_table(results.sel(estimator="kde"), quality)
    return figures, [compression_table(results), seeds]


def compression_table(results: xr.Dataset) -> Table:
    """Tabulate by arm and layer peak, final, compression with interval, bits; share at the ceiling."""
    rows, verdicts = [], []
    summaries = compression_summary(results).rename(num_seeds="seeds")
    for activation, estimator in itertools.product(ACTIVATIONS, ESTIMATORS):
        arm = results.sel(activation=activation, estimator=estimator)
        summary = summaries.sel(activation=activation, estimator=estimator)
        summary["at_ceiling"] = at_ceiling(arm, results.num_samples)
        rows += layer_rows(summary, activation=activation, estimator=estimator)
        verdicts.append(verdict(f"{activation}, {estimator}", summary))
    note = (
        f"after {int(results.epoch[-1])} epochs (the paper's run has {PAPER.epochs:,}); at_ceiling: "
        "share of seeds and epochs with I(X;T) within 1% of log2 of the number of images, "
        f"{np.log2(results.num_samples):.2f} bits, where the estimate shows that number alone"
    )
    return table_of_rows("compression", rows, [*verdicts, note, compresses_note(summaries)])


def at_ceiling(arm: xr.Dataset, num_samples: int) -> xr.DataArray:
    """Return (layer,): share of seeds and epochs whose I(X;T) says only how many images there are."""
    return (arm.ixt >= CEILING * np.log2(num_samples)).mean(["seed", "epoch"])


def verdict(arm: str, summary: xr.Dataset) -> str:
    """Say what follows for the hidden layers of one arm, and what does not."""
    hidden = summary.isel(layer=slice(0, -1))
    blind = hidden.layer[hidden.at_ceiling == 1].values.tolist()
    compresses = hidden.compresses.values
    amounts = [
        f"{row['layer']} by {row['compression']:.2f} bits"
        for row in layer_rows(hidden.isel(layer=compresses))
    ]
    text = f"hidden layers that compress: {', '.join(amounts) or 'none'}"
    if blind:
        text += f"; of layer {', '.join(map(str, blind))}, always at the ceiling, nothing follows"
    return f"{arm}: {text}."


if __name__ == "__main__":
    main("mnist", Config, run, report)
