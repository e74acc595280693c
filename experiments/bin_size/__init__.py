"""What a layer's place in the plane depends on: the size of the bins.

Claim: "Revisiting the Information Plane" (2019), figures 1 and 11, table 1: as bins shrink every layer
drifts to the same point, (H(X), I(X;Y)) of the measured samples, so that the plane shows the bins. H(X)
is log2 of their number: 11.6777 bits for 3276 words; I(X;Y) is 0.9977 in the paper's split.

Command:  python -m experiments.bin_size
          python -m experiments.bin_size --datasets symmetric mnist --data FOLDER
Time:     8 to 15 minutes on 2 cores
Expect:   layers come nearer to (H(X), I(X;Y)) in 43 of 48 steps to finer bins, and away in none.
          Exact states get there but for tanh layer 5 (by 0.9 bits) and relu layers 4 and 5 (0.8, 2.3).
          tanh layer 5 compresses by 2.4 bits in bins of 0.3 and by 7.3 in bins of 0.01.

50 networks 12-10-7-5-4-3-2 (784 inputs, 3 outputs on MNIST) each of tanh and relu, preset "revisiting":
Adam (``--optimizer sgd`` for plain SGD), batches of 256, 8000 epochs; random splits, or the paper's one
(``--paper-split``). One training run, measured on its training samples in bins of 0.3, 0.15, 0.07 and
0.01, with edges by activation, and by the float32 states themselves, which no bins can undercut.

Dims: dataset, activation, bins, seed, epoch, layer; ``hx``, ``ixy``: dataset, activation, seed.
"""

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.bin_size.analysis import (
    ClassesRecord,
    distances,
    share_of_splits_as_low,
    with_entropies,
)
from experiments.bin_size.figures import plot_drift
from experiments.lab import (
    Table,
    Task,
    interval_cells,
    interval_text,
    levels_of,
    seeds_table,
    table_of_rows,
    train,
)
from experiments.lab.revisiting import (
    EDGES,
    RevisitingConfig,
    activation_trainings,
    dataset_arms,
    measured_with_limits,
    provenance,
    run_text,
)
from ibjax.analysis.compression import compression_summary
from ibjax.analysis.intervals import mean_interval
from ibjax.analysis.records import JointRecord, PlanesRecord
from ibjax.mi import exact_mi
from ibjax.plots import plot_information_plane
from ibjax.presets import revisiting_estimators
from ibjax.training import TrainConfig, make_model
from ibjax.types import Record

ACTIVATIONS = ("tanh", "relu")
BIN_WIDTHS, EXACT = (0.3, 0.15, 0.07, 0.01), "exact"
FACTORS = ("dataset", "activation", "bins")

# H(X), I(X;Y) and the number of samples of the symmetric task in the paper's table 1.
PAPER_HX, PAPER_IXY, PAPER_SAMPLES = 11.677719641641012, 0.9976734295143714, 3276

# A layer that is nearer counts as being at (H(X), I(X;Y)).
ARRIVED_BITS = 0.05


