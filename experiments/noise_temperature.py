"""Does the temperature of SGD's noise, rate over batch size, decide compression at equal training loss?

Claim: Shwartz-Ziv & Tishby (2017), section 3.4: layers compress in the diffusion phase, by the noise of
the minibatch gradients. The noise of an epoch goes as learning rate over batch size, its temperature
(Smith & Le 2018; Jastrzebski et al. 2017). Progress goes alike, so that at equal epochs one cannot be
told from the other; at equal training loss it can.

Command:  python -m experiments.noise_temperature
Time:     20 to 30 minutes on 2 cores
Expect:   at a loss of 0.1 nats compression grows with the ratio in layers 2 to 4, and at a fixed ratio
          with rate and batch size, too: so it is the step's length rather than the temperature. In
          layer 5 it depends on neither. Full batches, without noise, compress.

30 tanh networks 12-10-7-5-4-3-2 a cell on the 12-bit symmetric task: batches of 32 to 2048 and full ones
(3277 samples), each at learning rates from 0.0125 to 0.8, in steps of a factor of 2, plain SGD for 3000
epochs, as one sweep. I(X;T) and I(T;Y) on all 4096 inputs in bins of 0.07 at 100 epochs. Compression is
the fall from the peak to the first epoch at which the running median of a network's training loss is at
most 0.1 or 0.03 nats; cells where fewer than 80% of the networks get there have no answer.

"doubled_ratio", "doubled_both" and "doubled_batch" are slopes of a plane fitted to each seed's
compression over the cells with minibatches, per doubling of the ratio (at equal batch size: of the
rate), of rate and batch size together (the ratio is fixed), and of the batch size at equal rate. If the
temperature is all that matters, the second is 0; if the rate is, the third.

Dims: batch_size, learning_rate, seed, epoch, layer.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments import lab
from ibjax.analysis.compression import NEGLIGIBLE_BITS, compression_at, compression_summary
from ibjax.analysis.intervals import Interval, halving_interval, mean_interval, simultaneous_level
from ibjax.analysis.phases import reaching_epoch
from ibjax.analysis.records import PlaneRecord
from ibjax.plots import plot_phase_diagram
from ibjax.presets import preset
from ibjax.training import TrainConfig, make_model
from ibjax.training.schedule import log_spaced_epochs

BATCHES = (32, 64, 128, 256, 512, 1024, 2048, None)
RATES = (0.0125, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8)
SMOKE_BATCHES, SMOKE_RATES = (8, 32, None), (0.2, 0.4, 0.8)
FULL = lab.Scale(epochs=3000, num_recorded=100)
SMOKE = lab.Scale(epochs=400, widths=(6, 4, 2), every=4, num_recorded=12)

# Training losses at which cells are compared, nats, the first for the verdict; and the share of a cell's
# networks that must get there.
LOSSES, MOST = (0.1, 0.03), 0.8

# Numbers whose logarithms the plane is fitted to, and its slopes.
SLOPES = ("doubled_ratio", "doubled_both", "doubled_batch")
WORDS = {
    "doubled_ratio": "per doubling of the ratio at equal batch size",
    "doubled_both": "per doubling of rate and batch size at a fixed ratio",
    "doubled_batch": "per doubling of the batch size at equal rate",
}


@dataclasses.dataclass(frozen=True)
class Config(lab.LabConfig):
    """Does the temperature of SGD's noise decide compression at equal training loss?"""

    seeds: int = 30
    """Networks per cell."""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure all cells; checkpoints go to ``folder`` if given."""
    convention, scale = preset("paper"), lab.scale_of(config, FULL, SMOKE)
    return lab.train_grid(
        config,
        TrainConfig(**convention.training, **scale.training),
        scale.task,
        over={
            "batch_size": SMOKE_BATCHES if config.smoke else BATCHES,
            "learning_rate": SMOKE_RATES if config.smoke else RATES,
        },
        record=lambda training: PlaneRecord(make_model(training), convention.estimator),
        source="Shwartz-Ziv & Tishby (2017), section 3.4",
        schedule=log_spaced_epochs(scale.epochs, scale.num_recorded),
        folder=folder,
        binning=convention.binning,
    )


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[lab.Table]]:
    """Map compression at equal loss and at the end; tabulate slopes, and say what follows."""
    results = results.transpose("batch_size", "learning_rate", "seed", "epoch", "layer")
    at_loss = compression_at_losses(results)
    cells = cell_summary(results, at_loss)
    text = f"{results.sizes['seed']} networks a cell, {results.binning}"
    options: dict[str, Any] = {"x": "learning_rate", "y": "batch_size", "column": "layer"}
    end = {"contour": "reached_first", "contour_level": MOST, "title": f"at the end: {text}"}
    figures = {
        "equal_loss.png": plot_phase_diagram(
            cells, value="compression", row="loss", title=f"up to equal training loss: {text}", **options
        ),
        "end.png": plot_phase_diagram(cells, value="at_end", **options, **end),
    }
    slopes = slope_summary(at_loss)
    return figures, [slopes_table(slopes, at_loss), full_batch_table(at_loss), cells_table(cells)]


def reaching_positions(results: xr.Dataset) -> xr.DataArray:
    """Find the first recorded epoch at which the running median of a training loss is at most each loss.

    Returns:
        Array (loss, batch_size, learning_rate, seed) of positions on the axis of epochs; -1 for none.
    """
    losses, epochs = results.train_loss, results.epoch.values
    curves = losses.values.reshape(-1, len(epochs))
    reached = np.stack([reaching_epoch(-curves, epochs, -loss) for loss in LOSSES])
    position = np.where(np.isnan(reached), -1, np.searchsorted(epochs, np.nan_to_num(reached)))
    dims = ("batch_size", "learning_rate", "seed")
    coords = {"loss": list(LOSSES), **{d: losses[d].values for d in dims}}
    return xr.DataArray(position.reshape(-1, *losses.shape[:-1]), coords, ("loss", *dims))


def compression_at_losses(results: xr.Dataset) -> xr.DataArray:
    """Compute hidden layers' compression up to the epoch at which training reaches each loss.

    Returns:
        Array (loss, batch_size, learning_rate, layer, halving, seed), bits; NaN for networks that do not
        reach the loss, and in cells where fewer than ``MOST`` of them do.
    """
    positions = reaching_positions(results)
    hidden = results.ixt.isel(layer=slice(0, -1)).values
    finite, cells = np.isfinite(hidden).all(axis=(-2, -1)), []
    for place in np.ndindex(positions.shape[:-1]):
        ixt, position = hidden[place[1:]], positions.values[place]
        known = (position >= 0) & finite[place[1:]]
        ixt = np.where(known[:, None, None], ixt, np.nan)
        falls = np.stack([compression_at(ixt[..., k], position) for k in range(ixt.shape[-1])])
        cells.append(np.where(known.mean() >= MOST, falls, np.nan))
    dims = ("loss", "batch_size", "learning_rate", "layer", "halving", "seed")
    shape = (*positions.shape[:-1], *cells[0].shape)
    coords = {d: positions[d].values for d in ("loss", "batch_size", "learning_rate", "seed")}
    coords["layer"] = results.layer.values[:-1]
    return xr.DataArray(np.stack(cells).reshape(shape), coords, dims)


def cell_summary(results: xr.Dataset, at_loss: xr.DataArray) -> xr.Dataset:
    """Summarise each cell: compression up to each loss and at the end, and who gets there."""
    interval = halving_interval(at_loss.transpose("halving", "seed", ...).values)
    dims = ("loss", "batch_size", "learning_rate", "layer")
    names = ("compression", "compression_low", "compression_high")
    data = {name: (dims, value) for name, value in zip(names, interval[:3], strict=True)}
    coords = {d: at_loss[d].values for d in dims}
    cells = xr.Dataset(data, {**coords, "loss": [f"loss of {loss:g} nats" for loss in LOSSES]})
    share = (reaching_positions(results) >= 0).mean("seed")
    cells["reached"] = share.assign_coords(loss=cells.loss.values)
    cells["reached_first"] = cells.reached.isel(loss=0, drop=True)
    cells["at_end"] = compression_summary(results).compression.isel(layer=slice(0, -1))
    cells["batch_size"] = cells.batch_size.assign_attrs(long_name="batch size")
    cells["learning_rate"] = cells.learning_rate.assign_attrs(long_name="learning rate")
    for name, what in (("compression", "compression"), ("at_end", "compression at the end")):
        cells[name] = cells[name].assign_attrs(long_name=what, units="bits")
    share = f"share of networks that reach {LOSSES[0]:g} nats"
    cells["reached_first"] = cells.reached_first.assign_attrs(long_name=share, units="1")
    return cells.drop_vars("num_layers", errors="ignore")


def seed_slopes(at_loss: xr.DataArray) -> xr.DataArray:
    """Fit a plane to each seed's compression over cells with minibatches.

    The plane is in log2(rate / batch size) and log2(batch size); a seed's cells are those in which it
    reaches the loss.

    Returns:
        Array (slope, loss, layer, halving, seed), bits per doubling; NaN for seeds whose cells determine
        no plane.
    """
    minibatch = at_loss.sel(batch_size=[b for b in at_loss.batch_size.values if b != "full"])
    cells = minibatch.stack(cell=("batch_size", "learning_rate")).transpose(..., "cell")
    batch = np.log2(cells.batch_size.values.astype(float))
    rate = np.log2(cells.learning_rate.values.astype(float))
    design = np.stack([np.ones_like(rate), rate - batch, batch], axis=1)  # (cell, 3)
    values = cells.values.reshape(-1, len(design))
    plane = np.full((len(values), 3), np.nan)
    for i, row in enumerate(values):
        known = np.isfinite(row)
        if np.linalg.matrix_rank(design[known]) == 3:
            plane[i] = np.linalg.lstsq(design[known], row[known])[0]
    ratio, both = plane[:, 1], plane[:, 2]
    slopes = np.stack([ratio, both, both - ratio]).reshape(3, *cells.shape[:-1])
    dims = ("slope", *cells.dims[:-1])
    coords = {str(d): cells[d].values for d in cells.dims[:-1] if d in cells.coords}
    return xr.DataArray(slopes, coords | {"slope": list(SLOPES)}, dims)


def slope_summary(at_loss: xr.DataArray) -> xr.Dataset:
    """Summarise slopes by loss and layer, with intervals over seeds.

    Returns:
        Dataset (loss, layer): each of ``SLOPES`` with ``_low`` and ``_high``, and ``_lowest`` and
        ``_highest`` of intervals that hold for all slopes and layers of a loss at once; ``num_cells``;
        and the shares of the variance over cells' means that a line in log2 of the ratio, one in log2 of
        the rate and the plane explain: ``by_ratio``, ``by_rate``, ``by_both``.
    """
    slopes = seed_slopes(at_loss)
    dims, level = ("loss", "layer"), simultaneous_level(len(SLOPES) * slopes.sizes["layer"])
    columns = {}
    for name in SLOPES:
        values = slopes.sel(slope=name).transpose("halving", "seed", *dims).values
        interval, at_once = halving_interval(values), halving_interval(values, level)
        columns |= {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}
        columns |= {f"{name}_lowest": at_once.low, f"{name}_highest": at_once.high}
    summary = xr.Dataset({k: (dims, v) for k, v in columns.items()}, {d: slopes[d].values for d in dims})
    means = mean_interval(at_loss.transpose("halving", "seed", ...).values.mean(axis=0)).estimate
    at_cells = at_loss.isel(halving=0, seed=0).transpose("loss", "batch_size", "learning_rate", "layer")
    at_cells = at_cells.copy(data=means)
    at_cells = at_cells.sel(batch_size=[b for b in at_loss.batch_size.values if b != "full"])
    summary["num_cells"] = at_cells.notnull().sum(["batch_size", "learning_rate"])
    for name, value in explained(at_cells).items():
        summary[name] = value
    return summary


def explained(means: xr.DataArray) -> dict[str, xr.DataArray]:
    """Return the shares of the variance over cells that ratio, rate and both explain; (loss, layer).

    Args:
        means: (loss, batch_size, learning_rate, layer) bits, of cells with minibatches.
    """
    cells = means.stack(cell=("batch_size", "learning_rate")).transpose("loss", "layer", "cell")
    batch = np.log2(cells.batch_size.values.astype(float))
    rate = np.log2(cells.learning_rate.values.astype(float))
    kinds = {"by_ratio": [rate - batch], "by_rate": [rate], "by_both": [rate, batch]}
    shares = {}
    for name, numbers in kinds.items():
        share = np.full(cells.shape[:2], np.nan)
        for place in np.ndindex(share.shape):
            y = cells.values[place]
            known = np.isfinite(y)
            design = np.stack([np.ones_like(rate), *numbers], axis=1)[known]
            y = y[known]
            if len(y) > design.shape[1] and np.ptp(y) > 0:
                rest = y - design @ np.linalg.lstsq(design, y)[0]
                share[place] = 1 - (rest**2).sum() / ((y - y.mean()) ** 2).sum()
        shares[name] = cells.isel(cell=0, drop=True).copy(data=share)
    return shares


def slopes_table(slopes: xr.Dataset, at_loss: xr.DataArray) -> lab.Table:
    """Tabulate slopes by loss and layer, and say what follows."""
    limits = [name for name in slopes if str(name).endswith(("lowest", "highest"))]
    note = (
        "bits of compression up to that training loss: "
        + "; ".join(f"{name}: {words}" for name, words in WORDS.items())
        + f"; num_cells: cells with minibatches in which {MOST:.0%} of the networks or more get there; "
        "by_ratio, by_rate, by_both: share of the variance over these cells that a line in the "
        "logarithm of the ratio, one in that of the rate, and the plane explain"
    )
    verdicts = [verdict(slopes, loss) for loss in slopes.loss.values]
    verdicts.append(without_noise(at_loss))
    return lab.table_of("slopes", slopes.drop_vars(limits), [note, *verdicts])


def verdict(slopes: xr.Dataset, loss: float) -> str:
    """Say which layers' compression depends on the ratio, and on more than the ratio."""
    at = slopes.sel(loss=loss)
    if not np.isfinite(at.doubled_ratio_low).any():
        return f"at {loss:g} nats: too few cells get there."
    facts, clear = [], {}
    for name in SLOPES:
        clear[name] = clear_layers(at, name)
        texts = [f"layer {layer} {_slope_text(at, name, layer)}" for layer in clear[name]]
        facts.append(f"{WORDS[name]}: {', '.join(texts) or 'no layer clearly'}")
    alone = [layer for layer in clear["doubled_ratio"] if layer not in clear["doubled_both"]]
    others = [layer for layer in clear["doubled_ratio"] if layer in clear["doubled_both"]]
    said = []
    if others:
        said.append(f"the ratio does not decide alone in layers {_numbers(others)}")
    if alone:
        said.append(f"nothing beside the ratio is shown in layers {_numbers(alone)}")
    if not said:
        said.append("no hidden layer is shown to depend on the ratio")
    return (
        f"at {loss:g} nats, bits of compression {'; '.join(facts)} (beyond {NEGLIGIBLE_BITS} by "
        f"intervals that hold at once): {'; '.join(said)}."
    )


