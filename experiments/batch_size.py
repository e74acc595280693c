"""Does the batch size decide compression, and when the gradient's noise takes over?

Claim: Shwartz-Ziv & Tishby (2017), section 3.4: layers compress in the diffusion phase, by the noise of
the minibatch gradients. Smaller batches have more of it: if the noise is what compresses, they compress
more and sooner. At a fixed learning rate the step's noise falls as 1 / batch size; at a rate
proportional to the batch size it stays about the same (Goyal et al. 2017; Smith & Le 2018).

Command:  python -m experiments.batch_size
Time:     20 to 30 minutes on 2 cores
Expect:   larger batches at the same rate train less and compress later; at a rate in proportion,
          compression hardly depends on the batch size, in tanh layers; relu layers do not compress.

50 networks 12-10-7-5-4-3-2 an arm on the 12-bit symmetric task, 4000 epochs of plain SGD in batches of
32, 128 and 512 and of full batches (3277 samples), at rate 0.1 ("equal") and at 0.1 times batch size /
256 ("proportional"). I(X;T) and I(T;Y) on all 4096 inputs in bins of 0.07; gradients of an epoch's
whole minibatches at fixed parameters, of the training's own size (full batches have no noise). Diffusion
starts where a layer's SNR falls below 1 for good (ibjax.analysis.phases).

Dims: activation, rate, batch_size, seed, epoch, layer.
"""

import dataclasses
import itertools
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import LabConfig, Table, columns, interval_text, main, plane_attributes, train_arms
from ibjax.analysis.compression import NEGLIGIBLE_BITS, compression_summary, dead_seeds, seed_compression
from ibjax.analysis.gradients import gradient_record
from ibjax.analysis.intervals import Interval, mean_interval, median_interval
from ibjax.analysis.phases import phase_epochs
from ibjax.analysis.records import joint_record, plane_record
from ibjax.datasets import symmetric_task
from ibjax.plots import plot_compression, plot_information_plane
from ibjax.presets import preset
from ibjax.results import stack_arms
from ibjax.training import TrainConfig, make_model

ACTIVATIONS, RATES, BATCHES = ("tanh", "relu"), ("equal", "proportional"), ("32", "128", "512", "full")
NUM_TRAIN = 3277
FULL_EPOCHS, SMOKE_EPOCHS = 4000, 3


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Does the batch size decide compression, and when the gradient's noise takes over?"""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure all arms; checkpoints go to ``folder`` if given."""
    convention = preset("paper")
    num_epochs = config.epochs or (SMOKE_EPOCHS if config.smoke else FULL_EPOCHS)
    widths = (4, 3, 2) if config.smoke else (10, 7, 5, 4, 3, 2)
    arms = {}
    for activation, rate, batch in itertools.product(ACTIVATIONS, RATES, BATCHES):
        size = None if batch == "full" else int(batch)
        factor = (size or NUM_TRAIN) / 256 if rate == "proportional" else 1.0
        arms[activation, rate, batch] = TrainConfig(
            widths, activation, batch_size=size, learning_rate=0.1 * factor, num_epochs=num_epochs
        )

    def record_of(training: TrainConfig):
        model = make_model(training)
        gradients = gradient_record(model, batch_size=training.batch_size or 256)
        return joint_record(plane_record(model, convention.estimator), gradients)

    data, schedule = symmetric_task(), convention.schedule
    found = train_arms(config, arms, data, record_of, schedule=schedule, folder=folder)
    source = "Shwartz-Ziv & Tishby (2017), section 3.4"
    return stack_arms(found, ("activation", "rate", "batch_size")).assign_attrs(
        plane_attributes(config, "batch_size", convention, source), schedule=schedule
    )


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Planes and compression by batch size at both rates, the tables and what follows."""
    figures, seeds = {}, results.sizes["seed"]
    for rate in RATES:
        title = f"{rate} learning rates: {results.binning}, {seeds} seeds"
        arms = results.sel(rate=rate)
        planes = plot_information_plane(arms, row="activation", column="batch_size", title=title)
        courses = plot_compression(arms, compare="batch_size", title=f"{title}, mean with 95% band")
        figures |= {f"planes_{rate}.png": planes, f"compression_{rate}.png": courses}
    return figures, [layers_table(results), networks_table(results)]


def layers_table(results: xr.Dataset) -> Table:
    """Per arm and layer: compression, and the epochs at which it and diffusion start; the verdicts."""
    rows = []
    for arm in itertools.product(ACTIVATIONS, RATES, BATCHES):
        one = results.sel(activation=arm[0], rate=arm[1], batch_size=arm[2])
        summary, phases = compression_summary(one), phase_epochs(one)
        for layer in results.layer.values:
            amount = [
                summary[f"compression{end}"].sel(layer=layer).item() for end in ("", "_low", "_high")
            ]
            start, diffusion = (
                median_interval(phases[k].sel(layer=layer).values) for k in ("compression", "diffusion")
            )
            noise = ["-"] * 4 if arm[2] == "full" else diffusion
            rows.append([*arm, layer, *amount, *start, *noise])
    header = (
        "activation rate batch_size layer compression+- start+- start_seeds diffusion+- diffusion_seeds"
    )
    note = "compression: bits; start, diffusion: median epochs over the seeds in which they ever come"
    verdicts = [verdict(results, *arm) for arm in itertools.product(ACTIVATIONS, RATES)]
    return Table("layers", columns(header), rows, [note, *verdicts])


def verdict(results: xr.Dataset, activation: str, rate: str) -> str:
    """Which hidden layers' compression differs between the smallest and the full batch, within seeds."""
    amounts = seed_compression(results.sel(activation=activation, rate=rate)).isel(layer=slice(0, -1))
    small, full = (amounts.sel(batch_size=b).transpose("seed", "layer").values for b in ("32", "full"))
    level = 1 - 0.05 / small.shape[1]  # Bonferroni: the layers together are right in 95%
    change = mean_interval(small - full, level=level)
    clear = (change.low > NEGLIGIBLE_BITS) | (change.high < -NEGLIGIBLE_BITS)
    told = [
        f"layer {layer} by {interval_text(Interval(*(x[i] for x in change)))}"
        for i, layer in enumerate(amounts.layer.values)
        if clear[i]
    ]
    return (
        f"{activation}, {rate} rates: layers that batches of 32 compress more than full ones, in bits "
        f"(negative: less; intervals simultaneous over {small.shape[1]} hidden layers): "
        f"{', '.join(told) or 'none'}."
    )


def networks_table(results: xr.Dataset) -> Table:
    """Per arm: diverged and dead seeds, none dropped in silence, loss and accuracy at the end."""
    rows = []
    for arm in itertools.product(ACTIVATIONS, RATES, BATCHES):
        one = results.sel(activation=arm[0], rate=arm[1], batch_size=arm[2])
        end = one.isel(epoch=-1)
        quality = (float(end[k].mean()) for k in ("train_loss", "train_accuracy", "test_accuracy"))
        rows.append([*arm, int(one.diverged.sum()), int(dead_seeds(one).sum()), *quality])
    header = "activation rate batch_size diverged dead train_loss train_accuracy test_accuracy"
    note = "diverged: not finite at the end, left out; dead: a hidden layer ends constant, kept"
    return Table("networks", columns(header), rows, [note])


if __name__ == "__main__":
    main("batch_size", Config, run, report)
