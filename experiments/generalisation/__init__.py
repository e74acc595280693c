"""When does the validation loss rise while accuracy holds, and is it when layers compress?

Claim: "Revisiting the Information Plane" (2019), figure 17: in training to the end the validation loss
rises long before the end, while validation accuracy holds: networks grow sure of their errors. It is
accuracy, not loss, in which compression does no harm.

Command:  python -m experiments.generalisation
Time:     2 minutes on 2 cores
Expect:   the loss rises from epoch 1000 on, by 0.4 (tanh) and 0.3 nats (relu), while accuracy holds, in
          92% and 80% of networks. Of tanh, the two hidden layers that compress differ: the rise goes
          weakly with the start of compression in layer 4 (rank correlation 0.37, 0.09 to 0.59), not in
          layer 5 (-0.02, -0.30 to 0.26), which has long begun. No hidden relu layer compresses.

50 networks 12-10-7-5-4-3-2 each of tanh and relu, preset "revisiting": Adam (``--optimizer sgd`` for
plain SGD), batches of 256, 8000 epochs; validation on the samples that are not for training. I(X;T),
I(T;Y) on the training samples in bins of 0.07, with edges by activation. The loss starts to rise at its
minimum over recorded epochs; layers fit and compress by the rules of ibjax.analysis.phases.

Dims: dataset, activation, seed, epoch, layer.
"""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.generalisation.figures import plot_generalisation
from experiments.lab import (
    BINNING,
    RevisitingConfig,
    Table,
    activation_arms,
    binned_plane,
    interval_columns,
    interval_text,
    revisiting_attributes,
    seeds_table,
    train_tasks,
)
from ibjax.analysis.compression import NEGLIGIBLE_BITS, compression_summary
from ibjax.analysis.intervals import mean_interval, median_interval, rank_correlation
from ibjax.analysis.phases import plane_phases
from ibjax.analysis.stopping import at_position, perfect_stopping
from ibjax.results import history_to_dataset, stack_arms

ACTIVATIONS = ("tanh", "relu")

# A rise of the loss that counts, nats; a fall of accuracy that does.
RISE_NATS, FALL = 0.05, 0.01


@dataclasses.dataclass(frozen=True)
class Config(RevisitingConfig):
    """When does the validation loss rise while accuracy holds, and is it when layers compress?"""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure both arms; checkpoints go to ``folder`` if given."""
    trained = train_tasks(
        config,
        activation_arms(config, ACTIVATIONS),
        binned_plane,
        folder=folder,
    )
    arms = {key: history_to_dataset(one.history, one.training.as_dict()) for key, one in trained.items()}
    source = "Revisiting the Information Plane (2019), figure 17"
    return stack_arms(arms, ("dataset", "activation")).assign_attrs(
        revisiting_attributes(config, "generalisation", trained, source),
        **BINNING,
    )


def since_minimum(arm: xr.Dataset) -> xr.Dataset:
    """Per seed: the epoch of the least validation loss, and how loss and accuracy change from there."""
    position = perfect_stopping(arm.test_loss.transpose("seed", "epoch").values)
    known = position >= 0
    change = {
        name: arm[name].isel(epoch=-1).drop_vars("epoch") - at_position(arm[name], position)
        for name in ("test_loss", "test_accuracy")
    }
    held = (change["test_loss"] > RISE_NATS) & (change["test_accuracy"] > -FALL)
    return xr.Dataset(
        {
            "epoch": ("seed", np.where(known, arm.epoch.values[position], np.nan), {"units": "epochs"}),
            "loss_rise": change["test_loss"],
            "accuracy_change": change["test_accuracy"],
            "rises_while_held": held.where(xr.DataArray(known, dims="seed")),
        }
    )


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Loss and accuracy beside the phases of the plane, the tables and what follows."""
    figures, phases, rises = {}, {}, {}
    for arm in itertools.product(results.dataset.values, results.activation.values):
        data = results.sel(dataset=arm[0], activation=arm[1])
        phases[arm], rises[arm] = plane_phases(data), since_minimum(data)
    for name in results.dataset.values:
        own = [(name, activation) for activation in results.activation.values]
        figures[f"generalisation_{name}.png"] = plot_generalisation(
            results.sel(dataset=name),
            xr.concat([of_compressing(phases[arm], results, arm) for arm in own], results.activation),
            xr.concat([rises[arm] for arm in own], results.activation),
            title=f"{name}, {results.sizes['seed']} seeds, {results.optimizer}, {results.binning}",
        )
    tables = [loss_table(rises), phases_table(results, phases, rises), seeds_table(results)]
    return figures, tables


