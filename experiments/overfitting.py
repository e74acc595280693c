"""Compression and generalisation do not go together.

Claim: Saxe et al. (2018), section 3 and figure 4: with as many samples as inputs and noisy labels a
linear network overtrains, with more it does not, and the information of its layers rises alike; tanh
networks trained on 30% of the symmetric task overfit, and compress all the same.

Command:  python -m experiments.overfitting
Time:     10 to 15 minutes on 2 cores, 1.3 GB
Expect:   linear: the error on new samples rises again from 167 to 1073 (100 samples, SNR 1) or hardly
          (1000 samples); I(X;T) of both layers rises in all six conditions and never falls, I(T;Y)
          falls with overtraining. tanh: 30% of the words leave 92% test accuracy and a gap of 0.68 nats,
          and layers 3 to 5 compress by 0.8 to 3.8 bits; with 85% the gap is 0.33 and they compress by
          1.7 to 4.8. Within a condition 10 of 12 correlations of hidden layers' compression with the gap
          do not differ from 0, and the other two have opposite signs.

Linear: networks 100-100-1 and teachers as in linear_student_teacher, 100, 300 or 1000 samples with SNR
1 or 10, SGD in five steps an epoch (rate 0.001), so that all take the same steps; information exact,
with noise of variance 1. tanh: networks 12-10-7-5-4-3-2 as in sgd_vs_bgd (SGD, rate 0.1, batches of
256) on 30%, 60% or 85% of the 4096 words; information on all words, in bins of 0.07. 50 networks a
condition, 8000 epochs. The generalisation gap is the error on new samples (the test words) minus that
on the training samples, at the end: mean squared error for linear, cross-entropy in nats for tanh.

Dims: condition, seed, epoch, layer; a linear network's layers are 1 and 2, the others are NaN.
Coordinates ``network``, ``num_samples`` and ``snr`` (NaN for tanh) have dim condition;
``train_accuracy`` and ``test_accuracy`` are those of tanh.
"""

import dataclasses
import itertools
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import (
    Arm,
    LabConfig,
    Scale,
    Table,
    compresses_note,
    interval_cells,
    layer_rows,
    main,
    scale_of,
    table_of_rows,
    teacher,
    train,
)
from ibjax.analysis.compression import NEGLIGIBLE_BITS, compression, compression_summary
from ibjax.analysis.intervals import mean_interval, rank_correlation
from ibjax.analysis.linear import LinearRecord
from ibjax.analysis.records import PlaneRecord
from ibjax.datasets.splits import num_training_samples
from ibjax.plots import plot_bounded_plane, plot_information_plane, plot_learning
from ibjax.presets import preset
from ibjax.training import TrainConfig, make_model

