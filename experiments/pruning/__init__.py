"""Layers that move through the plane alike are removed: does the network do as well without them?

Claim: "Revisiting the Information Plane" (2019), figure 8 and table 2: of networks with twice as many
hidden layers, end layers whose paths are similar can be removed, step by step, at no loss of accuracy:
.8768, .8780, .8732, .8805 with tanh, .8780, .8646, .8805 with relu.

Command:  python -m experiments.pruning
Time:     6 to 10 minutes on 2 cores
Expect:   one pruning each: layers 7 to 10 go at once. tanh gains 0.3% of accuracy (0.963), relu's does
          not change clearly (0.938); 32 of 50 relu networks are dead with ten layers, 8 with six. The
          paper's accuracies are lower, before and after.

50 networks each of tanh and relu, preset "revisiting": Adam (``--optimizer sgd`` for plain SGD), batches
of 256, 8000 epochs. Step 0 has ten hidden layers, 12-10-7-5-4-3 and five more of 3 units. Training stops
early, for want of a better validation loss for 300 epochs (``--patience``), read from the whole history.
Until there the paths of neighbouring hidden layers are compared: root mean square distance over recorded
epochs of their points (I(X;T), I(T;Y)), mean over networks. Layers at the end that are less than 1 bit
(``--threshold``) from the layer before them are removed, and the rest is trained anew from the same
seeds, until no such layer is left. All networks of a step have the same layers. Those in which a layer
is dead at the stop take no part in the decision, and are told apart in the accuracies.

I(X;T), I(T;Y) on the training samples in bins of 0.07, with edges by activation.

Dims: dataset, activation, step, seed, epoch, layer; steps that an activation does not need are NaN.
"""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import (
    BINNING,
    RevisitingConfig,
    Table,
    Trained,
    binned_plane,
    columns,
    interval_columns,
    interval_text,
    revisiting_attributes,
    revisiting_training,
    stopping_epochs,
    train_tasks,
)
from experiments.pruning.analysis import similar_end_layers, trajectory_distances
from experiments.pruning.figures import plot_pruning
from ibjax.analysis.intervals import mean_interval
from ibjax.analysis.stopping import at_position, early_stopping, stopped_at
from ibjax.checks import check_positive
from ibjax.plots import plot_information_plane
from ibjax.results import history_to_dataset, stack_arms

ACTIVATIONS = ("tanh", "relu")
HIDDEN, SMOKE_HIDDEN = (10, 7, 5, 4, 3, 3, 3, 3, 3, 3), (5, 3, 3)
PAPER = {"tanh": (0.8768, 0.8780, 0.8732, 0.8805), "relu": (0.8780, 0.8646, 0.8805)}


