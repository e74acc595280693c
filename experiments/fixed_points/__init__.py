"""Do layers end at the information bottleneck's bound, each at a beta of its own?

Claim: Shwartz-Ziv & Tishby (2017), section 3.5 and figure 6: at the end of training the layers lie close
to the information curve of the true p(x, y), their encoders obey the bottleneck's equations with
their own p(t) and p(y|t), each for a beta of its own, and these fall from layer to layer.

Command:  python -m experiments.fixed_points
Time:     5 to 7 minutes on 2 cores
Expect:   all layers end within 0.09 bits of the curve at their I(C;T); untrained ones are up to 0.7
          below. In I(X;T) they are far from it: layer 1 keeps 6.9 bits that tell words of a class
          apart, the output 0.1 to 0.3. Only the output's encoder is nearly the bottleneck's (0.1 bits),
          those of layers 1 to 3 are 2 to 3.5 bits away. Betas fall with depth, in untrained networks as
          well; that of layer 1 is at the end of the range searched: it tells nearly all words apart.

Labels follow the soft rule p(y=1|x) = sigmoid(gamma (f(x) - theta)) with I(X;Y) of 0.99 bits, the
paper's, which is nearly hard, or 0.90, whose curve bends visibly; networks are trained on labels drawn
from it once per seed. 50 networks 12-10-7-5-4-3-2 a rule, tanh, plain SGD (rate 0.1, batches of 256),
8000 epochs. Layers are binned in bins of 0.07, on all 4096 words, at 24 epochs. The words fall into 44
classes C of equal p(y|x), and a layer is an encoder p(t|c): the share of the class's words in state t.
I(C;T), I(T;Y) and the layer's distance to the bottleneck's encoder follow exactly, with no estimate;
I(X;T) = H(T) also counts what tells words of a class apart, which the bottleneck would drop.

Dims: rule, seed, epoch, layer; the curve's: rule, point. ``ity`` is that of the true p(y|x), not of the
labels drawn.
"""

import dataclasses
import functools
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.fixed_points.figures import plot_fixed_points, plot_layer_betas
from experiments.lab import LabConfig, Table, columns, paper_training, progress_bar
from ibjax.analysis.compression import NEGLIGIBLE_BITS
from ibjax.analysis.encoders import class_joint, fixed_points, states_record
from ibjax.analysis.intervals import mean_interval, median_interval
from ibjax.bottleneck import information_curve, interpolate_curve, layer_information
from ibjax.datasets import draw_labels, soft_label_probability, symmetric_task
from ibjax.datasets.symmetric import SOFT_RULES, symmetric_score
from ibjax.presets import SAXE_BIN_WIDTH, preset
from ibjax.results import describe_function, environment, history_to_dataset, stack_arms
from ibjax.training import TrainConfig, fit, make_model
from ibjax.training.schedule import log_spaced_epochs
from ibjax.types import History

RULES = ("0.90", "0.99")
FULL_EPOCHS, SMOKE_EPOCHS = 8000, 30
NUM_RECORDED = 24

SMOKE_WIDTHS = (4, 3, 2)

# Of the curve.
BETAS = np.geomspace(1, 3000, 160)

UNITS = {
    "ict": ("bits", "I(C;T), C the class of words of equal p(y|x)"),
    "beta": ("1", "beta of the bottleneck's encoder that is closest to the layer's"),
    "distance": ("bits", "KL(layer || the bottleneck's encoder), averaged over words"),
    "at_bound": ("1", "beta is an end of the range searched"),
    "below": ("bits", "I(T;Y) below the largest that is possible at the layer's I(C;T)"),
    "irrelevant": ("bits", "I(X;T) - I(C;T): what tells words of a class apart"),
}


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Do layers end at the information bottleneck's bound, each at a beta of its own?"""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train with labels of both rules and measure; checkpoints go to ``folder`` if given."""
    convention, data = preset("paper"), symmetric_task()
    training = paper_training(
        config,
        epochs=FULL_EPOCHS,
        smoke_epochs=SMOKE_EPOCHS,
        smoke_widths=SMOKE_WIDTHS,
        activation="tanh",
    )
    arms = {}
    with progress_bar(len(RULES)) as on_advance_of:
        for rule in RULES:
            history = fit(
                training,
                data,
                record=states_record(make_model(training), SAXE_BIN_WIDTH),
                schedule=log_spaced_epochs(training.num_epochs, NUM_RECORDED),
                draw_labels=functools.partial(draw_labels, probability=soft_label_probability(rule)),
                on_advance=on_advance_of(f"I(X;Y) = {rule}"),
                **config.fit_options(folder, rule),
            )
            arms[(rule,)] = against_the_bottleneck(history, rule, training)
    return stack_arms(arms, ("rule",)).assign_attrs(
        experiment="fixed_points",
        source="Shwartz-Ziv & Tishby (2017), section 3.5 and figure 6",
        dataset="ibjax.datasets.symmetric_task(), labels drawn once per seed from the soft rule",
        rules=", ".join(f"{k}: gamma {r.gamma}, theta {r.theta}" for k, r in SOFT_RULES.items()),
        estimator=describe_function(fixed_points),
        ity="of the true p(y|x), not of the labels drawn",
        binning=convention.binning,
        measured_on="all 4096 inputs",
        num_samples=len(data.y),
        noise_variance=0.0,
        schedule=f"{NUM_RECORDED} epochs, log spaced",
        seed=config.seed,
        **environment(),
    )


