"""How far from optimal are a network's layers? The lecture's qualitative plane in numbers.

Claim: Tishby & Zaslavsky (2015), sections III, IV and figure 2: layers lie to the right of the
information curve by a complexity gap; fewer clusters than are needed follow suboptimal branches that
leave the curve at bifurcations; from a finite sample only a lower bound on I(T;Y) is sure, which
favours small I(X;T); and each layer has a bottleneck of its own.

Command:  python -m experiments.ib_gaps [--beta 10]
Time:     2 to 4 minutes on 2 cores
Expect:   the gap falls from layer 3 to the output, 2.3 to 0.1 bits, and over training; bounds say
          nothing of the 3277 training words. Networks learn the noise of their labels: what layers
          know of training labels rises to 1 bit while what they know of the true ones falls.

Labels follow the soft rule with I(X;Y) = 0.90 bits; 50 networks 12-10-7-5-4-3-2, tanh, trained on labels
drawn once per seed (plain SGD, rate 0.1, batches of 256, 8000 epochs, 80% of the words). Layers in bins
of 0.07 are encoders of the 44 classes C of equal p(y|x). Complexity gap: I(C;T) less the smallest that
suffices for the layer's I(T;Y). Generalisation gap: I(T;Y) of the training words and labels, as
estimated, less the true one. Captured: I(Y;Y^) / I(X;Y) of the decision Y^. The layers' own bottleneck:
I(T_{i-1};T_i) + beta I(Y;T_{i-1}|T_i). Bounds: ibjax.bottleneck.finite_sample_bounds at the optimum,
with 2^I(X;T) states, rounded up, and delta = 0.05.

Dims: seed, epoch, layer; the curves': point, clusters, num_samples.
"""

import dataclasses
import functools
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.ib_gaps.analysis import layerwise_terms
from experiments.ib_gaps.figures import plot_gaps, plot_layer_terms
from experiments.lab import (
    LabConfig,
    Table,
    interval_columns,
    interval_text,
    paper_training,
    progress_bar,
    table_of,
)
from ibjax.analysis.compression import NEGLIGIBLE_BITS
from ibjax.analysis.encoders import class_joint, fixed_points, states_record
from ibjax.analysis.intervals import mean_interval
from ibjax.analysis.records import plane_record
from ibjax.bottleneck import (
    bifurcations,
    finite_sample_bounds,
    information_curve,
    interpolate_curve,
    layer_information,
)
from ibjax.datasets import draw_labels, soft_label_probability, symmetric_task
from ibjax.datasets.symmetric import symmetric_score
from ibjax.presets import SAXE_BIN_WIDTH, preset
from ibjax.results import environment, history_to_dataset
from ibjax.training import TrainConfig, fit, log_spaced_epochs, make_model

RULE = "0.90"
FULL_EPOCHS, SMOKE_EPOCHS = 8000, 30
NUM_RECORDED = 16
SMOKE_WIDTHS = (4, 3, 2)

BETAS = np.geomspace(1, 3000, 160)
FORCED_CLUSTERS = (2, 3, 4)
BOUND_SAMPLES = (3277, 10**5, 10**6, 10**7)
DELTA = 0.05

