"""Do the first layers' activations decide what later layers compress? Four mixes of tanh and ReLU.

Claim: "Revisiting the Information Plane" (2019), figures 2, 9, 12: in networks that mix tanh and ReLU
layers the first ones influence the planes of the later ones, from run to run not always in the same way.

Command:  python -m experiments.mixed_activations
          python -m experiments.mixed_activations --datasets symmetric mnist --data FOLDER
Time:     4 minutes on 2 cores; 20 with MNIST
Expect:   tanh first makes layer 5 compress by 0.8 bits more (by 1.5 where later layers are tanh, by
          0.1 where they are relu) and the softmax by 0.2, in 72% and 86% of seeds; layers 3 and 4 do not
          change clearly. What decides is the layer's own activation: tanh later, 4.9 bits in layer 5.

50 networks 12-10-7-5-4-3-2 (784 inputs, 3 outputs on MNIST) each of four mixes: layers 1 and 2 of tanh
or ReLU (``first``), layers 3 to 5 of tanh or ReLU (``later``); preset "revisiting": Adam
(``--optimizer sgd`` for plain SGD), batches of 256, 8000 epochs; random splits, or the paper's one
(``--paper-split``). The same seed has the same initial
weights and split in all mixes, so that effects are differences within seeds: of ``first`` at the same
``later``, of ``later`` at the same ``first``, and what one adds to the other (interaction). I(X;T),
I(T;Y) on the training samples in bins of 0.07, with edges by activation.

Dims: dataset, first, later, seed, epoch, layer.
"""

import dataclasses
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import (
    Table,
    interval_cells,
    interval_text,
    levels_of,
    main,
    seeds_table,
    table_of_rows,
    train,
)
from experiments.lab.revisiting import (
    BINNING,
    NUM_FIRST,
    RevisitingConfig,
    binned_plane,
    dataset_arms,
    mixed_trainings,
    provenance,
    run_text,
)
from ibjax.analysis.compression import NEGLIGIBLE_BITS, seed_compression
from ibjax.analysis.factorial import two_by_two
from ibjax.analysis.intervals import Interval, halving_interval, simultaneous_level
from ibjax.plots import plot_effects, plot_information_plane

LEVELS = ("tanh", "relu")
FACTORS = ("dataset", "first", "later")
OUTCOMES = {"compression": "compression of I(X;T)", "final": "final I(X;T)"}


@dataclasses.dataclass(frozen=True)
class Config(RevisitingConfig):
    """Do the first layers' activations decide what later layers compress?"""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure the four mixes; checkpoints go to ``folder`` if given."""
    return train(
        config,
        dataset_arms(config, mixed_trainings(config, LEVELS), binned_plane),
        factors=FACTORS,
        source="Revisiting the Information Plane (2019), figures 2, 9, 12",
        folder=folder,
        **provenance(config),
        binning=BINNING,
    )


def outcomes(results: xr.Dataset) -> xr.Dataset:
    """Return compression and final I(X;T) of every seed, bits, by halving of the seeds.

    Dims: dataset, first, later, layer, halving, seed. The final I(X;T) is the same in all halvings.
    """
    compression = seed_compression(results)
    final = results.ixt.isel(epoch=-1, drop=True).broadcast_like(compression)
    return xr.Dataset({"compression": compression, "final": final})


def effects(measured: xr.Dataset) -> xr.Dataset:
    """Compute effects of ``first``, ``later``, their interaction within seeds: tanh less relu, bits.

    Dims: effect, dataset, layer, halving, seed.
    """
    kept = ("dataset", "layer", "halving", "seed")
    data = {}
    for name in OUTCOMES:
        values = measured[name].transpose("first", "later", *kept).values
        data[name] = (("effect", *kept), np.stack(two_by_two(values)))
    coords = {d: measured[d].values for d in kept if d in measured.coords}
    return xr.Dataset(data, coords | {"effect": ["first", "later", "interaction"]})


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw the planes of the mixes and the effects; tabulate, and say what follows."""
    figures, measured = {}, outcomes(results)
    differences = effects(measured)
    seeds = f"{run_text(results)}, {results.binning}"
    for name in results.dataset.values:
        planes = results.sel(dataset=name).assign_coords(
            first=[f"first {level}" for level in results.first.values],
            later=[f"later {level}" for level in results.later.values],
        )
        figures[f"planes_{name}.png"] = plot_information_plane(
            planes, row="first", column="later", title=f"{name}, {seeds}"
        )
        title = f"{name}, {seeds}:\ntanh less relu within seeds, mean with 95% interval"
        figures[f"effects_{name}.png"] = plot_effects(
            differences.sel(dataset=name).mean("halving"), labels=OUTCOMES, title=title
        )
    return figures, [mixes_table(measured), effects_table(differences), seeds_table(results)]


