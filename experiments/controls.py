"""Controls: what any claim of compression must survive.

Claim: none of a paper; a test of them all. Shwartz-Ziv & Tishby (2017) read compression as learning
what to forget. If it is, it must be there in the trained network and not in its controls: a network
trained on random labels, which can only memorise; ones that were never trained, with the trained one's
weight norms (Saxe et al. 2018: compression is saturation, which needs large weights and no learning),
its singular values, or its weights permuted; and the trained network's activations shuffled over the
samples (is I(X;T) about the input at all?).

Command:  python -m experiments.controls
Time:     8 to 13 minutes on 2 cores
Expect:   tanh: layer 3 loses 1.4 to 1.9 bits in trained networks and in all controls on the same data;
          layer 5 loses 4.6 bits in trained networks, 1.4 rotated, 1.2 with random labels, and nothing
          clearly rescaled or permuted. With random labels of 5% of the words, which most memorise,
          layer 5 loses 2.0 bits, with true ones 3.5. relu: no hidden layer compresses.

50 networks 12-10-7-5-4-3-2 per activation, tanh and relu, on the 12-bit symmetric task and on its labels
permuted at random; plain SGD (rate 0.1, batches of 256), 8000 epochs; I(X;T) and I(T;Y) on all 4096
inputs in bins of 0.07. Networks of 263 weights and biases did not memorise the random labels of 3277
samples in short tries either, six networks each, at a rate of 0.5 and with Adam at 0.003 and 0.01. They
can memorise 205, so networks are also trained on 5% of the words, with true and with random labels, in
batches of 16, which make 13 updates an epoch as well. Differences between a control and its reference
are taken within seeds, at the end of training; and for random labels also where both first reach the
lowest training loss that both reach.

Dims: activation, control, seed, epoch, layer. "epoch" of "rescaled", "rotated" and "permuted" is that of
the trained network that they are made of; losses and accuracies are those of each control.
"""

import dataclasses
import functools
import itertools
import json
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import (
    Arm,
    LabConfig,
    Scale,
    Table,
    compresses_note,
    interval_text,
    layer_rows,
    main,
    scale_of,
    seeds_table,
    symmetric,
    table_of,
    table_of_rows,
    train,
)
from ibjax.analysis.compression import NEGLIGIBLE_BITS, compression_summary, epochs_of_equal_loss
from ibjax.analysis.controls import ControlsRecord, draw_controls
from ibjax.analysis.intervals import Interval, mean_interval
from ibjax.analysis.records import PlanesRecord
from ibjax.datasets import permute_labels
from ibjax.plots import plot_compression_table, plot_information_plane
from ibjax.presets import preset
from ibjax.training import TrainConfig, make_model

ACTIVATIONS = ("tanh", "relu")
FULL, SMOKE = Scale(epochs=8000, num_recorded=110), Scale(epochs=8, widths=(4, 2), every=8)

# Training on few samples, with as many updates an epoch as on 80% in batches of 256.
FEW = {"train_fraction": 0.05, "batch_size": 16}
FEW_TRAINED, FEW_RANDOM = "5% of the data", "5%, random labels"

# Each control that can lose I(X;T), and what it is compared with.
REFERENCES = {
    "rescaled": "trained",
    "rotated": "trained",
    "permuted": "trained",
    "random labels": "trained",
    FEW_RANDOM: FEW_TRAINED,
}
RELABELLED = ("random labels", FEW_RANDOM)

# Panels of the two figures of planes: networks made of the trained ones, and networks trained otherwise.
PLANES = {
    "information_plane.png": ("trained", "rescaled", "rotated", "permuted"),
    "information_plane_labels.png": ("trained", "random labels", FEW_TRAINED, FEW_RANDOM),
}


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Controls: what any claim of compression must survive."""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train the networks and measure them and their controls; checkpoints go to ``folder`` if given."""
    scale, convention = scale_of(config, FULL, SMOKE), preset("paper")
    task = symmetric(scale.every, labels="hard labels; permuted for random labels")
    permuted = task._replace(draw_labels=functools.partial(permute_labels, y=task.data.y))
    estimators = {"binned": convention.estimator}
    controlled, others = {}, {}
    for activation in ACTIVATIONS:
        training = TrainConfig(activation=activation, **convention.training, **scale.training)
        few, model = dataclasses.replace(training, **FEW), make_model(training)
        drawing = task._replace(data=draw_controls(model, task.data))
        controlled[(activation,)] = Arm(training, drawing, ControlsRecord(model, estimators))
        planes = PlanesRecord(model, estimators)
        others[activation, "random labels"] = Arm(training, permuted, planes)
        others[activation, FEW_TRAINED] = Arm(few, task, planes)
        others[activation, FEW_RANDOM] = Arm(few, permuted, planes)
    shared = {
        "source": "Controls for the claims of Shwartz-Ziv & Tishby (2017) and Saxe et al. (2018)",
        "schedule": scale.recorded,
        "folder": folder,
        "binning": convention.binning,
    }
    parts = [
        train(config, controlled, factors=("activation",), **shared),  # its record has the controls
        train(config, others, factors=("activation", "control"), **shared),
    ]
    # Data and measurement are those of the first part; the arms are not.
    arms = json.dumps(functools.reduce(dict.__or__, (json.loads(part.arms) for part in parts)))
    joined = xr.concat(parts, "control", data_vars="minimal", combine_attrs="override")
    return joined.sel(estimator="binned", drop=True).assign_attrs(arms=arms)


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw the planes; tabulate each layer's compression, what controls keep, and what survives."""
    # I(X;T) of "shuffled" is that of "trained" by construction.
    shown = results.sel(control=[name for name in results.control.values if name != "shuffled"])
    summary = compression_summary(shown)
    seeds = f"{results.binning}, {results.sizes['seed']} seeds"
    figures = {
        "compression_of_controls.png": plot_compression_table(
            summary,
            rows=["control"],
            column="activation",
            title=f"Compression of I(X;T), bits, mean: {seeds}",
        )
    }
    for name, controls in PLANES.items():
        planes = shown.sel(control=list(controls))
        figures[name] = plot_information_plane(planes, row="activation", column="control", title=seeds)
    verdicts = [verdict(results, summary, activation) for activation in ACTIVATIONS]
    quality = ("train_loss", "train_accuracy", "test_accuracy")
    return figures, [
        table_of("compression", summary, [compresses_note(summary), *verdicts]),
        differences_table(results),
        seeds_table(results, quality),
    ]


