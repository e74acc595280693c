"""How far is information estimated from samples from the truth, and what do bounds say of it?

Claim: Shamir, Sabato & Tishby (2010) and Tishby & Zaslavsky (2015), section III: I(X;T) and I(T;Y) are
near their estimates from n samples, by bounds that depend on the number of states of T, not of X;
hence compressed layers generalise. Against it: for networks' layers the bounds are vacuous at any number
of samples that there is.

Command:  python -m experiments.finite_samples
Time:     1 to 2 minutes on 2 cores, 1.4 GB
Expect:   all draws are inside, where 95% are promised: the bounds are loose. Of I(X;T) they say anything
          from 160 samples (2 states) or 34,000 (layer 3) on, of I(T;Y) from 13,000 (2 states), 300,000
          (the output) or 60 million (layer 3). Estimates of I(T;Y) are good to 0.05 bits from 100 to
          10,000 samples on, the bounds from 10 million to 30 billion.

X is one of the 4096 words of the symmetric task, Y its soft label, I(X;Y) = 0.90 bits. Encoders: the
bottleneck's at two betas, hard partitions into 2 and 6 states (the deterministic bottleneck's), the 44
classes of words of equal p(y|x), and the binned states (0.07) of layers 3 and 5 and the output of two
tanh networks, trained on labels of their own. From n samples of (X, Y), 30 to 100,000, 200 times: the
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

from experiments.finite_samples.analysis import least_samples, sample_information
from experiments.finite_samples.figures import plot_sample_estimates
from experiments.lab import LabConfig, Table, progress_bar
from ibjax.analysis.encoders import class_joint, states_record
from ibjax.bottleneck import finite_sample_bounds, information_curve, layer_information
from ibjax.datasets import draw_labels, soft_label_probability, symmetric_task
from ibjax.datasets.symmetric import symmetric_score
from ibjax.presets import SAXE_BIN_WIDTH, preset
from ibjax.results import environment
from ibjax.training import TrainConfig, fit, make_model

RULE = "0.90"
DELTA = 0.05
NUM_SAMPLES = (30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)
SMOKE_NUM_SAMPLES = (30, 1000, 30_000)
BETAS = (2.0, 50.0)
HARD_BETA, HARD_STATES = 100.0, (2, 6)
LAYERS = {3: "layer 3", 5: "layer 5", 6: "output"}
NUM_NETWORKS, FULL_EPOCHS = 2, 2000

# A smoke run's network, and its layers.
SMOKE_WIDTHS, SMOKE_LAYERS, SMOKE_EPOCHS = (4, 3, 2), {2: "layer 2", 3: "output"}, 30

# An error of I(T;Y) below this is small.
USEFUL_BITS = 0.05

UNITS = {
    "ixt": "I(X;T), plug-in",
    "ity": "I(T;Y), plug-in",
    "ixt_corrected": "I(X;T), Miller-Madow",
    "ity_corrected": "I(T;Y), Miller-Madow",
    "ixt_low": "lower bound of I(X;T)",
    "ixt_high": "upper bound of I(X;T)",
    "ity_low": "lower bound of I(T;Y)",
    "ity_high": "upper bound of I(T;Y)",
    "ixt_vacuous": "the bounds of I(X;T) are those that always hold",
    "ity_vacuous": "the bounds of I(T;Y) are those that always hold",
}


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
    parts = [[of_samples(drawn[n], encoder, n) for n in sizes] for encoder in encoders.values()]
    variables = {}
    for name, long_name in UNITS.items():
        values = np.array([[one[name] for one in row] for row in parts])  # (encoder, n, repeat)
        units = "1" if name.endswith("vacuous") else "bits"
        attrs = {"units": units, "long_name": long_name}
        variables[name] = (("encoder", "num_samples", "repeat"), values.astype(float), attrs)
    exact = [layer_information(encoder, p_xy) for encoder in encoders.values()]
    for name in ("ixt", "ity"):
        attrs = {"units": "bits", "long_name": f"exact, of {UNITS[name]}".removesuffix(", plug-in")}
        variables[f"exact_{name}"] = ("encoder", [getattr(mi, name) for mi in exact], attrs)
    states = [encoder.shape[1] for encoder in encoders.values()]
    variables["cardinality"] = ("encoder", states, {"units": "1", "long_name": "states of T"})
    return xr.Dataset(
        variables,
        {
            "encoder": list(encoders),
            "num_samples": ("num_samples", list(sizes), {"units": "1", "long_name": "samples n"}),
            "repeat": ("repeat", list(config.seed_range), {"units": "1", "long_name": "seed of draw"}),
        },
        {
            "experiment": "finite_samples",
            "source": "Shamir, Sabato & Tishby (2010); Tishby & Zaslavsky (2015), section III",
            "dataset": f"4096 words of ibjax.datasets.symmetric_task(), soft labels of rule {RULE}",
            "delta": DELTA,
            "estimator": "sample_information, finite_sample_bounds",
            "binning": preset("paper").binning,
            "noise_variance": 0.0,
            "seed": config.seed,
            **environment(),
        },
    )


def analytic_encoders() -> dict[str, np.ndarray]:
    """p(t|x) of the bottleneck's and of hard partitions, by name; (4096, t)."""
    classes = np.unique(symmetric_score(), return_inverse=True)[1]
    p_cy = class_joint(classes, soft_label_probability(RULE))
    curve = information_curve(p_cy, BETAS)
    hard = {
        k: information_curve(p_cy, [HARD_BETA], alpha=0.0, num_clusters=k).encoders[0]
        for k in HARD_STATES
    }
    found = {
        f"bottleneck, beta {beta:g}": encoder[:, :count]
        for beta, encoder, count in zip(BETAS, curve.encoders, curve.num_clusters, strict=True)
    }
    found |= {f"{k} hard states": encoder for k, encoder in hard.items()}
    found["44 classes"] = np.eye(len(p_cy))
    return {name: encoder.astype(float)[classes] for name, encoder in found.items()}


