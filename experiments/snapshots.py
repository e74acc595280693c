"""Fifty networks in the information plane: untrained, after 400 and after 9000 epochs.

Claim: Shwartz-Ziv & Tishby (2017), figure 2: the layers of different networks, scattered at first, move
together; by epoch 400 they have gained I(T;Y) at a higher I(X;T), by epoch 9000 they have lost I(X;T)
and kept I(T;Y).

Command:  python -m experiments.snapshots [--activation relu] [--film mp4]
Time:     1 to 2 minutes on 2 cores; the film takes half of one
Expect:   tanh: layers 3 to 6 gain I(T;Y) by epoch 400, and layers 2 to 6 lose I(X;T) after it; networks
          come closer in I(T;Y), in I(X;T) in layer 5 alone. Nothing of I(T;Y) is lost.

50 networks 12-10-7-5-4-3-2 on the 12-bit symmetric task, plain SGD (rate 0.1, batches of 256), I(X;T)
and I(T;Y) on all 4096 inputs in bins of 0.07. The film runs over all recorded epochs, evenly on a log
scale; GIF needs no other program, MP4 needs ffmpeg.

Dims: seed, epoch, layer.
"""

import dataclasses
import itertools
import shutil
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr
from matplotlib.animation import FuncAnimation
from matplotlib.figure import Figure

from experiments.lab import (
    Arm,
    LabConfig,
    Scale,
    Table,
    interval_cells,
    interval_text,
    main,
    scale_of,
    table_of_rows,
    train,
)
from ibjax.analysis.compression import NEGLIGIBLE_BITS
from ibjax.analysis.intervals import mean_interval
from ibjax.analysis.records import PlaneRecord
from ibjax.plots import animate_snapshots, plot_snapshots
from ibjax.presets import preset
from ibjax.training import TrainConfig, log_spaced_epochs, make_model

# The figure's epochs; a shorter run is shown at the same fractions of its length.
SNAPSHOTS = (0, 400, 9000)
FULL, SMOKE = Scale(epochs=SNAPSHOTS[-1]), Scale(epochs=90)
NUM_FRAMES = 100

# A change of spread that counts.
SPREAD_BITS = 0.01


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Fifty networks in the information plane."""

    activation: Literal["tanh", "relu", "linear", "softsign", "sigmoid"] = "tanh"
    """Activation of the hidden layers."""
    film: Literal["gif", "mp4", "none"] = "gif"
    """Format of the animation; "mp4" needs ffmpeg."""

    def __post_init__(self):
        super().__post_init__()
        if self.film == "mp4" and shutil.which("ffmpeg") is None:
            raise ValueError("film: expected 'gif' or 'none' where there is no ffmpeg, got 'mp4'")


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure the networks; checkpoints go to ``folder`` if given."""
    convention, scale = preset("paper"), scale_of(config, FULL, SMOKE)
    training = TrainConfig(activation=config.activation, **convention.training, **scale.training)
    record = PlaneRecord(make_model(training), convention.estimator)
    shown = np.unique([round(epoch * scale.epochs / FULL.epochs) for epoch in SNAPSHOTS])
    return train(
        config,
        {(): Arm(training, scale.task, record)},
        factors=(),
        source="Shwartz-Ziv & Tishby (2017), figure 2",
        schedule=np.union1d(log_spaced_epochs(scale.epochs, NUM_FRAMES), shown),
        folder=folder,
        binning=convention.binning,
        activation=config.activation,
        snapshots=shown,
        film=config.film,
    )


def report(results: xr.Dataset) -> tuple[dict[str, Figure | FuncAnimation], list[Table]]:
    """Draw the snapshots and the film, and make the table."""
    epochs = np.atleast_1d(results.snapshots).tolist()
    title = f"{results.activation}, {results.sizes['seed']} networks, {results.binning}"
    figures: dict[str, Figure | FuncAnimation] = {
        "snapshots.png": plot_snapshots(results, epochs, title=title)
    }
    if results.film != "none":
        figures[f"snapshots.{results.film}"] = animate_snapshots(results, title=results.activation)
    return figures, [snapshot_table(results, epochs)]


def snapshot_table(results: xr.Dataset, epochs: list[int]) -> Table:
    """Tabulate by snapshot and layer means with intervals over networks, standard deviations; bits."""
    rows = []
    for epoch, layer in itertools.product(epochs, results.layer.values):
        plane = results.sel(epoch=epoch, layer=layer)
        row = {"epoch": epoch, "layer": layer}
        for name in ("ixt", "ity"):
            row |= interval_cells(name, mean_interval(plane[name].values))
            row[f"{name}_std"] = float(plane[name].std(ddof=1))
        rows.append(row | {"networks": int(np.isfinite(plane.ixt).sum())})
    diverged = int(results.diverged.sum())
    sentences = [
        f"diverged networks, left out of means: {diverged}.",
        verdict(results, epochs),
        agreement(results, epochs),
    ]
    return table_of_rows("snapshots", rows, sentences)


def verdict(results: xr.Dataset, epochs: list[int]) -> str:
    """Say what the hidden layers gain until the middle snapshot, and lose and keep after it."""
    first, middle, last = epochs[0], epochs[-2], epochs[-1]
    gain = layers_above(results.ity, middle, first)
    lose = layers_above(results.ixt, middle, last)
    forget = layers_above(results.ity, middle, last)
    return (
        f"{results.activation}: from epoch {first} to {middle} layers gain I(T;Y): {gain}; from epoch "
        f"{middle} to {last} layers lose I(X;T): {lose}; lose I(T;Y): {forget}; bits. What is lost is "
        "the layer as binned."
    )


def layers_above(information: xr.DataArray, epoch: int, other: int) -> str:
    """Name the hidden layers whose information at one epoch exceeds that at another, and by how much."""
    names = []
    for layer in information.layer.values[:-1]:
        curve = information.sel(layer=layer)
        excess = mean_interval((curve.sel(epoch=epoch) - curve.sel(epoch=other)).values)
        if excess.low > NEGLIGIBLE_BITS:
            names.append(f"{layer} by {interval_text(excess)}")
    return ", ".join(names) or "none"


def agreement(results: xr.Dataset, epochs: list[int]) -> str:
    """Say whether networks lie closer together at the last snapshot than at the first.

    Spread is the distance of networks from the median network (Brown & Forsythe). Its change is averaged
    over networks, paired.
    """
    text = "Spread: distance from the median network, mean over networks, bits"
    for name, symbol in (("ixt", "I(X;T)"), ("ity", "I(T;Y)")):
        closer, further = [], []
        for layer in results.layer.values[:-1]:
            at_ends = results[name].sel(layer=layer, epoch=[epochs[0], epochs[-1]])
            before, after = abs(at_ends - at_ends.median("seed")).transpose("epoch", "seed").values
            change = mean_interval(before - after)
            layer_text = f"{layer} ({np.nanmean(before):.2f} to {np.nanmean(after):.2f})"
            if change.low > SPREAD_BITS:
                closer.append(layer_text)
            elif change.high < -SPREAD_BITS:
                further.append(layer_text)
        text += f"; layers that come closer in {symbol}: {', '.join(closer) or 'none'}, "
        text += f"that drift apart: {', '.join(further) or 'none'}"
    return text + "."


if __name__ == "__main__":
    main("snapshots", Config, run, report)
