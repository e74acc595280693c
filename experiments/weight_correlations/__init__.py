"""Are the weights of trained networks random?

Claim: Shwartz-Ziv & Tishby (2017), section 3.4: in the diffusion phase the weights become effectively
random; different networks reach the same performance with weights that are nearly uncorrelated, and so
are the weight vectors of a layer's units, so that single weights and units mean little.

Command:  python -m experiments.weight_correlations
Time:     about 5 minutes of CPU time, which 2 cores share
Expect:   networks' weights as they are do not correlate, which is so of any; matched, tanh networks'
          do, most in the output, 0.87. Units of tanh layers 3 to 5 come to point along the same lines
          (by 0.15 to 0.38 more than random ones), those of layer 1 apart. relu: nearer to random.

50 networks 12-10-7-5-4-3-2, tanh and relu, on the 12-bit symmetric task; plain SGD (rate 0.1, batches
of 256), 8000 epochs; kernels at 13 epochs, from the untrained network on. Within a network: |cos| of the
weight vectors of different units of a layer, against the exact mean of Gaussian vectors. Between
networks: the correlation of corresponding weights for all pairs of networks, as they are and after
matching their hidden units layer by layer (and, for tanh, their signs), against 2000 pairs of networks
of Gaussian weights, matched as well. Excess: what is measured less what random weights have, with 95%
intervals: of the mean over networks within, by the jackknife over networks between them, since a
network's pairs are not independent. What is not matched: the task's own symmetry, 120 permutations of
the inputs that keep all labels, so that even equal solutions may look unlike in layer 1.

Dims: activation, seed, epoch, layer; between networks activation, seed, other, epoch, layer.
"""

import dataclasses
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import (
    LabConfig,
    Table,
    paper_training,
    plane_attributes,
    progress_bar,
    table_of,
)
from experiments.weight_correlations.figures import plot_weight_correlations
from ibjax.analysis.compression import dead_seeds
from ibjax.analysis.intervals import jackknife_interval, mean_interval
from ibjax.analysis.records import plane_record
from ibjax.analysis.weights import (
    expected_cosine,
    matched_correlations,
    random_correlations,
    within_cosines,
)
from ibjax.datasets import symmetric_task
from ibjax.presets import Preset, preset
from ibjax.results import history_to_dataset, stack_arms
from ibjax.training import TrainConfig, fit, log_spaced_epochs, make_model
from ibjax.types import History, Record

# Units of odd activations may be negated.
ACTIVATIONS = {"tanh": True, "relu": False}
FULL_EPOCHS, SMOKE_EPOCHS = 8000, 8
NUM_RECORDED, NUM_RANDOM = 13, 2000

SMOKE_WIDTHS = (4, 3, 2)

# A correlation that exceeds random weights' by less is called small, whether it is 0 or not.
SMALL = 0.1


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Are the weights of trained networks random?"""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train the networks and correlate their weights; checkpoints go to ``folder`` if given."""
    convention, data = preset("paper"), symmetric_task()
    arms = {}
    with progress_bar(len(ACTIVATIONS)) as on_advance_of:
        for activation, signs in ACTIVATIONS.items():
            training = paper_training(
                config,
                epochs=FULL_EPOCHS,
                smoke_epochs=SMOKE_EPOCHS,
                smoke_widths=SMOKE_WIDTHS,
                activation=activation,
            )
            history = fit(
                training,
                data,
                record=plane_and_kernels(training, convention),
                schedule=log_spaced_epochs(training.num_epochs, NUM_RECORDED),
                on_advance=on_advance_of(activation),
                **config.fit_options(folder, activation),
            )
            arms[(activation,)] = with_correlations(history, training, signs)
    source = "Shwartz-Ziv & Tishby (2017), section 3.4"
    return stack_arms(arms, ("activation",)).assign_attrs(
        plane_attributes(config, "weight_correlations", convention, source),
        correlations="kernels without biases, cosines; random ones of Gaussian weights",
    )


def plane_and_kernels(training: TrainConfig, convention: Preset) -> Record:
    """``plane_record`` and the layers' kernels as one record function."""
    plane = plane_record(make_model(training), convention.estimator)

    def record(params, data, split):
        layers = params["params"]
        kernels = [layers[f"layer_{i + 1}"]["kernel"] for i in range(len(layers))]
        return plane(params, data, split) | {"kernels": kernels}

    return record


