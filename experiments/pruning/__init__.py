"""Layers that move through the plane alike are removed: does the network do as well without them?

Claim: "Revisiting the Information Plane" (2019), figure 8 and table 2: of networks with twice as many
hidden layers, end layers whose paths are similar can be removed, step by step, at no loss of accuracy:
.8768, .8780, .8732, .8805 with tanh, .8780, .8646, .8805 with relu.

Command:  python -m experiments.pruning
Time:     15 to 25 minutes on 2 cores
Expect:   one pruning each: layers 7 to 10 go at once. tanh gains 0.4% of accuracy (0.878), relu's does
          not change clearly (0.872); 26 of 50 relu networks are dead with ten layers, 8 with six. The
          paper's accuracies are like these.

50 networks each of tanh and relu, preset "revisiting": Adam (``--optimizer sgd`` for plain SGD), batches
of 256, 8000 epochs; random splits, or the paper's one (``--paper-split``). Step 0 has ten hidden layers,
12-10-7-5-4-3 and five more of 3 units. Training stops early, at the first epoch whose validation loss
(of the last fifth of the training samples, which updates do not use) is not below all before it
(``--patience`` for more epochs), read from the loss after every epoch in a first training. Until there
the paths of neighbouring hidden layers are compared: root mean square distance over recorded epochs of
their points (I(X;T), I(T;Y)), mean over networks. Layers at the end that are less than 1 bit
(``--threshold``) from the layer before them are removed, and the rest is trained anew from the same
seeds, until no such layer is left. All networks of a step have the same layers. Those in which a layer
is dead at the stop take no part in the decision, and are told apart in the accuracies.

I(X;T), I(T;Y) on all training samples in bins of 0.07, with edges by activation.

Dims: dataset, activation, step, seed, epoch, layer; steps that an activation does not need are NaN, and
so are epochs that a step did not record. ``stop``, an epoch: dataset, activation, step, seed.
"""

import dataclasses
import functools
import itertools
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import Table, interval_cells, interval_text, levels_of, table_of_rows, train
from experiments.lab.revisiting import (
    BIN_WIDTH,
    BINNING,
    RevisitingConfig,
    binned_plane,
    dataset_arms,
    provenance,
    recorded_with_stops,
    revisiting_training,
    run_text,
    stop_positions,
    stopping_epochs,
    validation_losses,
)
from experiments.pruning.analysis import (
    alive,
    hidden_distances,
    removable,
    stop_accuracy,
)
from experiments.pruning.figures import plot_pruning
from ibjax.analysis.intervals import mean_interval, median_interval
from ibjax.analysis.stopping import at_position, early_stopping, stopped_at
from ibjax.checks import as_whole, check_positive
from ibjax.plots import plot_information_plane
from ibjax.results import stack_arms

ACTIVATIONS = ("tanh", "relu")
HIDDEN, SMOKE_HIDDEN = (10, 7, 5, 4, 3, 3, 3, 3, 3, 3), (5, 3, 3)
FACTORS = ("dataset", "activation", "step")
SOURCE = "Revisiting the Information Plane (2019), figure 8, table 2"
PAPER = {"tanh": (0.8768, 0.8780, 0.8732, 0.8805), "relu": (0.8780, 0.8646, 0.8805)}

# Other thresholds to compare with, bits.
THRESHOLDS = (0.25, 0.5, 1.0, 2.0)

# The networks of one step by dataset, activation and step.
Arms = Mapping[tuple[str, str, str], xr.Dataset]


