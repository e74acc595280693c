"""When does the validation loss rise while accuracy holds, and is it when layers compress?

Claim: "Revisiting the Information Plane" (2019), figure 17: in training to the end the validation loss
rises long before the end, while validation accuracy holds: networks grow sure of their errors. It is
accuracy, not loss, in which compression does no harm.

Command:  python -m experiments.generalisation
Time:     2 minutes on 2 cores
Expect:   the loss rises from epoch 1145 (tanh) and 904 (relu) on, by 0.48 and 0.46 nats, while accuracy
          holds, in 92% and 84% of networks. When it starts to rise goes with the start of compression
          neither in tanh layer 4 (rank correlation 0.15, -0.13 to 0.42) nor in layer 5 (-0.06, -0.33 to
          0.22). No hidden relu layer compresses.

50 networks 12-10-7-5-4-3-2 each of tanh and relu, preset "revisiting": Adam (``--optimizer sgd`` for
plain SGD), batches of 256, 8000 epochs; validation on the last fifth of the training samples, which
updates do not use; random splits, or the paper's one (``--paper-split``). I(X;T), I(T;Y) on all training
samples in bins of 0.07, with edges by activation. The loss starts to rise at its minimum over recorded
epochs; layers fit and compress by the rules of ibjax.analysis.phases.

Dims: dataset, activation, seed, epoch, layer.
"""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.generalisation.analysis import (
    FALL,
    RISE_NATS,
    phases_of_compressing,
    since_minimum,
)
from experiments.generalisation.figures import plot_generalisation
from experiments.lab import (
    Table,
    interval_cells,
    interval_text,
    seeds_table,
    table_of_rows,
    train,
)
from experiments.lab.revisiting import (
    BINNING,
    RevisitingConfig,
    activation_trainings,
    binned_plane,
    dataset_arms,
    provenance,
    run_text,
)
from ibjax.analysis.compression import compression_summary
from ibjax.analysis.intervals import mean_interval, median_interval, rank_correlation
from ibjax.analysis.phases import plane_phases

ACTIVATIONS = ("tanh", "relu")
FACTORS = ("dataset", "activation")
PHASES = ("fitting_end", "compression_start", "compression_end")

# An arm's Dataset by its dataset and activation.
Arms = dict[tuple[str, str], xr.Dataset]

# What a table shows of ``compression_summary``.
AMOUNTS = (
    "compression",
    "compression_low",
    "compression_high",
    "after_fitting",
    "after_fitting_low",
    "after_fitting_high",
)


@dataclasses.dataclass(frozen=True)
class Config(RevisitingConfig):
    """When does the validation loss rise while accuracy holds, and is it when layers compress?"""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure both arms; checkpoints go to ``folder`` if given."""
    return train(
        config,
        dataset_arms(config, activation_trainings(config, ACTIVATIONS), binned_plane),
        factors=FACTORS,
        source="Revisiting the Information Plane (2019), figure 17",
        folder=folder,
        **provenance(config),
        binning=BINNING,
    )


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw loss and accuracy beside the phases of the plane; tabulate, and say what follows."""
    arms = {
        (name, activation): results.sel(dataset=name, activation=activation)
        for name, activation in itertools.product(results.dataset.values, results.activation.values)
    }
    rises = {levels: since_minimum(arm) for levels, arm in arms.items()}
    figures = {}
    for name in results.dataset.values:
        dataset_levels = [(name, activation) for activation in results.activation.values]
        phases = [phases_of_compressing(arms[levels]) for levels in dataset_levels]
        figures[f"generalisation_{name}.png"] = plot_generalisation(
            results.sel(dataset=name),
            xr.concat(phases, results.activation),
            xr.concat([rises[levels] for levels in dataset_levels], results.activation),
            title=f"{name}, {run_text(results)}, {results.binning}",
        )
    return figures, [loss_table(rises), phases_table(arms, rises), seeds_table(results)]


def loss_table(rises: Arms) -> Table:
    """Tabulate by arm when the loss is least, and what changes from there to the end."""
    rows, sentences = [], []
    for levels, seeds in rises.items():
        epoch = median_interval(seeds.epoch.values)
        rise, change = (mean_interval(seeds[k].values) for k in ("loss_rise", "accuracy_change"))
        held = seeds.rises_while_held.values[np.isfinite(seeds.epoch.values)]
        rows.append(
            {
                **dict(zip(FACTORS, levels, strict=True)),
                **interval_cells("epoch", epoch),
                **interval_cells("loss_rise", rise),
                **interval_cells("accuracy_change", change),
                "rises_while_held": float(held.mean()),
                "seeds": len(held),
            }
        )
        holds = "follows" if rise.low > RISE_NATS and change.low > -FALL else "does not follow"
        sentences.append(
            f"{', '.join(levels)}: the validation loss is least at epoch {interval_text(epoch, 0)} and "
            f"rises by {interval_text(rise)} nats to the end, while accuracy changes by "
            f"{interval_text(change, 4)}. That it rises while accuracy holds {holds}; it does in "
            f"{held.mean():.0%} of {len(held)} networks."
        )
    note = (
        f"epoch: median; rises_while_held: share of networks whose loss rises by more than {RISE_NATS} "
        f"nats while accuracy falls by less than {FALL}"
    )
    return table_of_rows("loss", rows, [note, *sentences])


def phases_table(arms: Arms, rises: Arms) -> Table:
    """Tabulate by arm and layer the epochs of fitting and compression, beside those of the loss."""
    rows, sentences = [], []
    for levels, arm in arms.items():
        phases, summary = plane_phases(arm), compression_summary(arm[["ixt", "ity"]])
        onset, compressing = rises[levels].epoch.values, []
        for layer in arm.layer.values:
            epochs, amount = phases.sel(layer=layer), summary.sel(layer=layer)
            start = epochs.compression_start.values
            rho = rank_correlation(start, onset)
            row = {**dict(zip(FACTORS, levels, strict=True)), "layer": layer}
            for name in PHASES:
                median = median_interval(epochs[name].values)
                row |= {**interval_cells(name, median), f"{name}_seeds": median.num_seeds}
            row |= {name: amount[name].item() for name in AMOUNTS}
            rows.append({**row, **interval_cells("rho", rho)})
            if layer != arm.layer.values[-1] and amount.compresses:
                known = np.isfinite(start) & np.isfinite(onset)
                share = f"{(start < onset)[known].mean():.0%} of {known.sum()}"
                compressing.append(f"{layer} (starts before in {share}; rho {interval_text(rho)})")
        sentences.append(
            f"{', '.join(levels)}: hidden layers that compress, and whether they start before the loss "
            f"rises: {', '.join(compressing) or 'none compresses'}."
        )
    note = (
        "medians over the seeds that get there, with 95% intervals; rho: rank correlation over seeds of "
        "the start of compression with the epoch from which the validation loss rises"
    )
    return table_of_rows("phases", rows, [note, *sentences])
