"""Do the first layers' activations decide what later layers compress? Four mixes of tanh and ReLU.

Claim: "Revisiting the Information Plane" (2019), figures 2, 9, 12: in networks that mix tanh and ReLU
layers the first ones influence the planes of the later ones, from run to run not always in the same way.

Command:  python -m experiments.mixed_activations
          python -m experiments.mixed_activations --datasets symmetric mnist --data FOLDER
Time:     4 minutes on 2 cores; 20 with MNIST
Expect:   tanh first makes layer 5 compress by 1.1 bits more (by 2.2 where later layers are tanh, by none
          where they are relu) and the softmax by 0.4, in 90% and 84% of seeds; layers 3 and 4 do not
          change clearly. What decides is the layer's own activation: tanh later, 4.3 bits in layer 5.

50 networks 12-10-7-5-4-3-2 (784 inputs, 3 outputs on MNIST) each of four mixes: layers 1 and 2 of tanh
or ReLU (``first``), layers 3 to 5 of tanh or ReLU (``later``); preset "revisiting": Adam
(``--optimizer sgd`` for plain SGD), batches of 256, 8000 epochs. The same seed has the same initial
weights and split in all mixes, so that effects are differences within seeds: of ``first`` at the same
``later``, of ``later`` at the same ``first``, and what one adds to the other (interaction). I(X;T),
I(T;Y) on the training samples in bins of 0.07, with edges by activation.

Dims: dataset, first, later, seed, epoch, layer.
"""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import (
    BINNING,
    NUM_FIRST,
    RevisitingConfig,
    Table,
    binned_plane,
    interval_columns,
    interval_text,
    main,
    mixed_arms,
    revisiting_attributes,
    seeds_table,
    train_tasks,
)
from ibjax.analysis.compression import NEGLIGIBLE_BITS, seed_compression
from ibjax.analysis.factorial import two_by_two
from ibjax.analysis.intervals import mean_interval
from ibjax.plots import plot_effects, plot_information_plane
from ibjax.results import history_to_dataset, stack_arms

LEVELS = ("tanh", "relu")
OUTCOMES = {"compression": "compression of I(X;T)", "final": "final I(X;T)"}