def against_the_bottleneck(history: History, rule: str, training: TrainConfig) -> xr.Dataset:
    """One rule's results: every layer's states, read as an encoder of the 44 classes."""
    # By the score: in floating point some of the nearly hard rule's p(y|x) are equal.
    classes = np.unique(symmetric_score(), return_inverse=True)[1]
    p_cy = class_joint(classes, soft_label_probability(rule))
    found = fixed_points(history.records["states"], classes, p_cy)
    finite = np.isfinite(history.records["ixt"])  # a diverged network has no states
    known = {k: np.where(finite, v, np.nan) for k, v in found._asdict().items()}
    plane = {k: v for k, v in history.records.items() if k != "states"}
    plane |= {"ixt": known.pop("ixt"), "ity": known.pop("ity")}
    results = history_to_dataset(history._replace(records=plane), training.as_dict())
    curve = information_curve(p_cy, BETAS)
    end = layer_information(np.eye(len(p_cy)), p_cy)  # T is C, as beta grows beyond all bounds
    curve_ixt, curve_ity = np.append(curve.ixt, end.ixt), np.append(curve.ity, end.ity)
    known["below"] = interpolate_curve(curve_ixt, curve_ity, ixt=known["ict"]) - results.ity.values
    known["irrelevant"] = results.ixt.values - known["ict"]
    for name, values in known.items():
        units, long_name = UNITS[name]
        attrs = {"units": units, "long_name": long_name}
        results[name] = (("seed", "epoch", "layer"), values.astype(float), attrs)
    of_curve = {"curve_ixt": curve_ixt, "curve_ity": curve_ity, "curve_beta": np.append(BETAS, np.inf)}
    for name, values in of_curve.items():
        units = "1" if name == "curve_beta" else "bits"
        results[name] = ("point", values, {"units": units, "long_name": f"information curve: {name}"})
    return results


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """The layers and the curve, their betas and distances over training, and what follows."""
    seeds = f"{results.binning}, {results.sizes['seed']} seeds"
    figures = {
        "fixed_points.png": plot_fixed_points(
            results, column="rule", title=f"Layers against the information bottleneck: {seeds}"
        ),
        "betas.png": plot_layer_betas(
            results, column="rule", title=f"The bottleneck's encoder closest to each layer: {seeds}"
        ),
    }
    return figures, [layers_table(results), order_table(results)]


def layers_table(results: xr.Dataset) -> Table:
    """Per rule and layer at the end: information, gaps to the curve, beta, distance; intervals."""
    header = columns("rule layer ixt irrelevant+- ict ity below+- beta+- distance+- at_bound seeds")
    rows = []
    for rule in results.rule.values:
        end = results.sel(rule=rule).isel(epoch=-1)
        for layer in results.layer.values:
            one = end.sel(layer=layer)
            ixt, ict, ity = (float(one[k].mean()) for k in ("ixt", "ict", "ity"))
            gaps = [mean_interval(one[k].values) for k in ("irrelevant", "below", "distance")]
            irrelevant, below, distance = ([float(x) for x in gap[:3]] for gap in gaps)
            beta = median_interval(one.beta.values)[:3]
            counts = int(one.at_bound.sum()), int(gaps[0].num_seeds)
            rows.append([rule, layer, ixt, *irrelevant, ict, ity, *below, *beta, *distance, *counts])
    notes = [
        "irrelevant: I(X;T) - I(C;T), which tells words of a class apart; below: bits of I(T;Y) under "
        "the curve at the layer's I(C;T); beta: median; intervals of 95%",
        f"diverged: {int(results.diverged.sum())} of {results.diverged.size} networks, left out",
    ]
    return Table("layers", header, rows, notes)