@dataclasses.dataclass(frozen=True)
class Config(RevisitingConfig):
    """Layers that move through the plane alike are removed: does the network do as well?"""

    patience: int = 300
    """Epochs without a better validation loss after which training stops."""
    threshold: float = 1.0
    """Distance of paths, bits, below which two layers are similar."""

    def __post_init__(self):
        super().__post_init__()
        check_positive("patience", self.patience)
        check_positive("threshold", self.threshold)


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train, prune and train again; checkpoints go to ``folder`` if given."""
    arms, trained = {}, {}
    for name, activation in itertools.product(config.datasets, ACTIVATIONS):
        hidden = SMOKE_HIDDEN if config.smoke else HIDDEN
        for step in itertools.count():
            key = (name, activation, str(step))
            one = train_step(config, key, hidden, folder)
            arms[key], trained[key] = with_stop(one, config.patience), one
            count = removable(arms[key], config.threshold)
            if count == 0:
                break
            hidden = hidden[:-count]
    steps = 1 + max(int(step) for _, _, step in arms)
    for name, activation, step in itertools.product(config.datasets, ACTIVATIONS, range(steps)):
        if (name, activation, str(step)) not in arms:  # all NaN, of the last network's shape
            last = arms[name, activation, str(step - 1)]
            empty = last.map(lambda values: values.astype(float) * np.nan).assign(stop=last.stop * 0 - 1)
            arms[name, activation, str(step)] = empty.assign(diverged=last.diverged & False)
    source = "Revisiting the Information Plane (2019), figure 8, table 2"
    results = stack_arms(arms, ("dataset", "activation", "step"))
    results = results.sortby(results.step.astype(int))
    return results.assign_attrs(
        revisiting_attributes(config, "pruning", trained, source),
        **BINNING,
        patience=config.patience,
        threshold=config.threshold,
    )


def train_step(
    config: Config, key: tuple[str, str, str], hidden: tuple[int, ...], folder: Path | None
) -> Trained:
    """Networks of these hidden layers."""
    name, activation, step = key
    found = train_tasks(
        dataclasses.replace(config, datasets=(name,)),
        lambda task: {
            (activation, step): revisiting_training(
                config, task, activation=activation, hidden=hidden, smoke_hidden=hidden
            )
        },
        binned_plane,
        schedule=stopping_epochs(config.num_epochs),
        folder=folder,
    )
    return found[key]


def with_stop(one: Trained, patience: int) -> xr.Dataset:
    """The arm with each seed's ``stop``, a position on its axis of epochs."""
    arm = history_to_dataset(one.history, one.training.as_dict())
    loss = arm.test_loss.transpose("seed", "epoch").values
    stop = early_stopping(loss, arm.epoch.values, patience=patience)
    attrs = {"units": "1", "long_name": "position on the axis of epochs; -1: diverged"}
    return arm.assign(stop=("seed", stop, attrs))


def alive(arm: xr.Dataset) -> np.ndarray:
    """(seed,): whether no hidden layer is constant at the stop; False for diverged seeds."""
    count = int(arm.num_layers) - 1
    hidden = arm.ixt.isel(layer=slice(0, count)).transpose("seed", "epoch", "layer")
    at_stop = at_position(hidden, arm.stop.values).values
    return np.all(at_stop > 0, axis=1)


def hidden_distances(arm: xr.Dataset) -> np.ndarray:
    """(seed, layer - 1): of the paths of neighbouring hidden layers, bits; NaN for dead networks."""
    count = int(arm.num_layers) - 1
    hidden = arm.isel(layer=slice(0, count)).transpose("seed", "epoch", "layer")
    found = trajectory_distances(hidden.ixt.values, hidden.ity.values, arm.stop.values)
    return np.where(alive(arm)[:, None], found, np.nan)


def removable(arm: xr.Dataset, threshold: float) -> int:
    """Count the last hidden layers that are similar to those before; 0 if all networks are dead."""
    mean = mean_interval(hidden_distances(arm)).estimate
    return similar_end_layers(mean, threshold) if len(mean) and np.isfinite(mean).all() else 0


