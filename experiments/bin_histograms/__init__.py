"""What bins see inside a layer: histograms, empty bins, saturation, and which samples share a state.

Claim: "Revisiting the Information Plane" (2019), figures 3, 5, 13, 14, 19: I(X;T) and I(T;Y) count how
activations cluster in bins. As tanh saturates, activations gather in the outermost bins and I(X;T)
falls; ReLU leaves most bins empty. Samples that share a bin with their own class cost I(X;T), those that
share it with others I(T;Y) too. The finer the bins, the smaller the error of the estimate.

Command:  python -m experiments.bin_histograms
          python -m experiments.bin_histograms --datasets symmetric mnist --data FOLDER
Time:     3 minutes on 2 cores; 17 with MNIST
Expect:   in tanh layer 5 I(X;T) falls as the share of activations in the outermost bins grows, to 0.83;
          in relu layers that share, of zeros, falls and I(X;T) rises. Of what layers lose of X 60%
          (tanh) and 64% (relu) is lost in states of one class. Errors grow with the width of the bins.

50 networks 12-10-7-5-4-3-2 (784 inputs, 3 outputs on MNIST) each of tanh and relu, preset "revisiting":
Adam (``--optimizer sgd`` for plain SGD), batches of 256, 8000 epochs; random splits, or the paper's one
(``--paper-split``). A bin with at most one activation counts as empty. Measured on the training samples
at 60 epochs, in bins of 0.07 and of 0.2 (figure 14), with edges by activation; for the error against the
width of the bins, in eleven widths, beside the float32 states themselves.

Dims: dataset, activation, bins, seed, epoch, layer; histograms (shares of activations, mean over seeds)
dataset, activation, bins, shown, layer, bin; errors dataset, activation, seed, shown, layer, width.
"""

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import xarray as xr
from matplotlib.figure import Figure

from experiments.bin_histograms.analysis import correlations, errors, histograms
from experiments.bin_histograms.figures import (
    plot_bin_course,
    plot_bin_errors,
    plot_bin_histograms,
    plot_state_shares,
)
from experiments.bin_histograms.records import COUNTED, BinsRecord
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
from experiments.lab.revisiting import (
    EDGES,
    RevisitingConfig,
    activation_trainings,
    dataset_arms,
    measured_with_limits,
    provenance,
    run_text,
)
from ibjax.analysis.compression import compression_summary
from ibjax.analysis.intervals import mean_interval
from ibjax.analysis.records import JointRecord, PlanesRecord
from ibjax.mi import exact_mi
from ibjax.presets import revisiting_estimators
from ibjax.training import TrainConfig, log_spaced_epochs, make_model
from ibjax.types import Record