@dataclasses.dataclass(frozen=True)
class Config(RevisitingConfig):
    """Layers that move through the plane alike are removed: does the network do as well?"""

    patience: int = 0
    """Epochs without a better validation loss after which training stops; 0: at the first one."""
    threshold: float = 1.0
    """Distance of paths, bits, below which two layers are similar."""

    def __post_init__(self):
        super().__post_init__()
        as_whole("patience", self.patience, at_least=0)
        check_positive("threshold", self.threshold)


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train, prune and train again; checkpoints go to ``folder`` if given."""
    arms, attributes = {}, {}
    for name, activation in itertools.product(config.datasets, ACTIVATIONS):
        hidden = SMOKE_HIDDEN if config.smoke else HIDDEN
        for step in map(str, itertools.count()):
            trained = train_step(config, (name, activation, step), hidden, folder)
            attributes |= trained.attrs
            (training,) = json.loads(trained.arms).values()
            arm = trained.isel(dict.fromkeys(FACTORS, 0)).drop_vars(FACTORS)
            arms[name, activation, step] = arm.drop_attrs(deep=False).assign_attrs(training)
            count = removable(arm, config.threshold)
            if count == 0:
                break
            hidden = hidden[:-count]
    num_steps = 1 + max(int(step) for *_, step in arms)
    for name, activation, step in itertools.product(config.datasets, ACTIVATIONS, range(num_steps)):
        if (name, activation, str(step)) not in arms:
            arms[name, activation, str(step)] = without_values(arms[name, activation, str(step - 1)])
    results = stack_arms(arms, FACTORS)
    return results.assign_attrs(attributes | results.attrs)


def train_step(
    config: Config, levels: tuple[str, str, str], hidden: tuple[int, ...], folder: Path | None
) -> xr.Dataset:
    """Train networks of these hidden layers, the only arm of the results."""
    name, activation, step = levels
    config = dataclasses.replace(config, datasets=(name,))
    options = {"activation": activation, "hidden": hidden, "smoke_hidden": hidden}
    arms = dataset_arms(
        config,
        lambda task: {(activation, step): revisiting_training(config, task, **options)},
        binned_plane,
    )
    losses = validation_losses(config, arms, factors=FACTORS, source=SOURCE, folder=folder)
    rule = functools.partial(early_stopping, patience=config.patience)
    stops = stopping_epochs(losses.isel(dict.fromkeys(FACTORS, 0), drop=True), rule)
    return train(
        config,
        arms,
        factors=FACTORS,
        source=SOURCE,
        schedule=recorded_with_stops(config.num_epochs, stops),
        folder=folder,
        derive=lambda _, arm: arm.assign(stop=stops),
        **provenance(config),
        binning=BINNING,
        estimator=f"revisiting_binned_mi(bin_width={BIN_WIDTH})",  # of all arms, trained one by one
        patience=config.patience,
        threshold=config.threshold,
    )


def without_values(arm: xr.Dataset) -> xr.Dataset:
    """Return NaN in the shape of an arm, for a step that its activation does not need."""
    empty = xr.full_like(arm, np.nan, dtype=float).drop_attrs(deep=False)
    no_stop, not_diverged = xr.full_like(arm.stop, -1), xr.full_like(arm.diverged, False)
    return empty.assign(stop=no_stop, diverged=not_diverged)


def trained_arms(results: xr.Dataset) -> Arms:
    """Return the arms of all steps that were trained, at the epochs that they recorded."""
    arms = {}
    for levels in levels_of(results, FACTORS):
        arm = results.sel(levels)
        recorded = np.isfinite(arm.ixt).any(("seed", "layer"))
        if recorded.any():
            arms[tuple(levels.values())] = arm.isel(epoch=recorded.values)
    return arms


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw planes up to the stops, distances and accuracies; tabulate, and say what follows."""
    figures = {}
    seeds = f"{run_text(results)}, {results.binning}"
    arms = trained_arms(results)
    for name in results.dataset.values:
        planes = results[["ixt", "ity"]].sel(dataset=name).copy(deep=True)
        distances, accuracies = ({level: [] for level in results.activation.values} for _ in range(2))
        for (dataset, activation, step), arm in arms.items():
            if dataset == name:
                stop = np.where(alive(arm), stop_positions(arm, arm.stop.values), -1)
                for variable in planes:
                    cells = {"activation": activation, "step": step}
                    stopped = stopped_at(arm[variable], stop)
                    # Epochs that other steps recorded show the last one that this step did.
                    planes[variable].loc[cells] = stopped.reindex(epoch=planes.epoch, method="ffill")
                distances[activation].append(hidden_distances(arm))
                accuracies[activation].append(stop_accuracy(arm))
        title = f"{name}, until early stopping, networks with no dead layer\n{seeds}"
        shown = planes.assign_coords(step=[f"step {step}" for step in results.step.values])
        figures[f"planes_{name}.png"] = plot_information_plane(
            shown, row="activation", column="step", title=title
        )
        figures[f"pruning_{name}.png"] = plot_pruning(
            distances,
            accuracies,
            threshold=results.threshold,
            paper=PAPER if name == "symmetric" else {},
            title=f"{name}, networks with no dead layer: mean with 95% interval\n{seeds}",
        )
    tables = [steps_table(arms, results.threshold), thresholds_table(arms), distances_table(arms)]
    return figures, tables


