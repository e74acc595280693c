"""Do more hidden layers shorten fitting and compression?

Claim: Shwartz-Ziv & Tishby (2017), figure 5 and section 3.6: with more hidden layers a network needs far
fewer epochs for the same I(T;Y), and compression of the last hidden layer is faster.

Command:  python -m experiments.depth
Time:     8 to 20 minutes on 2 cores
Expect:   narrowing layers: the last hidden layer has done nine tenths of its compression at epoch 4974
          with two layers, at 1421 with six; but it has 10 units with two layers and 2 with six.
          Equal widths: not sooner with more layers (correlation with depth -0.05, -0.17 to 0.07); but
          networks of 4 units a layer learn 94% of the training samples. The output reaches I(T;Y) = 0.9
          bits soonest with two layers, at epoch 217, and with equal widths never.

Networks of 1 to 6 tanh hidden layers, 50 of each on the 12-bit symmetric task: "narrowing" ones as in
the paper, 12-(12)-2 to 12-(12-10-8-6-4-2)-2, and ones of "equal" widths, 12-(4)-2 to 12-(4-4-4-4-4-4)-2;
plain SGD (rate 0.1, batches of 256), 8000 epochs; I(X;T) and I(T;Y) on all 4096 inputs in bins of 0.07.
Of the last hidden layer and of the output: the first recorded epoch at which I(T;Y) is 0.9 bits or more.
Of the last hidden layer: the epochs at which a tenth and nine tenths of what I(X;T) loses from its
largest value are lost. Of the network: the first epoch at which the training loss is 0.2 nats or less,
and the start of compression as a multiple of it. All are of running medians (ibjax.analysis.phases). A
layer of many units has I(T;Y) near H(Y) in fine bins before any training, which says nothing about
learning; hence the output.

Dims: shape, depth, seed, epoch, layer (counted from the input; networks are padded with NaN at the end).
"""

import dataclasses
import itertools
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
    interval_text,
    levels_of,
    main,
    scale_of,
    seeds_table,
    table_of_rows,
    train,
)
from ibjax.analysis.compression import compression_summary
from ibjax.analysis.intervals import mean_interval, median_interval, rank_correlation
from ibjax.analysis.phases import compression_end, compression_start, reaching_epoch
from ibjax.analysis.records import PlaneRecord
from ibjax.plots import plot_by_level, plot_information_plane
from ibjax.presets import preset
from ibjax.training import TrainConfig, make_model

# Widths of the hidden layers of the deepest networks.
HIDDEN = {"narrowing": (12, 10, 8, 6, 4, 2), "equal": (4,) * 6}
SMOKE_DEPTHS = 3
FULL, SMOKE = Scale(epochs=8000), Scale(epochs=10)

# I(T;Y) that counts as fitted, of H(Y) = 0.999 bits.
FITTED_BITS = 0.9

# Training loss that all depths reach, nats; beside it, the start of compression is compared.
LEARNT_LOSS = 0.2

MEASURES = {
    "hidden_fitted": f"last hidden layer reaches I(T;Y) = {FITTED_BITS} bits",
    "output_fitted": f"output reaches I(T;Y) = {FITTED_BITS} bits",
    "learnt": f"training loss reaches {LEARNT_LOSS} nats",
    "started": "last hidden layer starts to compress",
    "compressed": "last hidden layer has compressed",
}
RELATIVE = {"relative": f"start of compression, as a multiple of the epoch of {LEARNT_LOSS} nats"}


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Do more hidden layers shorten fitting and compression?"""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure networks of every depth; checkpoints go to ``folder`` if given."""
    convention, scale = preset("paper"), scale_of(config, FULL, SMOKE)
    depths = range(1, (SMOKE_DEPTHS if config.smoke else len(HIDDEN["equal"])) + 1)
    arms = {}
    for (shape, hidden), depth in itertools.product(HIDDEN.items(), depths):
        widths = (*hidden[:depth], 2)
        training = TrainConfig(**convention.training, **scale.training, widths=widths)
        record = PlaneRecord(make_model(training), convention.estimator)
        arms[shape, str(depth)] = Arm(training, scale.task, record)
    results = train(
        config,
        arms,
        factors=("shape", "depth"),
        source="Shwartz-Ziv & Tishby (2017), figure 5",
        schedule=convention.schedule,
        folder=folder,
        binning=convention.binning,
    )
    hidden_layers = ("depth", list(depths), {"units": "1", "long_name": "hidden layers"})
    return results.assign_coords(depth=hidden_layers)


