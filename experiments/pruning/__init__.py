"""Layers that move through the plane alike are removed: does the network do as well without them?

Claim: "Revisiting the Information Plane" (2019), figure 8 and table 2: of networks with twice as many
hidden layers, end layers whose paths are similar can be removed, step by step, at no loss of accuracy:
.8768, .8780, .8732, .8805 with tanh, .8780, .8646, .8805 with relu.

Command:  python -m experiments.pruning
Time:     25 to 40 minutes on 2 cores
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

Does the criterion matter? Each step that removes layers is compared with the removal of as many others:

- trained anew from the same seeds, and stopped alike, without the layers whose paths are farthest from
  the layer before ("farthest"), and without two random choices of layers. Networks that are trained anew
  differ in their widths alone: only choices that leave other widths than the criterion's are made.
- not trained anew: the trained network as it stops, without the criterion's layers and without every
  other choice of as many. Gaps are bridged by least squares: the affine map from the activations before
  a gap to the whole network's pre-activations after it, fitted on the training samples without labels.
  So is the network without its last 1, 2, ... layers, which shows what other thresholds cost.

I(X;T), I(T;Y) on all training samples in bins of 0.07, with edges by activation.

Dims: dataset, activation, step, seed, epoch, layer; steps that an activation does not need are NaN, and
so are epochs that a step did not record. ``stop``, an epoch, and ``dead``: dataset, activation, step,
seed. Of a step's networks without layers: ``end_accuracy`` with num_removed, ``bridged_accuracy`` with
choice (0 is the criterion's), ``control_accuracy``, ``control_stop`` and ``control_dead`` with rule;
``choice_removes`` and ``control_removes`` say by layer which are removed.
"""

import dataclasses
import functools
import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import Arm, Table, train
from experiments.lab.revisiting import (
    BIN_WIDTH,
    BINNING,
    RevisitingConfig,
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
    FACTORS,
    accuracy_of_all,
    alive,
    hidden_distances,
    mean_distances,
    removable,
    removals_of,
    stop_accuracy,
    trained_arms,
)
from experiments.pruning.choices import Layers, other_choices, remaining
from experiments.pruning.figures import plot_pruning, plot_removals
from experiments.pruning.records import StoppingRecord, plane_and_parameters
from experiments.pruning.tables import (
    PAPER,
    controls_table,
    distances_table,
    ends_table,
    steps_table,
    thresholds_table,
    trained_table,
)
from experiments.pruning.trained import DEAD, removal_mask, with_removals
from ibjax.analysis.stopping import early_stopping, stopped_at
from ibjax.checks import as_whole, check_positive
from ibjax.plots import plot_information_plane
from ibjax.results import stack_arms
from ibjax.training import TrainConfig, make_model
from ibjax.types import Record

ACTIVATIONS = ("tanh", "relu")
HIDDEN, SMOKE_HIDDEN = (10, 7, 5, 4, 3, 3, 3, 3, 3, 3), (5, 3, 3)
SOURCE = "Revisiting the Information Plane (2019), figure 8, table 2"

# Choices of other layers than the criterion's, to train without.
NUM_DRAWN = 2
RULES = ("farthest", *(f"random {i}" for i in range(1, NUM_DRAWN + 1)))

# Controls are trained at first for the epochs divided by this.
FIRST_PART = 8

# Dimensions of networks without layers.
REMOVALS = {
    "rule": "choice of other layers than the criterion's, trained anew",
    "num_removed": "last layers removed",
    "choice": "choice of layers removed, the criterion's first",
}

# Values of a step that was not trained, of variables without NaN.
NO_VALUE = {"stop": -1, "control_stop": -1, "diverged": False, "dead": False, "control_dead": False}


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
            arm = arm.drop_attrs(deep=False).assign_attrs(training)
            count = removable(arm, config.threshold)
            controls = train_controls(config, (name, activation, step), hidden, arm, folder)
            arms[name, activation, step] = arm.assign(controls)
            if count == 0:
                break
            hidden = hidden[:-count]
    num_steps = 1 + max(int(step) for *_, step in arms)
    for name, activation, step in itertools.product(config.datasets, ACTIVATIONS, range(num_steps)):
        if (name, activation, str(step)) not in arms:
            arms[name, activation, str(step)] = without_values(arms[name, activation, str(step - 1)])
    results = stack_arms(arms, FACTORS)
    results = results.transpose(*FACTORS, *REMOVALS, "seed", "epoch", "layer")
    for name, text in REMOVALS.items():
        results[name].attrs = {"units": "1", "long_name": text}
    return results.assign_attrs(attributes | results.attrs)


def train_step(
    config: Config, levels: tuple[str, str, str], hidden: tuple[int, ...], folder: Path | None
) -> xr.Dataset:
    """Train networks of these hidden layers, the only arm of the results, and remove layers of them."""
    arms = arms_of(config, levels, hidden, plane_and_parameters)
    losses = validation_losses(config, arms, factors=FACTORS, source=SOURCE, folder=folder)
    stops = stopping_epochs(losses.isel(dict.fromkeys(FACTORS, 0), drop=True), stopping_rule(config))

    def stopped(levels: tuple[str, ...], arm: xr.Dataset) -> xr.Dataset:
        return with_removals(arm.assign(stop=stops), arms[levels], config.threshold)

    return train(
        config,
        arms,
        factors=FACTORS,
        source=SOURCE,
        schedule=recorded_with_stops(config.num_epochs, stops),
        folder=folder,
        derive=stopped,
        **provenance(config),
        binning=BINNING,
        estimator=f"revisiting_binned_mi(bin_width={BIN_WIDTH})",  # of all arms, trained one by one
        patience=config.patience,
        threshold=config.threshold,
    )


