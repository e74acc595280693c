"""Tables of pruning: steps, other layers, trained networks without layers, thresholds, distances."""

import numpy as np
import xarray as xr

from experiments.lab import Table, interval_cells, interval_text, table_of_rows
from experiments.pruning.analysis import (
    FACTORS,
    Arms,
    accuracy_of_all,
    alive,
    control_accuracies,
    hidden_distances,
    hidden_widths,
    known_choices,
    mean_distances,
    removable,
    stop_accuracy,
)
from experiments.pruning.choices import Layers, farthest_layers, remaining
from ibjax.analysis.intervals import mean_interval, median_interval, simultaneous_level

__all__ = [
    "PAPER",
    "THRESHOLDS",
    "controls_table",
    "distances_table",
    "ends_table",
    "steps_table",
    "thresholds_table",
    "trained_table",
]

PAPER = {"tanh": (0.8768, 0.8780, 0.8732, 0.8805), "relu": (0.8780, 0.8646, 0.8805)}

# Other thresholds to compare with, bits.
THRESHOLDS = (0.25, 0.5, 1.0, 2.0)

# Columns of tables that may have no row, before the numbers and among them.
CONTROLS_COLUMNS = (
    *(*FACTORS, "rule", "removed", "left", "dead"),
    *(
        f"{name}{end}"
        for name in ("stop", "accuracy", "of_all", "criterion", "better", "better_of_all")
        for end in ("", "_low", "_high")
    ),
)
TRAINED_COLUMNS = (
    *(*FACTORS, "rule", "removed"),
    *(
        f"{name}{end}"
        for name in ("before", "after", "change", "better", "before_of_all", "after_of_all")
        for end in ("", "_low", "_high")
    ),
    *("above", "choices"),
)


