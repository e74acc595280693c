"""Does full-batch descent need a small learning rate, to compress smoothly and for relu to learn?

Claim: none of a paper. Saxe et al. (2018), figure 5, compare SGD with full-batch descent, whose rate is
free. At the rate 0.5 of ``sgd_vs_bgd`` the I(X;T) of tanh layers collapses by bits in the first hundreds
of epochs and recovers, and most relu networks hardly learn. Is that the descent's doing or the rate's?

Command:  python -m experiments.full_batch_rates
Time:     5 to 10 minutes on 2 cores
Expect:   tanh: at 0.5 layers 3 to 5 lose bits early and regain them, while the training loss jumps up, a
          sign of steps too long; at 0.1 they lose none. relu learns at 0.1 and 0.2, hardly at 0.5, and
          no hidden layer of it compresses at any.

50 networks 12-10-7-5-4-3-2 per arm on the 12-bit symmetric task, tanh and relu, by full-batch descent at
the rates 0.1, 0.2 and 0.5 for 6000 epochs, each of one step; I(X;T) and I(T;Y) on all 4096 inputs in
bins of 0.07 at 210 epochs. Rates are compared where rate times epoch, the time of the gradient flow that
all of them approximate, is equal. "early" is the I(X;T) gained since initialisation on average over the
recorded epochs at which that time is 15 to 50, which are epochs 30 to 100 at 0.5. "overshoot" is how far
the training loss is at most above an earlier one: a step that is short enough never raises it.

Dims: activation, rate, seed, epoch, layer.
"""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments import lab
from ibjax.analysis.compression import NEGLIGIBLE_BITS, compression_summary
from ibjax.analysis.intervals import Interval, mean_interval
from ibjax.analysis.records import PlaneRecord
from ibjax.plots import plot_compression
from ibjax.presets import preset
from ibjax.training import TrainConfig, make_model

ACTIVATIONS, RATES = ("tanh", "relu"), ("0.1", "0.2", "0.5")
FULL, SMOKE = lab.Scale(epochs=6000), lab.Scale(epochs=200, widths=(4, 3, 2), every=8)

# Rate times epoch: when learning begins, at every rate.
EARLY = (15, 50)


@dataclasses.dataclass(frozen=True)
class Config(lab.LabConfig):
    """Does full-batch descent need a small learning rate, to compress smoothly and for relu to learn?"""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure all arms; checkpoints go to ``folder`` if given."""
    convention, scale, arms = preset("paper"), lab.scale_of(config, FULL, SMOKE), {}
    shared = convention.training | scale.training
    for activation, rate in itertools.product(ACTIVATIONS, RATES):
        step = float(rate)
        training = TrainConfig(activation=activation, batch_size=None, learning_rate=step, **shared)
        record = PlaneRecord(make_model(training), convention.estimator)
        arms[activation, rate] = lab.Arm(training, scale.task, record)
    return lab.train(
        config,
        arms,
        factors=("activation", "rate"),
        source="Saxe et al. (2018), figure 5",
        schedule=convention.schedule,
        folder=folder,
        binning=convention.binning,
    )


def early_gain(results: xr.Dataset) -> xr.DataArray:
    """Compute the mean I(X;T) while rate times epoch is within ``EARLY``, less that at initialisation.

    Returns:
        Array with the dims of ``ixt`` without ``epoch``, bits.
    """
    time = results.rate.astype(float) * results.epoch
    early = results.ixt.where((time >= EARLY[0]) & (time <= EARLY[1])).mean("epoch")
    return early - results.ixt.isel(epoch=0, drop=True)


def overshoot(results: xr.Dataset) -> xr.DataArray:
    """Compute the largest excess of the training loss over an earlier one, nats, by seed."""
    axis = results.train_loss.get_axis_num("epoch")
    lowest = np.minimum.accumulate(results.train_loss.values, axis=axis)
    return (results.train_loss - lowest).max("epoch")


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[lab.Table]]:
    """Draw I(X;T) and the loss by rate; tabulate early gains and compression, and say what follows."""
    title = f"full-batch descent, {results.binning}, {results.sizes['seed']} seeds, 95% bands"
    figure = plot_compression(results, row="activation", compare="rate", title=title)
    seeds = lab.seeds_table(results, ("train_loss", "train_accuracy", "test_accuracy"))
    return {"full_batch_rates.png": figure}, [rates_table(results), seeds]


def rates_table(results: xr.Dataset) -> lab.Table:
    """Tabulate by activation, rate and layer the early gain of I(X;T) and its compression; bits."""
    gain = seeds_interval(early_gain(results).transpose(..., "layer"))
    dims = ("activation", "rate", "layer")
    names = ("early", "early_low", "early_high")
    columns = {name: (dims, values) for name, values in zip(names, gain[:3], strict=True)}
    note = "early: mean I(X;T) while rate x epoch is 15 to 50, less that at initialisation; bits"
    sentences = [note, *(verdict(results, name) for name in results.activation.values)]
    summary = compression_summary(results).drop_vars("num_layers", errors="ignore")
    return lab.table_of("rates", summary.assign(columns), sentences)


def seeds_interval(values: xr.DataArray) -> Interval:
    """Return the mean over seeds of an array whose other dims keep their order."""
    return mean_interval(values.transpose("seed", ...).values)


def verdict(results: xr.Dataset, activation: str) -> str:
    """Say of each rate what is learnt, how far it overshoots and which layers fall early."""
    arms, facts = results.sel(activation=activation), []
    for rate in arms.rate.values.tolist():
        arm = arms.sel(rate=[rate]).transpose(..., "rate")
        gain = Interval(*(x[:-1, 0] for x in seeds_interval(early_gain(arm))))  # hidden layers
        falls = [
            f"{layer} by {-middle:.2f} ({-high:.2f} to {-low:.2f})"
            for layer, middle, low, high in zip(arm.layer.values[:-1], *gain[:3], strict=True)
            if high < -NEGLIGIBLE_BITS
        ]
        end = arm.isel(epoch=-1, rate=0)
        jump = mean_interval(overshoot(arm).values[:, 0])
        facts.append(
            f"at {rate} training accuracy {float(end.train_accuracy.mean()):.0%} and "
            f"I(T;Y) {float(end.ity.isel(layer=-1).mean()):.2f} bits, overshoot "
            f"{lab.interval_text(jump)} nats, hidden layers that lose I(X;T) early: "
            f"{', '.join(falls) or 'none'}"
        )
    return f"{activation}: {'; '.join(facts)}."


if __name__ == "__main__":
    lab.main("full_batch_rates", Config, run, report)