def order_table(results: xr.Dataset) -> Table:
    """By how much log10 beta falls from each layer to the next, untrained and at the end; verdicts."""
    header = columns("rule epoch layers fall+- share_falling seeds unknown")
    rows = []
    for rule in results.rule.values:
        for position in (0, -1):
            at_epoch = results.sel(rule=rule).isel(epoch=position)
            for pair, fall in beta_falls(at_epoch).items():
                *interval, count = mean_interval(fall)
                share = float((fall > 0).sum() / max(int(count), 1))
                counts = int(count), int(np.isnan(fall).sum())
                rows.append([rule, int(at_epoch.epoch), pair, *map(float, interval), share, *counts])
    note = "fall: log10 beta of the first layer less that of the second; unknown: both at a bound"
    return Table("order", header, rows, [*(verdict(results, str(r)) for r in results.rule.values), note])


def beta_falls(at_epoch: xr.Dataset) -> dict[str, np.ndarray]:
    """By pair of adjacent layers, (seed,) the fall of log10 beta; NaN where both are at a bound."""
    at_epoch = at_epoch.transpose("seed", "layer", ...)
    bound = at_epoch.at_bound.values == 1
    falls = -np.diff(np.log10(at_epoch.beta.values), axis=1)
    falls = np.where(bound[:, :-1] & bound[:, 1:], np.nan, falls)
    layers = at_epoch.layer.values
    return {f"{a}-{b}": fall for a, b, fall in zip(layers, layers[1:], falls.T, strict=False)}


def verdict(results: xr.Dataset, rule: str) -> str:
    """Say what the intervals say of the claim's three parts, and what they do not."""
    arm = results.sel(rule=rule)
    end = arm.isel(epoch=-1).transpose("seed", "layer", ...)
    gaps = {k: mean_interval(end[k].values) for k in ("below", "irrelevant", "distance")}
    near = [str(x) for x in arm.layer.values[gaps["below"].high < NEGLIGIBLE_BITS]]
    untrained = mean_interval(arm.below.isel(epoch=0).transpose("seed", "layer").values).estimate

    def described(name, choose=np.nanargmax):
        at = int(choose(gaps[name].estimate))
        interval = f"[{gaps[name].low[at]:.2f}, {gaps[name].high[at]:.2f}]"
        return f"{gaps[name].estimate[at]:.2f} bits {interval} (layer {arm.layer.values[at]})"

    def falling(position):
        """Pairs whose betas fall, and pairs that most networks leave unknown."""
        pairs = {k: mean_interval(fall) for k, fall in beta_falls(arm.isel(epoch=position)).items()}
        unknown = [k for k, i in pairs.items() if i.num_seeds < arm.sizes["seed"] / 2]
        falls = [k for k, i in pairs.items() if i.low > 0 and k not in unknown]
        return falls, unknown, len(falls) + len(unknown) == len(pairs) and len(falls) > 0

    falls, unknown, ordered = falling(-1)
    *_, ordered_before = falling(0)
    follows = "does not follow."
    if ordered:
        follows = "is supported" + (
            ", but untrained networks have that order, too: alone it is no result of training."
            if ordered_before
            else "; of untrained networks it is not known for all layers."
        )
    unclear = f" (both at a bound: {', '.join(unknown)})" if unknown else ""
    return (
        f"I(X;Y) = {rule}: layers within {NEGLIGIBLE_BITS} bits of the curve at their I(C;T): "
        f"{', '.join(near) or 'none'}; the furthest is {described('below')} below, of untrained ones "
        f"{np.nanmax(untrained):.2f} bits. Of I(X;T) up to {described('irrelevant')} only tells words "
        "of a class apart, which the bottleneck would not keep. Their encoders differ from the "
        f"bottleneck's by {described('distance', np.nanargmin)} to {described('distance')}. Betas fall "
        f"between layers {', '.join(falls) or 'none'}{unclear}: that they fall with depth {follows}"
    )
