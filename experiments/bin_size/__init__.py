"""What a layer's place in the plane depends on: the size of the bins.

Claim: "Revisiting the Information Plane" (2019), figures 1 and 11, table 1: as bins shrink every layer
drifts to the same point, (H(X), I(X;Y)) of the measured samples, so that the plane shows the bins. H(X)
is log2 of their number: 11.6777 bits for 3276 words; I(X;Y) is 0.9977 in the paper's split.

Command:  python -m experiments.bin_size
          python -m experiments.bin_size --datasets symmetric mnist --data FOLDER
Time:     4 minutes on 2 cores; 15 with MNIST
Expect:   layers come nearer to (H(X), I(X;Y)) in 43 of 48 steps to finer bins, and away in none.
          Exact states get there but for tanh layer 5 (by 1.0 bit) and relu layers 4 and 5 (0.6 and 1.9).
          tanh layer 5 compresses by 2.4 bits in bins of 0.3 and by 7.3 in bins of 0.01.

50 networks 12-10-7-5-4-3-2 (784 inputs, 3 outputs on MNIST) each of tanh and relu, preset "revisiting":
Adam (``--optimizer sgd`` for plain SGD), batches of 256, 8000 epochs. One training run, measured on its
training samples in bins of 0.3, 0.15, 0.07 and 0.01, with edges by activation, and by the float32 states
themselves, which no bins can undercut.

Dims: dataset, activation, bins, seed, epoch, layer; ``hx``, ``ixy``: dataset, activation, seed.
"""

import dataclasses
import itertools
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import scipy.stats
import xarray as xr
from matplotlib.figure import Figure

from experiments.bin_size.figures import plot_drift
from experiments.lab import (
    EDGES,
    RevisitingConfig,
    Table,
    Trained,
    activation_arms,
    columns,
    interval_text,
    revisiting_attributes,
    seeds_table,
    train_tasks,
)
from ibjax.analysis.compression import compression_summary
from ibjax.analysis.intervals import mean_interval
from ibjax.analysis.records import planes_record, select_estimator
from ibjax.datasets import symmetric_task
from ibjax.mi import exact_mi
from ibjax.plots import plot_information_plane
from ibjax.presets import revisiting_estimators
from ibjax.results import history_to_dataset, stack_arms
from ibjax.training import TrainConfig, make_model
from ibjax.types import Record

ACTIVATIONS = ("tanh", "relu")
BIN_WIDTHS, EXACT = (0.3, 0.15, 0.07, 0.01), "exact"

# Of the paper's table 1, the symmetric task; and of its samples.
PAPER_HX, PAPER_IXY, PAPER_SAMPLES = 11.677719641641012, 0.9976734295143714, 3276

# From here on a layer is at (H(X), I(X;Y)).
ARRIVED_BITS = 0.05


@dataclasses.dataclass(frozen=True)
class Config(RevisitingConfig):
    """What a layer's place in the plane depends on: the size of the bins."""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train both arms and measure them in all bins; checkpoints go to ``folder`` if given."""
    trained = train_tasks(
        config,
        activation_arms(config, ACTIVATIONS),
        lambda task, training: planes_and_classes(training, task.num_classes),
        folder=folder,
    )
    arms = {}
    for key, one in trained.items():
        planes, split_of_seeds = without_classes(one)
        for i, bins in enumerate((*map(str, BIN_WIDTHS), EXACT)):
            own = planes._replace(history=select_estimator(planes.history, i))
            arms[*key, bins] = history_to_dataset(own.history, own.training.as_dict()).assign(
                split_of_seeds
            )
    results = stack_arms(arms, ("dataset", "activation", "bins"))
    for name in ("hx", "ixy"):  # the same in all bins
        results[name] = results[name].isel(bins=0, drop=True)
    return results.assign_attrs(
        revisiting_attributes(
            config,
            "bin_size",
            trained,
            "Revisiting the Information Plane (2019), figures 1, 11, table 1",
        ),
        estimator="revisiting_binned_mi, bin_width by coordinate bins; exact_mi",
        binning=EDGES,
    )


def planes_and_classes(training: TrainConfig, num_classes: int) -> Record:
    """``planes_record`` in all bins, with the classes' numbers of training samples."""
    widths = [revisiting_estimators(training.activations, width) for width in BIN_WIDTHS]
    planes = planes_record(make_model(training), [*widths, exact_mi], rows="train")

    def record(params, data, split):
        counts = jnp.zeros(num_classes, jnp.int32).at[data.y[split.train]].add(1)
        return planes(params, data, split) | {"classes": counts}

    return record


def without_classes(one: Trained) -> tuple[Trained, xr.Dataset]:
    """The planes alone; and H(X), I(X;Y) of each seed's training samples in float64."""
    records = dict(one.history.records)
    counts = records.pop("classes")[:, 0]  # (seed, class), the same at all epochs
    distinct = len(np.unique(np.asarray(one.task.data.x), axis=0))
    if distinct < len(one.task.data.x):
        raise ValueError(f"x: expected distinct samples, got {distinct} of {len(one.task.data.x)}")
    bits = {"units": "bits"}
    split_of_seeds = xr.Dataset(
        {
            "hx": ("seed", np.log2(counts.sum(axis=1)), bits | {"long_name": "H(X)"}),
            "ixy": ("seed", scipy.stats.entropy(counts, base=2, axis=1), bits | {"long_name": "I(X;Y)"}),
        },
        {"seed": one.history.seeds},
    )
    return one._replace(history=one.history._replace(records=records)), split_of_seeds


