"""How far is information estimated from samples from the truth, and what do bounds say of it?

Claim: Shamir, Sabato & Tishby (2010) and Tishby & Zaslavsky (2015), section III: I(X;T) and I(T;Y) are
near their estimates from n samples, by bounds that grow with the number of states of T, not of X;
hence compressed layers generalise. Against it: for networks' layers these bounds are vacuous at any
number of samples that there is.

Command:  python -m experiments.finite_samples
Time:     3 to 5 minutes on 2 cores, 1.5 GB
Expect:   all draws are inside, where 95% are promised. Of I(T;Y) the bounds say something from 2,250
          samples (2 states), 2,500 (the output) or 14,000 (layer 3) on, where Shamir et al. need 67,600
          to 370 billion. To give I(T;Y) within 0.05 bits they need 1.7 million (2 states) to 2.1 million
          (2977 states), the estimates 100 to 10,000: the number of states hardly matters.

X is one of the 4096 words of the symmetric task, Y its soft label, I(X;Y) = 0.90 bits. Encoders: the
bottleneck's at two betas, hard partitions into 2 and 6 states (the deterministic bottleneck's), the 44
classes of words of equal p(y|x), and the binned states (0.07) of layers 3 and 5 and the output of two
tanh networks, trained on labels of their own. From n samples of (X, Y), 30 to 10^9, 200 times: the
plug-in estimates, those with Miller and Madow's correction, and the intervals of finite_sample_bounds at
delta = 0.05, against the exact values. The repeats are the seeds; the networks are not repeated.

Dims: encoder, num_samples, repeat; ``exact_ixt``, ``exact_ity`` and ``cardinality``: encoder.
"""

import dataclasses
import functools
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.finite_samples.analysis import (
    DELTA,
    ESTIMATES,
    RULE,
    USEFUL_BITS,
    analytic_encoders,
    draws,
    estimates_and_bounds,
    inside,
    methods,
    needed,
)
from experiments.finite_samples.figures import plot_sample_estimates
from experiments.lab import (
    Arm,
    LabConfig,
    Scale,
    Table,
    scale_of,
    symmetric,
    table_of,
    table_of_rows,
    train,
)
from ibjax.analysis.encoders import StatesRecord
from ibjax.bottleneck import layer_information
from ibjax.datasets import draw_labels, soft_label_probability
from ibjax.presets import SAXE_BIN_WIDTH, preset
from ibjax.results import environment
from ibjax.training import TrainConfig, make_model

SOURCE = "Shamir, Sabato & Tishby (2010); Tishby & Zaslavsky (2015), section III"

NUM_SAMPLES = tuple(lead * 10**power for power in range(1, 9) for lead in (3, 10))  # 30, 100 ... 10^9
SMOKE_NUM_SAMPLES = (30, 1000, 30_000)

# Of the networks whose layers are encoders.
NUM_NETWORKS = 2
FULL, SMOKE = Scale(epochs=2000), Scale(epochs=30, widths=(4, 3, 2))
LAYERS, SMOKE_LAYERS = {3: "layer 3", 5: "layer 5", 6: "output"}, {2: "layer 2", 3: "output"}


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """How far is information estimated from samples from the truth, and what do bounds say of it?"""

    seeds: int = 200
    """Draws of each number of samples."""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Estimate every encoder's information from the same samples; checkpoints go to ``folder``."""
    probability = soft_label_probability(RULE)
    p_xy = np.stack([1 - probability, probability], axis=1) / len(probability)
    encoders = analytic_encoders() | trained_encoders(config, folder)
    sizes = SMOKE_NUM_SAMPLES if config.smoke else NUM_SAMPLES
    drawn = {n: draws(p_xy, n, config.seed_range) for n in sizes}
    measured = [[estimates_and_bounds(drawn[n], e, n) for n in sizes] for e in encoders.values()]
    variables = {}
    for name, long_name in ESTIMATES.items():
        values = np.array([[cell[name] for cell in row] for row in measured], float)
        attrs = {"units": "1" if name.endswith("vacuous") else "bits", "long_name": long_name}
        variables[name] = (("encoder", "num_samples", "repeat"), values, attrs)
    exact = [layer_information(encoder, p_xy) for encoder in encoders.values()]
    for name, long_name in (("ixt", "exact, of I(X;T)"), ("ity", "exact, of I(T;Y)")):
        attrs = {"units": "bits", "long_name": long_name}
        variables[f"exact_{name}"] = ("encoder", [getattr(mi, name) for mi in exact], attrs)
    states = [encoder.shape[1] for encoder in encoders.values()]
    variables["cardinality"] = ("encoder", states, {"units": "1", "long_name": "states of T"})
    coords = {
        "encoder": list(encoders),
        "num_samples": ("num_samples", list(sizes), {"units": "1", "long_name": "samples n"}),
        "repeat": ("repeat", list(config.seed_range), {"units": "1", "long_name": "seed of draw"}),
    }
    return xr.Dataset(variables, coords).assign_attrs(
        source=SOURCE,
        dataset=f"4096 words of ibjax.datasets.symmetric_task(), soft labels of rule {RULE}",
        delta=DELTA,
        estimator="sample_information, finite_sample_bounds",
        binning=preset("paper").binning,
        noise_variance=0.0,
        seed=config.seed,
        **environment(),
    )


