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
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import LabConfig, Table, columns, main, progress_bar
from ibjax.analysis.compression import NEGLIGIBLE_BITS, compression_summary, dead_seeds
from ibjax.analysis.records import planes_record, select_estimator
from ibjax.datasets import mnist
from ibjax.mi import binned_mi, kde_mi
from ibjax.plots import plot_compression, plot_information_plane
from ibjax.results import describe_function, environment, history_to_dataset, stack_arms
from ibjax.training import TrainConfig, fit, log_spaced_epochs, make_model
from ibjax.types import Dataset

ACTIVATIONS = ("tanh", "relu")
NOISE_VARIANCE, BIN_WIDTH = 0.1, 0.5
ESTIMATORS = {
    "kde": functools.partial(kde_mi, noise_variance=NOISE_VARIANCE, bound="upper"),
    "bins": functools.partial(binned_mi, bin_width=BIN_WIDTH),
}
WIDTHS = (1024, 20, 20, 20, 10)
PAPER_EPOCHS, EPOCHS, SMOKE_EPOCHS = 10_000, 200, 2
# More of them in the paper's time, on an accelerator: on a CPU layer 1 takes half a minute a network.
FULL_RECORDED, NUM_RECORDED = 40, 12

# A smoke run's images of each split, and its network: most of the time is compilation, layer by layer.
SMOKE_IMAGES, SMOKE_WIDTHS = 1000, (128, 20, 10)