def clear_layers(slopes: xr.Dataset, name: str) -> list[int]:
    """Return the layers with a slope beyond ``NEGLIGIBLE_BITS``, by intervals that hold at once."""
    low, high = slopes[f"{name}_lowest"].values, slopes[f"{name}_highest"].values
    return slopes.layer.values[np.maximum(low, -high) > NEGLIGIBLE_BITS].tolist()


def _slope_text(slopes: xr.Dataset, name: str, layer: int) -> str:
    at = slopes.sel(layer=layer)
    middle, low, high = (float(at[f"{name}{end}"]) for end in ("", "_low", "_high"))
    return lab.interval_text(Interval(middle, low, high, 0))


def _numbers(layers: Sequence[int]) -> str:
    return ", ".join(map(str, layers))


def full_batch_table(at_loss: xr.DataArray) -> lab.Table:
    """Tabulate the compression of full-batch descent, without noise, by loss, rate and layer."""
    full = at_loss.sel(batch_size="full", drop=True)
    interval = halving_interval(full.transpose("halving", "seed", ...).values)
    dims = ("loss", "learning_rate", "layer")
    names = ("compression", "compression_low", "compression_high")
    columns = {name: (dims, v) for name, v in zip(names, interval[:3], strict=True)}
    table = xr.Dataset(columns, {d: full[d].values for d in dims})
    note = "full batches: compression up to that training loss, bits; nan: too few networks get there"
    rows = lab.table_of("full_batches", table, [note])
    return dataclasses.replace(rows, frame=rows.frame.dropna())