ACTIVATIONS = ("tanh", "relu")
FACTORS = ("dataset", "activation", "bins")
BINS, EXACT = (0.07, 0.2), "exact"
WIDTHS = (0.005, 0.01, 0.02, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
NUM_RECORDED = 60

# Number of bins of all widths. Unbounded activations are resolved up to 256; those beyond are reported.
NUM_BINS = round(256 / min(BINS))

# A decrease of the error by less than this, as the width grows, is due to rounding.
ROUNDING_BITS = 1e-3


@dataclasses.dataclass(frozen=True)
class Config(RevisitingConfig):
    """What bins see inside a layer: histograms, empty bins, saturation, shared states."""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train both arms and measure what bins see; checkpoints go to ``folder`` if given."""
    arms = dataset_arms(config, activation_trainings(config, ACTIVATIONS), planes_and_bins)
    results = train(
        config,
        arms,
        factors=("dataset", "activation"),
        source="Revisiting the Information Plane (2019), figures 3, 5, 13, 14, 19",
        schedule=log_spaced_epochs(config.num_epochs, NUM_RECORDED),
        folder=folder,
        derive=lambda _, arm: seen_in_bins(arm),
        **provenance(config),
        binning=EDGES,
    )
    return results.isel(bin=slice(0, int(results.num_bins.max())))


def planes_and_bins(task: Task, training: TrainConfig) -> Record:
    """Return the record of planes in all widths and of exact states, and of what ``BINS`` see."""
    model = make_model(training)

    def record_of(limits: Any) -> Record:
        activations = training.activations
        binned = {str(width): revisiting_estimators(activations, width, limits) for width in WIDTHS}
        planes = PlanesRecord(
            model,
            binned | {EXACT: exact_mi},
            rows="train",
            validation_fraction=training.validation_fraction,
        )
        bins = BinsRecord(model, task.num_classes, BINS, num_bins=NUM_BINS, limits=limits)
        return JointRecord([planes, bins])

    return measured_with_limits(training, record_of)


def seen_in_bins(arm: xr.Dataset) -> xr.Dataset:
    """Reduce an arm: the plane in bins of ``BINS``, what these see, and the errors of all widths."""
    planes = arm[["ixt", "ity"]]
    shown = [histograms(arm[[*COUNTED]].sel(bins=width)) for width in arm.bins.values]
    kept = arm.drop_vars(COUNTED).drop_dims("estimator")
    in_bins = planes.sel(estimator=arm.bins.values).rename(estimator="bins")
    return kept.assign(in_bins).assign(errors(planes, EXACT)).assign(xr.concat(shown, "bins"))


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw histograms, their course, shared states and errors; tabulate, and say what follows."""
    figures = {}
    seeds = run_text(results)
    for name, bins in itertools.product(results.dataset.values, results.bins.values):
        arms, title = results.sel(dataset=name, bins=bins), f"{name}, bins of {bins}, {seeds}"
        figures[f"histograms_{name}_{bins}.png"] = plot_bin_histograms(arms, title=title)
        figures[f"course_{name}_{bins}.png"] = plot_bin_course(arms, title=f"{title}, 95% bands")
        figures[f"states_{name}_{bins}.png"] = plot_state_shares(arms, title=title)
    for name in results.dataset.values:
        title = f"{name}, {seeds}: exact states less bins, 95% bands"
        figures[f"errors_{name}.png"] = plot_bin_errors(results.sel(dataset=name), title=title)
    seeds = seeds_table(results.isel(bins=0, drop=True))
    return figures, [layers_table(results), errors_table(results), seeds]


def layers_table(results: xr.Dataset) -> Table:
    """Tabulate by arm and layer how I(X;T) goes with saturation and empty bins, and its losses."""
    rho, summary = correlations(results), compression_summary(results[["ixt"]])
    end = results.isel(epoch=-1)
    limits = summary[["compression", "compression_low", "compression_high"]]
    names = ["extreme", "empty", "alone", "pure", "mixed", "lost_pure", "lost_mixed", "lost_label"]
    amounts, dims = limits.assign(end[names].mean("seed")), (*FACTORS, "layer")
    rows, sentences = [], []
    for cells in levels_of(results, dims):
        row = cells
        for what in rho.what.values:
            mean = mean_interval(rho.sel(what=what).sel(cells).values)
            row = row | interval_cells(f"rho_{what}", mean) | {f"rho_{what}_seeds": int(mean.num_seeds)}
        rows.append({**row, **{name: float(value) for name, value in amounts.sel(cells).items()}})
    for cells in levels_of(results, FACTORS):
        arm = verdict(rho.sel(cells), end.sel(cells), summary.sel(cells))
        sentences.append(f"{', '.join(cells.values())}: {arm}")
    note = (
        "rho: of I(X;T) over epochs within a seed, with the share of activations in the outermost bins "
        "and with the number of empty bins, mean over seeds whose curves are not constant; the others: "
        "after training"
    )
    beyond = [
        f"{name} {float(results.beyond.sel(dataset=name).max()):.1e}" for name in results.dataset.values
    ]
    reach = f"largest share of a layer's activations beyond the last bin: {', '.join(beyond)}"
    return table_of_rows("layers", rows, [note, reach, *sentences])


def verdict(rho: xr.DataArray, end: xr.Dataset, summary: xr.Dataset) -> str:
    """Say whether I(X;T) falls where activations gather in the outermost bins, and what is lost how."""
    falls, rises = [], []
    for layer in rho.layer.values[:-1]:
        mean = mean_interval(rho.sel(what="extreme", layer=layer).values)
        if mean.high < 0:
            falls.append(f"{layer} by {interval_text(mean)}")
        elif mean.low > 0:
            rises.append(f"{layer} by {interval_text(mean)}")
    compresses = summary.layer.values[:-1][summary.compresses[:-1].values]
    hidden = end.isel(layer=slice(0, -1))
    lost = (hidden.lost_pure + hidden.lost_mixed).sum("layer")
    part = mean_interval((hidden.lost_pure.sum("layer") / lost.where(lost > 0)).values)
    return (
        "hidden layers whose I(X;T) falls as the share of activations in the outermost bins grows, by "
        f"their rank correlation over epochs: {', '.join(falls) or 'none'}; rises with it: "
        f"{', '.join(rises) or 'none'}; that compress at all: "
        f"{', '.join(map(str, compresses)) or 'none'}. Of H(X|T) of hidden layers after training a "
        f"share of {interval_text(part)} is lost in states of one class, which costs no I(T;Y)."
    )


def errors_table(results: xr.Dataset) -> Table:
    """Tabulate by arm, shown epoch and layer the mean error of I(X;T) in bins of each width, bits."""
    dims = ("dataset", "activation", "shown", "layer")
    by_width = results.error_ixt.transpose(*dims, "width", "seed")
    mean = by_width.isel(seed=0, drop=True).copy(data=mean_interval(by_width.values, axis=-1).estimate)
    rows = []
    for cells in levels_of(mean, dims):
        widths = {str(width): float(mean.sel(cells).sel(width=width)) for width in mean.width.values}
        rows.append({"epoch" if d == "shown" else d: level for d, level in cells.items()} | widths)
    sentences = ["mean error of I(X;T), bits, by the width of the bins; intervals are in the figure"]
    for name, activation in itertools.product(mean.dataset.values, mean.activation.values):
        arm = {"dataset": name, "activation": activation}
        steps = mean.sel(arm).diff("width")
        last = by_width.sel(arm).isel(shown=-1).mean("layer", skipna=False)
        first, widest = (interval_text(mean_interval(last.isel(width=i).values)) for i in (0, -1))
        sentences.append(
            f"{name}, {activation}: the error grows with the width in "
            f"{int((steps >= -ROUNDING_BITS).sum())} of {steps.size} steps; after training, mean over "
            f"layers, {first} bits in bins of {WIDTHS[0]} and {widest} in bins of {WIDTHS[-1]}."
        )
    return table_of_rows("errors", rows, sentences)