LINEAR = tuple(itertools.product((100, 300, 1000), (1.0, 10.0)))  # samples, SNR
FRACTIONS = (0.3, 0.6, 0.85)  # of the symmetric task's words
SMOKE_LINEAR, SMOKE_FRACTIONS = LINEAR[:1] + LINEAR[-1:], FRACTIONS[:1]
STEPS_PER_EPOCH, LINEAR_RATE = 5, 0.001
WEIGHT_VARIANCE, NOISE_VARIANCE = 100.0, 1.0
FULL, SMOKE = Scale(epochs=8000), Scale(epochs=30)


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Compression and generalisation do not go together."""


class Condition(NamedTuple):
    """A condition: its coordinates in the results, and its arm."""

    network: str
    num_samples: int
    snr: float
    arm: Arm


def linear_condition(num_samples: int, snr: float, scale: Scale) -> Condition:
    """Return the condition of a linear network that learns from a linear teacher."""
    training = TrainConfig(
        widths=(100, 1),
        activation="linear",
        loss="squared_error",
        split="all_rows",
        batch_size=num_samples // STEPS_PER_EPOCH,
        learning_rate=LINEAR_RATE,
        **scale.training,
    )
    record = LinearRecord(make_model(training), noise_variance=NOISE_VARIANCE)
    task = teacher(num_samples, snr=snr, weight_variance=WEIGHT_VARIANCE)
    return Condition("linear", num_samples, snr, Arm(training, task, record))


def tanh_condition(fraction: float, scale: Scale) -> Condition:
    """Return the condition of a tanh network that is trained on a part of the symmetric task."""
    convention, task = preset("paper"), scale.task
    training = TrainConfig(
        activation="tanh", train_fraction=fraction, **convention.training, **scale.training
    )
    record = PlaneRecord(make_model(training), convention.estimator)
    num_samples = num_training_samples(task.num_samples, fraction)
    return Condition("tanh", num_samples, np.nan, Arm(training, task, record))


def conditions_of(config: Config) -> dict[str, Condition]:
    """Return all conditions, by their names in tables and figures."""
    scale = scale_of(config, FULL, SMOKE)
    linear = SMOKE_LINEAR if config.smoke else LINEAR
    fractions = SMOKE_FRACTIONS if config.smoke else FRACTIONS
    conditions = {f"{n} samples, SNR {snr:g}": linear_condition(n, snr, scale) for n, snr in linear}
    return conditions | {f"{part:.0%} of words": tanh_condition(part, scale) for part in fractions}


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure all conditions; checkpoints go to ``folder`` if given."""
    conditions = conditions_of(config)
    results = train(
        config,
        {(name,): condition.arm for name, condition in conditions.items()},
        factors=("condition",),
        source="Saxe et al. (2018), section 3, figure 4",
        folder=folder,
        weight_variance=WEIGHT_VARIANCE,
        noise_variance=NOISE_VARIANCE,
    )
    for name in ("train_loss", "test_loss"):
        results[name].attrs = {"units": "1 (linear), nats (tanh)", "long_name": f"{name}, by network"}
    return results.assign_coords(
        {
            name: ("condition", [getattr(condition, name) for condition in conditions.values()])
            for name in ("network", "num_samples", "snr")
        }
    )


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw learning and planes of both kinds of networks, and make the tables."""
    linear, tanh = (results.isel(condition=results.network == kind) for kind in ("linear", "tanh"))
    linear = linear.isel(layer=slice(2)).assign(noise=WEIGHT_VARIANCE / linear.snr)
    title = f"{results.sizes['seed']} seeds, mean with 95% band"
    figures = {
        "linear_learning.png": plot_learning(
            linear,
            column="condition",
            layers=[1, 2],
            loss="mean squared error",
            references={"noise of labels": "noise"},
            title=f"linear networks, {title}",
        ),
        "linear_plane.png": linear_plane(linear),
        "tanh_learning.png": plot_learning(
            tanh,
            column="condition",
            layers=tanh.layer.values.tolist(),
            loss="cross-entropy [nats]",
            references={},
            title=f"tanh networks, {title}",
        ),
        "tanh_plane.png": plot_information_plane(
            tanh, column="condition", title="tanh networks on a part of the symmetric task, bins of 0.07"
        ),
    }
    return figures, [generalisation_table(results), compression_table(results), together_table(results)]


def linear_plane(linear: xr.Dataset) -> Figure:
    """Draw the information plane of every linear condition with the bound of its task."""
    plane = linear[["ixt", "ity"]].set_index(condition=("num_samples", "snr")).unstack("condition")
    figure = plot_bounded_plane(
        plane,
        plane.snr / (1 + plane.snr),
        row="snr",
        column="num_samples",
        title="linear networks, exact; dashed: information bottleneck of the task",
    )
    tasks = itertools.product(plane.snr.values, plane.num_samples.values)
    for ax, (snr, num_samples) in zip(figure.axes, tasks, strict=False):
        ax.set_title(f"{num_samples} samples, SNR {snr:g}")
    return figure


def gap(results: xr.Dataset) -> xr.DataArray:
    """Return (condition, seed): error on new samples minus that on the training samples, at the end."""
    return (results.test_loss - results.train_loss).isel(epoch=-1).transpose("condition", "seed")


def generalisation_table(results: xr.Dataset) -> Table:
    """Tabulate errors at the end, the lowest on new samples and its epoch, the gap with its interval."""
    rows = []
    for name in results.condition.values:
        arm = results.sel(condition=name)
        end, test = arm.isel(epoch=-1), arm.test_loss.mean("seed").values
        rows.append(
            {
                "network": arm.network.item(),
                "condition": name,
                "train_end": end.train_loss.mean().item(),
                "test_lowest": test.min(),
                "at_epoch": results.epoch.values[test.argmin()],
                "test_end": test[-1],
                **interval_cells("gap", mean_interval(gap(results).sel(condition=name).values)),
                "test_accuracy": end.test_accuracy.mean().item(),
            }
        )
    return table_of_rows("generalisation", rows)


def compression_table(results: xr.Dataset) -> Table:
    """Tabulate by condition and layer peak, final, compression with its interval; bits."""
    rows, summaries = [], compression_summary(results)
    for name in results.condition.values:
        arm = results.sel(condition=name)
        summary = summaries.sel(condition=name).isel(layer=slice(int(arm.num_layers)))
        levels = {"network": arm.network.item(), "condition": name}
        rows += layer_rows(summary.rename(num_seeds="seeds"), **levels)
    return table_of_rows("compression", rows, [compresses_note(summaries)])


def together_table(results: xr.Dataset) -> Table:
    """Tabulate rank correlations over networks of compression, and of the final I(X;T), with the gap.

    Within each condition, and over all networks of one kind; NaN where none compresses by 0.05 bits.
    """
    rows, sentences = [], []
    for kind in np.unique(results.network):
        arms = results.isel(condition=results.network == kind)
        gaps = gap(arms).values
        positions = {name: i for i, name in enumerate(arms.condition.values)} | {"all": slice(None)}
        for layer in range(1, int(arms.num_layers[0]) + 1):
            ixt = arms.ixt.sel(layer=layer).transpose("condition", "seed", "epoch").values
            amounts = np.stack([compression(curves).mean(axis=0) for curves in ixt])
            for name, position in positions.items():
                amount, final = amounts[position].ravel(), ixt[position][..., -1].ravel()
                # Where nothing compresses, amounts are rounding errors.
                if not (amount > NEGLIGIBLE_BITS).any():
                    amount = np.full_like(amount, np.nan)
                by_amount, by_final = (
                    rank_correlation(values, gaps[position].ravel()) for values in (amount, final)
                )
                rows.append(
                    {
                        "network": kind,
                        "networks": name,
                        "layer": layer,
                        **interval_cells("compression_rho", by_amount),
                        **interval_cells("final_rho", by_final),
                        "count": by_final.num_seeds,
                    }
                )
        sentences.append(verdict(arms, kind))
    note = (
        "rho: Spearman's rank correlation with the gap, 95% interval by Fisher's transformation; over "
        "all it is the conditions that differ, in both, and networks of a seed are not independent"
    )
    return table_of_rows("together", rows, [*sentences, note])


def verdict(arms: xr.Dataset, kind: str) -> str:
    """Say how far gaps range over the conditions of one kind of network, and what follows."""
    gaps = mean_interval(gap(arms).values, axis=1)
    names = arms.condition.values
    hidden = arms.isel(layer=slice(int(arms.num_layers[0]) - 1))
    compress = compression_summary(hidden).compresses.any("layer").values
    worst, best = gaps.estimate.argmax(), gaps.estimate.argmin()
    facts = (
        f"{kind}: the gap is {gaps.estimate[worst]:.2f} with {names[worst]} and "
        f"{gaps.estimate[best]:.2f} with {names[best]}; a hidden layer compresses in "
        f"{compress.sum()} of {len(compress)} conditions."
    )
    if not compress.any() and gaps.low[worst] > gaps.high[best]:
        return f"{facts} Generalisation differs where nothing compresses."
    if (compress & (gaps.low > 0)).any():
        return f"{facts} Networks overfit though they compress."
    return facts


if __name__ == "__main__":
    main("overfitting", Config, run, report)
