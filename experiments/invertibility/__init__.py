"""What do layers lose exactly, without bins? ReLU against leaky ReLU and tanh.

Claim: "Revisiting the Information Plane" (2019), discussion: a network's layers are invertible but for
ReLU, which maps all that is negative to one number, a bin of its own; leaky ReLU and tanh lose nothing,
and what the plane shows of them is due to bins.

Command:  python -m experiments.invertibility
Time:     3 minutes on 2 cores
Expect:   hidden leaky ReLU layers lose nothing; ReLU layers up to 1.9 bits (layer 5; 1.8 before
          training). 26 of 50 ReLU networks lose any, and of what one loses 86% is where a whole layer
          is 0. Saturated tanh units lose 1.0 bit in layer 5. Bins show up to 7.8 bits more.

50 networks 12-10-7-5-4-3-2 each of ReLU, leaky ReLU (slope 0.1) and tanh, preset "revisiting": Adam
(``--optimizer sgd`` for plain SGD), batches of 256, 8000 epochs; random splits, or the paper's one
(``--paper-split``). On the training samples: H(X) - I(X;T) of the float32 states themselves and in bins
of 0.07; the share of samples on which a whole layer is exactly 0, of activations that are, and units
that are 0 on every sample. A layer of float32 numbers can lose information without a flat part, too:
where rounding merges states, as in saturated tanh units. Whether that is for good depends on the
arithmetic: XLA's float32 tanh on CPUs is exactly 1 from 7.999 on, a correctly rounded one from 9.011,
and a float64 one from 19. So the trained networks are measured in three: XLA's float32, float32 whose
layers are computed in float64 by NumPy and rounded, and float64.

Dims: dataset, activation, estimator, seed, epoch, layer; ``zero_state``, ``zero_activations``,
``dead_units`` without estimator. ``shared_samples``, those whose hidden activations all equal another's,
and ``lost_finally``, H(X|T), after training: dataset, activation, arithmetic, seed, layer.
"""

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.invertibility.analysis import ZEROS, ZerosRecord, losses
from experiments.invertibility.arithmetic import ARITHMETICS, DOUBLE, ROUNDED, XLA, with_arithmetics
from experiments.invertibility.figures import plot_arithmetics, plot_invertibility
from experiments.lab import (
    Table,
    Task,
    interval_cells,
    interval_text,
    levels_of,
    seeds_table,
    table_of_rows,
    train,
)
from experiments.lab.parameters import ParametersRecord
from experiments.lab.revisiting import (
    BIN_WIDTH,
    RevisitingConfig,
    activation_trainings,
    dataset_arms,
    measured_with_limits,
    provenance,
    run_text,
)
from ibjax.analysis.intervals import mean_interval
from ibjax.analysis.records import JointRecord, PlanesRecord
from ibjax.mi import exact_mi
from ibjax.presets import revisiting_estimators
from ibjax.training import TrainConfig, make_model
from ibjax.types import Record

ACTIVATIONS = ("relu", "leaky_relu", "tanh")
ESTIMATORS = EXACT, BINNED = ("exact", f"bins of {BIN_WIDTH}")

# A layer that loses less keeps its input: entropies are rounded.
KEPT_BITS = 1e-3


@dataclasses.dataclass(frozen=True)
class Config(RevisitingConfig):
    """What do layers lose exactly, without bins?"""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure all arms; checkpoints go to ``folder`` if given."""
    arms = dataset_arms(config, activation_trainings(config, ACTIVATIONS), planes_zeros_and_parameters)
    results = train(
        config,
        arms,
        factors=("dataset", "activation"),
        source="Revisiting the Information Plane (2019), discussion",
        folder=folder,
        derive=lambda levels, arm: with_arithmetics(arm, arms[levels]),
        **provenance(config),
        binning=f"float32 states; bins of {BIN_WIDTH}, edges by activation",
    )
    results.arithmetic.attrs = {"units": "1", "long_name": "arithmetic of the trained network"}
    return results.transpose(
        "dataset", "activation", "estimator", "arithmetic", "seed", "epoch", "layer"
    )


def planes_zeros_and_parameters(_: Task, training: TrainConfig) -> Record:
    """Return the record of planes of exact states and in bins, of exact zeros, and of parameters."""
    model = make_model(training)

    def record_of(limits: Any) -> Record:
        binned = revisiting_estimators(training.activations, BIN_WIDTH, limits)
        planes = PlanesRecord(
            model,
            {EXACT: exact_mi, BINNED: binned},
            rows="train",
            validation_fraction=training.validation_fraction,
        )
        return JointRecord([planes, ZerosRecord(model), ParametersRecord(model)])

    return measured_with_limits(training, record_of)


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw what is lost over training; tabulate, and say what follows."""
    lost = losses(results)
    seeds = run_text(results)
    figures = {
        f"lost_{name}.png": plot_invertibility(
            lost.assign(zero_state=results.zero_state).sel(dataset=name),
            title=f"{name}, {seeds}: mean with 95% band; dashed: in bins of {BIN_WIDTH}",
        )
        for name in results.dataset.values
    }
    for name in results.dataset.values:
        figures[f"arithmetics_{name}.png"] = plot_arithmetics(
            results[["lost_finally", "shared_samples"]].sel(dataset=name),
            title=f"{name}, {seeds}: after training, mean with 95% interval",
        )
    return figures, [
        lost_table(results, lost),
        arithmetics_table(results),
        seeds_table(results.sel(estimator=EXACT, drop=True)),
    ]


