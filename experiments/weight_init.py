"""How far do planes depend on the initial weights? The variance over networks, taken apart.

Claim: "Revisiting the Information Plane" (2019), appendix B: the planes of networks that mix tanh and
ReLU depend on their initial weights.

Command:  python -m experiments.weight_init
Time:     4 minutes on 2 cores
Expect:   initial weights account for 38% to 96% of the variance where tests find them, in layers 3 to 6
          above all, with standard deviations up to 1.7 bits; which samples are for training and their
          order account for none in any layer.

A crossed design for each of the four mixes of ``mixed_activations`` (layers 1 and 2 of tanh or ReLU,
layers 3 to 5 of tanh or ReLU): 10 initial weights times 5 draws of the data (which samples are for
training, and their order in every epoch), 50 networks 12-10-7-5-4-3-2; preset "revisiting": Adam
(``--optimizer sgd`` for plain SGD), batches of 256, 8000 epochs (with ``--paper-split`` draws of the
data differ in the order alone). I(X;T), I(T;Y) on the training samples in bins of 0.07, with edges by
activation. Of compression and of final I(X;T), layer by layer: the components of variance due to the
weights, to the data and to what is left, by two-way random effects (ibjax.analysis.factorial), with F
tests. ``--seeds`` is the number of networks; those beyond the last whole row of 5 are trained but take
no part.

Dims: dataset, first, later, seed, epoch, layer; coordinates ``init`` and ``draw`` of ``seed``.
"""

import dataclasses
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import Table, levels_of, main, seeds_table, table_of, train
from experiments.lab.revisiting import (
    BINNING,
    RevisitingConfig,
    binned_plane,
    dataset_arms,
    mixed_trainings,
    provenance,
)
from ibjax.analysis.compression import seed_compression
from ibjax.analysis.factorial import variance_components
from ibjax.plots import plot_variance_parts

LEVELS = ("tanh", "relu")
FACTORS = ("dataset", "first", "later")
NUM_DRAWS = 5
OUTCOMES = {"compression": "compression of I(X;T)", "final": "final I(X;T)"}
SOURCES = {"rows": "initial weights", "columns": "data", "residual": "both together and chance"}

# Tests below this are significant; there are 6 layers, 4 mixes and 2 outcomes.
SIGNIFICANT = 0.001


