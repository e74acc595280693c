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
from experiments.lab import LabConfig, Table, columns, paper_training, progress_bar
from ibjax.analysis.compression import NEGLIGIBLE_BITS, compression, compression_summary
from ibjax.analysis.gradient_phases import phase_agreement, phase_epochs
from ibjax.analysis.gradients import SATURATED_SLOPE, gradient_record
from ibjax.analysis.intervals import mean_interval, median_interval
from ibjax.analysis.phases import running_median
from ibjax.analysis.records import joint_record, plane_record
from ibjax.datasets import symmetric_task
from ibjax.presets import preset
from ibjax.results import describe_function, environment, history_to_dataset, stack_arms
from ibjax.training import fit, make_model

ACTIVATIONS = ("tanh", "relu")
FULL_EPOCHS, SMOKE_EPOCHS = 8000, 30

SMOKE_WIDTHS = (4, 3, 2)


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Does compression begin where the gradient's noise takes over?"""

    batch_size: int = 256
    """Samples of the minibatches whose gradients are measured; training has 256."""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure both activations; checkpoints go to ``folder`` if given."""
    convention, data = preset("paper"), symmetric_task()
    arms = {}
    with progress_bar(len(ACTIVATIONS)) as on_advance_of:
        for activation in ACTIVATIONS:
            training = paper_training(
                config,
                epochs=FULL_EPOCHS,
                smoke_epochs=SMOKE_EPOCHS,
                smoke_widths=SMOKE_WIDTHS,
                activation=activation,
            )
            model = make_model(training)
            history = fit(
                training,
                data,
                record=joint_record(
                    plane_record(model, convention.estimator),
                    gradient_record(model, batch_size=config.batch_size),
                ),
                schedule=convention.schedule,
                on_advance=on_advance_of(activation),
                **config.fit_options(folder, activation),
            )
            arms[(activation,)] = history_to_dataset(history, training.as_dict())
    return stack_arms(arms, ("activation",)).assign_attrs(
        experiment="gradient_snr",
        source=convention.source,
        dataset="ibjax.datasets.symmetric_task(): 4096 binary words, hard labels",
        estimator=describe_function(convention.estimator),
        binning=convention.binning,
        measured_on="all 4096 inputs; gradients on the training rows",
        num_samples=len(data.y),
        noise_variance=0.0,
        gradients=f"kernels, batches of {config.batch_size} at fixed parameters, ddof 0",
        saturated=f"slope of the activation below {SATURATED_SLOPE} of its steepest",
        schedule=convention.schedule,
        seed=config.seed,
        **environment(),
    )


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Gradients, information and saturation over training, the phases' epochs, and what follows."""
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
    """Per layer, and for the network: how many seeds have each phase, and its median epoch."""
    header = "activation layer diffuse diffusion+- compresses lose_bits compression+-"
    rows = []
    for name, found in phases.items():
        diffusion = median_interval(found.network_diffusion.values)
        rows.append([name, "all", diffusion.num_seeds, *diffusion[:3], *["-"] * 5])
        for layer in found.layer.values:
            one = found.sel(layer=layer)
            diffusion, start = map(median_interval, (one.diffusion.values, one.compression.values))
            of_start = "yes" if one.compresses else "no", start.num_seeds, *start[:3]
            rows.append([name, layer, diffusion.num_seeds, *diffusion[:3], *of_start])
    note = (
        "diffuse: seeds whose SNR falls below 1 for good, and the median epoch of that; compresses: the "
        f"95% interval of the layer's compression lies above {NEGLIGIBLE_BITS} bits; lose_bits: seeds "
        "that end as much below their own largest I(X;T), as some do by chance alone, and the median "
        "epoch at which a tenth of it is lost"
    )
    return Table("phases", columns(header), rows, [note])