def arms_of(results: xr.Dataset):
    """(dataset, activation, step) and Dataset of each step that was trained."""
    dims = ("dataset", "activation", "step")
    for arm in itertools.product(*(results[d].values for d in dims)):
        data = results.sel(dict(zip(dims, arm, strict=True)))
        if np.isfinite(data.ixt).any():
            yield arm, data


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Planes up to the stops, distances and accuracies, the tables and what follows."""
    figures = {}
    seeds = f"{results.sizes['seed']} seeds, {results.optimizer}, {results.binning}"
    found = dict(arms_of(results))
    for name in results.dataset.values:
        planes = results[["ixt", "ity"]].sel(dataset=name).copy(deep=True)
        for (dataset, activation, step), data in found.items():
            if dataset == name:
                where = {"activation": activation, "step": step}
                for variable in ("ixt", "ity"):
                    lives = np.where(alive(data), data.stop.values, -1)
                    planes[variable].loc[where] = stopped_at(data[variable], lives)
        shown = planes.assign_coords(step=[f"step {step}" for step in results.step.values])
        title = f"{name}, until early stopping, networks with no dead layer\n{seeds}"
        figures[f"planes_{name}.png"] = plot_information_plane(
            shown, row="activation", column="step", title=title
        )
        own = {
            activation: [data for arm, data in found.items() if arm[:2] == (name, activation)]
            for activation in results.activation.values
        }
        distances = {activation: list(map(hidden_distances, steps)) for activation, steps in own.items()}
        accuracies = {activation: list(map(stop_accuracy, steps)) for activation, steps in own.items()}
        figures[f"pruning_{name}.png"] = plot_pruning(
            distances,
            accuracies,
            threshold=results.threshold,
            paper=PAPER if name == "symmetric" else {},
            title=f"{name}, {seeds}: networks with no dead layer, mean with 95% interval",
        )
    return figures, [steps_table(results, found), distances_table(found)]


def stop_accuracy(arm: xr.Dataset) -> np.ndarray:
    """(seed,): test accuracies at the stop, NaN for dead networks."""
    return np.where(alive(arm), at_position(arm.test_accuracy, arm.stop.values).values, np.nan)


def steps_table(results: xr.Dataset, found: dict) -> Table:
    """Per step: layers, dead and diverged networks, accuracy at the stop, and the paper's."""
    header = ["dataset", "activation", "step", "hidden", "removed_next", "diverged", "dead"]
    header += [*interval_columns("accuracy"), "of_all", *interval_columns("change"), "paper"]
    rows, sentences, previous = [], [], None
    for arm, data in found.items():
        lives, accuracy = alive(data), stop_accuracy(data)
        known = data.stop.values >= 0
        of_all = at_position(data.test_accuracy, data.stop.values).values
        start = arm[2] == "0"
        change = accuracy - (accuracy if start else previous)
        previous = accuracy
        of_paper = PAPER[arm[1]][int(arm[2]) : int(arm[2]) + 1] if arm[0] == "symmetric" else ()
        counts = int(data.num_layers) - 1, removable(data, results.threshold)
        numbers = [*mean_interval(accuracy)[:3], np.nanmean(of_all), *mean_interval(change)[:3]]
        lost = int((~known).sum()), int((known & ~lives).sum())
        paper = of_paper[0] if of_paper else ""
        rows.append([*arm, *counts, *lost, *map(float, numbers), paper])
    for arm in dict.fromkeys(arm[:2] for arm in found):
        own = [stop_accuracy(data) for key, data in found.items() if key[:2] == arm]
        sentences.append(verdict(arm, own))
    note = (
        "accuracy: of test samples at the stop, mean over networks with no dead layer; of_all: over all "
        "that did not diverge; change: within seeds, from the step before; paper: of its one network"
    )
    return Table("steps", header, rows, [note, *sentences])


def verdict(arm: tuple[str, str], accuracies: list[np.ndarray]) -> str:
    """Say what pruning costs from the first step to the last, within seeds alive in both."""
    if len(accuracies) == 1:
        return f"{', '.join(arm)}: no end layer is similar to the one before; nothing is removed."
    change = mean_interval(accuracies[-1] - accuracies[0])
    cost = "costs accuracy" if change.high < 0 else "gains accuracy" if change.low > 0 else "costs none"
    return (
        f"{', '.join(arm)}: {len(accuracies) - 1} prunings; accuracy changes by "
        f"{interval_text(change, 4)} within the {int(change.num_seeds)} seeds that are alive in "
        f"the first and the last step: pruning {cost}."
    )


def distances_table(found: dict) -> Table:
    """Per step: mean distance of every hidden layer's path from that of the layer before."""
    rows = []
    for arm, data in found.items():
        interval = mean_interval(hidden_distances(data))
        for i, numbers in enumerate(zip(*interval, strict=True)):
            rows.append([*arm, f"{i + 1}-{i + 2}", *map(float, numbers[:3]), int(numbers[3])])
    header = columns("dataset activation step layers distance+- seeds")
    note = (
        "root mean square distance of (I(X;T), I(T;Y)) over recorded epochs until the stop, bits; "
        "seeds: networks with no dead layer"
    )
    return Table("distances", header, rows, [note])