def without_noise(at_loss: xr.DataArray) -> str:
    """Say whether layers compress without any noise, at the first loss."""
    full = at_loss.sel(batch_size="full", loss=LOSSES[0], drop=True)
    values = full.transpose("halving", "seed", "learning_rate", "layer").values
    known = np.isfinite(values).any(axis=(0, 1, 3))
    if not known.any():
        return f"Full batches: at no rate do {MOST:.0%} of the networks reach {LOSSES[0]:g} nats."
    interval = halving_interval(values, simultaneous_level(int(known.sum()) * values.shape[3]))
    facts = []
    for rate, low in zip(full.learning_rate.values[known], interval.low[known], strict=True):
        clear = full.layer.values[low > NEGLIGIBLE_BITS].tolist()
        facts.append(f"at rate {rate:g} {_numbers(clear) or 'no hidden layer'}")
    return (
        f"Full batches, without noise, up to {LOSSES[0]:g} nats: layers that compress by more than "
        f"{NEGLIGIBLE_BITS} bits, by intervals that hold at once: {'; '.join(facts)}."
    )


def cells_table(cells: xr.Dataset) -> lab.Table:
    """Tabulate how many networks of each cell reach each loss."""
    shares = cells.reached.transpose("batch_size", "learning_rate", "loss")
    frame = shares.to_series().unstack("loss").reset_index()
    frame["batch_size"] = frame["batch_size"].astype(object)
    note = "share of a cell's networks whose training loss, smoothed, falls to that many nats"
    return lab.Table("reached", frame.rename_axis(columns=None), [note])


if __name__ == "__main__":
    lab.main("noise_temperature", Config, run, report)