@dataclasses.dataclass(frozen=True)
class Config(RevisitingConfig):
    """Do the first layers' activations decide what later layers compress?"""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure the four mixes; checkpoints go to ``folder`` if given."""
    trained = train_tasks(
        config,
        mixed_arms(config, LEVELS),
        binned_plane,
        folder=folder,
    )
    arms = {key: history_to_dataset(one.history, one.training.as_dict()) for key, one in trained.items()}
    source = "Revisiting the Information Plane (2019), figures 2, 9, 12"
    return stack_arms(arms, ("dataset", "first", "later")).assign_attrs(
        revisiting_attributes(config, "mixed_activations", trained, source),
        **BINNING,
    )


def outcomes(results: xr.Dataset) -> xr.Dataset:
    """Compression and final I(X;T) of every seed, bits: (dataset, first, later, layer, seed)."""
    final = results.ixt.isel(epoch=-1, drop=True)
    return xr.Dataset({"compression": seed_compression(results), "final": final})


def effects(found: xr.Dataset) -> xr.Dataset:
    """Effects of ``first``, ``later`` and their interaction within seeds: tanh less relu, bits.

    Dims: effect, dataset, layer, seed.
    """
    kept = ("dataset", "layer", "seed")
    data = {}
    for name in OUTCOMES:
        values = found[name].transpose("first", "later", *kept).values
        data[name] = (("effect", *kept), np.stack(two_by_two(values)))
    coords = {d: found[d].values for d in kept}
    return xr.Dataset(data, coords | {"effect": ["first", "later", "interaction"]})


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """The planes of the mixes, the effects, the tables and what follows."""
    figures, found = {}, outcomes(results)
    sizes = effects(found)
    seeds = f"{results.sizes['seed']} seeds, {results.optimizer}, {results.binning}"
    for name in results.dataset.values:
        planes = results.sel(dataset=name).assign_coords(
            first=[f"first {level}" for level in results.first.values],
            later=[f"later {level}" for level in results.later.values],
        )
        figures[f"planes_{name}.png"] = plot_information_plane(
            planes, row="first", column="later", title=f"{name}, {seeds}"
        )
        title = f"{name}, {seeds}: tanh less relu within seeds, mean with 95% interval"
        figures[f"effects_{name}.png"] = plot_effects(
            sizes.sel(dataset=name), labels=OUTCOMES, title=title
        )
    tables = [mixes_table(found), effects_table(found, sizes), seeds_table(results)]
    return figures, tables


def mixes_table(found: xr.Dataset) -> Table:
    """Per mix and layer: compression, final I(X;T), how far seeds differ, and how many compress."""
    dims = ("dataset", "first", "later", "layer")
    header = [*dims, *interval_columns("compression"), "compression_std", "share_that_compress"]
    header += [*interval_columns("final"), "final_std"]
    rows = []
    for arm in itertools.product(*(found[d].values for d in dims)):
        own = found.sel(dict(zip(dims, arm, strict=True)))
        row = list(arm)
        for name in OUTCOMES:
            values = known(own[name])
            row += [*map(float, mean_interval(values)[:3]), deviation(values)]
            if name == "compression":
                row.append(float(mean_interval(values > NEGLIGIBLE_BITS).estimate))
        rows.append(row)
    note = (
        "_std: standard deviation over seeds, bits; share_that_compress: of seeds, by more than "
        f"{NEGLIGIBLE_BITS} bits"
    )
    return Table("mixes", header, rows, [note])


def known(of_seeds: xr.DataArray) -> np.ndarray:
    """The values of seeds that have one."""
    return of_seeds.values[np.isfinite(of_seeds.values)]


def deviation(values: np.ndarray) -> float:
    """Standard deviation over seeds; NaN for fewer than two."""
    return float(values.std(ddof=1)) if len(values) > 1 else np.nan


def same_sign(values: np.ndarray) -> float:
    """Share of seeds whose value has the sign of their mean; NaN without any."""
    return float((np.sign(values) == np.sign(values.mean())).mean()) if len(values) else np.nan


def effects_table(found: xr.Dataset, sizes: xr.Dataset) -> Table:
    """Per outcome, effect and layer: its mean over seeds, its spread, and how often it has that sign."""
    dims = ("dataset", "effect", "layer")
    header = ["outcome", *dims, *interval_columns("mean"), "std", "same_sign"]
    rows, sentences = [], []
    for name in OUTCOMES:
        for arm in itertools.product(*(sizes[d].values for d in dims)):
            values = known(sizes[name].sel(dict(zip(dims, arm, strict=True))))
            interval = mean_interval(values)
            numbers = [*map(float, interval[:3]), deviation(values), same_sign(values)]
            rows.append([name, *arm, *numbers])
        for dataset in sizes.dataset.values:
            sentences.append(verdict(sizes[name].sel(dataset=dataset), name))
    note = (
        "tanh less relu within seeds, bits: first, the mean over both levels of later, and the other "
        "way round; interaction: how much more first matters where later is tanh; std: over seeds; "
        "same_sign: share of seeds whose effect has the sign of the mean"
    )
    return Table("effects", header, rows, [note, *sentences])


def verdict(effect: xr.DataArray, outcome: str) -> str:
    """Say in which later layers the first ones' activation matters, and how stable that is."""
    later = effect.sel(effect="first", layer=effect.layer > NUM_FIRST)
    clear, unclear = [], []
    for layer in later.layer.values:
        values = known(later.sel(layer=layer))
        interval = mean_interval(values)
        same = f"same sign in {same_sign(values):.0%} of seeds"
        text = f"{layer} by {interval_text(interval)} ({same})"
        sure = interval.low > NEGLIGIBLE_BITS or interval.high < -NEGLIGIBLE_BITS
        (clear if sure else unclear).append(text)
    return (
        f"{effect.dataset.item()}, {OUTCOMES[outcome]}: tanh rather than relu in the first layers "
        f"changes layers {'; '.join(clear) or 'none'}. No clear change: layers "
        f"{'; '.join(unclear) or 'none'}."
    )


if __name__ == "__main__":
    main("mixed_activations", Config, run, report)
