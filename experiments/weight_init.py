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
(``--optimizer sgd`` for plain SGD), batches of 256, 8000 epochs. I(X;T), I(T;Y) on the training samples
in bins of 0.07, with edges by activation. Of compression and of final I(X;T), layer by layer: the
components of variance due to the weights, to the data and to what is left, by two-way random effects
(ibjax.analysis.factorial), with F tests. ``--seeds`` is the number of networks; those beyond the last
whole row of 5 are trained but take no part.

Dims: dataset, first, later, seed, epoch, layer; coordinates ``init`` and ``draw`` of ``seed``.
"""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import (
    BINNING,
    RevisitingConfig,
    Table,
    binned_plane,
    main,
    mixed_arms,
    revisiting_attributes,
    seeds_table,
    train_tasks,
)
from ibjax.analysis.compression import seed_compression
from ibjax.analysis.factorial import variance_components
from ibjax.plots import plot_variance_parts
from ibjax.results import history_to_dataset, stack_arms

LEVELS = ("tanh", "relu")
NUM_DRAWS = 5
OUTCOMES = {"compression": "compression of I(X;T)", "final": "final I(X;T)"}
SOURCES = {"rows": "initial weights", "columns": "data", "residual": "both together and chance"}

# A test below this is told; there are 6 layers, 4 mixes and 2 outcomes.
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
    trained = train_tasks(
        config,
        mixed_arms(config, LEVELS),
        binned_plane,
        folder=folder,
        purpose_seeds={"init": seeds[inits], "split": seeds[draws], "order": seeds[draws]},
    )
    arms = {key: history_to_dataset(one.history, one.training.as_dict()) for key, one in trained.items()}
    results = stack_arms(arms, ("dataset", "first", "later"))
    source = "Revisiting the Information Plane (2019), appendix B"
    return results.assign_coords(
        init=("seed", inits, {"units": "1", "long_name": "initial weights"}),
        draw=("seed", draws, {"units": "1", "long_name": "draw of the data"}),
    ).assign_attrs(
        revisiting_attributes(config, "weight_init", trained, source),
        **BINNING,
    )


def components(results: xr.Dataset) -> xr.Dataset:
    """Components of variance by source, bits squared, and the p-values of weights and data.

    Dims: outcome, dataset, first, later, source, layer.
    """
    columns = int(results.draw.max()) + 1
    rows = results.sizes["seed"] // columns  # the whole ones
    parts = []
    for outcome in (seed_compression(results), results.ixt.isel(epoch=-1)):
        values = outcome.transpose("dataset", "first", "later", "layer", "seed").values
        values = values[..., : rows * columns].reshape(*values.shape[:-1], rows, columns)
        if min(rows, columns) < 2:  # too few for a design
            parts.append(np.full((5, *values.shape[:-2]), np.nan))
        else:
            parts.append(np.stack(variance_components(np.moveaxis(values, (-2, -1), (0, 1)))))
    stacked = np.stack(parts)  # (outcome, component, dataset, first, later, layer)
    dims = ("outcome", "dataset", "first", "later", "source", "layer")
    coords = {d: results[d].values for d in ("dataset", "first", "later", "layer")}
    variance = np.moveaxis(stacked[:, :3], 1, -2)
    p = np.moveaxis(np.concatenate([stacked[:, 3:], np.full_like(stacked[:, :1], np.nan)], 1), 1, -2)
    return xr.Dataset(
        {"variance": (dims, variance, {"units": "bits^2"}), "p": (dims, p, {"units": "1"})},
        coords | {"outcome": list(OUTCOMES), "source": list(SOURCES)},
    )


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Standard deviations by source, the table and what follows."""
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
            title=f"{name}, {design}, {results.optimizer}, {results.binning}",
        )
        for name in results.dataset.values
    }
    return figures, [variance_table(results, parts), seeds_table(results)]


def variance_table(results: xr.Dataset, parts: xr.Dataset) -> Table:
    """Per outcome, mix and layer: standard deviations by source, shares of the variance, tests."""
    dims = ("outcome", "dataset", "first", "later", "layer")
    header = [*dims, "std_weights", "std_data", "std_rest", "share_weights", "p_weights", "p_data"]
    rows, sentences = [], []
    for arm in itertools.product(*(parts[d].values for d in dims)):
        own = parts.sel(dict(zip(dims, arm, strict=True)))
        variance = np.maximum(own.variance.values, 0)
        share = variance[0] / variance.sum() if variance.sum() > 0 else np.nan
        rows.append([*arm, *map(float, np.sqrt(variance)), float(share), *map(float, own.p.values[:2])])
    for outcome, dataset in itertools.product(parts.outcome.values, parts.dataset.values):
        own = parts.sel(outcome=outcome, dataset=dataset)
        sentences += [verdict(own, first, later) for first, later in itertools.product(LEVELS, LEVELS)]
    note = (
        "std: square roots of the components of variance, bits, negative estimates as 0; share: of the "
        "three components' sum; p: F test that the component is 0; all missing where there are not two "
        "initial weights and two draws. "
        f"{int(results.diverged.sum())} networks diverged: their layers have no components."
    )
    return Table("variance", header, rows, [note, *sentences])


def verdict(parts: xr.Dataset, first: str, later: str) -> str:
    """Say in which layers weights or data account for differences between networks."""
    own = parts.sel(first=first, later=later)
    told = []
    for source in ("rows", "columns"):
        found = []
        for layer in own.layer.values:
            variance = np.maximum(own.variance.sel(layer=layer).values, 0)
            if own.p.sel(source=source, layer=layer) < SIGNIFICANT:
                value = variance[list(SOURCES).index(source)]
                found.append(f"{layer} ({np.sqrt(value):.2f} bits, {value / variance.sum():.0%})")
        told.append(f"{SOURCES[source]} in layers {', '.join(found) or 'none'}")
    return (
        f"{own.dataset.item()}, first {first}, later {later}, {OUTCOMES[own.outcome.item()]}: variance "
        f"due to {'; to '.join(told)} (standard deviation, share of the variance; p < {SIGNIFICANT})."
    )


if __name__ == "__main__":
    main("weight_init", Config, run, report)
