"""Do layers end at the information bottleneck's bound, each at a beta of its own?

Claim: Shwartz-Ziv & Tishby (2017), section 3.5 and figure 6: at the end of training the layers lie close
to the information curve of the true p(x, y), their encoders obey the bottleneck's equations with
their own p(t) and p(y|t), each for a beta of its own, and these fall from layer to layer.

Command:  python -m experiments.fixed_points
Time:     5 to 7 minutes on 2 cores
Expect:   all layers end within 0.08 bits of the curve at their I(C;T); untrained ones are up to 0.7
          below. In I(X;T) they are far from it: layer 1 keeps 6.9 bits that tell words of a class
          apart, the output 0.1 to 0.3. Only the output's encoder is nearly the bottleneck's (0.1 bits),
          those of hidden layers are 0.6 to 2.5 bits away. Betas fall with depth, in untrained networks
          as well; that of layer 1 is at the end of the range searched: it tells nearly all words apart.

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

from experiments.fixed_points.analysis import against_the_bottleneck, beta_falls
from experiments.fixed_points.figures import plot_fixed_points, plot_layer_betas
from experiments.lab import (
    Arm,
    LabConfig,
    Scale,
    Table,
    interval_cells,
    scale_of,
    symmetric,
    table_of_rows,
    train,
)
from ibjax.analysis.compression import NEGLIGIBLE_BITS
from ibjax.analysis.encoders import StatesRecord, fixed_points
from ibjax.analysis.intervals import mean_interval, median_interval
from ibjax.datasets import draw_labels, soft_label_probability
from ibjax.datasets.symmetric import SOFT_RULES
from ibjax.functions import describe_function
from ibjax.presets import SAXE_BIN_WIDTH, preset
from ibjax.training import TrainConfig, log_spaced_epochs, make_model

RULES = ("0.90", "0.99")
FULL, SMOKE = Scale(epochs=8000), Scale(epochs=30, widths=(4, 3, 2))
NUM_RECORDED = 24


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Do layers end at the information bottleneck's bound, each at a beta of its own?"""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train with labels of both rules and measure; checkpoints go to ``folder`` if given."""
    convention, scale = preset("paper"), scale_of(config, FULL, SMOKE)
    training = TrainConfig(activation="tanh", **convention.training, **scale.training)
    record = StatesRecord(make_model(training), SAXE_BIN_WIDTH)
    arms = {}
    for rule in RULES:
        draw = functools.partial(draw_labels, probability=soft_label_probability(rule))
        task = symmetric(labels="labels drawn once per seed from the soft rule", draw_labels=draw)
        arms[(rule,)] = Arm(training, task, record)
    return train(
        config,
        arms,
        factors=("rule",),
        source="Shwartz-Ziv & Tishby (2017), section 3.5 and figure 6",
        schedule=log_spaced_epochs(scale.epochs, NUM_RECORDED),
        folder=folder,
        derive=against_the_bottleneck,
        rules=", ".join(f"{k}: gamma {r.gamma}, theta {r.theta}" for k, r in SOFT_RULES.items()),
        estimator=describe_function(fixed_points),
        ity="of the true p(y|x), not of the labels drawn",
        binning=convention.binning,
    )


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw the layers and the curve, their betas and distances over training; say what follows."""
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
    """Tabulate by rule and layer final information, gaps to the curve, beta, distance; intervals."""
    rows = []
    for rule in results.rule.values:
        for layer in results.layer.values:
            end = results.sel(rule=rule, layer=layer).isel(epoch=-1)
            irrelevant = mean_interval(end.irrelevant.values)
            rows.append(
                {
                    "rule": rule,
                    "layer": layer,
                    "ixt": float(end.ixt.mean()),
                    **interval_cells("irrelevant", irrelevant),
                    "ict": float(end.ict.mean()),
                    "ity": float(end.ity.mean()),
                    **interval_cells("below", mean_interval(end.below.values)),
                    **interval_cells("beta", median_interval(end.beta.values)),
                    **interval_cells("distance", mean_interval(end.distance.values)),
                    "at_bound": int(end.at_bound.sum()),
                    "seeds": int(irrelevant.num_seeds),
                }
            )
    notes = [
        "irrelevant: I(X;T) - I(C;T), which tells words of a class apart; below: bits of I(T;Y) under "
        "the curve at the layer's I(C;T); beta: median; intervals of 95%",
        f"diverged: {int(results.diverged.sum())} of {results.diverged.size} networks, left out",
    ]
    return table_of_rows("layers", rows, notes)


def order_table(results: xr.Dataset) -> Table:
    """Tabulate how log10 beta falls from each layer to the next, untrained and at the end; verdicts."""
    rows = []
    for rule in results.rule.values:
        for position in (0, -1):
            at_epoch = results.sel(rule=rule).isel(epoch=position)
            for pair, falls in beta_falls(at_epoch).items():
                interval = mean_interval(falls)
                count = int(interval.num_seeds)
                rows.append(
                    {
                        "rule": rule,
                        "epoch": int(at_epoch.epoch),
                        "layers": pair,
                        **interval_cells("fall", interval),
                        "share_falling": float((falls > 0).sum() / max(count, 1)),
                        "seeds": count,
                        "unknown": len(falls) - count,
                    }
                )
    note = "fall: log10 beta of the first layer less that of the second; unknown: both at a bound"
    verdicts = [verdict(results, str(rule)) for rule in results.rule.values]
    return table_of_rows("order", rows, [*verdicts, note])


def verdict(results: xr.Dataset, rule: str) -> str:
    """Say what the intervals say of the claim's three parts, and what they do not."""
    arm = results.sel(rule=rule)
    end = arm.isel(epoch=-1).transpose("seed", "layer", ...)
    gaps = {name: mean_interval(end[name].values) for name in ("below", "irrelevant", "distance")}
    near = [str(layer) for layer in arm.layer.values[gaps["below"].high < NEGLIGIBLE_BITS]]
    untrained = mean_interval(arm.below.isel(epoch=0).transpose("seed", "layer").values).estimate

    def described(name, choose=np.nanargmax):
        at = int(choose(gaps[name].estimate))
        interval = f"[{gaps[name].low[at]:.2f}, {gaps[name].high[at]:.2f}]"
        return f"{gaps[name].estimate[at]:.2f} bits {interval} (layer {arm.layer.values[at]})"

    def falling(position):
        """Return pairs whose betas fall, pairs that most networks leave unknown, whether all fall."""
        pairs = {k: mean_interval(falls) for k, falls in beta_falls(arm.isel(epoch=position)).items()}
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
