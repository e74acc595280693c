"""Controls: what any claim of compression must survive.

Claim: none of a paper; a test of them all. Shwartz-Ziv & Tishby (2017) read compression as learning
what to forget. If it is, it must be there in the trained network and not in its controls: a network
trained on random labels, which can only memorise; one that was never trained, with the trained one's
weight norms (Saxe et al. 2018: compression is saturation, which needs large weights and no learning);
and the trained network's activations shuffled over the samples (is I(X;T) about the input at all?).

Command:  python -m experiments.controls
Time:     20 to 30 minutes on 2 cores, 1.7 GB
Expect:   tanh in bins: layer 3 loses 1.5 bits in every control; layer 5 4.6 bits in trained networks,
          1.2 with random labels, 0.3 (-0.1 to 0.8) rescaled. relu: no hidden layer compresses in any.

50 networks 12-10-7-5-4-3-2 per activation, tanh and relu, on the 12-bit symmetric task and, anew, on
its labels permuted at random; plain SGD (rate 0.1, batches of 256), 8000 epochs; I(X;T) and I(T;Y) on
all 4096 inputs in bins of 0.07, and the upper kernel bound with noise of variance 0.001, at 17 epochs.

Dims: activation, control, estimator, seed, epoch, layer. "epoch" of "rescaled" is that of the trained
network whose norms it has; losses and accuracies are those of each control.
"""

import dataclasses
import functools
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import (
    Arm,
    LabConfig,
    Scale,
    Table,
    main,
    scale_of,
    symmetric,
    table_of,
    train,
)
from ibjax.analysis.compression import NEGLIGIBLE_BITS, compression_summary
from ibjax.analysis.controls import ControlsRecord, draw_controls
from ibjax.analysis.intervals import mean_interval
from ibjax.analysis.records import PlanesRecord
from ibjax.datasets import permute_labels
from ibjax.plots import plot_compression_table, plot_information_plane
from ibjax.presets import SAXE_BIN_WIDTH, SAXE_ESTIMATORS, SAXE_NOISE_VARIANCE, preset
from ibjax.training import TrainConfig, make_model

ACTIVATIONS = ("tanh", "relu")
FULL, SMOKE = Scale(epochs=8000, num_recorded=17), Scale(epochs=8, widths=(4, 2), every=8)


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Controls: what any claim of compression must survive."""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train the networks and measure them and their controls; checkpoints go to ``folder`` if given."""
    scale = scale_of(config, FULL, SMOKE)
    task = symmetric(scale.every, labels='hard labels; for "random labels" permuted')
    permuted = task._replace(draw_labels=functools.partial(permute_labels, y=task.data.y))
    controlled, relabelled = {}, {}
    for activation in ACTIVATIONS:
        training = TrainConfig(activation=activation, **preset("paper").training, **scale.training)
        model = make_model(training)
        drawing = task._replace(data=draw_controls(model, task.data))
        controlled[(activation,)] = Arm(training, drawing, ControlsRecord(model, SAXE_ESTIMATORS))
        planes = PlanesRecord(model, SAXE_ESTIMATORS)
        relabelled[activation, "random labels"] = Arm(training, permuted, planes)
    shared = {
        "source": "Controls for the claims of Shwartz-Ziv & Tishby (2017) and Saxe et al. (2018)",
        "schedule": scale.recorded,
        "folder": folder,
        "bin_width": SAXE_BIN_WIDTH,
        "noise_variance": SAXE_NOISE_VARIANCE,
    }
    parts = [
        train(config, controlled, factors=("activation",), **shared),  # its record has the controls
        train(config, relabelled, factors=("activation", "control"), **shared),
    ]
    # Their training differs in the labels alone, so the first part's attributes describe both.
    return xr.concat(parts, "control", data_vars="minimal", combine_attrs="override")


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw the planes in bins; tabulate each layer's compression in each control, and what survives."""
    summary = compression_summary(results)
    seeds = f"{results.sizes['seed']} seeds"
    binned = results.sel(estimator="binned")
    figures = {
        "compression_of_controls.png": plot_compression_table(
            summary,
            rows=["activation", "control"],
            column="estimator",
            title=f"Compression of I(X;T), bits, mean over {seeds}",
        ),
        "information_plane.png": plot_information_plane(
            binned, row="activation", column="control", title=f"bins of {results.bin_width}, {seeds}"
        ),
    }
    verdicts = [verdict(results, summary, activation) for activation in ACTIVATIONS]
    return figures, [table_of("compression", summary, verdicts)]


def verdict(results: xr.Dataset, summary: xr.Dataset, activation: str) -> str:
    """Compare the hidden layer that compresses most in bins in trained networks with its controls."""
    hidden = summary.sel(activation=activation, estimator="binned").isel(layer=slice(0, -1))
    layer = int(hidden.compression.sel(control="trained").idxmax("layer"))
    layer_summary = hidden.sel(layer=layer)
    amounts, compresses = {}, {}
    for name in layer_summary.control.values:
        row = {k: float(v) for k, v in layer_summary.sel(control=name).items()}
        low, high = row["compression_low"], row["compression_high"]
        amounts[name] = f"{row['compression']:.2f} bits ({low:.2f} to {high:.2f})"
        compresses[name] = low > NEGLIGIBLE_BITS
    last = results.sel(activation=activation, estimator="binned").isel(epoch=-1)
    random, shuffled = last.sel(control="random labels"), last.sel(control="shuffled")
    accuracy = float(mean_interval(random.train_accuracy.values).estimate)
    label = float(mean_interval(shuffled.ity.sel(layer=layer).values).estimate)
    without_task = [name for name in ("rescaled", "random labels") if compresses[name]]
    if not compresses["trained"]:
        conclusion = "No hidden layer of the trained networks compresses in bins."
    elif without_task:
        conclusion = f"It compresses without learning the task, too: {' and '.join(without_task)}."
    else:
        conclusion = "Neither control compresses: what the trained networks lose goes with the task."
    return (
        f"{activation}, layer {layer} in bins: trained {amounts['trained']}; rescaled "
        f"{amounts['rescaled']}; random labels {amounts['random labels']}, training accuracy "
        f"{accuracy:.0%}. {conclusion} Shuffled over the samples its I(X;T) is the same, for no "
        f"estimator of it looks at the input; its I(T;Y) is {label:.2f} bits, all of it bias."
    )


if __name__ == "__main__":
    main("controls", Config, run, report)