def trained_encoders(config: Config, folder: Path | None) -> dict[str, np.ndarray]:
    """Return p(t|x) of trained networks' binned layers: one-hot rows, a column per state that occurs."""
    scale = scale_of(config, FULL, SMOKE)
    training = TrainConfig(activation="tanh", **preset("paper").training, **scale.training)
    draw = functools.partial(draw_labels, probability=soft_label_probability(RULE))
    task = symmetric(labels=f"labels drawn from the soft rule {RULE}", draw_labels=draw)
    record = StatesRecord(make_model(training), SAXE_BIN_WIDTH)
    networks = train(
        dataclasses.replace(config, seeds=NUM_NETWORKS),
        {(): Arm(training, task, record)},
        factors=(),
        source=SOURCE,
        schedule=[scale.epochs],
        folder=folder,
    ).isel(epoch=-1)
    encoders = {}
    for seed in networks.seed.values:
        for layer, name in (SMOKE_LAYERS if config.smoke else LAYERS).items():
            states = networks.states.sel(seed=seed, layer=layer).values
            encoders[f"{name}, network {seed}"] = np.eye(states.max() + 1)[states]
    return encoders


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw estimates and bounds against n; tabulate errors, and from which n bounds say anything."""
    networks = [str(x) for x in results.encoder.values if ", network " in str(x)]
    first = networks[0].rpartition(", ")[2] if networks else ""
    shown = [x for x in results.encoder.values if x not in networks or str(x).endswith(first)]
    draws_of = f"{results.sizes['repeat']} draws of n samples, mean, 5% to 95%"
    figures = {
        f"{name}.png": plot_sample_estimates(
            results.sel(encoder=shown),
            name,
            title=f"{symbol} against the number of samples, by encoder\n"
            f"{draws_of}; bounds hold with probability {1 - results.delta:g}",
        )
        for name, symbol in (("ixt", "I(X;T)"), ("ity", "I(T;Y)"))
    }
    return figures, [bounds_table(results), estimates_table(results)]


def estimates_table(results: xr.Dataset) -> Table:
    """Tabulate by encoder and n the estimates' bias and spread, the bounds' coverage and width; bits."""
    columns: dict[str, xr.DataArray] = {}
    for name in ("ixt", "ity"):
        exact = results[f"exact_{name}"]
        columns[f"{name}_bias"] = (results[name] - exact).mean("repeat")
        columns[f"{name}_corrected_bias"] = (results[f"{name}_corrected"] - exact).mean("repeat")
        columns[f"{name}_std"] = results[name].std("repeat")
        columns[f"{name}_width"] = (results[f"{name}_high"] - results[f"{name}_low"]).mean("repeat")
        columns[f"{name}_vacuous"] = results[f"{name}_vacuous"].mean("repeat")
    columns["coverage"] = inside(results).mean("repeat")
    summary = xr.Dataset(columns).assign(methods(results)).rename(num_samples="n")
    return table_of(
        "estimates",
        summary,
        ["width: of the interval; vacuous: share of draws; method: the bound that gave the interval"],
    )


def bounds_table(results: xr.Dataset) -> Table:
    """Tabulate by encoder exact values, the worst coverage over n, the samples needed; the verdict."""
    coverage = inside(results).mean("repeat").min("num_samples")
    rows = []
    for encoder in map(str, results.encoder.values):
        at_encoder = results.sel(encoder=encoder)
        rows.append(
            {
                "encoder": encoder,
                "states": int(at_encoder.cardinality),
                "exact_ixt": float(at_encoder.exact_ixt),
                "exact_ity": float(at_encoder.exact_ity),
                "worst_coverage": float(coverage.sel(encoder=encoder)),
                **{name: f"{n:.3g}" for name, n in needed(results, encoder).items()},
            }
        )
    note = (
        f"n from which on: estimate: the plug-in I(T;Y) is off by less than {USEFUL_BITS} bits (root "
        "mean square, of the n drawn); speaks: bounds say more than what always holds (ixt: of all "
        "draws, of the n drawn; ity: around the exact value), by the narrower bound, by the distance "
        f"alone, by Shamir et al.; useful: those of I(T;Y) are within {USEFUL_BITS} bits"
    )
    return table_of_rows("bounds", rows, [verdict(results), note])


def verdict(results: xr.Dataset) -> str:
    """Say whether the bounds hold, and from how many samples on they tell anything of I(T;Y)."""
    worst, promised = float(inside(results).mean("repeat").min()), 1 - results.delta
    samples = {str(e): needed(results, str(e)) for e in results.encoder.values}
    ratios = [n["ity_useful"] / n["estimate"] for n in samples.values() if np.isfinite(n["estimate"])]
    holds = "hold" if worst >= promised else "do not hold"
    more = f"at least {min(ratios):.0f} times" if ratios else "an unknown multiple of"
    speaks = {
        name: [n[f"ity_speaks{name}"] for n in samples.values()] for name in ("", "_distance", "_shamir")
    }
    least, distance, shamir = (f"{min(v):,.0f} to {max(v):,.0f}" for v in speaks.values())
    return (
        f"The bounds {holds}: in the worst case {worst:.3f} of {results.sizes['repeat']} draws are "
        f"inside, {promised:.2f} promised. Those of I(T;Y) say something from {least} samples on, "
        f"depending on the encoder; by the distance alone from {distance}, those of Shamir et al. from "
        f"{shamir}. To know I(T;Y) within {USEFUL_BITS} bits they need {more} the samples that the "
        "estimate does."
    )
