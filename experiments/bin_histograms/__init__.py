"""What bins see inside a layer: histograms, empty bins, saturation, and which samples share a state.

Claim: "Revisiting the Information Plane" (2019), figures 3, 5, 13, 14, 19: I(X;T) and I(T;Y) count how
activations cluster in bins. As tanh saturates, activations gather in the outermost bins and I(X;T)
falls; ReLU leaves most bins empty. Samples that share a bin with their own class cost I(X;T), those that
share it with others I(T;Y) too. The finer the bins, the smaller the error of the estimate.

Command:  python -m experiments.bin_histograms
          python -m experiments.bin_histograms --datasets symmetric mnist --data FOLDER
Time:     3 minutes on 2 cores; 17 with MNIST
Expect:   in tanh layer 5 I(X;T) falls as the share of activations in the outermost bins grows, to 0.81;
          in relu layers that share, of zeros, falls and I(X;T) rises. Of what layers lose of X 98%
          (tanh) and 77% (relu) is lost in states of one class.

50 networks 12-10-7-5-4-3-2 (784 inputs, 3 outputs on MNIST) each of tanh and relu, preset "revisiting":
Adam (``--optimizer sgd`` for plain SGD), batches of 256, 8000 epochs. Measured on the training samples
at 60 epochs, in bins of 0.07 and of 0.2 (figure 14), with edges by activation; for the error against the
width of the bins, in eleven widths, beside the float32 states themselves.

Dims: dataset, activation, bins, seed, epoch, layer; histograms (shares of activations, mean over seeds)
dataset, activation, bins, shown, layer, bin; errors dataset, activation, seed, shown, layer, width.
"""

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.bin_histograms.analysis import (
    StateShares,
    bins_record,
    correlation_over_epochs,
    empty_bins,
    extreme_share,
    occupied_range,
)
from experiments.bin_histograms.figures import (
    plot_bin_course,
    plot_bin_errors,
    plot_bin_histograms,
    plot_state_shares,
)
from experiments.lab import (
    EDGES,
    RevisitingConfig,
    Table,
    Trained,
    activation_arms,
    interval_columns,
    interval_text,
    revisiting_attributes,
    seeds_table,
    train_tasks,
)
from ibjax.analysis.compression import compression_summary
from ibjax.analysis.intervals import mean_interval
from ibjax.analysis.records import planes_record
from ibjax.mi import exact_mi, revisiting_edges
from ibjax.presets import revisiting_estimators
from ibjax.results import history_to_dataset, stack_arms
from ibjax.training import TrainConfig, log_spaced_epochs, make_model
from ibjax.types import Record

