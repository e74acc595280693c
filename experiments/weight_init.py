"""How far do planes depend on the initial weights? The variance over networks, taken apart.

Claim: "Revisiting the Information Plane" (2019), appendix B: the planes of networks that mix tanh and
ReLU depend on their initial weights.

Command:  python -m experiments.weight_init
Time:     14 to 31 minutes on 2 cores
Expect:   of compression and final I(X;T), where networks differ by more than 0.05 bits, the initial
          weights alone explain 12% to 98% of the variance. At fixed weights 2% to 88% are left, the
          data's doing; the data alone explain -2% to 3%, nowhere clearly more than nothing.

A crossed design for each of the four mixes of ``mixed_activations`` (layers 1 and 2 of tanh or ReLU,
layers 3 to 5 of tanh or ReLU): 13 initial weights times 13 draws of the data (which samples are for
training, and their order in every epoch), 169 networks 12-10-7-5-4-3-2; preset "revisiting": Adam
(``--optimizer sgd`` for plain SGD), batches of 256, 8000 epochs (with ``--paper-split`` draws
of the data differ in the order alone). I(X;T), I(T;Y) on the training samples in bins of 0.07, with
edges by activation. Of compression and of final I(X;T), layer by layer: the shares
of the variance that weights or data explain alone (main effects) and with their interaction (total
effects), by two-way random effects (ibjax.analysis.factorial). Runs are deterministic: what is left over
is the interaction, and at fixed weights all variation is the data's. With 13 x 13 the F test of the data
finds a main effect of 20% at p < 0.001 in 80% of all cases or more if weights explain 10% or more.
``--seeds`` is the number of networks, its square root rounded down that of the draws; networks beyond
the last whole row are trained but take no part.

Dims: dataset, first, later, seed, epoch, layer; coordinates ``init`` and ``draw`` of ``seed``.
"""

import dataclasses
import math
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
from ibjax.analysis.compression import NEGLIGIBLE_BITS, seed_compression
from ibjax.analysis.factorial import variance_components, variance_shares
from ibjax.plots import plot_variance_shares

LEVELS = ("tanh", "relu")
FACTORS = ("dataset", "first", "later")
NUM_INITS, NUM_DRAWS = 13, 13
OUTCOMES = {"compression": "compression of I(X;T)", "final": "final I(X;T)"}
SOURCES = {"weights": "initial weights", "interaction": "weights and data together", "data": "data"}

# Tests below this are significant; there are 6 layers, 4 mixes and 2 outcomes.
SIGNIFICANT = 0.001


@dataclasses.dataclass(frozen=True)
class Config(RevisitingConfig):
    """How far do planes depend on the initial weights?"""

    seeds: int = NUM_INITS * NUM_DRAWS
    """Networks per arm: initial weights times draws of the data."""

    @property
    def draws(self) -> int:
        """Draws of the data for each of the initial weights, of which there are as many or more."""
        return math.isqrt(len(self.seed_range))


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


