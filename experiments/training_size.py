"""Too little training data: do layers lose what they knew of the label?

Claim: Shwartz-Ziv & Tishby (2017), figure 3: trained on 45% or 85% of the data, layers gain I(T;Y) and
keep it while they compress; trained on 5% they overfit, and compression takes I(T;Y) away as well.

Command:  python -m experiments.training_size
Time:     8 to 14 minutes on 2 cores
Expect:   with 5% layers 4 to 6 lose 0.06 to 0.11 bits of I(T;Y), with 45% 0.02 to 0.05, with 85% no
          layer more than 0.01; layer 5 compresses by 3 bits with 5%, by 4 to 5 with 85%.

The figure's own network 12-10-8-6-4-2-1, with one sigmoid output, and the standard 12-10-7-5-4-3-2,
tanh; 50 of each on 5%, 45% and 85% of the 4096 words, drawn for each seed; plain SGD (rate 0.1, batches
of 256, or of all 205 words that are 5%) for 10,000 epochs. An epoch of 85% makes 14 updates, one of 5%
a single one, so that 5% and 45% are also trained for its 140,000 updates ("equal updates").
I(X;T) and I(T;Y) on all 4096 inputs with their true labels, in bins of 0.07.

Dims: network, training, seed, epoch, layer. "epoch" of equal updates is the epoch of 85% with as many
updates; ``epochs_trained`` (network, training, epoch) has their own.
"""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import (
    Arm,
    LabConfig,
    Scale,
    Table,
    main,
    scale_of,
    seeds_table,
    table_of,
    train,
)
from ibjax.analysis.compression import compression_summary
from ibjax.analysis.intervals import mean_interval, simultaneous_level
from ibjax.analysis.records import PlaneRecord
from ibjax.datasets.splits import num_training_samples
from ibjax.plots import plot_information_plane
from ibjax.presets import preset
from ibjax.training import TrainConfig, make_model
from ibjax.training.schedule import log_spaced_epochs

NETWORKS = {"sigmoid": (10, 8, 6, 4, 2, 1), "standard": (10, 7, 5, 4, 3, 2)}
# A smoke run's networks are small, because it mostly compiles, layer by layer.
SMOKE_NETWORKS = {"sigmoid": (4, 2, 1), "standard": (4, 3, 2)}
SIZES = {"5%": 0.05, "45%": 0.45, "85%": 0.85}
FULL, SMOKE = Scale(epochs=10_000), Scale(epochs=20)
BATCH_SIZE = 256
EQUAL_UPDATES = ", equal updates"

# A fall of I(T;Y) that counts, of H(Y) = 0.999 bits.
FALL_BITS = 0.01


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Too little training data: do layers lose what they knew of the label?"""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure all arms; checkpoints go to ``folder`` if given."""
    convention, scale = preset("paper"), scale_of(config, FULL, SMOKE)
    task, recorded = scale.task, log_spaced_epochs(scale.epochs)
    updates = {size: updates_per_epoch(task.num_samples, fraction) for size, fraction in SIZES.items()}
    most = max(updates.values())
    schedules = dict.fromkeys(SIZES, recorded) | {
        f"{size}{EQUAL_UPDATES}": np.rint(recorded * most / number).astype(int)
        for size, number in updates.items()
        if number < most
    }
    arms = {}
    networks = SMOKE_NETWORKS if config.smoke else NETWORKS
    for (network, widths), (name, epochs) in itertools.product(networks.items(), schedules.items()):
        fraction = SIZES[name.removesuffix(EQUAL_UPDATES)]
        training = TrainConfig(
            widths=widths,
            train_fraction=fraction,
            batch_size=min(BATCH_SIZE, num_training_samples(task.num_samples, fraction)),
            num_epochs=int(epochs[-1]),
            **convention.training,
        )
        record = PlaneRecord(make_model(training), convention.estimator)
        arms[network, name] = Arm(training, task, record, epochs)
    return train(
        config,
        arms,
        factors=("network", "training"),
        source="Shwartz-Ziv & Tishby (2017), figure 3",
        schedule=convention.schedule,
        folder=folder,
        derive=lambda _, arm: at_epochs(arm, recorded),
        binning=convention.binning,
    )


