"""Does compression come before training should stop? Early and perfect stopping on the plane.

Claim: "Revisiting the Information Plane" (2019), figures 7, 10, 15: networks that are stopped by their
validation loss, early (for want of a better loss) or perfectly (where it is smallest), stop before most
of what looks like compression, and do as well as networks trained on: compression is not why they
generalise.

Command:  python -m experiments.early_stopping
          python -m experiments.early_stopping --datasets symmetric mnist --data FOLDER
Time:     5 to 10 minutes on 2 cores
Expect:   tanh: early stops near epoch 70, before layers have fitted; perfect ones near 1100, where layer
          5 has compressed by 2.2 of its 5.6 bits and layer 4 by none of its 0.9; training on gains 0.7%
          of accuracy. relu: no hidden layer compresses.

50 networks 12-10-7-5-4-3-2 (784 inputs, 3 outputs on MNIST) each of tanh and relu, preset "revisiting":
Adam (``--optimizer sgd`` for plain SGD), batches of 256, 8000 epochs; validation on the last fifth of
the training samples, which updates do not use; random splits, or the paper's one (``--paper-split``).
Early: the first epoch whose validation loss is not below all before it (``--patience`` for more epochs);
perfect: the smallest loss of all of training. Both are read from the loss after every epoch
(ibjax.analysis.stopping), in a first training; a second one records those epochs too. I(X;T), I(T;Y) on
all training samples in bins of 0.07, with edges by activation.

Dims: dataset, activation, seed, epoch, layer; ``stop``: dataset, activation, stopping, seed.
"""

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from experiments.early_stopping.analysis import (
    STOPPING,
    compression_until_stops,
    epochs_of_stops,
    share_reached,
    stop_epochs,
    stopped,
    with_stops,
)
from experiments.early_stopping.figures import plot_stops
from experiments.lab import (
    Table,
    interval_cells,
    interval_text,
    levels_of,
    seeds_table,
    table_of_rows,
    train,
)
from experiments.lab.revisiting import (
    BINNING,
    RevisitingConfig,
    activation_trainings,
    binned_plane,
    dataset_arms,
    provenance,
    recorded_with_stops,
    run_text,
    validation_losses,
)
from ibjax.analysis.compression import NEGLIGIBLE_BITS
from ibjax.analysis.intervals import halving_interval, mean_interval, median_interval, simultaneous_level
from ibjax.analysis.phases import plane_phases
from ibjax.analysis.stopping import at_position
from ibjax.checks import as_whole
from ibjax.plots import plot_information_plane

ACTIVATIONS = ("tanh", "relu")
FACTORS = ("dataset", "activation")
SOURCE = "Revisiting the Information Plane (2019), figures 7, 10, 15"


@dataclasses.dataclass(frozen=True)
class Config(RevisitingConfig):
    """Does compression come before training should stop?"""

    patience: int = 0
    """Epochs without a better validation loss after which training stops; 0: at the first one."""

    def __post_init__(self):
        super().__post_init__()
        as_whole("patience", self.patience, at_least=0)


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Find both arms' stops, then train and measure them; checkpoints go to ``folder`` if given."""
    arms = dataset_arms(config, activation_trainings(config, ACTIVATIONS), binned_plane)
    losses = validation_losses(config, arms, factors=FACTORS, source=SOURCE, folder=folder)
    stops = epochs_of_stops(losses, config.patience)
    results = train(
        config,
        arms,
        factors=FACTORS,
        source=SOURCE,
        schedule=recorded_with_stops(config.num_epochs, stops),
        folder=folder,
        derive=lambda levels, arm: with_stops(arm, stops.sel(dict(zip(FACTORS, levels, strict=True)))),
        **provenance(config),
        binning=BINNING,
        patience=config.patience,
    )
    return results.assign(stop=results.stop.transpose(..., "stopping", "seed"))


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw the planes up to each stop and where the stops are; tabulate, and say what follows."""
    figures = {}
    seeds = f"{run_text(results)}, {results.binning}"
    for name in results.dataset.values:
        dataset_results = results.sel(dataset=name)
        arms = [dataset_results.sel(activation=activation) for activation in results.activation.values]
        planes = xr.concat(
            [xr.concat([stopped(arm, s) for arm in arms], results.activation) for s in STOPPING],
            xr.DataArray(list(STOPPING), dims="stopping", name="stopping"),
        )
        figures[f"planes_{name}.png"] = plot_information_plane(
            planes, row="activation", column="stopping", title=f"{name}, {seeds}"
        )
        title = f"{name}, {seeds}: mean with 95% band; lines: median stops with quartiles"
        figures[f"stops_{name}.png"] = plot_stops(dataset_results, title=title)
    return figures, [stops_table(results), layers_table(results), seeds_table(results)]


def arms_of(results: xr.Dataset) -> Iterator[tuple[dict[str, str], xr.Dataset]]:
    """Yield each arm's levels by factor, and its Dataset."""
    for cells in levels_of(results, FACTORS):
        yield cells, results.sel(cells)


