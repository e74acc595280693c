"""Are the weights of trained networks random?

Claim: Shwartz-Ziv & Tishby (2017), section 3.4: in the diffusion phase the weights become effectively
random; different networks reach the same performance with weights that are nearly uncorrelated, and so
are the weight vectors of a layer's units, so that single weights and units mean little.

Command:  python -m experiments.weight_correlations
Time:     about 10 minutes of CPU time, which 2 cores share
Expect:   networks' weights as they are do not correlate, which is so of any; matched, tanh networks'
          do, most in the output, 0.86. Units of tanh layers 3 to 5 come to point along the same lines
          (by 0.15 to 0.38 more than random ones), those of layer 1 apart. relu: nearer to random.

50 networks 12-10-7-5-4-3-2, tanh and relu, on the 12-bit symmetric task; plain SGD (rate 0.1, batches
of 256), 8000 epochs; kernels at 13 epochs, from the untrained network on. Within a network: |cos| of the
weight vectors of different units of a layer, against the exact mean of Gaussian vectors. Between
networks: the correlation of corresponding weights for all pairs of networks, as they are and after
matching their hidden units layer by layer (and, for tanh, their signs). Even weights with nothing in
common correlate once matched, by more or less depending on the angles between a layer's units. The null
therefore keeps each kernel's Gram matrix, all lengths and angles of a layer's units: every kernel of
every network is rotated at random in the space of its inputs, and the networks are matched again, 99
times. Excess: what is measured less what random weights have, with 95% intervals: of the mean over
networks within, by the jackknife over networks between them, since a network's pairs are not
independent. Not matched: the task's own symmetry, 120 permutations of the inputs that keep all labels,
so that even equal solutions may look unlike in layer 1.

Dims: activation, seed, epoch, layer; between networks activation, seed, other, epoch, layer.
"""

import dataclasses
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import Arm, LabConfig, Scale, Table, scale_of, table_of, train
from experiments.weight_correlations.analysis import (
    KernelsRecord,
    correlation_summary,
    excess,
    with_correlations,
)
from experiments.weight_correlations.figures import plot_weight_correlations
from ibjax.analysis.compression import dead_seeds
from ibjax.analysis.intervals import mean_interval
from ibjax.analysis.records import JointRecord, PlaneRecord
from ibjax.presets import preset
from ibjax.training import TrainConfig, log_spaced_epochs, make_model

ACTIVATIONS = ("tanh", "relu")
FULL, SMOKE = Scale(epochs=8000), Scale(epochs=8, widths=(4, 3, 2))
NUM_RECORDED = 13

# A correlation that exceeds random weights' by less is called small, whether it is 0 or not.
SMALL = 0.1


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Are the weights of trained networks random?"""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train the networks and correlate their weights; checkpoints go to ``folder`` if given."""
    convention, scale = preset("paper"), scale_of(config, FULL, SMOKE)
    arms = {}
    for activation in ACTIVATIONS:
        training = TrainConfig(activation=activation, **convention.training, **scale.training)
        model = make_model(training)
        record = JointRecord([PlaneRecord(model, convention.estimator), KernelsRecord(model)])
        arms[(activation,)] = Arm(training, scale.task, record)
    results = train(
        config,
        arms,
        factors=("activation",),
        source="Shwartz-Ziv & Tishby (2017), section 3.4",
        schedule=log_spaced_epochs(scale.epochs, NUM_RECORDED),
        folder=folder,
        derive=with_correlations,
        binning=convention.binning,
        correlations="kernels without biases, cosines; within: random ones of Gaussian weights; between "
        "networks: of kernels rotated at random, which keeps their Gram matrices",
    )
    return results.transpose("activation", "seed", "other", "epoch", "layer")


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw the correlations over training; tabulate their excess over random ones, and what follows."""
    summary = correlation_summary(results)
    title = f"Weights of {results.sizes['seed']} networks, 95% bands; dashed: random directions"
    figures = {"weight_correlations.png": plot_weight_correlations(summary, title=title)}
    end = excess(summary).isel(epoch=[0, -1])
    verdicts = [verdict(results, end, activation) for activation in results.activation.values]
    dead = sum(int(dead_seeds(results.sel(activation=name)).sum()) for name in results.activation.values)
    note = (
        f"Networks that diverged, left out: {int(results.diverged.sum())}. With a hidden layer "
        f"constant at the end, kept: {dead}."
    )
    return figures, [table_of("weight_correlations", end, [*verdicts, note])]


def verdict(results: xr.Dataset, end: xr.Dataset, activation: str) -> str:
    """Say of each layer whether its final weights are as correlated as random ones, and accuracy."""
    arm, trained = results.sel(activation=activation), end.sel(activation=activation).isel(epoch=-1)
    accuracy = mean_interval(arm.test_accuracy.isel(epoch=-1).values)
    holds = [str(layer) for layer in trained.layer.values if is_random(trained.sel(layer=layer))]
    text = (
        f"{activation}: test accuracy {float(accuracy.estimate):.3f} ({float(accuracy.low):.3f} to "
        f"{float(accuracy.high):.3f}). "
    )
    for name, what in (("within", "Units of a layer"), ("matched", "Networks, units matched")):
        kinds = {"as random": [], "hardly more than random": [], "more than random": [], "less": []}
        for layer in trained.layer.values:
            at_layer, excess_name = trained.sel(layer=layer), f"{name}_excess"
            mean, low, high = (float(at_layer[excess_name + x]) for x in ("", "_low", "_high"))
            entry = f"{layer} ({mean:+.2f}, {low:+.2f} to {high:+.2f})"
            if name == "matched":
                entry = f"{entry[:-1]}, p = {float(at_layer.p_value):.2f})"
            kinds[kind(low, high)].append(entry)
        listed = [f"{k}: layers {', '.join(v)}" for k, v in kinds.items() if v]
        text += f"{what} are correlated {'; '.join(listed)}. "
    largest = float(np.nanmax(np.abs(trained.unmatched)))
    return (
        f"{text}Without matching, networks' weights correlate by {largest:.2f} at most, in any layer; "
        "that alone shows no randomness, since a network's units come in no particular order. "
        "Effectively random, within networks and between them: "
        f"{'layers ' + ', '.join(holds) if holds else 'no layer'}."
    )


def is_random(layer: xr.Dataset) -> bool:
    """Tell whether a layer is within ``SMALL`` of random weights, within and between networks."""
    limits = [layer[f"{k}_excess_{end}"] for k in ("within", "matched") for end in ("low", "high")]
    return all(abs(float(limit)) < SMALL for limit in limits)


def kind(low: float, high: float) -> str:
    """Name what an excess with this interval is; ``hardly more`` is less than ``SMALL``."""
    if low <= 0 <= high:
        return "as random"
    if high < 0:
        return "less"
    return "hardly more than random" if high < SMALL else "more than random"
