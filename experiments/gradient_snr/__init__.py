"""Does compression begin where the gradient's noise takes over?

Claim: Shwartz-Ziv & Tishby (2017), section 3.4 and figure 4: training has a drift phase, in which the
mean of the minibatch gradients exceeds their standard deviation, and a diffusion phase, in which it
does not; layers compress in the second, because of its noise. Against it: Saxe et al. (2018), section 4
and the appendix on the phase transition of the gradient's SNR: relu networks have both phases, too, and
do not compress.

Command:  python -m experiments.gradient_snr
Time:     4 to 6 minutes on 2 cores
Expect:   diffusion starts near epoch 700 in both. tanh layers 3 to 5 start to compress at a tenth to a
          third of that epoch, with no correlation over seeds; no hidden relu layer compresses.
          Saturated tanh units rise from none to half, and gradients per nat of loss left fall fourfold.

50 networks 12-10-7-5-4-3-2 an activation on the 12-bit symmetric task, trained by plain SGD (rate 0.1,
batches of 256, 8000 epochs), with I(X;T) and I(T;Y) on all 4096 inputs in bins of 0.07 at 210 epochs. At
each of them the gradients of the epoch's 12 whole minibatches at fixed parameters, kernels only:
|mean_b g| and |std_b g| of every layer, their ratio (SNR), the weights' norm and the share of saturated
units. The rules for the phases' epochs are those of ibjax.analysis.phases.

Dims: activation, seed, epoch, layer.
"""

import dataclasses
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.gradient_snr.figures import plot_gradient_phases, plot_phase_epochs
from experiments.lab import (
    Arm,
    LabConfig,
    Scale,
    Table,
    interval_cells,
    layer_rows,
    scale_of,
    table_of_rows,
    train,
)
from ibjax.analysis.compression import NEGLIGIBLE_BITS, compression, compression_summary
from ibjax.analysis.gradient_phases import phase_agreement, phase_epochs
from ibjax.analysis.gradients import SATURATED_SLOPE, GradientRecord
from ibjax.analysis.intervals import halving_interval, mean_interval, median_interval
from ibjax.analysis.phases import running_median
from ibjax.analysis.records import JointRecord, PlaneRecord
from ibjax.presets import preset
from ibjax.training import TrainConfig, make_model

ACTIVATIONS = ("tanh", "relu")
FULL, SMOKE = Scale(epochs=8000), Scale(epochs=30, widths=(4, 3, 2))


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Does compression begin where the gradient's noise takes over?"""

    batch_size: int = 256
    """Samples of the minibatches whose gradients are measured; training has 256."""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure both activations; checkpoints go to ``folder`` if given."""
    convention, scale = preset("paper"), scale_of(config, FULL, SMOKE)
    arms = {}
    for activation in ACTIVATIONS:
        training = TrainConfig(activation=activation, **convention.training, **scale.training)
        model = make_model(training)
        gradients = GradientRecord(model, config.batch_size)
        record = JointRecord([PlaneRecord(model, convention.estimator), gradients])
        arms[(activation,)] = Arm(training, scale.task, record)
    return train(
        config,
        arms,
        factors=("activation",),
        source="Shwartz-Ziv & Tishby (2017), section 3.4, figure 4",
        schedule=convention.schedule,
        folder=folder,
        binning=convention.binning,
        saturated=f"slope of the activation below {SATURATED_SLOPE} of its steepest",
    )


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw gradients, information and saturation; tabulate the phases' epochs, and say what follows."""
    arms = {name: results.sel(activation=name) for name in ACTIVATIONS}
    phases = {name: phase_epochs(arm) for name, arm in arms.items()}
    seeds = f"{results.sizes['seed']} seeds"
    figures = {
        f"gradients_{name}.png": plot_gradient_phases(
            arm, phases[name], title=f"{name}: {results.binning}, {seeds}, 95% bands"
        )
        for name, arm in arms.items()
    }
    joined = xr.concat(phases.values(), xr.Variable("activation", list(ACTIVATIONS)))
    title = f"When compression starts and when diffusion does, {seeds}"
    figures["phases.png"] = plot_phase_epochs(joined.isel(layer=slice(0, -1)), title=title)
    return figures, [phase_table(phases), agreement_table(arms, phases), saturation_table(arms)]


def phase_table(phases: dict[str, xr.Dataset]) -> Table:
    """Tabulate by layer, and for the network, how many seeds have each phase, and its median epoch."""
    rows = []
    for name, epochs in phases.items():
        whole = median_interval(epochs.network_diffusion.values)
        unknown = dict.fromkeys([*interval_cells("compression", whole)], "-")
        rows.append(
            {
                "activation": name,
                "layer": "all",
                "diffuse": whole.num_seeds,
                **interval_cells("diffusion", whole),
                "compresses": "-",
                "lose_bits": "-",
                **unknown,
            }
        )
        for layer in epochs.layer.values:
            layer_epochs = epochs.sel(layer=layer)
            diffusion = median_interval(layer_epochs.diffusion.values)
            start = median_interval(layer_epochs.compression.values)
            rows.append(
                {
                    "activation": name,
                    "layer": layer,
                    "diffuse": diffusion.num_seeds,
                    **interval_cells("diffusion", diffusion),
                    "compresses": "yes" if layer_epochs.compresses else "no",
                    "lose_bits": start.num_seeds,
                    **interval_cells("compression", start),
                }
            )
    note = (
        "diffuse: seeds whose SNR falls below 1 for good, and the median epoch of that; compresses: the "
        f"95% interval of the layer's compression lies above {NEGLIGIBLE_BITS} bits; lose_bits: seeds "
        "that end as much below their own largest I(X;T), as some do by chance alone, and the median "
        "epoch at which a tenth of it is lost"
    )
    return table_of_rows("phases", rows, [note])


