"""Does compression begin where the gradient's noise takes over?

Claim: Shwartz-Ziv & Tishby (2017), section 3.4 and figure 4: training has a drift phase, in which the
mean of the minibatch gradients exceeds their standard deviation, and a diffusion phase, in which it
does not; layers compress in the second, because of its noise. Against it: Saxe et al. (2018), section 4
and the appendix on the phase transition of the gradient's SNR: relu networks have both phases, too, and
do not compress.

Command:  python -m experiments.gradient_snr
Time:     4 to 6 minutes on 2 cores
Expect:   tanh layers 1 to 4 pass to diffusion near epoch 700, layers 5 and 6 in few networks, though 5
          compresses most. Layers 2 to 4 start to compress at 0.2 times that epoch, with |rho| at most
          0.54 over seeds; at an SNR of 2 instead of 1 the two starts coincide. Hidden relu layers pass
          to diffusion and none is shown to compress. Saturated tanh units rise from none to half.

50 networks 12-10-7-5-4-3-2 an activation on the 12-bit symmetric task, trained by plain SGD (rate 0.1,
batches of 256, 8000 epochs), with I(X;T) and I(T;Y) on all 4096 inputs in bins of 0.07 at 210 epochs. At
each of them the gradients of the epoch's 12 whole minibatches at fixed parameters, kernels only:
|mean_b g| and |std_b g| of every layer, their ratio (SNR), the weights' norm and the share of saturated
units. The rules for the phases' epochs are those of ibjax.analysis.phases.

Dims: activation, seed, epoch, layer.
"""

import dataclasses
import itertools
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
from ibjax.analysis.gradient_phases import network_snr, phase_agreement, phase_epochs
from ibjax.analysis.gradients import SATURATED_SLOPE, GradientRecord
from ibjax.analysis.intervals import halving_interval, mean_interval, median_interval
from ibjax.analysis.phases import by_layer, running_median
from ibjax.analysis.records import JointRecord, PlaneRecord
from ibjax.presets import preset
from ibjax.training import TrainConfig, make_model

ACTIVATIONS = ("tanh", "relu")

# Ratios below which diffusion starts, and shares of the loss after which compression has, to compare.
LEVELS, PARTS = (0.5, 1.0, 2.0), (0.05, 0.1, 0.2)

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
            arm, phases[name], title=f"{name} networks, layer by layer: {seeds}, 95% bands"
        )
        for name, arm in arms.items()
    }
    joined = xr.concat(phases.values(), xr.Variable("activation", list(ACTIVATIONS)))
    title = f"Starts of diffusion and compression by activation and layer, {seeds}"
    figures["phases.png"] = plot_phase_epochs(joined, title=title)
    tables = [phase_table(arms, phases), agreement_table(arms, phases), threshold_table(arms)]
    return figures, [*tables, saturation_table(arms)]


def phase_table(arms: dict[str, xr.Dataset], phases: dict[str, xr.Dataset]) -> Table:
    """Tabulate by layer, and for the network, how many seeds have each phase, and its median epoch."""
    rows = []
    for name, epochs in phases.items():
        snr = final_snr(arms[name])
        whole = median_interval(epochs.network_diffusion.values)
        cells = {"activation": name, "layer": "all", "final_snr": snr.pop("all")}
        cells |= {"diffuse": whole.num_seeds, **interval_cells("diffusion", whole)}
        no_compression = ["compresses", "lose_bits", *interval_cells("compression", whole)]
        rows.append(cells | dict.fromkeys(no_compression, "-"))
        for layer, ratio in snr.items():
            layer_epochs = epochs.sel(layer=layer)
            diffusion = median_interval(layer_epochs.diffusion.values)
            start = median_interval(layer_epochs.compression.values)
            rows.append(
                {
                    "activation": name,
                    "layer": layer,
                    "final_snr": ratio,
                    "diffuse": diffusion.num_seeds,
                    **interval_cells("diffusion", diffusion),
                    "compresses": "yes" if layer_epochs.compresses else "no",
                    "lose_bits": start.num_seeds,
                    **interval_cells("compression", start),
                }
            )
    note = (
        "final_snr: median over seeds of the SNR at the end; diffuse: seeds whose SNR falls below 1 for "
        "good, and the median epoch of that; compresses: by more than "
        f"{NEGLIGIBLE_BITS} bits, by intervals that hold for all the arm's layers at once; lose_bits: "
        "seeds that end as much below their own largest "
        "I(X;T), as some do by chance alone, and the median epoch at which a tenth of it is lost"
    )
    return table_of_rows("phases", rows, [note])


