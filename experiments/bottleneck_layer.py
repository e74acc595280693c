"""A narrow layer that seems to know less than the wide one after it: bins against data processing.

Claim: "Revisiting the Information Plane" (2019), figure 6: in a network with a layer of 2 units before
one of 12, the narrow layer shows less I(X;T) than the wide one after it. Of the network's own states
that cannot be, for each layer is a function of the one before (the data-processing inequality): bins
count clusters, and 12 units split what 2 units have merged.

Command:  python -m experiments.bottleneck_layer
Time:     2 minutes on 2 cores
Expect:   in bins of 0.07 all tanh networks show less I(X;T) in layer 2 than in layer 3, by 1.9 bits at
          the end, 40 of 50 relu networks at some time; by exact states none does at any.

50 networks 12-3-2-12-2-2 each of tanh and relu, preset "revisiting": Adam (``--optimizer sgd`` for plain
SGD), batches of 256, 8000 epochs. Measured on the training samples in bins of 0.07 and 0.3, with edges
by activation, and by the float32 states themselves.

Dims: dataset, activation, estimator, seed, epoch, layer.
"""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import (
    EDGES,
    RevisitingConfig,
    Table,
    interval_columns,
    interval_text,
    main,
    revisiting_attributes,
    revisiting_training,
    seeds_table,
    train_tasks,
)
from ibjax.analysis.data_processing import dpi_violations, share_interval
from ibjax.analysis.intervals import Interval, mean_interval
from ibjax.analysis.records import planes_record, select_estimator
from ibjax.mi import exact_mi
from ibjax.plots import plot_information_plane, plot_layer_against_next
from ibjax.presets import revisiting_estimators
from ibjax.results import history_to_dataset, stack_arms
from ibjax.training import make_model

ACTIVATIONS = ("tanh", "relu")
HIDDEN, SMOKE_HIDDEN = (3, 2, 12, 2), (3, 2, 6)
NARROW, WIDE = 2, 3
BIN_WIDTHS, EXACT = (0.07, 0.3), "exact"


@dataclasses.dataclass(frozen=True)
class Config(RevisitingConfig):
    """A narrow layer that seems to know less than the wide one after it."""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure both arms; checkpoints go to ``folder`` if given."""

    def estimators(training):
        widths = [revisiting_estimators(training.activations, width) for width in BIN_WIDTHS]
        return [*widths, exact_mi]

    trained = train_tasks(
        config,
        lambda task: {
            (name,): revisiting_training(
                config, task, activation=name, hidden=HIDDEN, smoke_hidden=SMOKE_HIDDEN
            )
            for name in ACTIVATIONS
        },
        lambda _, training: planes_record(make_model(training), estimators(training), rows="train"),
        folder=folder,
    )
    arms = {}
    for (key, one), (i, name) in itertools.product(
        trained.items(), enumerate((*(f"bins of {width}" for width in BIN_WIDTHS), EXACT))
    ):
        own = select_estimator(one.history, i)
        arms[*key, name] = history_to_dataset(own, one.training.as_dict())
    source = "Revisiting the Information Plane (2019), figure 6"
    return stack_arms(arms, ("dataset", "activation", "estimator")).assign_attrs(
        revisiting_attributes(config, "bottleneck_layer", trained, source),
        estimator="revisiting_binned_mi, bin_width by coordinate estimator; exact_mi",
        binning=EDGES,
    )


def excess_of_wide(results: xr.Dataset) -> xr.DataArray:
    """By how much more I(X;T) the wide layer shows than the narrow one before it, bits, or 0.

    Dims as those of ``ixt`` without ``layer``.
    """
    pair = results.ixt.sel(layer=[NARROW, WIDE]).transpose(..., "layer")
    return pair.isel(layer=0, drop=True).copy(data=dpi_violations(pair.values)[..., 0])


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """The planes, both layers over training, the table and what follows."""
    figures = {}
    seeds = f"{results.sizes['seed']} seeds, {results.optimizer}"
    for name in results.dataset.values:
        own = results.sel(dataset=name)
        figures[f"planes_{name}.png"] = plot_information_plane(
            own, row="activation", column="estimator", title=f"{name}, {seeds}"
        )
        title = f"{name}, {seeds}: mean with 95% band; layer {WIDE} is a function of layer {NARROW}"
        figures[f"narrow_and_wide_{name}.png"] = plot_layer_against_next(
            own, NARROW, WIDE, row="activation", column="estimator", title=title
        )
    return figures, [violations_table(results), seeds_table(results.sel(estimator=EXACT))]


def violations_table(results: xr.Dataset) -> Table:
    """Per arm: in how many networks the wide layer shows more, at the end and ever, and by how much."""
    header = ["dataset", "activation", "estimator", "seeds"]
    for when in ("at_end", "ever"):
        header += interval_columns(f"violate_{when}")
    header += [*interval_columns("epochs_share"), *interval_columns("excess_at_end")]
    header += ["largest", "at_epoch"]
    rows, sentences = [], []
    for arm, excess in arms_of(results):
        known = np.isfinite(excess.values).all(axis=1)
        values = excess.values[known]  # (seed, epoch)
        row = [*arm, int(known.sum())]
        for violates in (values[:, -1] > 0, (values > 0).any(axis=1)):
            low, high = share_interval(violates.sum(), len(values))
            row += [float(violates.mean()), float(low), float(high)]
        end = mean_interval(values[:, -1])
        course = mean_interval((values > 0).mean(axis=1))
        _, at = np.unravel_index(values.argmax(), values.shape)
        largest = [float(values.max()), int(excess.epoch[at])]
        rows.append([*row, *map(float, course[:3]), *map(float, end[:3]), *largest])
        sentences.append(verdict(arm, values, end))
    note = (
        f"violate: share of networks in which layer {WIDE} shows more I(X;T) than layer {NARROW}, of "
        "which it is a function; epochs_share: of recorded epochs, within networks; excess: bits, 0 "
        "where there is none"
    )
    return Table("violations", header, rows, [note, *sentences])


def arms_of(results: xr.Dataset):
    """Each arm's name and its excess (seed, epoch)."""
    excess = excess_of_wide(results)
    for arm in itertools.product(*(results[d].values for d in ("dataset", "activation", "estimator"))):
        where = dict(zip(("dataset", "activation", "estimator"), arm, strict=True))
        yield arm, excess.sel(where).transpose("seed", "epoch")


def verdict(arm: tuple[str, ...], values: np.ndarray, end: Interval) -> str:
    """Say how many networks seem to violate the inequality; that exact states cannot is checked."""
    ever, last = (values > 0).any(axis=1).sum(), (values[:, -1] > 0).sum()
    text = (
        f"{', '.join(arm)}: layer {NARROW} shows less than layer {WIDE} in {ever} of {len(values)} "
        f"networks at some epoch, in {last} at the end, there by {interval_text(end)} bits"
    )
    if arm[-1] != EXACT:
        return f"{text}."
    if ever:
        return f"{text}. Exact states cannot: something is wrong with the measurement."
    return f"{text}, as must be."


if __name__ == "__main__":
    main("bottleneck_layer", Config, run, report)