def agreement_table(arms: dict[str, xr.Dataset], phases: dict[str, xr.Dataset]) -> Table:
    """Per layer that compresses: its start against the network's and the layer's own diffusion."""
    header = columns("activation layer ratio+- rho+- rho_seeds rho_own+- rho_own_seeds")
    rows = []
    for name, found in phases.items():
        agreement = phase_agreement(found)
        for layer in found.layer[found.compresses].values:
            values = [column.item() for column in agreement.sel(layer=layer).data_vars.values()]
            rows.append([name, layer, *values])
    note = (
        "ratio: epoch at which compression starts over that at which the network's diffusion does, "
        "geometric mean; rho: Spearman's correlation of the two over seeds, with Fisher's interval; "
        "rho_own: with the layer's own diffusion"
    )
    return Table("agreement", header, rows, [note, *(verdict(n, arms[n], phases[n]) for n in arms)])


def verdict(name: str, arm: xr.Dataset, phases: xr.Dataset) -> str:
    """Say what follows for one activation from its hidden layers, and what does not."""
    diffusion = median_interval(phases.network_diffusion.values)
    facts = f"{name}: diffusion starts in {diffusion.num_seeds} of {arm.sizes['seed']} networks"
    if diffusion.num_seeds:
        facts += f", at epoch {diffusion.estimate:.0f} ({diffusion.low:.0f} to {diffusion.high:.0f})"
    hidden = phases.isel(layer=slice(0, -1))
    found = phase_agreement(hidden).sel(layer=hidden.layer[hidden.compresses])
    if not found.sizes["layer"]:
        most = float(compression_summary(arm).compression_high.isel(layer=slice(0, -1)).max())
        facts += f"; no hidden layer compresses (upper limits: at most {most:.2f} bits)."
        most_diffuse = 2 * diffusion.num_seeds > arm.sizes["seed"]
        return facts + (" Diffusion does not bring compression." if most_diffuse else "")
    for layer in found.layer.values:
        r = {k: float(v) for k, v in found.sel(layer=layer).items()}
        facts += (
            f"; layer {layer} starts to compress at {r['ratio']:.2f} ({r['ratio_low']:.2f} to "
            f"{r['ratio_high']:.2f}) times that epoch, correlation {r['rho']:.2f} ({r['rho_low']:.2f} "
            f"to {r['rho_high']:.2f})"
        )
    before, related = (
        ", ".join(map(str, found.layer[chosen].values)) or "none"
        for chosen in (found.ratio_high < 1, found.rho_low > 0)
    )
    return (
        f"{facts}. Layers that start to compress before diffusion does: {before}; with starts that go "
        f"with diffusion's over seeds: {related}, which would not say what is the cause."
    )


def saturation_table(arms: dict[str, xr.Dataset]) -> Table:
    """Saturated units of hidden layers beside the norm of the gradient, at the start and the end."""
    header = "activation saturated_first saturated_last+- fall+- fall_per_nat+-"
    rows, sentences = [], []
    for name, arm in arms.items():
        arm = arm.transpose("seed", "epoch", "layer")
        share = arm.saturated.values[:, :, :-1].mean(axis=2)
        norm = np.linalg.norm(arm.gradient_mean.values, axis=2)
        norm = np.where(norm > 0, norm, np.nan)  # dead networks' have no logarithm
        first, last = mean_interval(share[:, 0]), mean_interval(share[:, -1])
        fall, per_nat = (
            mean_interval(compression(running_median(np.log10(values), arm.epoch.values)))
            for values in (norm, norm / arm.train_loss.values)
        )
        rows.append([name, first.estimate, *last[:3], *fall[:3], *per_nat[:3]])
        sentences.append(
            f"{name}: {first.estimate:.0%} of units saturated at first, {last.estimate:.0%} "
            f"({last.low:.0%} to {last.high:.0%}) at last; the gradient falls from its peak by "
            f"{fall.estimate:.1f} powers of ten ({fall.low:.1f} to {fall.high:.1f}), per nat of "
            f"training loss that is left by {per_nat.estimate:.1f} "
            f"({per_nat.low:.1f} to {per_nat.high:.1f})."
        )
    note = (
        "saturated: share of hidden units and inputs, mean over layers, for relu the zeros; fall: of "
        "the norm of the gradient (all kernels), from the epoch at which the other seeds' peaks to the "
        "last, in powers of ten; most of it is the loss's own, hence the fall of norm / training loss: "
        "where that is positive, the same error moves the weights less than it did"
    )
    return Table("saturation", columns(header), rows, [note, *sentences])