def distances(results: xr.Dataset) -> xr.DataArray:
    """Distance of all layers from (H(X), I(X;Y)) at the end, bits: (dataset, ..., layer)."""
    end = results.isel(epoch=-1)
    away = np.hypot(results.hx - end.ixt, results.ixy - end.ity)
    return away.transpose("dataset", "activation", "bins", "seed", "layer")


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """The planes in all bins, the drift, the tables and what follows."""
    figures = {}
    away = distances(results)
    seeds = f"{results.sizes['seed']} seeds, {results.optimizer}"
    for name in results.dataset.values:
        own = results.sel(dataset=name)
        corner = float(own.hx.mean()), float(own.ixy.mean())
        title = f"{name}, {seeds}; columns: width of the bins; star: (H(X), I(X;Y))"
        figures[f"planes_{name}.png"] = plot_information_plane(
            own, row="activation", column="bins", title=title, corner=corner
        )
    title = f"Distance from (H(X), I(X;Y)) after training: mean with 95% interval, {seeds}"
    figures["drift.png"] = plot_drift(away, title=title)
    return figures, [
        drift_table(results, away),
        split_table(results),
        seeds_table(results.sel(bins=EXACT)),
    ]


def share_of_splits_as_low(ixy: float, num_samples: int) -> float:
    """Share of all random splits of the symmetric task whose I(X;Y) is at most this, exactly.

    The ones among the training samples are hypergeometric, and I(X;Y) is the entropy of their share.
    """
    y = np.asarray(symmetric_task().y)
    ones = np.arange(num_samples + 1)
    entropies = scipy.stats.entropy([ones, num_samples - ones], base=2, axis=0)
    probability = scipy.stats.hypergeom.pmf(ones, len(y), y.sum(), num_samples)
    return float(probability[entropies <= ixy + 1e-12].sum())


def drift_table(results: xr.Dataset, away: xr.DataArray) -> Table:
    """Per arm, bins and layer: where it ends, how far from (H(X), I(X;Y)), and what it compresses."""
    header = columns("dataset activation bins layer ixt ity distance+- compression+-")
    summary, rows = compression_summary(results[["ixt"]]), []
    end = results[["ixt", "ity"]].isel(epoch=-1).mean("seed")
    for arm in itertools.product(*(results[d].values for d in (*away.dims[:3], "layer"))):
        where = dict(zip((*away.dims[:3], "layer"), arm, strict=True))
        amount = [summary[f"compression{x}"].sel(where).item() for x in ("", "_low", "_high")]
        distance = mean_interval(away.sel(where).values)[:3]
        ends = [end[name].sel(where).item() for name in ("ixt", "ity")]
        rows.append([*arm, *ends, *map(float, distance), *amount])
    found = [
        verdict(results, away.sel(dataset=name, activation=activation))
        for name, activation in itertools.product(results.dataset.values, results.activation.values)
    ]
    note = "ixt, ity, distance: after training; compression of I(X;T): see ibjax.analysis.compression"
    return Table("drift", header, rows, [note, *found])


def verdict(results: xr.Dataset, away: xr.DataArray) -> str:
    """Say whether layers come nearer as bins shrink, seed by seed, and which do not arrive."""
    steps = away.diff("bins").transpose("bins", "layer", "seed").values  # wide to fine, then exact
    nearer = mean_interval(steps, axis=-1)
    moves = f"{int((nearer.high < 0).sum())} of {nearer.high.size}"
    backwards = int((nearer.low > 0).sum())
    exact = {
        layer: mean_interval(away.sel(bins=EXACT, layer=layer).values) for layer in away.layer.values
    }
    arrived = [str(layer) for layer, found in exact.items() if found.high < ARRIVED_BITS]
    far = [
        f"{layer} by {interval_text(found)}"
        for layer, found in exact.items()
        if not found.high < ARRIVED_BITS
    ]
    widest, finest = (
        f"{interval_text(mean_interval(away.isel(bins=i).mean('layer').values))} bits in bins of "
        f"{away.bins.values[i]}"
        for i in (0, -2)
    )
    return (
        f"{away.dataset.item()}, {away.activation.item()}: mean distance over layers {widest}, "
        f"{finest}; nearer in {moves} steps to finer bins or exact states, farther in {backwards}. By "
        f"exact states at (H(X), I(X;Y)): layers {', '.join(arrived) or 'none'}; away from it: "
        f"{', '.join(far) or 'none'}."
    )


def split_table(results: xr.Dataset) -> Table:
    """Table 1: H(X), and I(X;Y) as its distribution over splits, beside the paper's."""
    rows, sentences = [], []
    for name in results.dataset.values:
        own = results.isel(activation=0).sel(dataset=name)
        quantiles = np.quantile(own.ixy.values, [0.025, 0.5, 0.975])
        count = results.attrs[f"num_samples_{name}"]
        rows.append([name, count, f"{float(own.hx[0]):.15f}", *(f"{q:.6f}" for q in quantiles)])
        text = f"{name}: H(X) = log2 {count} in all {own.sizes['seed']} splits."
        if count == PAPER_SAMPLES:
            as_low = float((own.ixy <= PAPER_IXY).mean())
            text += (
                f" The paper's: H(X) = {PAPER_HX}, off by {abs(PAPER_HX - float(own.hx[0])):.0e}; "
                f"I(X;Y) = {PAPER_IXY}; as low are {as_low:.0%} of these splits, and "
                f"{share_of_splits_as_low(PAPER_IXY, count):.1%} of all."
            )
        sentences.append(text)
    note = "I(X;Y): of each seed's training samples, whose labels are functions of x, hence H(Y)"
    header = "dataset num_samples hx ixy_2.5% ixy_median ixy_97.5%".split()
    return Table("table_1", header, rows, [note, *sentences])