def stops_table(results: xr.Dataset) -> Table:
    """Tabulate by arm when training stops, and how well networks do then and at the end."""
    rows = []
    for cells, arm in arms_of(results):
        for stopping in STOPPING:
            position = arm.stop.sel(stopping=stopping).values
            validation_loss, accuracy = (
                at_position(arm[name], position).values for name in ("validation_loss", "test_accuracy")
            )
            gain = arm.test_accuracy.isel(epoch=-1).values - accuracy
            before_end = (position >= 0) & (position < arm.sizes["epoch"] - 1)
            rows.append(
                {
                    **cells,
                    "stopping": stopping,
                    **interval_cells("epoch", median_interval(stop_epochs(arm, stopping))),
                    "before_end": int(before_end.sum()),
                    **interval_cells("validation_loss", mean_interval(validation_loss)),
                    **interval_cells("test_accuracy", mean_interval(accuracy)),
                    **interval_cells("gain", mean_interval(gain)),
                }
            )
    note = (
        "epoch: median over seeds with its 95% interval; early: the first epoch without a better "
        f"validation loss, {results.patience} or more after the best; gain: test accuracy at the last "
        "epoch less that at the stop, within seeds"
    )
    return table_of_rows("stops", rows, [note])


def layers_table(results: xr.Dataset) -> Table:
    """Tabulate by arm, stop and layer where it is in the plane, and its compression until then."""
    rows, sentences = [], []
    for cells, arm in arms_of(results):
        compressed, phases = compression_until_stops(arm), plane_phases(arm)
        for stopping, layer in itertools.product(STOPPING, arm.layer.values):
            position, epochs = arm.stop.sel(stopping=stopping).values, stop_epochs(arm, stopping)
            plane, phase = arm[["ixt", "ity"]].sel(layer=layer), phases.sel(layer=layer)
            amount = compressed.sel(stopping=stopping, layer=layer).values
            ixt, ity = (at_position(plane[name], position).values for name in ("ixt", "ity"))
            rows.append(
                {
                    **cells,
                    "stopping": stopping,
                    "layer": layer,
                    **interval_cells("ixt", mean_interval(ixt)),
                    **interval_cells("ity", mean_interval(ity)),
                    **interval_cells("compression", halving_interval(amount)),
                    **interval_cells("fitted", share_reached(phase.fitting_end.values, epochs)),
                    **interval_cells(
                        "compressing", share_reached(phase.compression_start.values, epochs)
                    ),
                }
            )
        sentences.append(f"{', '.join(cells.values())}. {verdict(arm, compressed)}")
    note = (
        "compression: of I(X;T), from the epoch where the mean of the other half of the seeds peaks to "
        "the stop, 0 before; fitted, compressing: share of networks that stop after the layer has "
        "fitted the labels or has started to compress, of those in which it ever does"
    )
    return table_of_rows("layers", rows, [note, *sentences])


def verdict(arm: xr.Dataset, compressed: xr.DataArray) -> str:
    """Say which layers have compressed by each stop, and what training on gains."""
    parts = []
    level = simultaneous_level(compressed.sizes["stopping"] * compressed.sizes["layer"])
    for stopping in STOPPING:
        layers = []
        for layer in arm.layer.values:
            falls = compressed.sel(stopping=stopping, layer=layer).values
            if halving_interval(falls, level).low > NEGLIGIBLE_BITS:
                layers.append(f"{layer} by {interval_text(halving_interval(falls))}")
        epoch = interval_text(median_interval(stop_epochs(arm, stopping)), 0)
        part = f"{stopping}, epoch {epoch}: layers that have compressed: {', '.join(layers) or 'none'}"
        if stopping != STOPPING[-1]:
            accuracy = at_position(arm.test_accuracy, arm.stop.sel(stopping=stopping).values)
            gain = mean_interval((arm.test_accuracy.isel(epoch=-1) - accuracy).values)
            part += f"; training on changes accuracy by {interval_text(gain, 4)}"
        parts.append(part)
    return f"{'. '.join(parts)}."