def updates_per_epoch(num_samples: int, fraction: float) -> int:
    """Return the number of batches in an epoch of training on a fraction of the samples."""
    return -(-num_training_samples(num_samples, fraction) // BATCH_SIZE)


def at_epochs(arm: xr.Dataset, epochs: np.ndarray) -> xr.Dataset:
    """Label an arm with the epochs of equal numbers of updates, and keep its own as a variable."""
    trained = ("epoch", arm.epoch.values, {"units": "epochs", "long_name": "epochs trained"})
    return arm.assign_coords(epoch=("epoch", epochs, arm.epoch.attrs)).assign(epochs_trained=trained)


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw the planes of equal epochs and of equal updates; tabulate what layers lose of the label."""
    updates = [f"{size}{EQUAL_UPDATES}" for size in SIZES]
    as_many = [
        name if name in results.training else size for name, size in zip(updates, SIZES, strict=True)
    ]
    columns = "columns: share of the data trained on"
    figures = {
        name: plot_information_plane(
            results.sel(training=chosen),
            row="network",
            column="training",
            title=f"tanh, {results.binning}, {results.sizes['seed']} seeds; {title}",
        )
        for name, chosen, title in (
            ("training_size.png", list(SIZES), columns),
            ("equal_updates.png", as_many, f"{columns}; epoch: that of 85% with as many updates"),
        )
    }
    return figures, [fall_table(results), quality_table(results)]


def fall_table(results: xr.Dataset) -> Table:
    """Tabulate by network, size and layer I(T;Y) at its peak and last, its fall, compression; bits."""
    limits = ("compression", "compression_low", "compression_high")
    falls = compression_summary(results, "ity").drop_vars(["num_seeds", "compresses"])
    falls = falls.rename({name: name.replace("compression", "fall") for name in limits})
    at_once = compression_summary(results, "ity", simultaneous_level(max(falls.num_intervals, 1)))
    falls["falls"] = at_once.compression_low > FALL_BITS
    sentences = [
        verdict(f"{network} network, {size}", falls.sel(network=network, training=size))
        for network, size in itertools.product(results.network.values, results.training.values)
    ]
    note = (
        "fall: I(T;Y) at the epoch where the mean of the other half of the seeds peaks, less its last; "
        "compression: the same of I(X;T); both with 95% intervals over seeds; falls, a layer loses "
        f"I(T;Y): by more than {FALL_BITS} bits, by intervals that hold for all {falls.num_intervals} "
        "layers and arms at once"
    )
    summary = falls.assign(compression_summary(results)[[*limits]].data_vars)
    return table_of("training_size", summary, [note, *sentences])


def verdict(arm: str, falls: xr.Dataset) -> str:
    """Say which layers lose I(T;Y), by intervals that hold for all layers and arms at once."""
    losing = falls.isel(layer=falls.falls.values)
    columns = (losing[name].values for name in ("layer", "fall", "fall_low", "fall_high"))
    amounts = [
        f"{layer} by {fall:.2f} ({low:.2f} to {high:.2f})"
        for layer, fall, low, high in zip(*columns, strict=True)
    ]
    return f"{arm}: layers that lose I(T;Y): {', '.join(amounts) or 'none'}" + (
        " bits." if amounts else "."
    )


def quality_table(results: xr.Dataset) -> Table:
    """Add the gap between test and training loss, nats, to the table of the seeds."""
    table = seeds_table(results, "train_loss test_loss train_accuracy test_accuracy".split())
    end = results.isel(epoch=-1).transpose("network", "training", "seed", ...)
    gap = mean_interval((end.test_loss - end.train_loss).values, axis=-1)
    limits = {"gap": gap.estimate, "gap_low": gap.low, "gap_high": gap.high}
    frame = table.frame.assign(**{name: values.ravel() for name, values in limits.items()})
    note = "gap: test less training loss, nats"
    return Table(table.name, frame, [*table.sentences, note])


if __name__ == "__main__":
    main("training_size", Config, run, report)