def steps_table(arms: Arms, threshold: float) -> Table:
    """Tabulate by step layers, dead and diverged networks, accuracy at the stop, and the paper's."""
    rows, accuracies = [], {}
    for (name, activation, step), arm in arms.items():
        all_accuracy = at_position(arm.test_accuracy, stop_positions(arm, arm.stop.values)).values
        stops, accuracy = arm.stop.values >= 0, stop_accuracy(arm)
        steps = accuracies.setdefault((name, activation), [])
        change = accuracy - (steps[-1] if steps else accuracy)
        steps.append(accuracy)
        paper = PAPER[activation][int(step) :] if name == "symmetric" else ()
        rows.append(
            {
                "dataset": name,
                "activation": activation,
                "step": step,
                "hidden": int(arm.num_layers) - 1,
                "removed_next": removable(arm, threshold),
                "diverged": int((~stops).sum()),
                "dead": int((stops & ~alive(arm)).sum()),
                **interval_cells("stop", median_interval(arm.stop.values[stops])),
                **interval_cells("accuracy", mean_interval(accuracy)),
                "of_all": float(np.nanmean(all_accuracy)),
                **interval_cells("change", mean_interval(change)),
                "paper": paper[0] if paper else "",
            }
        )
    note = (
        "stop: median epoch; accuracy: of test samples at the stop, mean over networks with no dead "
        "layer; of_all: over all that did not diverge; change: within seeds, from the step before; "
        "paper: of its one network"
    )
    verdicts = [f"{', '.join(levels)}: {verdict(steps)}" for levels, steps in accuracies.items()]
    return table_of_rows("steps", rows, [note, *verdicts])


def verdict(accuracies: list[np.ndarray]) -> str:
    """Say what pruning costs from the first step to the last, within seeds alive in both."""
    if len(accuracies) == 1:
        return "no end layer is similar to the one before; nothing is removed."
    change = mean_interval(accuracies[-1] - accuracies[0])
    cost = "costs accuracy" if change.high < 0 else "gains accuracy" if change.low > 0 else "costs none"
    return (
        f"{len(accuracies) - 1} prunings; accuracy changes by {interval_text(change, 4)} within the "
        f"{int(change.num_seeds)} seeds that are alive in the first and the last step: pruning {cost}."
    )


def thresholds_table(arms: Arms) -> Table:
    """Tabulate by step how many end layers other thresholds would have removed."""
    rows = []
    for levels, arm in arms.items():
        counts = {f"at_{threshold}": removable(arm, threshold) for threshold in THRESHOLDS}
        hidden = {"hidden": int(arm.num_layers) - 1}
        rows.append({**dict(zip(FACTORS, levels, strict=True)), **hidden, **counts})
    note = "at_1.0: end layers whose distance from the one before is less than 1 bit, and so on"
    return table_of_rows("thresholds", rows, [note])


def distances_table(arms: Arms) -> Table:
    """Tabulate by step the mean distance of each hidden layer's path from that of the layer before."""
    rows = []
    for levels, arm in arms.items():
        for i, distances in enumerate(hidden_distances(arm).T, start=1):
            mean = mean_interval(distances)
            row = {**dict(zip(FACTORS, levels, strict=True)), "layers": f"{i}-{i + 1}"}
            rows.append({**row, **interval_cells("distance", mean), "seeds": int(mean.num_seeds)})
    note = (
        "root mean square distance of (I(X;T), I(T;Y)) over recorded epochs until the stop, bits; "
        "seeds: networks with no dead layer"
    )
    return table_of_rows("distances", rows, [note])
