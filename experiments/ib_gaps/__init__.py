"""How far from optimal are a network's layers? The lecture's qualitative plane in numbers.

Claim: Tishby & Zaslavsky (2015), sections III, IV and figure 2: layers lie to the right of the
information curve by a complexity gap; fewer clusters than are needed follow suboptimal branches that
leave the curve at bifurcations; from a finite sample only a lower bound on I(T;Y) is sure, which
favours small I(X;T); and each layer has a bottleneck of its own.

Command:  python -m experiments.ib_gaps [--beta 10]
Time:     2 to 4 minutes on 2 cores
Expect:   the excess complexity falls from layer 3 to the output, 2.3 to 0.1 bits, and over training.
          Networks learn the noise of their labels: what layers know of training labels rises to 1 bit
          while what they know of the true ones falls. With 3277 samples 0.22 of 0.90 bits are sure.

Labels follow the soft rule with I(X;Y) = 0.90 bits; 50 networks 12-10-7-5-4-3-2, tanh, trained on labels
drawn once per seed (plain SGD, rate 0.1, batches of 256, 8000 epochs, 80% of the words). Layers in bins
of 0.07 are encoders of the 44 classes C of equal p(y|x). R(n) is the I(X;T) of the encoder of which the
bounds make sure the most I(T;Y) with n samples, D_IB(n) = I(X;Y) less what is sure. The lecture's gaps,
n = 3277: complexity gap, I(X;T) - R(n); generalisation gap, I(X;Y|T) - D_IB(n). Ours: excess complexity,
I(C;T) less the smallest that suffices for the layer's I(T;Y); overestimate, I(T;Y) of the training words
and labels less the true one. Captured: I(Y;Y^) / I(X;Y) of the decision Y^. The layers' own bottleneck:
I(T_{i-1};T_i) + beta I(Y;T_{i-1}|T_i). Curves of 2, 3 and 4 clusters: for these labels and for eight
levels of the score with noise.

Dims: seed, epoch, layer; the curves': point, clusters, num_samples, split, score_point, score_split.
"""

import dataclasses
import functools
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.ib_gaps.analysis import RULE, LabelsRecord, against_the_curve
from experiments.ib_gaps.curves import BOUND_SAMPLES, DELTA
from experiments.ib_gaps.figures import plot_gaps, plot_layer_terms, plot_suboptimal
from experiments.lab import (
    Arm,
    LabConfig,
    Scale,
    Table,
    interval_cells,
    interval_text,
    scale_of,
    symmetric,
    table_of_rows,
    train,
)
from ibjax.analysis.compression import NEGLIGIBLE_BITS
from ibjax.analysis.encoders import StatesRecord
from ibjax.analysis.intervals import mean_interval
from ibjax.analysis.records import JointRecord, PlaneRecord
from ibjax.datasets import draw_labels, soft_label_probability
from ibjax.presets import SAXE_BIN_WIDTH, preset
from ibjax.training import TrainConfig, log_spaced_epochs, make_model

FULL, SMOKE = Scale(epochs=8000), Scale(epochs=30, widths=(4, 3, 2))
NUM_RECORDED = 16

# Columns of the table of gaps that have intervals.
INTERVAL_COLUMNS = (
    *("excess_complexity", "overestimate", "complexity_gap", "generalisation_gap"),
    *("kept", "lost", "objective"),
)


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """How far from optimal are a network's layers?"""

    beta: float = 10.0
    """Of the layers' own bottleneck."""

    def __post_init__(self):
        super().__post_init__()
        if not 0 < self.beta < np.inf:
            raise ValueError(f"beta: expected a positive finite number, got {self.beta}")


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train, measure, and compare with the bottleneck; checkpoints go to ``folder`` if given."""
    convention, scale = preset("paper"), scale_of(config, FULL, SMOKE)
    training = TrainConfig(activation="tanh", **convention.training, **scale.training)
    model = make_model(training)
    plane_record = PlaneRecord(model, convention.estimator, rows="train")
    record = JointRecord([StatesRecord(model, SAXE_BIN_WIDTH), LabelsRecord(plane_record)])
    draw = functools.partial(draw_labels, probability=soft_label_probability(RULE))
    task = symmetric(labels=f"labels drawn from the soft rule {RULE}", draw_labels=draw)
    results = train(
        config,
        {(): Arm(training, task, record)},
        factors=(),
        source="Tishby & Zaslavsky (2015), figure 2",
        schedule=log_spaced_epochs(scale.epochs, NUM_RECORDED),
        folder=folder,
        derive=functools.partial(against_the_curve, beta=config.beta),
        estimator="exact for p(t|c) of the binned layers and the true p(y|x); ity_train: plug-in",
        binning=convention.binning,
        bin_width=SAXE_BIN_WIDTH,
        measured_on="all 4096 inputs; ity_train: the training words",
        beta=config.beta,
        delta=DELTA,
    )
    return results.assign_attrs(information=float(results.curve_ity[-1]))


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw the plane, the layers' own bottlenecks and the gaps; tabulate, and say what follows."""
    seeds = f"{results.binning}, {results.sizes['seed']} seeds"
    labels = {
        "kept": "I($T_{i-1}$;$T_i$)",
        "lost": "I(Y;$T_{i-1}$|$T_i$)",
        "objective": f"sum, beta = {results.beta:g}",
    }
    figures = {
        "ib_gaps.png": plot_gaps(results, title=f"Layers against the information curve: {seeds}"),
        "suboptimal.png": plot_suboptimal(
            results, title="At most 2, 3 and 4 clusters against the optimum, for labels of eight levels"
        ),
        "layerwise.png": plot_layer_terms(
            results, labels=labels, title=f"Each layer's own bottleneck: {seeds}, 95% bands"
        ),
    }
    return figures, [gaps_table(results), splits_table(results)]