def final_snr(arm: xr.Dataset) -> dict[str | int, float]:
    """Return the median over seeds of the smoothed ratio at the end: of "all" kernels, and by layer."""
    network = running_median(network_snr(arm).values, arm.epoch.values)[:, -1]
    layers = by_layer(running_median, arm, "gradient_snr")[:, :, -1].T
    curves = {"all": network, **dict(zip(arm.layer.values.tolist(), layers, strict=True))}
    return {name: median_interval(values).estimate for name, values in curves.items()}


def agreement_table(arms: dict[str, xr.Dataset], phases: dict[str, xr.Dataset]) -> Table:
    """Tabulate by layer that compresses the start of that against the start of its own diffusion."""
    rows, columns = [], []
    for name, epochs in phases.items():
        agreement = phase_agreement(epochs)
        rows += layer_rows(agreement.isel(layer=epochs.compresses.values), activation=name)
        columns = ["activation", "layer", *map(str, agreement)]
    note = (
        "both: seeds with a start of compression and one of the layer's own diffusion; before: those of "
        "them that start to compress first; undiffused: seeds that compress and never diffuse; ratio: "
        "epoch at which compression starts over that at which diffusion does, median and deciles; rho: "
        "Spearman's correlation of the two over seeds, with Fisher's interval, whose ends bound |rho|; "
        "rho_network: with the whole network's diffusion"
    )
    sentences = [note, *(verdict(name, arms[name], phases[name]) for name in arms)]
    return table_of_rows("agreement", rows, sentences, columns=columns)


def verdict(name: str, arm: xr.Dataset, phases: xr.Dataset) -> str:
    """Say what follows for one activation from its layers, and what does not."""
    seeds, layers = arm.sizes["seed"], phases.layer.values
    diffuse = phases.diffusion.notnull().sum("seed").values
    counts = ", ".join(f"{layer} in {count}" for layer, count in zip(layers, diffuse, strict=True))
    facts = [f"{name}: of {seeds} networks diffusion starts for layer {counts}"]
    agreement = phase_agreement(phases).isel(layer=phases.compresses.values)
    for layer in agreement.layer.values:
        r = {str(k): v.item() for k, v in agreement.sel(layer=layer).items()}
        fact = (
            f"layer {layer} starts to compress before its diffusion in {r['before']:.0f} of the "
            f"{r['both']:.0f} networks with both, without any diffusion in {r['undiffused']:.0f}"
        )
        if np.isfinite(r["rho_low"]):
            fact += f", |rho| at most {max(-r['rho_low'], r['rho_high']):.2f}"
        facts.append(fact)
    unmoved = ~phases.compresses.values & (2 * diffuse > seeds)
    if unmoved.any():
        most = float(compression_summary(arm).compression_high.values[unmoved].max())
        facts.append(
            f"layers that do not compress although most networks' diffuse: "
            f"{', '.join(map(str, layers[unmoved]))} (upper limits: at most {most:.2f} bits)"
        )
    return f"{'; '.join(facts)}."


def threshold_table(arms: dict[str, xr.Dataset]) -> Table:
    """Tabulate how the two starts compare by what counts as a start, for layers that compress."""
    kept = ("both", "before", "undiffused", "ratio", "ratio_low", "ratio_high", "ratio_p10", "ratio_p90")
    rows = []
    for name, arm in arms.items():
        for level, part in itertools.product(LEVELS, PARTS):
            phases = phase_epochs(arm, level=level, part=part)
            agreement = phase_agreement(phases).isel(layer=phases.compresses.values)
            rows += layer_rows(agreement[[*kept]], activation=name, level=level, part=part)
    note = (
        "level: SNR below which diffusion starts; part: share of the loss of I(X;T) after which "
        "compression has started; other columns as in the table of agreement"
    )
    columns = ["activation", "level", "part", "layer", *kept]
    return table_of_rows("thresholds", rows, [note], columns=columns)


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
        "seeds peaks to the last, in powers of ten; most of it is the loss's own, hence the fall of "
        "norm / training loss: "
        "where that is positive, the same error moves the weights less than it did"
    )
    return table_of_rows("saturation", rows, [note, *sentences])
