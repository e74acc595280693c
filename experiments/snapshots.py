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
import shutil
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr
from matplotlib.animation import FuncAnimation
from matplotlib.figure import Figure

from experiments.lab import LabConfig, Table, columns, main, plane_attributes, train_arms
from ibjax.analysis.compression import NEGLIGIBLE_BITS
from ibjax.analysis.intervals import mean_interval
from ibjax.analysis.records import plane_record
from ibjax.datasets import symmetric_task
from ibjax.plots import animate_snapshots, plot_snapshots
from ibjax.presets import preset
from ibjax.training import TrainConfig, log_spaced_epochs, make_model

# The figure's, as shares of the last epoch where fewer are trained.
SNAPSHOTS = (0, 400, 9000)
SMOKE_EPOCHS = 90
NUM_FRAMES = 100

# A change of spread that counts.
SPREAD_BITS = 0.01


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Fifty networks in the information plane."""

    activation: Literal["tanh", "relu", "linear", "softsign", "sigmoid"] = "tanh"
    """Of the hidden layers."""
    film: Literal["gif", "mp4", "none"] = "gif"
    """The animation's format; "mp4" needs ffmpeg."""

    def __post_init__(self):
        super().__post_init__()
        if self.film == "mp4" and shutil.which("ffmpeg") is None:
            raise ValueError("film: expected 'gif' or 'none' where there is no ffmpeg, got 'mp4'")

    @property
    def num_epochs(self) -> int:
        """Number of epochs of training that the options ask for."""
        return self.epochs or (SMOKE_EPOCHS if self.smoke else SNAPSHOTS[-1])


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure the networks; checkpoints go to ``folder`` if given."""
    convention = preset("paper")
    training = TrainConfig(
        activation=config.activation, num_epochs=config.num_epochs, **convention.training
    )
    shown = np.unique([round(e * config.num_epochs / SNAPSHOTS[-1]) for e in SNAPSHOTS])
    (results,) = train_arms(
        config,
        {(config.activation,): training},
        symmetric_task(),
        lambda training: plane_record(make_model(training), convention.estimator),
        schedule=np.union1d(log_spaced_epochs(config.num_epochs, NUM_FRAMES), shown),
        folder=folder,
    ).values()
    source = "Shwartz-Ziv & Tishby (2017), figure 2"
    return results.assign_attrs(
        plane_attributes(config, "snapshots", convention, source),
        activation=config.activation,
        snapshots=shown,
        film=config.film,
    )


def report(results: xr.Dataset) -> tuple[dict[str, Figure | FuncAnimation], list[Table]]:
    """The snapshots, the film and the table."""
    epochs = np.atleast_1d(results.snapshots).tolist()
    title = f"{results.activation}, {results.sizes['seed']} networks, {results.binning}"
    figures: dict[str, Figure | FuncAnimation] = {
        "snapshots.png": plot_snapshots(results, epochs, title=title)
    }
    if results.film != "none":
        figures[f"snapshots.{results.film}"] = animate_snapshots(results, title=results.activation)
    return figures, [snapshot_table(results, epochs)]


def snapshot_table(results: xr.Dataset, epochs: list[int]) -> Table:
    """Per snapshot and layer: means with intervals over networks, and how far networks differ; bits."""
    header = columns("epoch layer ixt+- ixt_std ity+- ity_std networks")
    rows = []
    for epoch in epochs:
        for layer in results.layer.values:
            one = results.sel(epoch=epoch, layer=layer)
            of_x, of_y = (mean_interval(v.values) for v in (one.ixt, one.ity))
            spread = [float(v.std(ddof=1)) for v in (one.ixt, one.ity)]
            rows.append([epoch, layer, *of_x[:3], spread[0], *of_y[:3], spread[1], of_x.num_seeds])
    diverged = int(results.diverged.sum())
    sentences = [
        f"diverged networks, left out of means: {diverged}.",
        verdict(results, epochs),
        agreement(results, epochs),
    ]
    return Table("snapshots", header, rows, sentences)


def verdict(results: xr.Dataset, epochs: list[int]) -> str:
    """Say what the hidden layers gain until the middle snapshot, and lose and keep after it."""
    first, middle, last = epochs[0], epochs[-2], epochs[-1]
    gained, lost, forgot = [], [], []
    for layer in results.layer.values[:-1]:
        one = results.sel(layer=layer)
        gain = mean_interval((one.ity.sel(epoch=middle) - one.ity.sel(epoch=first)).values)
        loss = mean_interval((one.ixt.sel(epoch=middle) - one.ixt.sel(epoch=last)).values)
        fall = mean_interval((one.ity.sel(epoch=middle) - one.ity.sel(epoch=last)).values)
        for found, change in ((gained, gain), (lost, loss), (forgot, fall)):
            if change.low > NEGLIGIBLE_BITS:
                found.append(f"{layer} by {change.estimate:.2f} ({change.low:.2f} to {change.high:.2f})")
    gained, lost, forgot = (", ".join(found) or "none" for found in (gained, lost, forgot))
    return (
        f"{results.activation}: from epoch {first} to {middle} layers gain I(T;Y): {gained}; from epoch "
        f"{middle} to {last} layers lose I(X;T): {lost}; lose I(T;Y): {forgot}; bits. What is lost is "
        "the layer as binned."
    )


def agreement(results: xr.Dataset, epochs: list[int]) -> str:
    """Say whether networks lie closer together at the last snapshot than at the first.

    Compared is each network's distance from the median network, at both; intervals are of the mean
    difference over networks (Brown & Forsythe's measure of spread, in pairs).
    """
    text = "Spread: distance from the median network, mean over networks, bits"
    for name, symbol in (("ixt", "I(X;T)"), ("ity", "I(T;Y)")):
        closer, further = [], []
        for layer in results.layer.values[:-1]:
            at_ends = results[name].sel(layer=layer, epoch=[epochs[0], epochs[-1]])
            before, after = abs(at_ends - at_ends.median("seed")).transpose("epoch", "seed").values
            change = mean_interval(before - after)
            of_layer = f"{layer} ({np.nanmean(before):.2f} to {np.nanmean(after):.2f})"
            if change.low > SPREAD_BITS:
                closer.append(of_layer)
            elif change.high < -SPREAD_BITS:
                further.append(of_layer)
        text += f"; layers that come closer in {symbol}: {', '.join(closer) or 'none'}, "
        text += f"that drift apart: {', '.join(further) or 'none'}"
    return text + "."


if __name__ == "__main__":
    main("snapshots", Config, run, report)