def lost_table(results: xr.Dataset, lost: xr.Dataset) -> Table:
    """Tabulate by activation and trained layer what is lost exactly, in bins, in the zero state."""
    dims = ("dataset", "activation", "layer")
    ends, zeros = lost.isel(epoch=-1), results[list(ZEROS)].isel(epoch=-1).mean("seed")
    rows = []
    for cells in levels_of(results, dims):
        end = ends.sel(cells)
        exact, binned = (mean_interval(end.lost.sel(estimator=name).values) for name in ESTIMATORS)
        rows.append(
            {
                **cells,
                **interval_cells("lost_exactly", exact),
                **interval_cells("lost_in_zero", mean_interval(end.lost_in_zero.values)),
                **interval_cells("lost_in_bins", binned),
                **{name: value.item() for name, value in zeros.sel(cells).items()},
            }
        )
    arms = itertools.product(results.dataset.values, results.activation.values)
    sentences = [verdict(ends.sel(dataset=name, activation=activation)) for name, activation in arms]
    note = (
        "after training, bits of H(X) = log2 of the training samples; lost_in_zero: of lost_exactly, by "
        "the samples on which the whole layer is 0; dead_units: units at 0 on every sample, mean"
    )
    return table_of_rows("lost", rows, [note, *sentences])


def verdict(end: xr.Dataset) -> str:
    """Say which layers lose what exactly, how much of it in the zero state, and in bins beside that."""
    exact = end.lost.sel(estimator=EXACT).transpose("seed", "layer")
    amounts = {layer: mean_interval(exact.sel(layer=layer).values) for layer in exact.layer.values}
    losing = [f"{i} by {interval_text(lost)}" for i, lost in amounts.items() if lost.low > KEPT_BITS]
    text = (
        f"{end.dataset.item()}, {end.activation.item()}: layers that lose bits exactly: "
        f"{', '.join(losing) or 'none'}. "
    )
    hidden = exact.isel(layer=slice(0, -1)).sum("layer")
    zero = end.lost_in_zero.isel(layer=slice(0, -1)).sum("layer")
    part = mean_interval((zero / hidden.where(hidden > KEPT_BITS)).values)
    if part.num_seeds > 1:
        text += (
            f"Of what hidden layers lose a share of {interval_text(part)} is in their state of zeros "
            f"({int(part.num_seeds)} networks that lose any). "
        )
    binned = end.lost.sel(estimator=BINNED) - exact
    largest = binned.mean("seed").isel(layer=slice(0, -1))
    layer = largest.layer.values[largest.values.argmax()]
    more = mean_interval(binned.sel(layer=layer).values)
    return text + f"Bins show up to {interval_text(more)} bits more of loss, in hidden layer {layer}."


def arithmetics_table(results: xr.Dataset) -> Table:
    """Tabulate by activation, hidden layer and arithmetic who shares a state after training."""
    rows, verdicts = [], []
    hidden = results[["shared_samples", "lost_finally"]].isel(layer=slice(0, -1))
    for cells in levels_of(hidden, ("dataset", "activation")):
        arm = hidden.sel(cells).transpose("arithmetic", "seed", "layer")
        for more in levels_of(hidden, ("layer", "arithmetic")):
            found, of_xla = arm.sel(more), arm.sel(more | {"arithmetic": XLA})
            rows.append(
                {
                    **cells,
                    **more,
                    **interval_cells("shared", mean_interval(found.shared_samples.values)),
                    **interval_cells("lost", mean_interval(found.lost_finally.values)),
                    **interval_cells("less", mean_interval((of_xla - found).lost_finally.values)),
                }
            )
        verdicts.append(f"{cells['dataset']}, {cells['activation']}: {arithmetics_verdict(arm)}")
    note = (
        "after training; shared: training samples whose activations all equal another's; lost: bits of "
        "H(X) that this loses; less: bits lost less than in XLA float32, within seeds; rounded float32: "
        "computed in float64 and rounded in every layer"
    )
    return table_of_rows("arithmetics", rows, [note, *verdicts])


def arithmetics_verdict(arm: xr.Dataset) -> str:
    """Say what the layer that loses most, in any arithmetic, loses in each of them."""
    most = arm.lost_finally.mean("seed").max("arithmetic")
    if np.isnan(most).all():
        return "all networks have diverged."
    if float(most.max()) <= KEPT_BITS:
        return "hidden layers lose nothing, whatever the arithmetic."
    layer = int(most.idxmax("layer"))
    lost = arm.lost_finally.sel(layer=layer)
    bits = [interval_text(mean_interval(lost.sel(arithmetic=name).values)) for name in ARITHMETICS]
    return (
        f"layer {layer} loses {bits[0]} bits in {XLA}, {bits[1]} in {ROUNDED} and {bits[2]} in {DOUBLE}."
    )