LONG_NAMES = {
    "ict": "I(C;T), C the class of words of equal p(y|x)",
    "ity_train": "I(T;Y) of the training words and labels",
    "complexity_gap": "I(C;T) less the smallest that suffices for I(T;Y)",
    "generalisation_gap": "I(T;Y) of the training words less the true one",
    "kept": "I(T_{i-1};T_i)",
    "lost": "I(Y;T_{i-1}|T_i)",
    "objective": "I(T_{i-1};T_i) + beta I(Y;T_{i-1}|T_i)",
}


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
    convention, data = preset("paper"), symmetric_task()
    training = paper_training(
        config,
        epochs=FULL_EPOCHS,
        smoke_epochs=SMOKE_EPOCHS,
        smoke_widths=SMOKE_WIDTHS,
        activation="tanh",
    )
    probability = soft_label_probability(RULE)
    with progress_bar(1) as on_advance_of:
        history = fit(
            training,
            data,
            record=gaps_record(training, convention.estimator),
            schedule=log_spaced_epochs(training.num_epochs, NUM_RECORDED),
            draw_labels=functools.partial(draw_labels, probability=probability),
            on_advance=on_advance_of("soft labels"),
            **config.fit_options(folder, "soft"),
        )
    records = dict(history.records)
    states, decision, ity_train = (records.pop(k) for k in ("states", "decision", "ity_train"))
    classes = np.unique(symmetric_score(), return_inverse=True)[1]
    p_cy = class_joint(classes, probability)
    found = fixed_points(states, classes, p_cy)
    finite = np.isfinite(records["ixt"])  # a diverged network has no states
    records |= {"ixt": np.where(finite, found.ixt, np.nan), "ity": np.where(finite, found.ity, np.nan)}
    results = history_to_dataset(history._replace(records=records), training.as_dict())
    curve = information_curve(p_cy, BETAS)
    end = layer_information(np.eye(len(p_cy)), p_cy)  # T is C, as beta grows beyond all bounds
    curve_ixt, curve_ity = np.append(curve.ixt, end.ixt), np.append(curve.ity, end.ity)
    terms = np.array(
        [[layerwise_terms(s, probability) for s in of_seed] for of_seed in states]
    )  # (seed, epoch, term, layer)
    layers = {
        "ict": found.ict,
        "ity_train": ity_train,
        "complexity_gap": found.ict - interpolate_curve(curve_ixt, curve_ity, ity=found.ity),
        "generalisation_gap": ity_train - found.ity,
        "kept": terms[:, :, 0],
        "lost": terms[:, :, 1],
        "objective": terms[:, :, 0] + config.beta * terms[:, :, 1],
    }
    for name, values in layers.items():
        attrs = {"units": "bits", "long_name": LONG_NAMES[name]}
        results[name] = (("seed", "epoch", "layer"), np.where(finite, values, np.nan), attrs)
    p_xy = np.stack([1 - probability, probability], axis=1) / len(probability)
    captured = np.array([[layer_information(d, p_xy).ity for d in s] for s in decision])
    attrs = {"units": "1", "long_name": "I(Y;Y^) / I(X;Y) of the decision Y^"}
    results["captured"] = (("seed", "epoch"), captured / end.ity, attrs)
    return with_curves(results, p_cy, curve, curve_ixt, curve_ity).assign_attrs(
        experiment="ib_gaps",
        source="Tishby & Zaslavsky (2015), figure 2",
        dataset=f"ibjax.datasets.symmetric_task(), labels drawn from the soft rule {RULE}",
        estimator="exact for p(t|c) of the binned layers and the true p(y|x); ity_train: plug-in",
        binning=convention.binning,
        bin_width=SAXE_BIN_WIDTH,
        measured_on="all 4096 inputs; ity_train: the training words",
        num_samples_measured=len(data.y),
        noise_variance=0.0,
        beta=config.beta,
        delta=DELTA,
        information=end.ity,
        seed=config.seed,
        **environment(),
    )


def gaps_record(training: TrainConfig, estimator):
    """Every layer's states, the decisions, and I(T;Y) of the training words."""
    model = make_model(training)
    states, of_training = (
        states_record(model, SAXE_BIN_WIDTH), plane_record(model, estimator, rows="train")
    )  # fmt: skip

    def record(params, data, split):
        logits, _ = model.apply(params, data.x.T, method="feature_major")
        decision = jnp.argmax(logits, axis=0).astype(jnp.int8)
        seen = of_training(params, data, split)["ity"]
        return {**states(params, data, split), "decision": decision, "ity_train": seen}

    return record