def variance_parts(results: xr.Dataset) -> xr.Dataset:
    """Compute the standard deviation, bits, and the shares of the variance of both outcomes.

    Variables ``weights`` and ``data`` are main effects, ``total_weights`` and ``total_data`` total ones,
    each with ``_low`` and ``_high``; ``p_weights`` and ``p_data`` belong to the tests of main effects.

    Dims: outcome, dataset, first, later, layer.
    """
    columns = int(results.draw.max()) + 1
    rows = results.sizes["seed"] // columns  # whole rows alone
    outcomes = []
    for outcome in (seed_compression(results).mean("halving"), results.ixt.isel(epoch=-1)):
        values = outcome.transpose("seed", *FACTORS, "layer").values
        values = values[: rows * columns].reshape(rows, columns, *values.shape[1:])
        if min(rows, columns) < 2:  # too few for a design
            values = np.full((2, 2, *values.shape[2:]), np.nan)
        components, shares = variance_components(values), variance_shares(values)
        parts = {"std": np.sqrt(np.maximum(sum(components[:3]), 0))}
        names = ("weights", "data", "total_weights", "total_data")
        for name, interval in zip(names, shares, strict=True):
            parts |= dict(zip((name, f"{name}_low", f"{name}_high"), interval[:3], strict=True))
        outcomes.append(parts | {"p_weights": components.p_rows, "p_data": components.p_columns})
    dims = ("outcome", *FACTORS, "layer")
    units = {"std": "bits"}
    return xr.Dataset(
        {
            name: (dims, np.stack([parts[name] for parts in outcomes]), {"units": units.get(name, "1")})
            for name in outcomes[0]
        },
        {"outcome": list(OUTCOMES)} | {d: results[d].values for d in (*FACTORS, "layer")},
    )


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw the shares of the variance; tabulate, and say what follows."""
    parts = variance_parts(results)
    # Shares of next to nothing are not drawn.
    shown = parts.where(parts["std"] > NEGLIGIBLE_BITS).assign(std=parts["std"])
    shown = shown.stack(arm=("first", "later"))
    names = [f"first {first}, later {later}" for first, later in shown.arm.values]
    shown = shown.drop_vars(["arm", "first", "later"]).assign_coords(
        arm=names, outcome=[OUTCOMES[name] for name in parts.outcome.values]
    )
    design = f"{len(np.unique(results.init))} initial weights x {len(np.unique(results.draw))} draws"
    figures = {
        f"variance_{name}.png": plot_variance_shares(
            shown.sel(dataset=name),
            row="outcome",
            labels=SOURCES,
            title=f"Variance by mix and layer: {name}, {design}, {results.optimizer}, {results.split}",
        )
        for name in results.dataset.values
    }
    return figures, [variance_table(results, parts), seeds_table(results)]


def variance_table(results: xr.Dataset, parts: xr.Dataset) -> Table:
    """Tabulate by outcome, mix and layer the standard deviation, shares of the variance and tests."""
    sentences = [verdict(parts.sel(levels)) for levels in levels_of(parts, ("outcome", *FACTORS))]
    note = (
        "std: over networks, bits; weights, data: share of the variance that each explains alone, with "
        "95% intervals by the jackknife, estimates below 0 as they are; total: with the interaction of "
        "the two, that is the share which is left at fixed data or at fixed weights; p: F test that a "
        "share is 0; all missing where there are not two initial weights and two draws, intervals where "
        f"there are not three. {int(results.diverged.sum())} networks diverged: their layers have no "
        "shares"
    )
    return table_of("variance", parts, [note, *sentences])


def verdict(parts: xr.Dataset) -> str:
    """Say how much of the differences between a mix's networks weights and data explain, by layer."""
    layers, alike, found = [], [], []
    for layer in parts.layer.values.tolist():
        cell = {str(name): value.item() for name, value in parts.sel(layer=layer).items()}
        if not cell["std"] > NEGLIGIBLE_BITS:
            alike.append(str(layer))
            continue
        if cell["p_data"] < SIGNIFICANT:
            found.append(str(layer))
        shares = ", ".join(
            f"{label} {percent(cell[name])} ({percent(cell[f'{name}_low'])} to "
            f"{percent(cell[f'{name}_high'])})"
            for name, label in (("weights", "weights"), ("data", "data"), ("total_data", "data in all"))
        )
        layers.append(f"layer {layer} ({cell['std']:.2f} bits): {shares}")
    mix = f"first {parts['first'].item()}, later {parts['later'].item()}"
    return (
        f"{parts.dataset.item()}, {mix}, {OUTCOMES[parts.outcome.item()]}: "
        f"{'; '.join(layers) or 'no layer'}. Standard deviations of at most {NEGLIGIBLE_BITS} bits or "
        f"unknown: layers {', '.join(alike) or 'none'}. Main effect of the data found (p < "
        f"{SIGNIFICANT}): layers {', '.join(found) or 'none'}."
    )


def percent(share: float) -> str:
    """Format a share, without a sign where it is rounded to nothing."""
    return f"{round(share, 2) + 0.0:.0%}"


if __name__ == "__main__":
    main("weight_init", Config, run, report)
