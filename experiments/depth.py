"""Do more hidden layers shorten fitting and compression?

Claim: Shwartz-Ziv & Tishby (2017), figure 5 and section 3.6: with more hidden layers a network needs far
fewer epochs for the same I(T;Y), and compression of the last hidden layer is faster.

Command:  python -m experiments.depth
Time:     5 to 8 minutes on 2 cores
Expect:   compression of the last hidden layer is complete the sooner, the deeper the network: at epoch
          5000 with two layers, 1400 with six. Outputs fit soonest with two hidden layers, last hidden
          layers the later, the deeper and so the narrower they are. One layer does not compress.

Networks of 1 to 6 tanh hidden layers, 12-(12)-2 to 12-(12-10-8-6-4-2)-2, 50 of each on the 12-bit
symmetric task; plain SGD (rate 0.1, batches of 256), 8000 epochs; I(X;T) and I(T;Y) on all 4096
inputs in bins of 0.07. Of the last hidden layer and of the output: the first recorded epoch at which
I(T;Y) is 0.9 bits or more; of the last hidden layer: the epoch at which nine tenths of what I(X;T)
loses from its largest value are lost; both of running medians (ibjax.analysis.phases). A layer of many
units has I(T;Y) near H(Y) in fine bins before any training, which says nothing about learning; hence
the output.

Dims: depth, seed, epoch, layer (counted from the input; networks are padded with NaN at the end).
"""

import dataclasses
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import (
    Arm,
    LabConfig,
    Scale,
    Table,
    interval_cells,
    main,
    scale_of,
    seeds_table,
    table_of_rows,
    train,
)
from ibjax.analysis.compression import compression_summary
from ibjax.analysis.intervals import mean_interval, median_interval, rank_correlation
from ibjax.analysis.phases import compression_end, reaching_epoch
from ibjax.analysis.records import PlaneRecord
from ibjax.plots import plot_by_level, plot_information_plane
from ibjax.presets import preset
from ibjax.training import TrainConfig, make_model

HIDDEN, SMOKE_HIDDEN = (12, 10, 8, 6, 4, 2), (12, 10, 8)
FULL, SMOKE = Scale(epochs=8000), Scale(epochs=10)

# I(T;Y) that counts as fitted, of H(Y) = 0.999 bits.
FITTED_BITS = 0.9

MEASURES = {
    "hidden_fitted": f"last hidden layer reaches I(T;Y) = {FITTED_BITS} bits",
    "output_fitted": f"output reaches I(T;Y) = {FITTED_BITS} bits",
    "compressed": "last hidden layer has compressed",
}


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Do more hidden layers shorten fitting and compression?"""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure networks of every depth; checkpoints go to ``folder`` if given."""
    convention, scale = preset("paper"), scale_of(config, FULL, SMOKE)
    depths = range(1, len(SMOKE_HIDDEN if config.smoke else HIDDEN) + 1)
    arms = {}
    for depth in depths:
        widths = (*HIDDEN[:depth], 2)
        training = TrainConfig(**convention.training, **scale.training, widths=widths)
        record = PlaneRecord(make_model(training), convention.estimator)
        arms[(str(depth),)] = Arm(training, scale.task, record)
    results = train(
        config,
        arms,
        factors=("depth",),
        source="Shwartz-Ziv & Tishby (2017), figure 5",
        schedule=convention.schedule,
        folder=folder,
        binning=convention.binning,
    )
    hidden_layers = ("depth", list(depths), {"units": "1", "long_name": "hidden layers"})
    return results.assign_coords(depth=hidden_layers)


def epochs_needed(results: xr.Dataset) -> xr.Dataset:
    """Find each measure's epoch (depth, seed), NaN where it is never reached."""
    rows = {name: [] for name in MEASURES}
    epochs = results.epoch.values
    for depth in results.depth.values:
        arm = results.sel(depth=depth).transpose("seed", "epoch", "layer")
        hidden, output = arm.sel(layer=depth), arm.sel(layer=depth + 1)
        rows["hidden_fitted"].append(reaching_epoch(hidden.ity.values, epochs, FITTED_BITS))
        rows["output_fitted"].append(reaching_epoch(output.ity.values, epochs, FITTED_BITS))
        rows["compressed"].append(compression_end(hidden.ixt.values, epochs))
    data = {k: (("depth", "seed"), np.stack(v), {"units": "epochs"}) for k, v in rows.items()}
    return xr.Dataset(data, {"depth": results.depth, "seed": results.seed})


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw the epochs needed by depth and the planes; tabulate, and say what follows."""
    needed = epochs_needed(results)
    title = f"tanh, {results.binning}, {results.sizes['seed']} seeds"
    figures = {
        "depth.png": plot_by_level(
            needed, "depth", labels=MEASURES, ylabel="epochs", title=f"{title}: medians, 95% intervals"
        ),
        "information_plane.png": plot_information_plane(
            results, column="depth", title=f"{title}; columns: number of hidden layers"
        ),
    }
    seeds = seeds_table(results, ["train_loss", "test_accuracy"])
    return figures, [depth_table(results, needed), seeds]


def depth_table(results: xr.Dataset, needed: xr.Dataset) -> Table:
    """Tabulate by depth median epochs, how many seeds get there, and the last layer's loss."""
    rows = []
    for depth in needed.depth.values:
        row = {"depth": int(depth)}
        for name in MEASURES:
            median = median_interval(needed[name].sel(depth=depth).values)
            row |= {**interval_cells(name, median), f"{name}_seeds": median.num_seeds}
        last = compression_summary(results.sel(depth=depth)).sel(layer=depth)
        limits = ("compression", "compression_low", "compression_high")
        rows.append(row | {name: last[name].item() for name in limits})
    note = (
        "_seeds: those that get there at all; medians are over them. compression: of I(X;T) of the last "
        "hidden layer, bits, with its 95% interval"
    )
    return table_of_rows("depth", rows, [note, *(verdict(needed, name) for name in MEASURES)])


def verdict(needed: xr.Dataset, name: str) -> str:
    """Say whether epochs fall with depth: rank correlations within seeds, with their interval."""
    epochs, depths = needed[name].transpose("seed", "depth").values, needed.depth.values.astype(float)
    within = np.array([rank_correlation(depths, seed_epochs).estimate for seed_epochs in epochs])
    rho = mean_interval(within)
    reached = int(np.isfinite(epochs).all(axis=1).sum())
    text = (
        f"{MEASURES[name]}: correlation of the epoch with depth within a seed {rho.estimate:.2f} "
        f"({rho.low:.2f} to {rho.high:.2f}); {reached} of {len(epochs)} seeds get there at every depth. "
    )
    if rho.high < 0:
        return text + "More layers need fewer epochs."
    if rho.low > 0:
        return text + "More layers need more epochs."
    return text + "That more layers need fewer epochs does not follow."


if __name__ == "__main__":
    main("depth", Config, run, report)