def train_controls(
    config: Config,
    levels: tuple[str, str, str],
    hidden: tuple[int, ...],
    arm: xr.Dataset,
    folder: Path | None,
) -> xr.Dataset:
    """Train anew without as many other layers as the criterion removes, and stop as all steps do.

    Args:
        config: options from the command line.
        levels: dataset, activation and step.
        hidden: widths of the step's hidden layers.
        arm: the step's networks.
        folder: folder for checkpoints, or None.

    Returns:
        By ``rule``: ``control_accuracy`` (rule, seed) at the stop, NaN without a choice of layers;
        ``control_stop`` and ``control_dead`` (rule, seed); ``control_removes`` (rule, layer).
    """
    choices = {}
    if count := removable(arm, config.threshold):
        distances = mean_distances(arm)
        choices = other_choices(hidden, distances, count, num_drawn=NUM_DRAWN, seed=config.seed)
    shape = len(RULES), arm.sizes["seed"]
    accuracy, stop, dead = np.full(shape, np.nan), np.full(shape, -1), np.full(shape, False)
    for i, rule in enumerate(RULES):
        if rule in choices:
            control = train_control(config, (*levels, rule), remaining(hidden, choices[rule]), folder)
            accuracy[i], stop[i] = accuracy_of_all(control), control.stop
            dead[i] = (stop[i] >= 0) & ~alive(control)
    removed: list[Layers | None] = [choices.get(rule) for rule in RULES]
    dims, of_test = ("rule", "seed"), {"units": "1", "long_name": "test accuracy at the stop"}
    return xr.Dataset(
        {
            "control_accuracy": (dims, accuracy, of_test),
            "control_stop": (dims, stop, dict(arm.stop.attrs)),
            "control_dead": (dims, dead, {"units": "1", "long_name": DEAD}),
            "control_removes": removal_mask("rule", removed, arm.sizes["layer"]),
        },
        {"rule": [*RULES]},
    )


def train_control(
    config: Config, levels: tuple[str, str, str, str], hidden: tuple[int, ...], folder: Path | None
) -> xr.Dataset:
    """Train networks of these hidden layers until all have stopped, recorded after every epoch.

    They are trained for a part of the epochs at first, and for all if one of them has not stopped by
    then: the same networks, in less time.
    """
    part, num_epochs = max(config.num_epochs // FIRST_PART, 1), config.num_epochs
    for last in sorted({part, num_epochs}):
        shorter = dataclasses.replace(config, epochs=last)
        control = train_control_until(shorter, levels, hidden, folder and folder / f"controls_{last}")
        if (control.stop < last).all():
            break
    return control


def train_control_until(
    config: Config, levels: tuple[str, str, str, str], hidden: tuple[int, ...], folder: Path | None
) -> xr.Dataset:
    """Train networks of these hidden layers, recorded after every epoch without their planes."""

    def record(_: object, training: TrainConfig) -> StoppingRecord:
        return StoppingRecord(make_model(training), training.validation_fraction)

    trained = train(
        config,
        arms_of(config, levels, hidden, record),
        factors=(*FACTORS, "rule"),
        source=SOURCE,
        schedule=np.arange(config.num_epochs + 1),
        folder=folder,
    )
    control = trained.isel(dict.fromkeys((*FACTORS, "rule"), 0), drop=True)
    num_layers = trained.num_layers.item()
    stops = stopping_epochs(control.validation_loss, stopping_rule(config))
    return control.assign(stop=stops).assign_coords(num_layers=num_layers)


def arms_of(
    config: Config, levels: tuple[str, ...], hidden: tuple[int, ...], record_of: Callable[..., Record]
) -> dict[tuple[str, ...], Arm]:
    """Return networks of these hidden layers as the only arm: dataset, activation, step and others."""
    name, activation, *others = levels
    config = dataclasses.replace(config, datasets=(name,))
    options = {"activation": activation, "hidden": hidden, "smoke_hidden": hidden}
    return dataset_arms(
        config,
        lambda task: {(activation, *others): revisiting_training(config, task, **options)},
        record_of,
    )


def stopping_rule(config: Config) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Return the rule that all networks stop by, for ``stopping_epochs``."""
    return functools.partial(early_stopping, patience=config.patience)


def without_values(arm: xr.Dataset) -> xr.Dataset:
    """Return NaN in the shape of an arm, for a step that its activation does not need."""
    empty = xr.full_like(arm, np.nan, dtype=float).drop_attrs(deep=False)
    return empty.assign({name: xr.full_like(arm[name], value) for name, value in NO_VALUE.items()})


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
        figures[f"removals_{name}.png"] = plot_removals(
            **removals_of(arms, name, results.threshold),
            title=f"{name}, step 0 without layers, no dead layer: mean with 95% interval\n{seeds}",
        )
    return figures, [
        steps_table(arms, results.threshold),
        controls_table(arms),
        trained_table(arms),
        ends_table(arms),
        thresholds_table(arms),
        distances_table(arms),
    ]
