"""Does compression come before training should stop? Early and perfect stopping on the plane.

Claim: "Revisiting the Information Plane" (2019), figures 7, 10, 15: networks that are stopped by their
validation loss, early (for want of a better loss) or perfectly (where it is smallest), stop before most
of what looks like compression, and do as well as networks trained on: compression is not why they
generalise.

Command:  python -m experiments.early_stopping
          python -m experiments.early_stopping --datasets symmetric mnist --data FOLDER
Time:     2 minutes on 2 cores; 12 with MNIST
Expect:   both stops near epoch 1000 (tanh). By then layer 5 has compressed by 2.1 of its 5.3 bits, layer
          4 by 0.1 of 0.8; training on gains 0.7% of accuracy. relu: no hidden layer compresses.

50 networks 12-10-7-5-4-3-2 (784 inputs, 3 outputs on MNIST) each of tanh and relu, preset "revisiting":
Adam (``--optimizer sgd`` for plain SGD), batches of 256, 8000 epochs; validation on the samples that are
not for training. Early: the first recorded epoch 100 epochs (``--patience``) or more after the last
best loss; perfect: the smallest loss of all of training. Both are read from whole histories
(ibjax.analysis.stopping), recorded every 25 epochs and more often before. I(X;T), I(T;Y) on the training
samples in bins of 0.07, with edges by activation.

Dims: dataset, activation, seed, epoch, layer; ``stop``: dataset, activation, stopping, seed.
"""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.early_stopping.figures import plot_stops
from experiments.lab import (
    BINNING,
    RevisitingConfig,
    Table,
    activation_arms,
    binned_plane,
    interval_columns,
    interval_text,
    revisiting_attributes,
    seeds_table,
    stopping_epochs,
    train_tasks,
)
from ibjax.analysis.compression import NEGLIGIBLE_BITS, compression_at
from ibjax.analysis.data_processing import share_interval
from ibjax.analysis.intervals import mean_interval, median_interval
from ibjax.analysis.phases import plane_phases
from ibjax.analysis.stopping import at_position, early_stopping, perfect_stopping, stopped_at
from ibjax.checks import check_positive
from ibjax.plots import plot_information_plane
from ibjax.results import history_to_dataset, stack_arms

ACTIVATIONS = ("tanh", "relu")
STOPPING = ("early stopping", "perfect stopping", "all epochs")


@dataclasses.dataclass(frozen=True)
class Config(RevisitingConfig):
    """Does compression come before training should stop?"""

    patience: int = 100
    """Epochs without a better validation loss after which training stops."""

    def __post_init__(self):
        super().__post_init__()
        check_positive("patience", self.patience)


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure both arms, and find their stops; checkpoints go to ``folder`` if given."""
    trained = train_tasks(
        config,
        activation_arms(config, ACTIVATIONS),
        binned_plane,
        schedule=stopping_epochs(config.num_epochs),
        folder=folder,
    )
    arms = {
        key: with_stops(history_to_dataset(one.history, one.training.as_dict()), config.patience)
        for key, one in trained.items()
    }
    source = "Revisiting the Information Plane (2019), figures 7, 10, 15"
    return stack_arms(arms, ("dataset", "activation")).assign_attrs(
        revisiting_attributes(config, "early_stopping", trained, source),
        **BINNING,
        patience=config.patience,
    )


def with_stops(arm: xr.Dataset, patience: int) -> xr.Dataset:
    """The arm with positions ``stop`` (stopping, seed) on its axis of epochs."""
    loss, epochs = arm.test_loss.transpose("seed", "epoch").values, arm.epoch.values
    perfect = perfect_stopping(loss)
    stops = [
        early_stopping(loss, epochs, patience=patience),
        perfect,
        np.where(perfect >= 0, len(epochs) - 1, -1),
    ]
    attrs = {"units": "1", "long_name": "position on the axis of epochs; -1: diverged"}
    return arm.assign(stop=(("stopping", "seed"), np.stack(stops), attrs)).assign_coords(
        stopping=list(STOPPING)
    )


def stopped(arm: xr.Dataset, stopping: str) -> xr.Dataset:
    """Planes and qualities of networks that are stopped and stay as they are."""
    position = arm.stop.sel(stopping=stopping).values
    names = ("ixt", "ity", "test_loss", "test_accuracy")
    return xr.Dataset({name: stopped_at(arm[name], position) for name in names})


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """The planes up to each stop, where the stops are, the tables and what follows."""
    figures = {}
    seeds = f"{results.sizes['seed']} seeds, {results.optimizer}, {results.binning}"
    for name in results.dataset.values:
        own = results.sel(dataset=name)
        arms = [own.sel(activation=activation) for activation in own.activation.values]
        planes = xr.concat(
            [xr.concat([stopped(arm, s) for arm in arms], own.activation) for s in STOPPING],
            xr.DataArray(list(STOPPING), dims="stopping", name="stopping"),
        )
        figures[f"planes_{name}.png"] = plot_information_plane(
            planes, row="activation", column="stopping", title=f"{name}, {seeds}"
        )
        title = f"{name}, {seeds}: mean with 95% band; lines: median stops with quartiles"
        figures[f"stops_{name}.png"] = plot_stops(own, title=title)
    return figures, [stops_table(results), layers_table(results), seeds_table(results)]


def arms_of(results: xr.Dataset):
    """Each arm's name and Dataset."""
    for arm in itertools.product(results.dataset.values, results.activation.values):
        yield arm, results.sel(dataset=arm[0], activation=arm[1])


