"""What do layers lose exactly, without bins? ReLU against leaky ReLU and tanh.

Claim: "Revisiting the Information Plane" (2019), discussion: a network's layers are invertible but for
ReLU, which maps all that is negative to one number, a bin of its own; leaky ReLU and tanh lose nothing,
and what the plane shows of them is due to bins.

Command:  python -m experiments.invertibility
Time:     3 minutes on 2 cores
Expect:   hidden leaky ReLU layers lose nothing; ReLU layers up to 1.9 bits (layer 5; 1.8 before
          training). 26 of 50 ReLU networks lose any, and of what one loses 86% is where a whole layer
          is 0. Saturated tanh units lose 1.0 bit in layer 5. Bins show up to 7.8 bits more.

50 networks 12-10-7-5-4-3-2 each of ReLU, leaky ReLU (slope 0.01) and tanh, preset "revisiting": Adam
(``--optimizer sgd`` for plain SGD), batches of 256, 8000 epochs. On the training samples: H(X) - I(X;T)
of the float32 states themselves and in bins of 0.07; the share of samples on which a whole layer is
exactly 0, of activations that are, and units that are 0 on every sample. A layer of float32 numbers can
lose information without a flat part, too: where rounding merges states, as in saturated tanh units.

Dims: dataset, activation, estimator, seed, epoch, layer; ``zero_state``, ``zero_activations``,
``dead_units`` without estimator.
"""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.invertibility.analysis import lost_in_one_state, zeros_record
from experiments.invertibility.figures import plot_invertibility
from experiments.lab import (
    BIN_WIDTH,
    RevisitingConfig,
    Table,
    activation_arms,
    interval_columns,
    interval_text,
    revisiting_attributes,
    seeds_table,
    train_tasks,
)
from ibjax.analysis.intervals import mean_interval
from ibjax.analysis.records import joint_record, planes_record, select_estimator
from ibjax.mi import exact_mi
from ibjax.presets import revisiting_estimators
from ibjax.results import history_to_dataset, stack_arms
from ibjax.training import TrainConfig, make_model
from ibjax.types import Record

ACTIVATIONS = ("relu", "leaky_relu", "tanh")
ESTIMATORS = ("exact", f"bins of {BIN_WIDTH}")

# A layer that loses less keeps its input: rounding of entropies.
KEPT_BITS = 1e-3

ZEROS = {
    "zero_state": (("layer",), "1", "share of samples with all units at 0"),
    "zero_activations": (("layer",), "1", "share of activations at 0"),
    "dead_units": (("layer",), "1", "units at 0 on every sample"),
}


@dataclasses.dataclass(frozen=True)
class Config(RevisitingConfig):
    """What do layers lose exactly, without bins?"""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure all arms; checkpoints go to ``folder`` if given."""
    trained = train_tasks(
        config,
        activation_arms(config, ACTIVATIONS),
        lambda _, training: planes_and_zeros(training),
        folder=folder,
    )
    arms = {}
    for (key, one), (i, name) in itertools.product(trained.items(), enumerate(ESTIMATORS)):
        own = select_estimator(one.history, i)
        arms[*key, name] = history_to_dataset(own, one.training.as_dict(), variables=ZEROS)
    results = stack_arms(arms, ("dataset", "activation", "estimator"))
    for name in ZEROS:  # the same by all estimators
        results[name] = results[name].isel(estimator=0, drop=True)
    source = "Revisiting the Information Plane (2019), discussion"
    return results.assign_attrs(
        revisiting_attributes(config, "invertibility", trained, source),
        estimator="exact_mi; revisiting_binned_mi(bin_width=0.07)",
        binning=f"float32 states; bins of {BIN_WIDTH}, edges by activation",
    )


def planes_and_zeros(training: TrainConfig) -> Record:
    """Exact states, bins, and exact zeros."""
    model = make_model(training)
    binned = revisiting_estimators(training.activations, BIN_WIDTH)
    return joint_record(planes_record(model, [exact_mi, binned], rows="train"), zeros_record(model))


def losses(results: xr.Dataset) -> xr.Dataset:
    """H(X) - I(X;T) by both estimators and what the state of zeros costs of it, bits."""
    parts = []
    for name in results.dataset.values:
        own, count = results.sel(dataset=name), results.attrs[f"num_samples_{name}"]
        zero = xr.apply_ufunc(lambda share, n=count: lost_in_one_state(share, n), own.zero_state)
        parts.append(xr.Dataset({"lost": np.log2(count) - own.ixt, "lost_in_zero": zero}))
    return xr.concat(parts, results.dataset)


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Figures of what is lost over training, the tables and what follows."""
    lost = losses(results)
    seeds = f"{results.sizes['seed']} seeds, {results.optimizer}"
    figures = {
        f"lost_{name}.png": plot_invertibility(
            xr.merge([lost, results[["zero_state"]]]).sel(dataset=name),
            title=f"{name}, {seeds}: mean with 95% band; dashed: in bins of {BIN_WIDTH}",
        )
        for name in results.dataset.values
    }
    return figures, [lost_table(results, lost), seeds_table(results.sel(estimator="exact"))]


