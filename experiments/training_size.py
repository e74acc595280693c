"""Too little training data: do layers lose what they knew of the label?

Claim: Shwartz-Ziv & Tishby (2017), figure 3: trained on 45% or 85% of the data, layers gain I(T;Y) and
keep it while they compress; trained on 5% they overfit, and compression takes I(T;Y) away as well.

Command:  python -m experiments.training_size
Time:     4 to 8 minutes on 2 cores
Expect:   with 5% layer 4 and all after it lose 0.06 to 0.11 bits of I(T;Y), with 45% layers 4 to 6 0.02
          to 0.05, with 85% hardly any; all compress alike.

The figure's own network 12-10-8-6-4-2-1, with one sigmoid output, and the standard 12-10-7-5-4-3-2,
tanh; 50 of each on 5%, 45% and 85% of the 4096 words, drawn for each seed; plain SGD (rate 0.1, batches
of 256, or of all 205 words that are 5%) for 10,000 epochs. I(X;T) and I(T;Y) on all 4096 inputs with
their true labels, in bins of 0.07.

Dims: network, training, seed, epoch, layer.
"""

import dataclasses
import itertools
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import (
    LabConfig,
    Table,
    columns,
    interval_columns,
    main,
    plane_attributes,
    train_arms,
)
from ibjax.analysis.compression import compression_summary, dead_seeds
from ibjax.analysis.intervals import mean_interval
from ibjax.analysis.records import plane_record
from ibjax.datasets import symmetric_task
from ibjax.datasets.splits import num_training_samples
from ibjax.plots import plot_information_plane
from ibjax.presets import preset
from ibjax.results import stack_arms
from ibjax.training import TrainConfig, make_model

NETWORKS = {"sigmoid": (10, 8, 6, 4, 2, 1), "standard": (10, 7, 5, 4, 3, 2)}
SIZES = {"5%": 0.05, "45%": 0.45, "85%": 0.85}
FULL_EPOCHS, SMOKE_EPOCHS = 10_000, 20
BATCH_SIZE = 256

# A fall of I(T;Y) that counts, of H(Y) = 0.999 bits.
FALL_BITS = 0.01

# A smoke run's networks: most of its time is compilation, layer by layer.
SMOKE_NETWORKS = {"sigmoid": (4, 2, 1), "standard": (4, 3, 2)}


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Too little training data: do layers lose what they knew of the label?"""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure all arms; checkpoints go to ``folder`` if given."""
    convention, data = preset("paper"), symmetric_task()
    num_epochs = config.epochs or (SMOKE_EPOCHS if config.smoke else FULL_EPOCHS)
    networks = SMOKE_NETWORKS if config.smoke else NETWORKS
    arms = {}
    for (network, widths), (size, fraction) in itertools.product(networks.items(), SIZES.items()):
        arms[network, size] = TrainConfig(
            widths=widths,
            train_fraction=fraction,
            batch_size=min(BATCH_SIZE, num_training_samples(len(data.y), fraction)),
            num_epochs=num_epochs,
            **convention.training,
        )
    found = train_arms(
        config,
        arms,
        data,
        lambda training: plane_record(make_model(training), convention.estimator),
        schedule=convention.schedule,
        folder=folder,
    )
    source = "Shwartz-Ziv & Tishby (2017), figure 3"
    return stack_arms(found, ("network", "training")).assign_attrs(
        plane_attributes(config, "training_size", convention, source), schedule=convention.schedule
    )


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """The planes, and what layers lose of the label."""
    title = (
        f"tanh, {results.binning}, {results.sizes['seed']} seeds; columns: share of the data trained on"
    )
    figure = plot_information_plane(results, row="network", column="training", title=title)
    return {"training_size.png": figure}, [fall_table(results), seeds_table(results)]


def fall_table(results: xr.Dataset) -> Table:
    """Per network, size and layer: I(T;Y) at its peak and last, its fall, and compression; bits."""
    of_y, of_x = (compression_summary(results, name) for name in ("ity", "ixt"))
    header = columns("network training layer peak peak_epoch final fall+- compression+-")
    rows, sentences = [], []
    for network, size in itertools.product(results.network.values, results.training.values):
        arm = {"network": network, "training": size}
        falls = of_y.sel(arm)
        for layer in results.layer.values:
            y, x = falls.sel(layer=layer), of_x.sel({**arm, "layer": layer})
            values = [y[k].item() for k in ("peak", "peak_epoch", "final")]
            values += [y[f"compression{end}"].item() for end in ("", "_low", "_high")]
            values += [x[f"compression{end}"].item() for end in ("", "_low", "_high")]
            rows.append([network, size, layer, *values])
        sentences.append(verdict(f"{network} network, {size}", falls))
    note = (
        "fall: each seed's I(T;Y) at the epoch where the other seeds' mean peaks, less its last; "
        "compression: the same of I(X;T); both with 95% intervals over seeds"
    )
    return Table("training_size", header, rows, [note, *sentences])


def verdict(arm: str, falls: xr.Dataset) -> str:
    """Which layers lose I(T;Y), by their intervals."""
    found = falls.layer.values[(falls.compression_low > FALL_BITS).values]
    amounts = [
        f"{layer} by {one.compression:.2f} ({one.compression_low:.2f} to {one.compression_high:.2f})"
        for layer, one in ((layer, falls.sel(layer=layer)) for layer in found)
    ]
    return f"{arm}: layers that lose I(T;Y): {', '.join(amounts) or 'none'}" + (
        " bits." if amounts else "."
    )


def seeds_table(results: xr.Dataset) -> Table:
    """Losses and accuracies of the networks, and diverged and dead seeds, none dropped in silence."""
    quality = "train_loss test_loss train_accuracy test_accuracy".split()
    header = ["network", "training", "seeds", "diverged", "dead", *quality, *interval_columns("gap")]
    rows = []
    for network, size in itertools.product(results.network.values, results.training.values):
        arm = results.sel(network=network, training=size)
        end = arm.isel(epoch=-1)
        gap = mean_interval((end.test_loss - end.train_loss).values)
        counts = arm.sizes["seed"], int(arm.diverged.sum()), int(dead_seeds(arm).sum())
        rows.append([network, size, *counts, *(float(end[k].mean()) for k in quality), *gap[:3]])
    note = (
        "gap: test less training loss, nats; diverged: not finite at the end, left out of means; dead: "
        "a hidden layer ends constant over all inputs, kept"
    )
    return Table("seeds", header, rows, [note])


if __name__ == "__main__":
    main("training_size", Config, run, report)