# Of log2 n: from here on I(X;T) says how many images there are.
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
    def num_epochs(self) -> int:
        """Number of epochs of training that the options ask for."""
        return self.epochs or (SMOKE_EPOCHS if self.smoke else PAPER_EPOCHS if self.full else EPOCHS)

    @property
    def cpu_lanes(self) -> int:
        """Networks that a program runs on a CPU: XLA's products of wide networks are three times slower
        for several at once than one by one."""
        return 1

    @property
    def recorded(self) -> np.ndarray:
        """Epochs at which the networks are measured."""
        return log_spaced_epochs(self.num_epochs, FULL_RECORDED if self.full else NUM_RECORDED)


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure both arms; checkpoints go to ``folder`` if given."""
    data, split, rows = images(config)
    lanes = config.cpu_lanes if jax.default_backend() == "cpu" else len(config.seed_range)
    arms = {}
    with progress_bar(len(ACTIVATIONS)) as on_advance_of:
        for activation in ACTIVATIONS:
            training = TrainConfig(
                widths=SMOKE_WIDTHS if config.smoke else WIDTHS,
                activation=activation,
                init="fan_out",
                learning_rate=1e-3,
                batch_size=128,
                num_epochs=config.num_epochs,
                **split,
            )
            history = fit(
                training,
                data,
                record=planes_record(make_model(training), list(ESTIMATORS.values()), rows=rows),
                schedule=config.recorded,
                lanes=lanes,
                on_advance=on_advance_of(activation),
                **config.fit_options(folder, activation),
            )
            for i, name in enumerate(ESTIMATORS):
                own = select_estimator(history, i)
                arms[activation, name] = history_to_dataset(own, training.as_dict())
    num_train = round(split["train_fraction"] * len(data.y))
    num_measured = len(data.y) - num_train if rows == "test" else len(data.y)
    return stack_arms(arms, ("activation", "estimator")).assign_attrs(
        experiment="mnist",
        source="Saxe et al. (2018), section 2, figure 1 C, D",
        dataset="ibjax.datasets.mnist(): images of 784 pixels in [0, 1], 10 classes",
        trained_on=f"{num_train:,} {config.train_split} images",
        measured_on=f"{num_measured:,} test images",
        num_samples=num_measured,
        estimator="; ".join(f"{name}: {describe_function(e)}" for name, e in ESTIMATORS.items()),
        noise_variance=NOISE_VARIANCE,
        binning=f"bins of {BIN_WIDTH}, unclipped",
        schedule=f"{len(config.recorded)} epochs, evenly on a log scale",
        seed=config.seed,
        **environment(),
    )


def images(config: Config) -> tuple[Dataset, dict[str, Any], str]:
    """The samples, how to split them into training and test, and the rows to measure on."""
    if config.train_split == "test":
        return _some(config, "test"), {"split": "random", "train_fraction": 0.8}, "all"
    train, test = _some(config, "train"), _some(config, "test")
    both = Dataset(*(jnp.concatenate(arrays) for arrays in zip(train, test, strict=True)))
    fraction = len(train.y) / len(both.y)
    return both, {"split": "first_rows", "train_fraction": fraction}, "test"


def _some(config, split) -> Dataset:
    data = mnist(split, folder=config.data)
    return Dataset(*(a[:SMOKE_IMAGES] for a in data)) if config.smoke else data


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """The information planes, the compression curves, the table and the verdict."""
    title = (
        f"MNIST, trained on {results.trained_on}, measured on {results.measured_on}, "
        f"{results.sizes['seed']} seeds\n"
        f"kde: upper bound, noise variance {results.noise_variance}; bins: width {BIN_WIDTH}; "
        f"ceiling {np.log2(results.num_samples):.2f} bits"
    )
    figures = {
        "information_plane.png": plot_information_plane(
            results, row="estimator", column="activation", title=title
        ),
        "compression.png": plot_compression(
            results, row="activation", compare="estimator", title=f"{title}, mean with 95% band"
        ),
    }
    return figures, [compression_table(results), seeds_table(results)]


def compression_table(results: xr.Dataset) -> Table:
    """Per arm and layer: peak, final, compression with its interval, bits; share at the ceiling."""
    header = "activation estimator layer peak peak_epoch final compression+- seeds at_ceiling"
    rows, sentences = [], []
    for activation, name in itertools.product(ACTIVATIONS, ESTIMATORS):
        arm = results.sel(activation=activation, estimator=name)
        summary, ceiling = compression_summary(arm), at_ceiling(arm, results.num_samples)
        for i, layer in enumerate(summary.layer.values):
            values = [column.values[i] for column in summary.data_vars.values()]
            rows.append([activation, name, layer, *values, ceiling[i]])
        sentences.append(verdict(f"{activation}, {name}", summary, ceiling))
    sentences.append(
        "at_ceiling: share of seeds and epochs with I(X;T) within 1% of log2 of the number of images, "
        f"{np.log2(results.num_samples):.2f} bits, where the estimate shows that number alone"
    )
    return Table("compression", columns(header), rows, sentences)


def at_ceiling(arm: xr.Dataset, num_samples: int) -> np.ndarray:
    """(layer,): the share of seeds and epochs whose I(X;T) says only how many images there are."""
    high = arm.ixt >= CEILING * np.log2(num_samples)
    return high.mean(["seed", "epoch"]).values


def verdict(arm: str, summary: xr.Dataset, ceiling: np.ndarray) -> str:
    """Say what follows for the hidden layers of one arm, and what does not."""
    hidden = summary.isel(layer=slice(0, -1))
    blind = hidden.layer.values[ceiling[:-1] == 1].tolist()
    found = hidden.isel(layer=(hidden.compression_low > NEGLIGIBLE_BITS).values).compression
    amounts = [f"{layer} by {float(found.sel(layer=layer)):.2f} bits" for layer in found.layer.values]
    text = f"hidden layers that compress: {', '.join(amounts) or 'none'}"
    if blind:
        text += f"; of layer {', '.join(map(str, blind))}, always at the ceiling, nothing follows"
    return f"{arm}: {text}."


def seeds_table(results: xr.Dataset) -> Table:
    """Diverged and dead seeds, none dropped in silence, and how well the networks do."""
    quality = "train_loss test_loss train_accuracy test_accuracy".split()
    rows = []
    for activation in ACTIVATIONS:
        arm = results.sel(activation=activation, estimator="kde")
        end = arm.isel(epoch=-1)
        diverged, dead = int(arm.diverged.sum()), int(dead_seeds(arm).sum())
        ends = [float(end[name].mean()) for name in quality]
        rows.append([activation, arm.sizes["seed"], diverged, dead, *ends])
    note = (
        f"after {int(results.epoch[-1])} epochs (the paper's run has {PAPER_EPOCHS:,}); diverged: not "
        "finite at the end, left out of means; dead: a hidden layer ends constant over all images, kept"
    )
    return Table("seeds", ["activation", "seeds", "diverged", "dead", *quality], rows, [note])


if __name__ == "__main__":
    main("mnist", Config, run, report)