def steps_table(arms: Arms, threshold: float) -> Table:
    """Tabulate by step layers, dead and diverged networks, accuracy at the stop, and the paper's."""
    rows, accuracies, all_accuracies = [], {}, {}
    for (name, activation, step), arm in arms.items():
        stops, accuracy, of_all = arm.stop.values >= 0, stop_accuracy(arm), accuracy_of_all(arm)
        steps = accuracies.setdefault((name, activation), [])
        of_all_steps = all_accuracies.setdefault((name, activation), [])
        change, change_of_all = (
            now - (before[-1] if before else now)
            for now, before in ((accuracy, steps), (of_all, of_all_steps))
        )
        steps.append(accuracy)
        of_all_steps.append(of_all)
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
                **interval_cells("of_all", mean_interval(of_all)),
                **interval_cells("change", mean_interval(change)),
                **interval_cells("change_of_all", mean_interval(change_of_all)),
                "paper": paper[0] if paper else "",
            }
        )
    note = (
        "stop: median epoch; accuracy: of test samples at the stop, mean over networks with no dead "
        "layer; of_all: over all that did not diverge, dead ones too; change: within seeds, from the "
        "step before; paper: of its one network"
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


def controls_table(arms: Arms) -> Table:
    """Tabulate networks trained anew without other layers than the criterion's."""
    rows, differences = [], {}
    for levels, arm in arms.items():
        pruned = arms.get((*levels[:2], str(int(levels[2]) + 1)))
        if pruned is None:
            continue
        criterion, criterion_of_all = stop_accuracy(pruned), accuracy_of_all(pruned)
        for rule, accuracy in control_accuracies(arm).items():
            control = arm.sel(rule=rule)
            removed = _layers(control.control_removes)
            stops, of_all = control.control_stop.values >= 0, control.control_accuracy.values
            differences.setdefault(levels, []).append(criterion - accuracy)
            rows.append(
                {
                    **dict(zip(FACTORS, levels, strict=True)),
                    "rule": rule,
                    "removed": " ".join(map(str, removed)),
                    "left": "-".join(map(str, remaining(hidden_widths(arm), removed))),
                    "dead": int(control.control_dead.sum()),
                    **interval_cells("stop", median_interval(control.control_stop.values[stops])),
                    **interval_cells("accuracy", mean_interval(accuracy)),
                    **interval_cells("of_all", mean_interval(of_all)),
                    **interval_cells("criterion", mean_interval(criterion)),
                    **interval_cells("better", mean_interval(criterion - accuracy)),
                    **interval_cells("better_of_all", mean_interval(criterion_of_all - of_all)),
                }
            )
    note = (
        "trained anew without as many layers as the criterion removes from the step, but others, and "
        "stopped alike; accuracy, criterion: over networks with no dead layer; of_all: dead ones too; "
        "better: by how much networks do better without the criterion's layers, within seeds"
    )
    level = simultaneous_level(max(len(rows), 1))
    verdicts = [
        f"{', '.join(levels[:2])}, step {levels[2]}: {controls_verdict(values, level)}"
        for levels, values in differences.items()
    ]
    return table_of_rows("controls", rows, [note, *verdicts], columns=CONTROLS_COLUMNS)


def controls_verdict(differences: list[np.ndarray], level: float) -> str:
    """Say how often the criterion's choice is better and worse than others, by intervals of a level."""
    intervals = [mean_interval(values, level=level) for values in differences]
    better, worse = sum(i.low > 0 for i in intervals), sum(i.high < 0 for i in intervals)
    return (
        "trained anew, networks do better without the criterion's layers than without others in "
        f"{better} of {len(intervals)} choices, worse in {worse}, by intervals that hold for all rows "
        "at once."
    )


def trained_table(arms: Arms) -> Table:
    """Tabulate what trained networks lose without layers, by rule, when they are not trained anew."""
    rows, verdicts = [], []
    for levels, arm in arms.items():
        choices = {_layers(mask): i for i, mask in enumerate(known_choices(arm).choice_removes)}
        criterion = next(iter(choices))
        if not criterion:
            continue
        living = alive(arm)
        whole = arm.end_accuracy.sel(num_removed=0).values
        of_choices = known_choices(arm).bridged_accuracy.transpose("choice", "seed").values
        means = mean_interval(np.where(living, of_choices, np.nan), axis=1).estimate
        farthest = farthest_layers(mean_distances(arm), len(criterion))
        ways = {"criterion": [0], "farthest": [choices[farthest]], "others": [*range(1, len(choices))]}
        for rule, chosen in ways.items():
            if not chosen or (rule == "farthest" and chosen == [0]):
                continue
            of_all = of_choices[chosen].mean(axis=0)
            after, before = (np.where(living, values, np.nan) for values in (of_all, whole))
            better = np.where(living, of_choices[0], np.nan) - after
            one = len(chosen) == 1 and rule != "others"
            rows.append(
                {
                    **dict(zip(FACTORS, levels, strict=True)),
                    "rule": rule,
                    "removed": " ".join(map(str, [*choices][chosen[0]])) if one else "",
                    **interval_cells("before", mean_interval(before)),
                    **interval_cells("after", mean_interval(after)),
                    **interval_cells("change", mean_interval(after - before)),
                    **interval_cells("better", mean_interval(better)),
                    **interval_cells("before_of_all", mean_interval(whole)),
                    **interval_cells("after_of_all", mean_interval(of_all)),
                    "above": int((means > means[chosen[0]]).sum()) if one else "",
                    "choices": len(choices),
                }
            )
        lost = mean_interval(np.where(living, of_choices[0] - whole, np.nan))
        verdicts.append(
            f"{', '.join(levels[:2])}, step {levels[2]}: without the last {len(criterion)} layers, not "
            f"trained anew, accuracy changes by {interval_text(lost, 4)}; {(means > means[0]).sum()} of "
            f"the {len(choices) - 1} other choices of as many layers have a higher mean."
        )
    note = (
        "trained networks at the stop, gaps bridged by least squares on the training samples; others: "
        "mean over all other choices of as many layers; before, after, change: over networks with no "
        "dead layer; of_all: dead ones too; better: by how much the criterion's choice does better, "
        "within seeds; above: choices with a higher mean"
    )
    return table_of_rows("trained", rows, [note, *verdicts], columns=TRAINED_COLUMNS)


def ends_table(arms: Arms) -> Table:
    """Tabulate what trained networks lose without their last layers, and thresholds that remove them."""
    rows = []
    for levels, arm in arms.items():
        distances, living = mean_distances(arm), alive(arm)
        curve = arm.end_accuracy.transpose("num_removed", "seed").values
        curve = curve[: len(hidden_widths(arm))]
        for count, of_all in enumerate(curve):
            accuracy = np.where(living, of_all, np.nan)
            change = np.where(living, of_all - curve[0], np.nan)
            rows.append(
                {
                    **dict(zip(FACTORS, levels, strict=True)),
                    "removed": count,
                    "above": float(distances[len(distances) - count :].max(initial=0.0)),
                    **interval_cells("accuracy", mean_interval(accuracy)),
                    **interval_cells("change", mean_interval(change)),
                    **interval_cells("of_all", mean_interval(of_all)),
                }
            )
    note = (
        "trained networks at the stop without as many of their last layers, not trained anew, bridged "
        "by least squares; above: thresholds above this, bits, remove these layers; accuracy, change: "
        "over networks with no dead layer; of_all: dead ones too"
    )
    return table_of_rows("ends", rows, [note])


def _layers(mask: xr.DataArray) -> Layers:
    """Return the numbers of the layers that a mask over ``layer`` removes."""
    return tuple(mask.layer.values[mask.values == 1].tolist())


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