def differences(results: xr.Dataset, activation: str, control: str) -> dict[str, Interval]:
    """Compute how much more I(X;T) a control has than its reference, paired by seed.

    Returns:
        Intervals of (layer,) arrays, bits: "at_end", at the last epoch; for networks trained on random
        labels also "at_equal_loss", where both first reach the lowest training loss that both reach.
    """
    pair = [
        results.sel(activation=activation, control=name).transpose("seed", "epoch", "layer")
        for name in (control, REFERENCES[control])
    ]
    ends = [arm.ixt.values[:, -1] for arm in pair]  # (seed, layer)
    intervals = {"at_end": mean_interval(ends[0] - ends[1])}
    if control in RELABELLED:
        reached = epochs_of_equal_loss(*(arm.train_loss for arm in pair))
        equal = [
            np.where(at[:, None] >= 0, arm.ixt.values[np.arange(len(at)), at], np.nan)
            for arm, at in zip(pair, reached, strict=True)
        ]
        intervals["at_equal_loss"] = mean_interval(equal[0] - equal[1])
    return intervals


def differences_table(results: xr.Dataset) -> Table:
    """Tabulate by activation, control and layer the differences to the reference; bits."""
    rows = []
    for activation, control in itertools.product(ACTIVATIONS, REFERENCES):
        intervals = differences(results, activation, control)
        unknown = np.full(results.sizes["layer"], np.nan)
        columns = {}
        for name in ("at_end", "at_equal_loss"):
            x = intervals.get(name, Interval(unknown, unknown, unknown, 0))
            columns |= {name: x.estimate, f"{name}_low": x.low, f"{name}_high": x.high}
        layers = xr.Dataset({k: ("layer", v) for k, v in columns.items()}, {"layer": results.layer})
        arm = {"activation": activation, "control": control, "reference": REFERENCES[control]}
        rows += layer_rows(layers, **arm)
    note = "I(X;T) of the control less that of its reference, bits: above 0, the control keeps more"
    return table_of_rows("differences", rows, [note])


def verdict(results: xr.Dataset, summary: xr.Dataset, activation: str) -> str:
    """Compare the hidden layer that compresses most in trained networks with its controls."""
    hidden = summary.sel(activation=activation).isel(layer=slice(0, -1))
    layer = int(hidden.compression.sel(control="trained").idxmax("layer"))
    amounts, compresses = {}, {}
    for name in hidden.control.values.tolist():
        cells = hidden.sel(layer=layer, control=name)
        limits = ("compression", "compression_low", "compression_high", "num_seeds")
        amounts[name] = interval_text(Interval(*(cells[limit].item() for limit in limits)))
        compresses[name] = bool(cells.compression_low > NEGLIGIBLE_BITS)
    kept = {
        name: Interval(*(x[layer - 1] for x in differences(results, activation, name)["at_end"]))
        for name in REFERENCES
    }
    last = results.sel(activation=activation).isel(epoch=-1)
    fit = last.train_accuracy.mean("seed")
    label = float(last.ity.sel(control="shuffled", layer=layer).mean())
    without_task = [name for name in REFERENCES if compresses[name]]
    if not compresses["trained"]:
        conclusion = "No hidden layer of the trained networks compresses."
    elif without_task:
        conclusion = f"It compresses without learning the task, too: {', '.join(without_task)}."
    else:
        conclusion = "No control compresses: what the trained networks lose goes with the task."
    compared = "; ".join(
        f"{name} {interval_text(x)} more than {REFERENCES[name]}" for name, x in kept.items()
    )
    accuracies = ", ".join(f"{name} {float(fit.sel(control=name)):.0%}" for name in RELABELLED)
    return (
        f"{activation}, layer {layer}, bits: compression of "
        f"{', '.join(f'{name} {amount}' for name, amount in amounts.items())}; I(X;T) kept at the end "
        f"by {compared}; training accuracy of {accuracies}. {conclusion} Shuffled over the samples its "
        "I(X;T) is the same, for no estimator of it looks at the input; its I(T;Y) is "
        f"{label:.2f} bits, all of it bias."
    )


if __name__ == "__main__":
    main("controls", Config, run, report)