def agreement_table(arms: dict[str, xr.Dataset], phases: dict[str, xr.Dataset]) -> Table:
    """Tabulate by layer that compresses its start against the network's and its own diffusion."""
    rows, columns = [], []
    for name, epochs in phases.items():
        agreement = phase_agreement(epochs)
        rows += layer_rows(agreement.isel(layer=epochs.compresses.values), activation=name)
        columns = ["activation", "layer", *map(str, agreement)]
    note = (
        "ratio: epoch at which compression starts over that at which the network's diffusion does, "
        "geometric mean; rho: Spearman's correlation of the two over seeds, with Fisher's interval; "
        "rho_own: with the layer's own diffusion"
    )
    sentences = [note, *(verdict(name, arms[name], phases[name]) for name in arms)]
    return table_of_rows("agreement", rows, sentences, columns=columns)


def verdict(name: str, arm: xr.Dataset, phases: xr.Dataset) -> str:
    """Say what follows for one activation from its hidden layers, and what does not."""
    diffusion = median_interval(phases.network_diffusion.values)
    facts = f"{name}: diffusion starts in {diffusion.num_seeds} of {arm.sizes['seed']} networks"
    if diffusion.num_seeds:
        facts += f", at epoch {diffusion.estimate:.0f} ({diffusion.low:.0f} to {diffusion.high:.0f})"
    hidden = phases.isel(layer=slice(0, -1))
    agreement = phase_agreement(hidden).sel(layer=hidden.layer[hidden.compresses])
    if not agreement.sizes["layer"]:
        most = float(compression_summary(arm).compression_high.isel(layer=slice(0, -1)).max())
        facts += f"; no hidden layer compresses (upper limits: at most {most:.2f} bits)."
        most_diffuse = 2 * diffusion.num_seeds > arm.sizes["seed"]
        return facts + (" Diffusion does not bring compression." if most_diffuse else "")
    for layer in agreement.layer.values:
        r = {k: float(v) for k, v in agreement.sel(layer=layer).items()}
        facts += (
            f"; layer {layer} starts to compress at {r['ratio']:.2f} ({r['ratio_low']:.2f} to "
            f"{r['ratio_high']:.2f}) times that epoch, correlation {r['rho']:.2f} ({r['rho_low']:.2f} "
            f"to {r['rho_high']:.2f})"
        )
    before, related = (
        ", ".join(map(str, agreement.layer[chosen].values)) or "none"
        for chosen in (agreement.ratio_high < 1, agreement.rho_low > 0)
    )
    return (
        f"{facts}. Layers that start to compress before diffusion does: {before}; with starts that go "
        f"with diffusion's over seeds: {related}, which would not say what is the cause."
    )


def saturation_table(arms: dict[str, xr.Dataset]) -> Table:
    """Tabulate hidden layers' saturated units beside the gradient's norm, at the start and the end."""
    rows, sentences = [], []
    for name, arm in arms.items():
        arm = arm.transpose("seed", "epoch", "layer")
        share = arm.saturated.values[:, :, :-1].mean(axis=2)
        norm = np.linalg.norm(arm.gradient_mean.values, axis=2)
        norm = np.where(norm > 0, norm, np.nan)  # dead networks' have no logarithm
        first, last = mean_interval(share[:, 0]), mean_interval(share[:, -1])
        fall, per_nat = (
            halving_interval(compression(running_median(np.log10(values), arm.epoch.values)))
            for values in (norm, norm / arm.train_loss.values)
        )
        rows.append(
            {
                "activation": name,
                "saturated_first": first.estimate,
                **interval_cells("saturated_last", last),
                **interval_cells("fall", fall),
                **interval_cells("fall_per_nat", per_nat),
            }
        )
        sentences.append(
            f"{name}: {first.estimate:.0%} of units saturated at first, {last.estimate:.0%} "
            f"({last.low:.0%} to {last.high:.0%}) at last; the gradient falls from its peak by "
            f"{fall.estimate:.1f} powers of ten ({fall.low:.1f} to {fall.high:.1f}), per nat of "
            f"training loss that is left by {per_nat.estimate:.1f} "
            f"({per_nat.low:.1f} to {per_nat.high:.1f})."
        )
    note = (
        "saturated: share of hidden units and inputs, mean over layers, for relu the zeros; fall: of "
        "the norm of the gradient (all kernels), from the epoch at which that of the other half of the "
        "seeds peaks to the last, in powers of ten; most of it is the loss's own, hence the fall of norm / training loss: "
        "where that is positive, the same error moves the weights less than it did"
    )
    return table_of_rows("saturation", rows, [note, *sentences])