ACTIVATIONS = ("tanh", "relu")
BINS = (0.07, 0.2)
WIDTHS = (0.005, 0.01, 0.02, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
NUM_RECORDED = 60

# Epochs whose histograms and errors are kept, as shares of the last on a log scale; and the untrained.
SHOWN = (0.0, 0.4, 0.7, 1.0)

# Bins of all widths: unbounded activations are told apart up to 256; what is beyond is reported.
NUM_BINS = round(256 / min(BINS))

# Wider than what I(X;T) at a width may exceed another's by rounding.
ROUNDING_BITS = 1e-3

# Variable of the result: plane.
ERRORS = {"error_ixt": "ixt", "error_ity": "ity"}

VARIABLES = {
    "empty": (("layer",), "1", "empty bins of the range"),
    "extreme": (("layer",), "1", "share of activations in the outermost bins"),
    "beyond": (("layer",), "1", "share of activations beyond the last bin"),
    "alone": (("layer",), "1", "share of samples alone in their state"),
    "pure": (("layer",), "1", "share of samples in states of one class"),
    "mixed": (("layer",), "1", "share of samples in states of several classes"),
    "lost_pure": (("layer",), "bits", "H(X|T) of states of one class"),
    "lost_mixed": (("layer",), "bits", "H(X|T) of states of several classes"),
    "lost_label": (("layer",), "bits", "H(Y|T)"),
}


@dataclasses.dataclass(frozen=True)
class Config(RevisitingConfig):
    """What bins see inside a layer: histograms, empty bins, saturation, shared states."""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train both arms and measure what bins see; checkpoints go to ``folder`` if given."""
    trained = train_tasks(
        config,
        activation_arms(config, ACTIVATIONS),
        lambda task, training: everything(training, task.num_classes),
        schedule=log_spaced_epochs(config.num_epochs, NUM_RECORDED),
        folder=folder,
    )
    arms = {
        (*key, str(width)): of_bins(one, width)
        for (key, one), width in itertools.product(trained.items(), BINS)
    }
    results = stack_arms(arms, ("dataset", "activation", "bins"))
    for name in ERRORS:  # the same whatever the bins of the histograms
        results[name] = results[name].isel(bins=0, drop=True)
    results = results.isel(bin=slice(0, int(results.num_bins.max())))
    source = "Revisiting the Information Plane (2019), figures 3, 5, 13, 14, 19"
    return results.assign_attrs(
        revisiting_attributes(config, "bin_histograms", trained, source),
        estimator="revisiting_binned_mi, bin_width by coordinates bins and width",
        binning=EDGES,
    )


def everything(training: TrainConfig, num_classes: int) -> Record:
    """Planes in all widths and of exact states, and what bins of ``BINS`` see."""
    model = make_model(training)
    widths = [revisiting_estimators(training.activations, width) for width in WIDTHS]
    planes = planes_record(model, [*widths, exact_mi], rows="train")
    seen = {width: bins_record(model, num_classes, width, num_bins=NUM_BINS) for width in BINS}

    def record(params, data, split):
        of_bins = {str(width): one(params, data, split) for width, one in seen.items()}
        return planes(params, data, split) | of_bins

    return record


def of_bins(one: Trained, width: float) -> xr.Dataset:
    """One arm in bins of one width: the plane, what bins see, histograms and errors."""
    records, training = one.history.records, one.training
    seen = records[str(width)]
    counts = seen["counts"]  # (seed, epoch, layer, bins)
    names = (*training.activations, "softmax")
    edges = [revisiting_edges(name, width) for name in names]
    bounded = np.array([0 if e is None else len(e) - 1 for e in edges])
    num_bins = np.where(bounded > 0, bounded, occupied_range(counts))  # (seed, layer)
    kept = {name: values for name, values in records.items() if name not in map(str, BINS)}
    planes = {name: kept[name][:, :, WIDTHS.index(width)] for name in ("ixt", "ity")}
    of_states = {name: seen[name] for name in StateShares._fields}
    of_counts = {
        "empty": empty_bins(counts, num_bins),
        "extreme": extreme_share(counts, num_bins),
        "beyond": np.where(bounded > 0, 0, counts[..., -1]) / np.maximum(counts.sum(axis=-1), 1),
    }
    history = one.history._replace(records=kept | planes | of_states | of_counts)
    arm = history_to_dataset(history, training.as_dict(), variables=VARIABLES)
    shown = shown_positions(one.history.epochs)
    total = counts.sum(axis=-1, keepdims=True)
    shares = np.where(total > 0, counts / np.maximum(total, 1), np.nan)[:, shown]
    lowest = [0.0 if e is None else float(e[0]) for e in edges]
    errors: dict[Any, Any] = {
        name: (
            ("seed", "shown", "layer", "width"),
            np.moveaxis(kept[plane][:, shown, -1:] - kept[plane][:, shown, :-1], 2, -1),
            {"units": "bits", "long_name": f"{plane} of exact states less that in bins"},
        )
        for name, plane in ERRORS.items()
    }
    return arm.assign(
        **errors,
        histogram=(
            ("shown", "layer", "bin"),
            mean_interval(shares).estimate,
            {"units": "1", "long_name": "share of activations, mean over seeds"},
        ),
        num_bins=(("seed", "layer"), num_bins, {"units": "1", "long_name": "bins of the range"}),
        lowest=(("layer",), lowest, {"units": "1", "long_name": "lower end of the bins"}),
    ).assign_coords(
        shown=("shown", one.history.epochs[shown], {"units": "epochs"}),
        bin=np.arange(counts.shape[-1]),
        width=("width", list(WIDTHS), {"units": "1", "long_name": "width of the bins"}),
    )


def shown_positions(epochs: np.ndarray) -> np.ndarray:
    """Positions of the epochs nearest to ``SHOWN``, each once."""
    wanted = np.expm1(np.array(SHOWN) * np.log1p(epochs[-1]))
    return np.unique(np.abs(epochs - wanted[:, None]).argmin(axis=1))


def correlations(results: xr.Dataset) -> xr.DataArray:
    """Within seeds, over epochs, of I(X;T) with what bins see: (dataset, ..., what, seed, layer)."""
    own = results.transpose("dataset", "activation", "bins", "seed", "epoch", "layer", ...)
    arms = itertools.product(*(range(own.sizes[d]) for d in own.ixt.dims[:3]))
    whats = ("extreme", "empty")
    rho = np.array(
        [
            [
                correlation_over_epochs(own.ixt.values[arm], own[what].values[arm].astype(float))
                for what in whats
            ]
            for arm in arms
        ]
    )
    dims = (*own.ixt.dims[:3], "what", "seed", "layer")
    coords = {d: own[d].values for d in dims if d != "what"} | {"what": list(whats)}
    sizes = [len(coords[d]) for d in dims]
    return xr.DataArray(rho.reshape(sizes), coords, dims)


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Histograms, their course, shared states, errors, the tables and what follows."""
    figures = {}
    seeds = f"{results.sizes['seed']} seeds, {results.optimizer}"
    for name, bins in itertools.product(results.dataset.values, results.bins.values):
        own = results.sel(dataset=name, bins=bins)
        title = f"{name}, bins of {bins}, {seeds}"
        figures[f"histograms_{name}_{bins}.png"] = plot_bin_histograms(own, title=title)
        figures[f"course_{name}_{bins}.png"] = plot_bin_course(own, title=f"{title}, 95% bands")
        figures[f"states_{name}_{bins}.png"] = plot_state_shares(own, title=title)
    for name in results.dataset.values:
        title = f"{name}, {seeds}: exact states less bins, 95% bands"
        figures[f"errors_{name}.png"] = plot_bin_errors(results.sel(dataset=name), title=title)
    return figures, [layers_table(results), errors_table(results), seeds_table(results.isel(bins=0))]


def layers_table(results: xr.Dataset) -> Table:
    """Per arm and layer: how I(X;T) goes with saturation and empty bins, and what is lost where."""
    rho, summary = correlations(results), compression_summary(results[["ixt"]])
    end = results.isel(epoch=-1)
    names = ("extreme", "empty", "alone", "pure", "mixed", "lost_pure", "lost_mixed", "lost_label")
    header = ["dataset", "activation", "bins", "layer"]
    for what in rho.what.values:
        header += [*interval_columns(f"rho_{what}"), f"rho_{what}_seeds"]
    header += [*interval_columns("compression"), *names]
    rows, sentences = [], []
    for arm in itertools.product(*(results[d].values for d in (*results.ixt.dims[:3], "layer"))):
        where = dict(zip(header[:4], arm, strict=True))
        row = list(arm)
        for what in rho.what.values:
            found = mean_interval(rho.sel(what=what).sel(where).values)
            row += [*map(float, found[:3]), int(found.num_seeds)]
        row += [summary[f"compression{x}"].sel(where).item() for x in ("", "_low", "_high")]
        rows.append([*row, *(float(end[name].sel(where).mean()) for name in names)])
    for arm in itertools.product(*(results[d].values for d in results.ixt.dims[:3])):
        where = dict(zip(header[:3], arm, strict=True))
        sentences.append(verdict(", ".join(arm), rho.sel(where), end.sel(where), summary.sel(where)))
    note = (
        "rho: of I(X;T) over epochs within a seed, with the share of activations in the outermost bins "
        "and with the number of empty bins, mean over seeds whose curves are not constant; the others: "
        "after training"
    )
    beyond = [
        f"{name} {float(results.beyond.sel(dataset=name).max()):.1e}" for name in results.dataset.values
    ]
    reach = f"largest share of a layer's activations beyond the last bin: {', '.join(beyond)}"
    return Table("layers", header, rows, [note, reach, *sentences])


def verdict(arm: str, rho: xr.DataArray, end: xr.Dataset, summary: xr.Dataset) -> str:
    """Say whether I(X;T) falls where activations gather in the outermost bins, and what is lost how."""
    falls, rises = [], []
    for layer in rho.layer.values[:-1]:
        found = mean_interval(rho.sel(what="extreme", layer=layer).values)
        if found.high < 0:
            falls.append(f"{layer} by {interval_text(found)}")
        elif found.low > 0:
            rises.append(f"{layer} by {interval_text(found)}")
    compresses = summary.layer.values[:-1][(summary.compression_low[:-1] > 0).values]
    hidden = end.isel(layer=slice(0, -1))
    lost = (hidden.lost_pure + hidden.lost_mixed).sum("layer")
    part = mean_interval((hidden.lost_pure.sum("layer") / lost.where(lost > 0)).values)
    return (
        f"{arm}: hidden layers whose I(X;T) falls as the share of activations in the outermost bins "
        f"grows, by their rank correlation over epochs: {', '.join(falls) or 'none'}; rises with it: "
        f"{', '.join(rises) or 'none'}; that compress at all: "
        f"{', '.join(map(str, compresses)) or 'none'}. Of H(X|T) of hidden layers after training a "
        f"share of {interval_text(part)} is lost in states of one class, which costs no I(T;Y)."
    )


def errors_table(results: xr.Dataset) -> Table:
    """Per arm, shown epoch and layer: the mean error of I(X;T) in bins of each width, bits."""
    own = results.error_ixt.transpose("dataset", "activation", "shown", "layer", "width", "seed")
    mean = mean_interval(own.values, axis=-1).estimate
    dims = own.dims[:4]
    rows = [
        [*(own[d].values[i] for d, i in zip(dims, index, strict=True)), *map(float, mean[index])]
        for index in np.ndindex(mean.shape[:-1])
    ]
    sentences = ["mean error of I(X;T), bits, by the width of the bins; intervals are in the figure"]
    steps = np.diff(mean, axis=-1)
    for i, j in np.ndindex(*steps.shape[:2]):
        grows = int((steps[i, j] >= -ROUNDING_BITS).sum())
        last = own.values[i, j, -1]  # (layer, width, seed)
        ends = [interval_text(mean_interval(last[:, k].mean(axis=0))) for k in (0, -1)]
        sentences.append(
            f"{own.dataset.values[i]}, {own.activation.values[j]}: the error grows with the width in "
            f"{grows} of {steps[i, j].size} steps; after training, mean over layers, {ends[0]} bits in "
            f"bins of {WIDTHS[0]} and {ends[1]} in bins of {WIDTHS[-1]}."
        )
    header = ["dataset", "activation", "epoch", "layer", *map(str, WIDTHS)]
    return Table("errors", header, rows, sentences)