def lost_table(results: xr.Dataset, lost: xr.Dataset) -> Table:
    """Per activation and layer, after training: what is lost exactly, in bins and in the zero state."""
    header = ["dataset", "activation", "layer"]
    for name in ("lost_exactly", "lost_in_zero", "lost_in_bins"):
        header += interval_columns(name)
    header += list(ZEROS)
    ends, zeros = lost.isel(epoch=-1), results[list(ZEROS)].isel(epoch=-1).mean("seed")
    rows = []
    for arm in itertools.product(*(results[name].values for name in header[:3])):
        where = dict(zip(header[:3], arm, strict=True))
        own = ends.sel(where)
        exact, binned = (own.lost.sel(estimator=name).values for name in ESTIMATORS)
        numbers = [x for v in (exact, own.lost_in_zero.values, binned) for x in mean_interval(v)[:3]]
        rows.append([*arm, *map(float, numbers), *(zeros[name].sel(where).item() for name in ZEROS)])
    arms = itertools.product(results.dataset.values, results.activation.values)
    sentences = [verdict(ends, *arm) for arm in arms]
    note = (
        "after training, bits of H(X) = log2 of the training samples; lost_in_zero: of lost_exactly, by "
        "the samples on which the whole layer is 0; dead_units: units at 0 on every sample, mean"
    )
    return Table("lost", header, rows, [note, *sentences])


def verdict(ends: xr.Dataset, dataset: str, activation: str) -> str:
    """Which layers lose what exactly, how much of it in the zero state, and beside ReLU."""
    own = ends.sel(dataset=dataset, activation=activation).transpose(..., "seed", "layer")
    exact = own.lost.sel(estimator="exact")
    found = []
    for i, layer in enumerate(exact.layer.values):
        amount = mean_interval(exact.values[:, i])
        if amount.low > KEPT_BITS:
            found.append(f"{layer} by {interval_text(amount)}")
    hidden = exact.isel(layer=slice(0, -1)).sum("layer").values
    zero = own.lost_in_zero.isel(layer=slice(0, -1)).sum("layer").values
    with np.errstate(invalid="ignore", divide="ignore"):
        part = mean_interval(np.where(hidden > KEPT_BITS, zero / hidden, np.nan))
    text = f"{dataset}, {activation}: layers that lose bits exactly: {', '.join(found) or 'none'}. "
    if part.num_seeds > 1:
        text += (
            f"Of what hidden layers lose a share of {interval_text(part)} is in their state of zeros "
            f"({int(part.num_seeds)} networks that lose any). "
        )
    binned = own.lost.sel(estimator=ESTIMATORS[1]) - exact
    largest = binned.mean("seed").isel(layer=slice(0, -1))
    layer = largest.layer.values[largest.values.argmax()]
    more = mean_interval(binned.sel(layer=layer).values)
    return text + f"Bins show up to {interval_text(more)} bits more of loss, in hidden layer {layer}."