def epochs_needed(results: xr.Dataset) -> xr.Dataset:
    """Find ``MEASURES`` and ``RELATIVE`` (shape, depth, seed), NaN where they are never reached."""
    rows = {name: [] for name in MEASURES}
    epochs = results.epoch.values
    for names in levels_of(results, ["shape", "depth"]):
        arm = results.sel(names).transpose("seed", "epoch", "layer")
        hidden, output = arm.sel(layer=names["depth"]), arm.sel(layer=names["depth"] + 1)
        rows["hidden_fitted"].append(reaching_epoch(hidden.ity.values, epochs, FITTED_BITS))
        rows["output_fitted"].append(reaching_epoch(output.ity.values, epochs, FITTED_BITS))
        # The loss falls to its level.
        rows["learnt"].append(reaching_epoch(-arm.train_loss.values, epochs, -LEARNT_LOSS))
        rows["started"].append(compression_start(hidden.ixt.values, epochs))
        rows["compressed"].append(compression_end(hidden.ixt.values, epochs))
    dims, sizes = ("shape", "depth", "seed"), (results.sizes["shape"], results.sizes["depth"], -1)
    data = {k: (dims, np.reshape(v, sizes), {"units": "epochs"}) for k, v in rows.items()}
    needed = xr.Dataset(data, {dim: results[dim] for dim in dims})
    return needed.assign(relative=(needed.started / needed.learnt).assign_attrs(units="1"))


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw the epochs needed by depth and the planes; tabulate, and say what follows."""
    needed = epochs_needed(results)
    title = f"tanh, {results.binning}, {results.sizes['seed']} seeds"
    figures = {
        f"depth_{shape}.png": depth_figure(
            needed.sel(shape=shape, drop=True), f"{shape} widths, {title}: medians, 95% intervals"
        )
        for shape in needed.shape.values.tolist()
    }
    figures["information_plane.png"] = plot_information_plane(
        results, row="shape", column="depth", title=f"{title}; columns: number of hidden layers"
    )
    seeds = seeds_table(results, ["train_loss", "train_accuracy", "test_accuracy"])
    return figures, [depth_table(results, needed), seeds]


def depth_figure(needed: xr.Dataset, title: str) -> Figure:
    """Draw the epochs needed by depth, of what any network reaches."""
    reached = {name: label for name, label in MEASURES.items() if needed[name].notnull().any()}
    return plot_by_level(needed, "depth", labels=reached or MEASURES, ylabel="epochs", title=title)


def depth_table(results: xr.Dataset, needed: xr.Dataset) -> Table:
    """Tabulate by depth median epochs, how many seeds get there, and the last layer's loss."""
    rows = []
    for names in levels_of(needed, ["shape", "depth"]):
        row: dict[str, object] = {**names}
        for name in (*MEASURES, *RELATIVE):
            median = median_interval(needed[name].sel(names).values)
            row |= {**interval_cells(name, median), f"{name}_seeds": median.num_seeds}
        last = compression_summary(results.sel(names)).sel(layer=names["depth"])
        limits = ("compression", "compression_low", "compression_high")
        rows.append(row | {name: last[name].item() for name in limits})
    note = (
        "_seeds: those that get there at all; medians are over them. relative: start of compression / "
        "epoch of the loss. compression: of I(X;T) of the last hidden layer, bits, with its 95% interval"
    )
    verdicts = [
        verdict(needed, shape, name)
        for shape in needed.shape.values.tolist()
        for name in (*MEASURES, *RELATIVE)
    ]
    return table_of_rows("depth", rows, [note, *verdicts])


def verdict(needed: xr.Dataset, shape: str, name: str) -> str:
    """Say whether epochs fall with depth: rank correlations within seeds, with their interval."""
    epochs = needed[name].sel(shape=shape).transpose("seed", "depth").values
    depths = needed.depth.values.astype(float)
    within = np.array([rank_correlation(depths, seed_epochs).estimate for seed_epochs in epochs])
    rho = mean_interval(within)
    reached = int(np.isfinite(epochs).all(axis=1).sum())
    text = (
        f"{shape} widths, {(MEASURES | RELATIVE)[name]}: correlation with depth within a seed "
        f"{interval_text(rho)}; {reached} of {len(epochs)} seeds get there at every depth. "
    )
    if rho.high < 0:
        return text + "It falls with more layers."
    if rho.low > 0:
        return text + "It rises with more layers."
    return text + "That it falls with more layers does not follow."


if __name__ == "__main__":
    main("depth", Config, run, report)