def mixes_table(measured: xr.Dataset) -> Table:
    """Tabulate by mix and layer compression, final I(X;T), how far seeds differ, how many compress."""
    dims = (*FACTORS, "layer")
    rows = []
    for cells in levels_of(measured, dims):
        compression, final = (measured[name].sel(cells) for name in OUTCOMES)
        rows.append(
            {
                **cells,
                **spread_cells("compression", compression),
                "share_that_compress": float((known(compression) > NEGLIGIBLE_BITS).mean()),
                **spread_cells("final", final),
            }
        )
    note = (
        "_std: standard deviation over seeds, bits; share_that_compress: of seeds, by more than "
        f"{NEGLIGIBLE_BITS} bits"
    )
    return table_of_rows("mixes", rows, [note])


def known(by_halving: xr.DataArray) -> np.ndarray:
    """Average a value for each halving and seed over the halvings, and return those that are known."""
    values = by_halving.mean("halving").values
    return values[np.isfinite(values)]


def interval_of(by_halving: xr.DataArray) -> Interval:
    """Return the mean over seeds of a value for each halving and seed, with its interval."""
    return halving_interval(by_halving)


def spread_cells(name: str, by_halving: xr.DataArray) -> dict[str, float]:
    """Return a row's cells of the mean over seeds and of the standard deviation."""
    cells = interval_cells(name, interval_of(by_halving))
    return {**cells, f"{name}_std": deviation(known(by_halving))}


def deviation(values: np.ndarray) -> float:
    """Return the standard deviation over seeds; NaN for fewer than two."""
    return float(values.std(ddof=1)) if len(values) > 1 else np.nan


def same_sign(values: np.ndarray) -> float:
    """Return the share of seeds whose value has the sign of their mean; NaN without any."""
    return float((np.sign(values) == np.sign(values.mean())).mean()) if len(values) else np.nan


def effects_table(differences: xr.Dataset) -> Table:
    """Tabulate by outcome, effect and layer its mean, its spread, and how often it has that sign."""
    dims = ("dataset", "effect", "layer")
    rows, sentences = [], []
    for outcome in OUTCOMES:
        for cells in levels_of(differences, dims):
            effect = differences[outcome].sel(cells)
            values = known(effect)
            rows.append(
                {
                    "outcome": outcome,
                    **cells,
                    **interval_cells("mean", interval_of(effect)),
                    "std": deviation(values),
                    "same_sign": same_sign(values),
                }
            )
        for name in differences.dataset.values:
            sentences.append(verdict(differences[outcome].sel(dataset=name), outcome))
    note = (
        "tanh less relu within seeds, bits: first, the mean over both levels of later, and the other "
        "way round; interaction: how much more first matters where later is tanh; std: over seeds; "
        "same_sign: share of seeds whose effect has the sign of the mean"
    )
    return table_of_rows("effects", rows, [note, *sentences])


def verdict(effect: xr.DataArray, outcome: str) -> str:
    """Say in which later layers the first ones' activation matters, and how stable that is."""
    later = effect.sel(effect="first", layer=effect.layer > NUM_FIRST)
    clear, unclear = [], []
    level = simultaneous_level(later.sizes["layer"])
    for layer in later.layer.values:
        change = later.sel(layer=layer)
        same = f"same sign in {same_sign(known(change)):.0%} of seeds"
        text = f"{layer} by {interval_text(interval_of(change))} ({same})"
        at_once = halving_interval(change, level)
        sure = at_once.low > NEGLIGIBLE_BITS or at_once.high < -NEGLIGIBLE_BITS
        (clear if sure else unclear).append(text)
    return (
        f"{effect.dataset.item()}, {OUTCOMES[outcome]}: tanh rather than relu in the first layers "
        f"changes layers {'; '.join(clear) or 'none'}. No clear change: layers "
        f"{'; '.join(unclear) or 'none'}."
    )


if __name__ == "__main__":
    main("mixed_activations", Config, run, report)