def trained_encoders(config: Config, folder: Path | None) -> dict[str, np.ndarray]:
    """p(t|x) of trained networks' binned layers: one-hot rows, a column for each state that occurs."""
    convention = preset("paper")
    epochs = config.epochs or (SMOKE_EPOCHS if config.smoke else FULL_EPOCHS)
    options = {**convention.training, "num_epochs": epochs}
    if config.smoke:
        options["widths"] = SMOKE_WIDTHS
    training = TrainConfig(activation="tanh", **options)
    of_networks = dataclasses.replace(config, seeds=NUM_NETWORKS)
    with progress_bar(1) as on_advance_of:
        history = fit(
            training,
            symmetric_task(),
            record=states_record(make_model(training), SAXE_BIN_WIDTH),
            schedule=[epochs],
            draw_labels=functools.partial(draw_labels, probability=soft_label_probability(RULE)),
            on_advance=on_advance_of("networks"),
            **of_networks.fit_options(folder, "networks"),
        )
    return {
        f"{name}, network {network}": np.eye(states.max() + 1)[states]
        for network, of_layers in zip(
            of_networks.seed_range, history.records["states"][:, -1], strict=True
        )
        for layer, name in (SMOKE_LAYERS if config.smoke else LAYERS).items()
        for states in [of_layers[layer - 1]]
    }


def draws(p_xy: np.ndarray, n: int, repeats: range) -> np.ndarray:
    """(repeat, x, y) counts of n samples, each repeat from a generator of its own."""
    of_each = [np.random.default_rng([repeat, n]).multinomial(n, p_xy.ravel()) for repeat in repeats]
    return np.reshape(of_each, (len(repeats), *p_xy.shape))