def of_compressing(phases: xr.Dataset, results: xr.Dataset, arm: tuple[str, str]) -> xr.Dataset:
    """The phases without compression where a layer's, over seeds, does not exceed that of noise."""
    summary = compression_summary(results[["ixt"]].sel(dataset=arm[0], activation=arm[1]))
    found = summary.compression_low > NEGLIGIBLE_BITS
    return phases.assign(
        {name: phases[name].where(found) for name in ("compression_start", "compression_end")}
    )


def loss_table(rises: dict[tuple[str, str], xr.Dataset]) -> Table:
    """Per arm: when the loss is least, and what changes from there to the end."""
    header = ["dataset", "activation"]
    for name in ("epoch", "loss_rise", "accuracy_change"):
        header += interval_columns(name)
    header += ["rises_while_held", "seeds"]
    rows, sentences = [], []
    for arm, own in rises.items():
        epoch = median_interval(own.epoch.values)
        rise, change = (mean_interval(own[k].values) for k in ("loss_rise", "accuracy_change"))
        held = own.rises_while_held.values[np.isfinite(own.epoch.values)]
        numbers = [float(x) for found in (epoch, rise, change) for x in found[:3]]
        rows.append([*arm, *numbers, float(held.mean()), len(held)])
        holds = "follows" if rise.low > RISE_NATS and change.low > -FALL else "does not follow"
        sentences.append(
            f"{', '.join(arm)}: the validation loss is least at epoch {interval_text(epoch, 0)} and "
            f"rises by {interval_text(rise)} nats to the end, while accuracy changes by "
            f"{interval_text(change, 4)}. That it rises while accuracy holds {holds}; it does in "
            f"{held.mean():.0%} of {len(held)} networks."
        )
    note = (
        f"epoch: median; rises_while_held: share of networks whose loss rises by more than {RISE_NATS} "
        f"nats while accuracy falls by less than {FALL}"
    )
    return Table("loss", header, rows, [note, *sentences])


def phases_table(
    results: xr.Dataset,
    phases: dict[tuple[str, str], xr.Dataset],
    rises: dict[tuple[str, str], xr.Dataset],
) -> Table:
    """Per arm and layer: epochs of fitting and compression, beside those of the loss."""
    names = ("fitting_end", "compression_start", "compression_end")
    header = ["dataset", "activation", "layer"]
    for name in names:
        header += [*interval_columns(name), f"{name}_seeds"]
    header += [*interval_columns("compression"), *interval_columns("rho")]
    rows, sentences = [], []
    for arm, own in phases.items():
        summary = compression_summary(results[["ixt"]].sel(dataset=arm[0], activation=arm[1]))
        onset, told = rises[arm].epoch.values, []
        for layer in own.layer.values:
            of_layer, amount = own.sel(layer=layer), summary.sel(layer=layer)
            row = [*arm, layer]
            for name in names:
                row += list(median_interval(of_layer[name].values))
            row += [amount[f"compression{x}"].item() for x in ("", "_low", "_high")]
            rho = rank_correlation(of_layer.compression_start.values, onset)
            rows.append([*row, *rho[:3]])
            if layer != own.layer.values[-1] and amount.compression_low > NEGLIGIBLE_BITS:
                start = of_layer.compression_start.values
                known = np.isfinite(start) & np.isfinite(onset)
                share = f"{(start < onset)[known].mean():.0%} of {known.sum()}"
                told.append(f"{layer} (starts before in {share}; rho {interval_text(rho)})")
        sentences.append(
            f"{', '.join(arm)}: hidden layers that compress, and whether they start before the loss "
            f"rises: {', '.join(told) or 'none compresses'}."
        )
    note = (
        "medians over the seeds that get there, with 95% intervals; rho: rank correlation over seeds of "
        "the start of compression with the epoch from which the validation loss rises"
    )
    return Table("phases", header, rows, [note, *sentences])