def with_correlations(history: History, training: TrainConfig, signs: bool) -> xr.Dataset:
    """One arm's Dataset with its weights' correlations, and those of random weights."""
    kernels = history.records["kernels"]  # each (seed, epoch, fan_in, width)
    planes = {k: v for k, v in history.records.items() if k != "kernels"}
    arm = history_to_dataset(history._replace(records=planes), training.as_dict())
    within, signed = (np.stack(x, axis=-1) for x in zip(*map(within_cosines, kernels), strict=True))
    between = [
        matched_correlations([k[:, e] for k in kernels], signs=signs) for e in range(len(history.epochs))
    ]
    matched, unmatched = (np.stack(x, axis=2) for x in zip(*between, strict=True))
    shapes = [k.shape[2:] for k in kernels]
    null = random_correlations(shapes, num_pairs=NUM_RANDOM, signs=signs, seed=0)
    own, pair = ("seed", "epoch", "layer"), ("seed", "other", "epoch", "layer")
    columns = {
        "within": (own, within, "mean |cos| between units of a layer"),
        "within_signed": (own, signed, "mean cosine between units of a layer"),
        "matched": (pair, matched, "correlation with another network, units matched"),
        "unmatched": (pair, unmatched, "correlation with another network, as they are"),
        "within_null": (("layer",), [expected_cosine(n) for n, _ in shapes], "within, Gaussian weights"),
        "matched_null": (("layer",), null.mean(axis=0), "matched, Gaussian weights"),
    }
    data = {k: (dims, v, {"units": "1", "long_name": name}) for k, (dims, v, name) in columns.items()}
    return arm.assign(data).assign_coords(other=("other", history.seeds))


def correlation_summary(results: xr.Dataset) -> xr.Dataset:
    """Means over networks and pairs with their intervals, (activation, epoch, layer)."""
    found = {}
    rules = {"within": mean_interval, "matched": jackknife_interval, "unmatched": jackknife_interval}
    for name, rule in rules.items():
        values = results[name].transpose("seed", "other", ..., "epoch", "layer", missing_dims="ignore")
        dims = values.dims[-3:]
        interval = rule(values.values)
        found |= {name: (dims, interval.estimate)}
        found |= {f"{name}_low": (dims, interval.low), f"{name}_high": (dims, interval.high)}
    coords = {d: results[d].values for d in ("activation", "epoch", "layer")}
    nulls = {
        k: results[k].drop_vars("num_layers", errors="ignore") for k in ("within_null", "matched_null")
    }
    return xr.Dataset(found, coords).assign(nulls)


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """The correlations over training, their excess over random weights' at the end, what follows."""
    summary = correlation_summary(results)
    title = f"Weights of {results.sizes['seed']} networks, 95% bands; dashed: random weights"
    figures = {"weight_correlations.png": plot_weight_correlations(summary, title=title)}
    end = excess(summary).isel(epoch=[0, -1])
    found = [verdict(results, end, activation) for activation in results.activation.values]
    dead = sum(int(dead_seeds(results.sel(activation=name)).sum()) for name in results.activation.values)
    note = (
        f"Networks that diverged, left out: {int(results.diverged.sum())}. With a hidden layer of one "
        f"state at the end ({results.binning}), kept: {dead}."
    )
    return figures, [table_of("weight_correlations", end, [*found, note])]


def excess(summary: xr.Dataset) -> xr.Dataset:
    """Measured correlations with those of random weights, and how far they exceed them."""
    found = {}
    for name in ("within", "matched"):
        null = summary[f"{name}_null"].broadcast_like(summary[name])
        found |= {name: summary[name], f"{name}_random": null, f"{name}_excess": summary[name] - null}
        for end in ("low", "high"):
            found[f"{name}_excess_{end}"] = summary[f"{name}_{end}"] - null
    found |= {k: summary[k] for k in ("unmatched", "unmatched_low", "unmatched_high")}
    return xr.Dataset(found).transpose("activation", "epoch", "layer")


def verdict(results: xr.Dataset, end: xr.Dataset, activation: str) -> str:
    """For each layer whether its weights at the end are as correlated as random ones, and accuracy."""
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
            one = trained.sel(layer=layer)
            low, high = (float(one[f"{name}_excess_{limit}"]) for limit in ("low", "high"))
            entry = f"{layer} ({float(one[f'{name}_excess']):+.2f}, {low:+.2f} to {high:+.2f})"
            kinds[kind(low, high)].append(entry)
        listed = [f"{k}: layers {', '.join(v)}" for k, v in kinds.items() if v]
        text += f"{what} are correlated {'; '.join(listed)}. "
    largest = float(np.nanmax(np.abs(trained.unmatched)))
    return (
        f"{text}Without matching, networks' weights correlate by {largest:.2f} at most, in any layer; "
        "that alone shows no randomness, for units have no names. Effectively random, within networks "
        f"and between them: {'layers ' + ', '.join(holds) if holds else 'no layer'}."
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
