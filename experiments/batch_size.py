"""Does the batch size decide compression, and when the gradient's noise takes over?

Claim: Shwartz-Ziv & Tishby (2017), section 3.4: layers compress in the diffusion phase, by the noise of
the minibatch gradients. Smaller batches have more of it: if the noise is what compresses, they compress
more and sooner. At a fixed learning rate the step's noise falls as 1 / batch size; at a rate
proportional to the batch size it stays about the same (Goyal et al. 2017; Smith & Le 2018).

Command:  python -m experiments.batch_size
Time:     15 to 20 minutes on 2 cores, 28 of CPU time
Expect:   tanh, equal rates: batches of 32 compress layers 2 to 4 more than larger ones, by up to 3.6
          bits, and layer 5 as those of 512 do. Proportional rates: layer 5 the same at 32, 128 and 512,
          layers 3 and 4 less in small batches. relu: no hidden layer differs between minibatches.

50 networks 12-10-7-5-4-3-2 an arm on the 12-bit symmetric task, 4000 epochs of plain SGD in batches of
32, 128 and 512 and of full batches (3277 samples), at rate 0.1 ("equal") and at 0.1 times batch size /
256 ("proportional"). I(X;T) and I(T;Y) on all 4096 inputs in bins of 0.07; gradients of an epoch's
minibatches at fixed parameters, of the training's own size, or of 256 samples where training takes full
batches and has no noise. Diffusion starts where the SNR falls below 1 for good (ibjax.analysis.phases);
at fixed parameters the SNR grows as the root of the batch size, so larger batches diffuse later by
definition alone.

Dims: activation, rate, batch_size, seed, epoch, layer.
"""

import dataclasses
import itertools
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from experiments import lab
from ibjax.analysis.compression import NEGLIGIBLE_BITS, compression_summary, seed_compression
from ibjax.analysis.gradient_phases import phase_epochs
from ibjax.analysis.gradients import GradientRecord
from ibjax.analysis.intervals import halving_interval, median_interval, simultaneous_level
from ibjax.analysis.records import JointRecord, PlaneRecord
from ibjax.plots import plot_compression, plot_information_plane
from ibjax.presets import preset
from ibjax.training import TrainConfig, make_model

ACTIVATIONS, RATES = ("tanh", "relu"), ("equal", "proportional")
BATCHES, SMOKE_BATCHES = ("32", "128", "512", "full"), ("32", "full")
FULL, SMOKE = lab.Scale(epochs=4000), lab.Scale(epochs=3, widths=(4, 3, 2))


@dataclasses.dataclass(frozen=True)
class Config(lab.LabConfig):
    """Does the batch size decide compression, and when the gradient's noise takes over?"""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure all arms; checkpoints go to ``folder`` if given."""
    convention, scale, arms = preset("paper"), lab.scale_of(config, FULL, SMOKE), {}
    shared, batches = convention.training | scale.training, SMOKE_BATCHES if config.smoke else BATCHES
    for activation, rate, batch in itertools.product(ACTIVATIONS, RATES, batches):
        size = None if batch == "full" else int(batch)
        step = 0.1 * ((size or 3277) / 256 if rate == "proportional" else 1)
        training = TrainConfig(activation=activation, batch_size=size, learning_rate=step, **shared)
        model = make_model(training)
        plane = PlaneRecord(model, convention.estimator)
        record = JointRecord([plane, GradientRecord(model, size or 256)])
        arms[activation, rate, batch] = lab.Arm(training, scale.task, record)
    return lab.train(
        config,
        arms,
        factors=("activation", "rate", "batch_size"),
        source="Shwartz-Ziv & Tishby (2017), section 3.4",
        folder=folder,
        derive=lambda _, arm: arm.assign(diffusion=phase_epochs(arm).diffusion),
        binning=convention.binning,
    )


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[lab.Table]]:
    """Draw planes and compression by batch size; tabulate compression and diffusion by layer."""
    figures, summary = {}, compression_summary(results)
    for rate in RATES:
        arms, title = results.sel(rate=rate), f"{rate} learning rates: {results.binning}"
        figures[f"planes_{rate}.png"] = plot_information_plane(
            arms, row="activation", column="batch_size", title=title
        )
        figures[f"compression_{rate}.png"] = plot_compression(
            arms, row="activation", compare="batch_size", title=title
        )
    dims = {"input_core_dims": [["seed"]], "output_core_dims": [[]] * 4}
    starts = xr.apply_ufunc(median_interval, results.diffusion, vectorize=True, **dims)
    names = ("diffusion", "diffusion_low", "diffusion_high", "diffuse")
    summary = summary.assign(dict(zip(names, starts, strict=True))).drop_vars("num_layers")
    diffusion = "diffusion: median epoch of its start, over the seeds (diffuse) with one"
    note = f"{lab.compresses_note(summary)}; {diffusion}"
    verdicts = [verdict(results, *levels) for levels in itertools.product(ACTIVATIONS, RATES)]
    return figures, [
        lab.table_of("layers", summary, [note, *verdicts]),
        lab.seeds_table(results),
    ]


def verdict(results: xr.Dataset, activation: str, rate: str) -> str:
    """Say what the smallest batches change in hidden layers' compression, within seeds."""
    arms = results.sel(activation=activation, rate=rate).isel(layer=slice(0, -1))
    bits, facts = seed_compression(arms), []
    level = simultaneous_level(arms.sizes["layer"] * (arms.sizes["batch_size"] - 1))
    for batch in arms.batch_size.values[1:]:
        more = bits.isel(batch_size=0, drop=True) - bits.sel(batch_size=batch)
        clear = []
        for layer in more.layer.values:
            difference = more.sel(layer=layer).values
            at_once = halving_interval(difference, level)
            if max(at_once.low, -at_once.high) > NEGLIGIBLE_BITS:
                clear.append(f"layer {layer} {lab.interval_text(halving_interval(difference))}")
        fit = float(arms.train_accuracy.sel(batch_size=batch).isel(epoch=-1).mean())
        facts.append(f"{batch} (training accuracy {fit:.0%}): {', '.join(clear) or 'no hidden layer'}")
    change = f"bits of compression in batches of {BATCHES[0]} less those of {'; '.join(facts)}"
    return f"{activation}, {rate} rates, {change}."


if __name__ == "__main__":
    lab.main("batch_size", Config, run, report)