def gaps_table(results: xr.Dataset) -> Table:
    """Tabulate by layer at the end gaps and its own bottleneck, with intervals over seeds; bits."""
    rows = []
    for layer in results.layer.values:
        end = results.isel(epoch=-1).sel(layer=layer)
        row = {"layer": layer} | {name: float(end[name].mean()) for name in ("ict", "ity", "ity_train")}
        for name in INTERVAL_COLUMNS:
            row |= interval_cells(name, mean_interval(end[name].values))
        rows.append(row)
    return table_of_rows("gaps", rows, [seeds_sentence(results), verdict(results)])


def seeds_sentence(results: xr.Dataset) -> str:
    """Say how many networks diverged, and what the decisions capture."""
    captured = mean_interval(results.captured.isel(epoch=-1).values)
    return (
        f"diverged: {int(results.diverged.sum())} of {results.sizes['seed']} networks, left out; "
        f"decisions capture {interval_text(captured, 3)} of I(X;Y)."
    )


def verdict(results: xr.Dataset) -> str:
    """Say whether layers shed what they need not keep, and how far from (R(n), D_IB(n)) they end."""
    end = results.isel(epoch=-1).transpose("seed", "layer", ...)
    excess = end.excess_complexity.values
    steps = mean_interval(excess[:, :-1] - excess[:, 1:])  # each (layer - 1,)
    layers = results.layer.values
    falls = [f"{layers[i]} to {layers[i + 1]}" for i in np.flatnonzero(steps.low > NEGLIGIBLE_BITS)]
    largest = results.excess_complexity.max("epoch").transpose("seed", "layer").values
    fall = mean_interval(largest[:, -2] - excess[:, -2])
    first_layer, output = (mean_interval(end.overestimate.values[:, i]) for i in (0, -1))
    return (
        f"The excess complexity falls from layer to layer: {', '.join(falls) or 'nowhere'}; that of the "
        f"last hidden layer ends {interval_text(fall)} bits below its largest. Layers seem to know more "
        f"of training labels than of the true ones: layer 1 {interval_text(first_layer)} bits, the "
        f"output {interval_text(output)}. {optimum_sentence(results)}"
    )


def optimum_sentence(results: xr.Dataset) -> str:
    """Say where the optimum of a finite sample lies, and how far from it the networks' outputs are."""
    texts = [
        f"n = {n:,}: {float(at.best_ixt):.2f} and {float(at.best_guaranteed):.2f} "
        f"({int(at.best_clusters)} states)"
        for n, at in ((int(n), results.sel(num_samples=n)) for n in results["num_samples"].values)
        if float(at.best_guaranteed) > NEGLIGIBLE_BITS
    ]
    output = results.isel(epoch=-1, layer=-1)
    complexity, generalisation = (
        mean_interval(output[name].values) for name in ("complexity_gap", "generalisation_gap")
    )
    return (
        f"R(n) and the sure I(T;Y) there: {'; '.join(texts) or 'nothing is sure'}. Of the networks' "
        f"outputs, with n = {BOUND_SAMPLES[0]:,}, the complexity gap is {interval_text(complexity)} "
        f"bits and the generalisation gap {interval_text(generalisation)}."
    )


def splits_table(results: xr.Dataset) -> Table:
    """Tabulate the bifurcations of both information curves, and what few clusters lose."""
    rows = []
    for labels, prefix in (("two, soft", ""), ("eight levels", "score_")):
        for split in range(results.sizes[f"{prefix}split"]):
            at_split = results.isel({f"{prefix}split": split})
            row = {"labels": labels, "beta": float(at_split[f"{prefix}split_beta"])}
            names = {"clusters": "split_clusters", "ixt": "split_ixt", "ity": "split_ity"}
            rows.append(row | {k: at_split[f"{prefix}{v}"].item() for k, v in names.items()})
    losses = [
        f"{labels}: "
        + ", ".join(f"{int(k)}: {results[name].sel(clusters=k).max():.3f}" for k in results.clusters)
        for labels, name in (("two labels", "forced_loss"), ("eight levels", "score_forced_loss"))
    ]
    return table_of_rows(
        "bifurcations",
        rows,
        [
            f"Curves of at most so many clusters lie below the optimum by up to (bits): "
            f"{'; '.join(losses)}.",
            "beta: upper limit, within the curve's betas, of where clusters split; clusters: above it",
        ],
    )