def of_samples(counts: np.ndarray, encoder: np.ndarray, n: int) -> dict[str, np.ndarray]:
    """Estimates and bounds, (repeat,) each, by variable."""
    found = sample_information(counts, encoder)
    states, labels = encoder.shape[1], counts.shape[-1]
    bounds = finite_sample_bounds(
        found.ixt, found.ity, cardinality_t=states, cardinality_y=labels, num_samples=n, delta=DELTA
    )
    return found._asdict() | bounds._asdict()


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Estimates and bounds against n, how far off they are, and from which n bounds say anything."""
    networks = [str(x) for x in results.encoder.values if ", network " in str(x)]
    first = networks[0].rpartition(", ")[2] if networks else ""
    shown = [x for x in results.encoder.values if x not in networks or str(x).endswith(first)]
    draws_of = f"{results.sizes['repeat']} draws of n samples, mean, 5% to 95%"
    title = f"Information of known encoders: {draws_of}; mean bounds at delta = {results.delta}"
    figures = {
        f"{name}.png": plot_sample_estimates(results.sel(encoder=shown), name, title=title)
        for name in ("ixt", "ity")
    }
    return figures, [bounds_table(results), estimates_table(results)]


def inside(results: xr.Dataset) -> xr.DataArray:
    """(encoder, num_samples, repeat): whether both intervals hold the exact values."""
    held = [
        (results[f"{name}_low"] <= results[f"exact_{name}"])
        & (results[f"exact_{name}"] <= results[f"{name}_high"])
        for name in ("ixt", "ity")
    ]
    return held[0] & held[1]


def estimates_table(results: xr.Dataset) -> Table:
    """Per encoder and n: bias and spread of the estimates, coverage and width of the bounds; bits."""
    columns: dict[str, xr.DataArray] = {}
    for name in ("ixt", "ity"):
        exact = results[f"exact_{name}"]
        columns[f"{name}_bias"] = (results[name] - exact).mean("repeat")
        columns[f"{name}_corrected_bias"] = (results[f"{name}_corrected"] - exact).mean("repeat")
        columns[f"{name}_std"] = results[name].std("repeat")
        columns[f"{name}_width"] = (results[f"{name}_high"] - results[f"{name}_low"]).mean("repeat")
        columns[f"{name}_vacuous"] = results[f"{name}_vacuous"].mean("repeat")
    columns["coverage"] = inside(results).mean("repeat")
    header = ["encoder", "n", *columns]
    rows = [
        [str(e), int(n), *(float(c.sel(encoder=e, num_samples=n)) for c in columns.values())]
        for e in results.encoder.values
        for n in results.num_samples.values
    ]
    return Table("estimates", header, rows, ["width: of the interval; vacuous: share of draws"])


def needed(results: xr.Dataset, encoder: str) -> dict[str, float]:
    """Samples from which on the estimate is good, and the bounds say anything or something useful."""
    one = results.sel(encoder=encoder)
    exact = float(one.exact_ixt), float(one.exact_ity)

    def from_n(says):
        return least_samples(*exact, int(one.cardinality), 2, delta=results.delta, says=says)

    error = np.sqrt(((one.ity - one.exact_ity) ** 2).mean("repeat")).values
    late = np.flatnonzero(error >= USEFUL_BITS)  # the last n with an estimate that is off
    good = int(late[-1]) + 1 if len(late) else 0
    sizes = [*one.num_samples.values.tolist(), np.inf]
    return {
        "estimate": float(sizes[good]),
        "ixt_speaks": from_n(lambda bounds: not bounds.ixt_vacuous),
        "ity_speaks": from_n(lambda bounds: not bounds.ity_vacuous),
        "ity_useful": from_n(lambda b: max(exact[1] - b.ity_low, b.ity_high - exact[1]) <= USEFUL_BITS),
    }


def bounds_table(results: xr.Dataset) -> Table:
    """Per encoder: exact values, the worst coverage over n, and the samples needed; the verdict."""
    names = ("estimate", "ixt_speaks", "ity_speaks", "ity_useful")
    header = ["encoder", "states", "exact_ixt", "exact_ity", "worst_coverage", *names]
    coverage = inside(results).mean("repeat").min("num_samples")
    rows = []
    for encoder in map(str, results.encoder.values):
        one, found = results.sel(encoder=encoder), needed(results, encoder)
        exact = float(one.exact_ixt), float(one.exact_ity), float(coverage.sel(encoder=encoder))
        rows.append([encoder, int(one.cardinality), *exact, *(f"{found[k]:.3g}" for k in names)])
    note = (
        f"n from which on: estimate: the plug-in I(T;Y) is off by less than {USEFUL_BITS} bits (root "
        "mean square, of the n drawn); speaks: bounds around the exact value say more than what always "
        f"holds; useful: those of I(T;Y) are within {USEFUL_BITS} bits"
    )
    return Table("bounds", header, rows, [verdict(results), note])


def verdict(results: xr.Dataset) -> str:
    """Say whether the bounds hold, and whether they tell anything where estimates are good already."""
    worst, promised = float(inside(results).mean("repeat").min()), 1 - results.delta
    found = {str(e): needed(results, str(e)) for e in results.encoder.values}
    largest = int(results.num_samples.max())
    silent = [name for name, n in found.items() if n["ity_speaks"] > largest]
    ratios = [n["ity_useful"] / n["estimate"] for n in found.values() if np.isfinite(n["estimate"])]
    holds = "hold" if worst >= promised else "do not hold"
    quiet = f"for {len(silent)} of {len(found)} encoders" + (f" ({'; '.join(silent)})" if silent else "")
    more = f"at least {min(ratios):.0f} times" if ratios else "an unknown multiple of"
    return (
        f"The bounds {holds}: in the worst case {worst:.3f} of {results.sizes['repeat']} draws are "
        f"inside, {promised:.2f} promised. Those of I(T;Y) say nothing at {largest:,} samples {quiet}, "
        f"and to know I(T;Y) within {USEFUL_BITS} bits they need {more} the samples that the estimate "
        "does. That such layers generalise does not follow from the bounds at the samples there are; "
        "that they do not, neither."
    )
