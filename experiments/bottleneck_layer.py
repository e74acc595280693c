"""A narrow layer that seems to know less than the wide one after it: bins against data processing.

Claim: "Revisiting the Information Plane" (2019), figure 6: in a network with a layer of 2 units before
one of 12, the narrow layer shows less I(X;T) than the wide one after it. Of the network's own states
that cannot be, for each layer is a function of the one before (the data-processing inequality): bins
count clusters, and 12 units split what 2 units have merged.

Command:  python -m experiments.bottleneck_layer
Time:     2 to 7 minutes on 2 cores
Expect:   in bins of 0.07 all tanh networks show less I(X;T) in layer 3 than in layer 4 at some time, by
          1.8 bits at the end, and so do 39 of 50 relu networks, by 0.8; by exact states none does.

50 networks 12-12-3-2-12-2-2 each of tanh and relu, preset "revisiting": Adam (``--optimizer sgd`` for
plain SGD), batches of 256, 8000 epochs; random splits, or the paper's one (``--paper-split``). Measured
on the training samples in bins of 0.07 and 0.3, with edges by activation, and by the float32 states
themselves.

Dims: dataset, activation, estimator, seed, epoch, layer.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import (
    Table,
    Task,
    interval_cells,
    interval_text,
    levels_of,
    main,
    seeds_table,
    table_of_rows,
    train,
)
from experiments.lab.revisiting import (
    EDGES,
    RevisitingConfig,
    dataset_arms,
    measured_with_limits,
    provenance,
    revisiting_training,
    run_text,
)
from ibjax.analysis.data_processing import dpi_violations, share_interval
from ibjax.analysis.intervals import Interval, mean_interval
from ibjax.analysis.records import PlanesRecord
from ibjax.mi import exact_mi
from ibjax.plots import plot_information_plane, plot_layer_against_next
from ibjax.presets import revisiting_estimators
from ibjax.training import TrainConfig, make_model
from ibjax.types import Record

ACTIVATIONS = ("tanh", "relu")
HIDDEN, SMOKE_HIDDEN = (12, 3, 2, 12, 2), (4, 3, 2, 6)
NARROW, WIDE = 3, 4
BIN_WIDTHS, EXACT = (0.07, 0.3), "exact"
FACTORS = ("dataset", "activation", "estimator")


@dataclasses.dataclass(frozen=True)
class Config(RevisitingConfig):
    """A narrow layer that seems to know less than the wide one after it."""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure both arms; checkpoints go to ``folder`` if given."""

    def trainings(task: Task) -> dict[tuple[str, ...], TrainConfig]:
        hidden = {"hidden": HIDDEN, "smoke_hidden": SMOKE_HIDDEN}
        return {(a,): revisiting_training(config, task, activation=a, **hidden) for a in ACTIVATIONS}

    return train(
        config,
        dataset_arms(config, trainings, planes),
        factors=("dataset", "activation"),
        source="Revisiting the Information Plane (2019), figure 6",
        folder=folder,
        **provenance(config),
        binning=EDGES,
    )


def planes(_: Task, training: TrainConfig) -> Record:
    """Return the record of the training samples' planes in bins of both widths and of exact states."""

    def record_of(limits: Any) -> Record:
        activations = training.activations
        binned = {f"bins of {w}": revisiting_estimators(activations, w, limits) for w in BIN_WIDTHS}
        return PlanesRecord(
            make_model(training),
            binned | {EXACT: exact_mi},
            rows="train",
            validation_fraction=training.validation_fraction,
        )

    return measured_with_limits(training, record_of)


def excess_of_wide(results: xr.Dataset) -> xr.DataArray:
    """Compute how much more I(X;T) the wide layer shows than the narrow one before it, bits, or 0.

    Dims as those of ``ixt`` without ``layer``.
    """
    pair = results.ixt.sel(layer=[NARROW, WIDE]).transpose(..., "layer")
    return pair.isel(layer=0, drop=True).copy(data=dpi_violations(pair.values)[..., 0])


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw the planes and both layers over training; tabulate, and say what follows."""
    figures = {}
    seeds = run_text(results)
    for name in results.dataset.values:
        arms = results.sel(dataset=name)
        figures[f"planes_{name}.png"] = plot_information_plane(
            arms, row="activation", column="estimator", title=f"{name}, {seeds}"
        )
        title = f"{name}, {seeds}: mean with 95% band; layer {WIDE} is a function of layer {NARROW}"
        figures[f"narrow_and_wide_{name}.png"] = plot_layer_against_next(
            arms, NARROW, WIDE, row="activation", column="estimator", title=title
        )
    exact = results.sel(estimator=EXACT, drop=True)
    return figures, [violations_table(results), seeds_table(exact)]


def violations_table(results: xr.Dataset) -> Table:
    """Tabulate by arm how many networks' wide layer shows more, at the end and ever, by how much."""
    rows, sentences = [], []
    for levels, excess in arms_of(results):
        known = np.isfinite(excess.values).all(axis=1)
        values = excess.values[known]  # (seed, epoch)
        violates = values > 0
        end = mean_interval(values[:, -1])
        _, largest_at = np.unravel_index(values.argmax(), values.shape)
        rows.append(
            {
                **dict(zip(FACTORS, levels, strict=True)),
                "seeds": len(values),
                **interval_cells("violate_at_end", share_of_networks(violates[:, -1:])),
                **interval_cells("violate_ever", share_of_networks(violates)),
                **interval_cells("epochs_share", mean_interval(violates.mean(axis=1))),
                **interval_cells("excess_at_end", end),
                "largest": float(values.max()),
                "at_epoch": int(excess.epoch[largest_at]),
            }
        )
        sentences.append(verdict(levels, values, end))
    note = (
        f"violate: share of networks in which layer {WIDE} shows more I(X;T) than layer {NARROW}, of "
        "which it is a function; epochs_share: of recorded epochs, within networks; excess: bits, 0 "
        "where there is none"
    )
    return table_of_rows("violations", rows, [note, *sentences])


def share_of_networks(violates: np.ndarray) -> Interval:
    """Return the share of networks that violate at any of (seed, epoch), with its exact 95% interval."""
    count, total = int(violates.any(axis=1).sum()), len(violates)
    return Interval(count / total, *share_interval(count, total), total)


def arms_of(results: xr.Dataset) -> Iterator[tuple[tuple[str, ...], xr.DataArray]]:
    """Yield each arm's levels and its excess (seed, epoch)."""
    excess = excess_of_wide(results)
    for levels in levels_of(results, FACTORS):
        yield tuple(levels.values()), excess.sel(levels).transpose("seed", "epoch")


def verdict(levels: tuple[str, ...], values: np.ndarray, end: Interval) -> str:
    """Say how many networks seem to violate the inequality; that exact states cannot is checked."""
    ever, last = (values > 0).any(axis=1).sum(), (values[:, -1] > 0).sum()
    text = (
        f"{', '.join(levels)}: layer {NARROW} shows less than layer {WIDE} in {ever} of {len(values)} "
        f"networks at some epoch, in {last} at the end, there by {interval_text(end)} bits"
    )
    if levels[-1] != EXACT:
        return f"{text}."
    if ever:
        return f"{text}. Exact states cannot: something is wrong with the measurement."
    return f"{text}, as must be."


if __name__ == "__main__":
    main("bottleneck_layer", Config, run, report)