def with_curves(results: xr.Dataset, p_cy, curve, curve_ixt, curve_ity) -> xr.Dataset:
    """The optimum, the curves of fewer clusters, what is sure from samples, and the bifurcations."""
    forced = [information_curve(p_cy, BETAS, num_clusters=k) for k in FORCED_CLUSTERS]
    ends = [(c.ixt[-1], c.ity[-1]) for c in forced]  # the largest beta's, once more, to equal lengths
    sure = [
        [
            finite_sample_bounds(
                x, y, cardinality_t=int(np.ceil(2**x)), cardinality_y=2, num_samples=n, delta=DELTA
            ).ity_low
            for x, y in zip(curve_ixt, curve_ity, strict=True)
        ]
        for n in BOUND_SAMPLES
    ]
    splits = bifurcations(p_cy, curve)
    bits = {"units": "bits"}
    return results.assign(
        curve_ixt=("point", curve_ixt, bits),
        curve_ity=("point", curve_ity, bits),
        forced_ixt=(
            ("clusters", "point"),
            np.stack([np.append(c.ixt, e[0]) for c, e in zip(forced, ends, strict=True)]),
            bits,
        ),
        forced_ity=(
            ("clusters", "point"),
            np.stack([np.append(c.ity, e[1]) for c, e in zip(forced, ends, strict=True)]),
            bits,
        ),
        guaranteed=(("num_samples", "point"), np.array(sure), bits),
        split_beta=("split", splits.betas, {"units": "1", "long_name": "beta of a bifurcation"}),
        split_clusters=("split", splits.after, {"units": "1", "long_name": "clusters above it"}),
    ).assign_coords(clusters=list(FORCED_CLUSTERS), num_samples=list(BOUND_SAMPLES))


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """The plane, the layers' own bottlenecks, the gaps and what follows."""
    seeds = f"{results.binning}, {results.sizes['seed']} seeds"
    labels = {
        "kept": "I($T_{i-1}$;$T_i$)",
        "lost": "I(Y;$T_{i-1}$|$T_i$)",
        "objective": f"sum, beta = {results.beta:g}",
    }
    figures = {
        "ib_gaps.png": plot_gaps(results, title=f"Layers and the information bottleneck: {seeds}"),
        "layerwise.png": plot_layer_terms(
            results, labels=labels, title=f"Each layer's own bottleneck: {seeds}, 95% bands"
        ),
    }
    return figures, [gaps_table(results), splits_table(results)]


def gaps_table(results: xr.Dataset) -> Table:
    """Per layer at the end: gaps and the layer's own bottleneck, with intervals over seeds; bits."""
    names = ("complexity_gap", "generalisation_gap", "kept", "lost", "objective")
    header = ["layer", "ict", "ity", "ity_train"]
    for name in names:
        header += interval_columns(name)
    end, rows = results.isel(epoch=-1), []
    for layer in results.layer.values:
        one = end.sel(layer=layer)
        row = [layer, *(float(one[k].mean()) for k in header[1:4])]
        for name in names:
            row += [float(x) for x in mean_interval(one[name].values)[:3]]
        rows.append(row)
    return Table("gaps", header, rows, [seeds_sentence(results), verdict(results)])


def seeds_sentence(results: xr.Dataset) -> str:
    """Diverged networks, and what the decisions capture."""
    captured = mean_interval(results.captured.isel(epoch=-1).values)
    return (
        f"diverged: {int(results.diverged.sum())} of {results.sizes['seed']} networks, left out; "
        f"decisions capture {interval_text(captured, 3)} of I(X;Y)."
    )


def verdict(results: xr.Dataset) -> str:
    """Say whether gaps shrink along the layers and over training, and where bounds say anything."""
    end = results.isel(epoch=-1).transpose("seed", "layer", ...)
    gap = end.complexity_gap.values
    step = [mean_interval(gap[:, i] - gap[:, i + 1]) for i in range(gap.shape[1] - 1)]
    layers = results.layer.values
    falls = [f"{layers[i]} to {layers[i + 1]}" for i, s in enumerate(step) if s.low > NEGLIGIBLE_BITS]
    first = results.complexity_gap.max("epoch").transpose("seed", "layer").values
    fall = mean_interval(first[:, -2] - gap[:, -2])
    vacuous = [
        f"{int(n):,}"
        for n in results.num_samples.values
        if not (results.guaranteed.sel(num_samples=n) > NEGLIGIBLE_BITS).any()
    ]
    first_layer, output = (mean_interval(end.generalisation_gap.values[:, i]) for i in (0, -1))
    return (
        f"The complexity gap falls from layer to layer: {', '.join(falls) or 'nowhere'}; that of the "
        f"last hidden layer ends {interval_text(fall)} bits below its largest. Layers seem to know more "
        f"of training labels than of the true ones: layer 1 {interval_text(first_layer)} bits, the "
        f"output {interval_text(output)}. Bounds say nothing with n = {'; '.join(vacuous) or 'none'}."
    )


def splits_table(results: xr.Dataset) -> Table:
    """The bifurcations of the information curve."""
    splits = results[["split_beta", "split_clusters"]]
    note = "beta at which clusters split (upper limits within the curve's betas), and how many there are"
    return table_of("bifurcations", splits.assign_coords(split=range(splits.sizes["split"])), [note])