def stops_table(results: xr.Dataset) -> Table:
    """Per arm: when training stops, and how well networks do then and at the end."""
    header = ["dataset", "activation", "stopping", *interval_columns("epoch"), "before_end"]
    for name in ("test_loss", "test_accuracy", "gain"):
        header += interval_columns(name)
    rows = []
    for arm, data in arms_of(results):
        for stopping in STOPPING:
            position = data.stop.sel(stopping=stopping).values
            known = position >= 0
            epochs = np.where(known, data.epoch.values[position], np.nan)
            loss, accuracy = (
                at_position(data[name], position).values for name in ("test_loss", "test_accuracy")
            )
            gain = data.test_accuracy.isel(epoch=-1).values - accuracy
            before = int((position[known] < data.sizes["epoch"] - 1).sum())
            found = (mean_interval(x)[:3] for x in (loss, accuracy, gain))
            numbers = [float(x) for interval in found for x in interval]
            rows.append([*arm, stopping, *median_interval(epochs)[:3], before, *numbers])
    note = (
        f"epoch: median over seeds with its 95% interval; early: after {results.patience} epochs "
        "without a better validation loss; gain: accuracy at the last epoch less that at the stop, "
        "within seeds"
    )
    return Table("stops", header, rows, [note])


def layers_table(results: xr.Dataset) -> Table:
    """Per arm, stop and layer: where it is in the plane, and its compression until then."""
    header = ["dataset", "activation", "stopping", "layer"]
    for name in ("ixt", "ity", "compression", "fitted", "compressing"):
        header += interval_columns(name)
    rows, sentences = [], []
    for arm, data in arms_of(results):
        amounts, phases = compression_until_stops(data), plane_phases(data)
        for stopping, layer in itertools.product(STOPPING, data.layer.values):
            position = data.stop.sel(stopping=stopping).values
            at = [at_position(data[name].sel(layer=layer), position).values for name in ("ixt", "ity")]
            amount = amounts.sel(stopping=stopping, layer=layer).values
            found = [tuple(map(float, mean_interval(x)[:3])) for x in (*at, amount)]
            own, when = phases.sel(layer=layer), np.where(position >= 0, data.epoch[position], np.nan)
            for phase in ("fitting_end", "compression_start"):
                found.append(share_reached(own[phase].values, when))
            rows.append([*arm, stopping, layer, *itertools.chain(*found)])
        sentences.append(verdict(arm, data, amounts))
    note = (
        "compression: of I(X;T), from the epoch where the other seeds' mean peaks to the stop, 0 "
        "before; fitted, compressing: share of networks that stop after the layer has fitted the labels "
        "or has started to compress, of those in which it ever does"
    )
    return Table("layers", header, rows, [note, *sentences])


def share_reached(phase: np.ndarray, stop: np.ndarray) -> tuple[float, float, float]:
    """Share of seeds that stop at their own epoch of a phase or later, and its exact 95% interval."""
    both = np.isfinite(phase) & np.isfinite(stop)
    if not both.any():
        return np.nan, np.nan, np.nan
    reached = phase[both] <= stop[both]
    low, high = share_interval(reached.sum(), reached.size)
    return float(reached.mean()), float(low), float(high)


def compression_until_stops(arm: xr.Dataset) -> xr.DataArray:
    """Compression of I(X;T) until training stops, bits: (stopping, layer, seed)."""
    ixt = arm.ixt.transpose("layer", "seed", "epoch").values
    values = [
        [compression_at(layer, arm.stop.sel(stopping=stopping).values) for layer in ixt]
        for stopping in STOPPING
    ]
    coords = {"stopping": list(STOPPING), "layer": arm.layer.values}
    return xr.DataArray(np.array(values), coords, ("stopping", "layer", "seed"))


def verdict(arm: tuple[str, str], data: xr.Dataset, amounts: xr.DataArray) -> str:
    """Which layers have compressed by each stop, and what training on gains."""
    parts = []
    for stopping in STOPPING:
        found = [
            mean_interval(amounts.sel(stopping=stopping, layer=i).values) for i in data.layer.values
        ]
        by = [
            f"{layer} by {interval_text(one)}"
            for layer, one in zip(data.layer.values, found, strict=True)
            if one.low > NEGLIGIBLE_BITS
        ]
        position = data.stop.sel(stopping=stopping).values
        epochs = np.where(position >= 0, data.epoch.values[position], np.nan)
        when = f"{stopping}, epoch {interval_text(median_interval(epochs), 0)}"
        gain = data.test_accuracy.isel(epoch=-1) - at_position(data.test_accuracy, position)
        parts.append(
            f"{when}: layers that have compressed: {', '.join(by) or 'none'}"
            + (
                f"; training on changes accuracy by {interval_text(mean_interval(gain.values), 4)}"
                if stopping != STOPPING[-1]
                else ""
            )
        )
    return f"{', '.join(arm)}. {'. '.join(parts)}."