@dataclasses.dataclass(frozen=True)
class Config(RevisitingConfig):
    """What a layer's place in the plane depends on: the size of the bins."""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train both arms and measure them in all bins; checkpoints go to ``folder`` if given."""
    results = train(
        config,
        dataset_arms(config, activation_trainings(config, ACTIVATIONS), planes_and_classes),
        factors=("dataset", "activation"),
        source="Revisiting the Information Plane (2019), figures 1, 11, table 1",
        folder=folder,
        derive=lambda _, arm: with_entropies(arm),
        **provenance(config),
        binning=EDGES,
    )
    # The entropies are the same in all bins.
    return results.assign({name: results[name].isel(bins=0, drop=True) for name in ("hx", "ixy")})


def planes_and_classes(task: Task, training: TrainConfig) -> Record:
    """Return the record of the training samples' planes in all bins, and of their classes."""
    distinct = len(np.unique(np.asarray(task.data.x), axis=0))
    if distinct < task.num_samples:
        raise ValueError(f"x: expected distinct samples, got {distinct} of {task.num_samples}")

    def record_of(limits: Any) -> Record:
        activations = training.activations
        binned = {str(width): revisiting_estimators(activations, width, limits) for width in BIN_WIDTHS}
        planes = PlanesRecord(
            make_model(training),
            binned | {EXACT: exact_mi},
            rows="train",
            factor="bins",
            validation_fraction=training.validation_fraction,
        )
        return JointRecord([planes, ClassesRecord(task.num_classes)])

    return measured_with_limits(training, record_of)


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw the planes in all bins and the drift; tabulate, and say what follows."""
    figures = {}
    away = distances(results)
    seeds = run_text(results)
    for name in results.dataset.values:
        planes = results.sel(dataset=name)
        corner = float(planes.hx.mean()), float(planes.ixy.mean())
        title = f"{name}, {seeds}; columns: width of the bins; star: (H(X), I(X;Y))"
        figures[f"planes_{name}.png"] = plot_information_plane(
            planes, row="activation", column="bins", title=title, corner=corner
        )
    title = f"Distance from (H(X), I(X;Y)) after training: mean with 95% interval, {seeds}"
    figures["drift.png"] = plot_drift(away, title=title)
    exact = results.sel(bins=EXACT, drop=True)
    return figures, [drift_table(results, away), split_table(results), seeds_table(exact)]


def drift_table(results: xr.Dataset, away: xr.DataArray) -> Table:
    """Tabulate by arm, bins and layer its end, how far from (H(X), I(X;Y)), and its compression."""
    dims = (*FACTORS, "layer")
    end = results[["ixt", "ity"]].isel(epoch=-1).mean("seed")
    compression = compression_summary(results[["ixt"]])
    limits = compression[["compression", "compression_low", "compression_high"]]
    rows = []
    for cells in levels_of(results, dims):
        rows.append(
            {
                **cells,
                **{name: float(value) for name, value in end.sel(cells).items()},
                **interval_cells("distance", mean_interval(away.sel(cells).values)),
                **{name: float(value) for name, value in limits.sel(cells).items()},
            }
        )
    verdicts = [
        verdict(away.sel(dataset=name, activation=activation))
        for name, activation in itertools.product(results.dataset.values, results.activation.values)
    ]
    note = "ixt, ity, distance: after training; compression of I(X;T): see ibjax.analysis.compression"
    return table_of_rows("drift", rows, [note, *verdicts])


def verdict(away: xr.DataArray) -> str:
    """Say whether layers come nearer as bins shrink, seed by seed, and which do not arrive."""
    steps = away.diff("bins").transpose("bins", "layer", "seed").values  # wide to fine, then exact
    nearer = mean_interval(steps, axis=-1)
    moves = f"{int((nearer.high < 0).sum())} of {nearer.high.size}"
    backwards = int((nearer.low > 0).sum())
    arrived, far = [], []
    for layer in away.layer.values:
        distance = mean_interval(away.sel(bins=EXACT, layer=layer).values)
        if distance.high < ARRIVED_BITS:
            arrived.append(str(layer))
        else:
            far.append(f"{layer} by {interval_text(distance)}")
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
    """Tabulate H(X), and I(X;Y) over splits, beside table 1 of the paper."""
    rows, sentences = [], []
    for name in results.dataset.values:
        arm = results.isel(activation=0).sel(dataset=name)
        quantiles = np.quantile(arm.ixy.values, [0.025, 0.5, 0.975])
        count = results.attrs[f"num_samples_{name}"]
        columns = ("ixy_2.5%", "ixy_median", "ixy_97.5%")
        ixy = {k: f"{q:.6f}" for k, q in zip(columns, quantiles, strict=True)}
        rows.append({"dataset": name, "num_samples": count, "hx": f"{float(arm.hx[0]):.15f}", **ixy})
        text = f"{name}: H(X) = log2 {count} in all {arm.sizes['seed']} splits."
        if count == PAPER_SAMPLES:
            as_low = float((arm.ixy <= PAPER_IXY).mean())
            text += (
                f" The paper's: H(X) = {PAPER_HX}, off by {abs(PAPER_HX - float(arm.hx[0])):.0e}; "
                f"I(X;Y) = {PAPER_IXY}; as low are {as_low:.0%} of these splits, and "
                f"{share_of_splits_as_low(PAPER_IXY, count):.1%} of all."
            )
        sentences.append(text)
    note = "I(X;Y): of each seed's training samples, whose labels are functions of x, hence H(Y)"
    return table_of_rows("table_1", rows, [note, *sentences])