@dataclasses.dataclass(frozen=True)
class Config(RevisitingConfig):
    """How far do planes depend on the initial weights?"""

    @property
    def draws(self) -> int:
        """Draws of the data for each of the initial weights, of which there are two or more."""
        return max(1, min(NUM_DRAWS, len(self.seed_range) // 2))


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure the four mixes; checkpoints go to ``folder`` if given."""
    seeds = np.asarray(config.seed_range)
    inits, draws = np.divmod(np.arange(len(seeds)), config.draws)
    results = train(
        config,
        dataset_arms(config, mixed_trainings(config, LEVELS), binned_plane),
        factors=FACTORS,
        source="Revisiting the Information Plane (2019), appendix B",
        folder=folder,
        purpose_seeds={"init": seeds[inits], "split": seeds[draws], "order": seeds[draws]},
        **provenance(config),
        binning=BINNING,
    )
    return results.assign_coords(
        init=("seed", inits, {"units": "1", "long_name": "initial weights"}),
        draw=("seed", draws, {"units": "1", "long_name": "draw of the data"}),
    )


def components(results: xr.Dataset) -> xr.Dataset:
    """Compute components of variance by source, bits squared, and p-values of weights and data.

    Dims: outcome, dataset, first, later, source, layer.
    """
    columns = int(results.draw.max()) + 1
    rows = results.sizes["seed"] // columns  # whole rows alone
    estimates = []
    for outcome in (seed_compression(results), results.ixt.isel(epoch=-1)):
        values = outcome.transpose("seed", *FACTORS, "layer").values
        values = values[: rows * columns].reshape(rows, columns, *values.shape[1:])
        if min(rows, columns) < 2:  # too few for a design
            estimates.append(np.full((5, *values.shape[2:]), np.nan))
        else:
            estimates.append(np.stack(variance_components(values)))
    stacked = np.stack(estimates)  # (outcome, component, dataset, first, later, layer)
    p = np.concatenate([stacked[:, 3:], np.full_like(stacked[:, :1], np.nan)], axis=1)
    dims = ("outcome", "source", *FACTORS, "layer")
    parts = xr.Dataset(
        {"variance": (dims, stacked[:, :3], {"units": "bits^2"}), "p": (dims, p, {"units": "1"})},
        {"outcome": list(OUTCOMES), "source": list(SOURCES)}
        | {d: results[d].values for d in (*FACTORS, "layer")},
    )
    return parts.transpose("outcome", *FACTORS, "source", "layer")


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw standard deviations by source; tabulate, and say what follows."""
    parts = components(results)
    shown = parts.variance.stack(arm=("first", "later"))
    names = [f"first {first}, later {later}" for first, later in shown.arm.values]
    shown = shown.drop_vars(["arm", "first", "later"]).assign_coords(
        arm=names, outcome=[OUTCOMES[name] for name in parts.outcome.values]
    )
    design = f"{len(np.unique(results.init))} initial weights x {len(np.unique(results.draw))} draws"
    figures = {
        f"variance_{name}.png": plot_variance_parts(
            shown.sel(dataset=name),
            row="outcome",
            labels=SOURCES,
            title=f"{name}, {design}, {results.optimizer}, {results.split}, {results.binning}",
        )
        for name in results.dataset.values
    }
    return figures, [variance_table(results, parts), seeds_table(results)]


def variance_table(results: xr.Dataset, parts: xr.Dataset) -> Table:
    """Tabulate by outcome, mix and layer standard deviations by source, variance shares, tests."""
    variance = np.maximum(parts.variance, 0)
    total, deviation = variance.sum("source", skipna=False), np.sqrt(variance)
    columns = {
        "std_weights": deviation.sel(source="rows", drop=True),
        "std_data": deviation.sel(source="columns", drop=True),
        "std_rest": deviation.sel(source="residual", drop=True),
        "share_weights": variance.sel(source="rows", drop=True) / total.where(total > 0),
        "p_weights": parts.p.sel(source="rows", drop=True),
        "p_data": parts.p.sel(source="columns", drop=True),
    }
    arms = levels_of(parts, ("outcome", *FACTORS))
    sentences = [verdict(parts.sel(levels)) for levels in arms]
    note = (
        "std: square roots of the components of variance, bits, negative estimates as 0; share: of the "
        "three components' sum; p: F test that the component is 0; all missing where there are not two "
        "initial weights and two draws. "
        f"{int(results.diverged.sum())} networks diverged: their layers have no components."
    )
    return table_of("variance", xr.Dataset(columns), [note, *sentences])


def verdict(parts: xr.Dataset) -> str:
    """Say in which layers of a mix weights or data account for differences between networks."""
    variance = np.maximum(parts.variance, 0)
    effects = []
    for source in ("rows", "columns"):
        layers = []
        for layer in parts.layer.values:
            cell = {"source": source, "layer": layer}
            if parts.p.sel(cell) < SIGNIFICANT:
                value = float(variance.sel(cell))
                share = value / float(variance.sel(layer=layer).sum())
                layers.append(f"{layer} ({np.sqrt(value):.2f} bits, {share:.0%})")
        effects.append(f"{SOURCES[source]} in layers {', '.join(layers) or 'none'}")
    mix = f"first {parts['first'].item()}, later {parts['later'].item()}"
    return (
        f"{parts.dataset.item()}, {mix}, {OUTCOMES[parts.outcome.item()]}: variance due to "
        f"{'; to '.join(effects)} (standard deviation, share of the variance; p < {SIGNIFICANT})."
    )


if __name__ == "__main__":
    main("weight_init", Config, run, report)
