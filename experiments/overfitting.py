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
import functools
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import LabConfig, Table, columns, main, progress_bar
from ibjax.analysis.compression import NEGLIGIBLE_BITS, compression, compression_summary
from ibjax.analysis.intervals import mean_interval, rank_correlation
from ibjax.analysis.linear import linear_dataset, linear_record
from ibjax.analysis.records import plane_record
from ibjax.datasets import symmetric_task
from ibjax.datasets.linear_teacher import linear_teacher
from ibjax.datasets.splits import num_training_samples
from ibjax.plots import plot_bounded_plane, plot_information_plane, plot_learning
from ibjax.presets import preset
from ibjax.results import describe_function, environment, history_to_dataset, stack_arms
from ibjax.training import TrainConfig, fit, make_model
from ibjax.types import History, Record

LINEAR = tuple(itertools.product((100, 300, 1000), (1.0, 10.0)))  # samples, SNR
FRACTIONS = (0.3, 0.6, 0.85)  # of the symmetric task's words
SMOKE_LINEAR, SMOKE_FRACTIONS = LINEAR[:1] + LINEAR[-1:], FRACTIONS[:1]
STEPS_PER_EPOCH, LINEAR_RATE = 5, 0.001
WEIGHT_VARIANCE, NOISE_VARIANCE = 100.0, 1.0
FULL_EPOCHS, SMOKE_EPOCHS = 8000, 30


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Compression and generalisation do not go together."""


class Arm(NamedTuple):
    """One condition: its coordinates, and what ``fit`` and its records need."""

    network: str
    num_samples: int
    snr: float
    training: TrainConfig
    data: Any
    record: Record
    to_dataset: Callable[[History, dict], xr.Dataset]


def linear_arm(num_samples: int, snr: float, num_epochs: int) -> Arm:
    """A linear network and its teacher."""
    training = TrainConfig(
        widths=(100, 1),
        activation="linear",
        loss="squared_error",
        split="all_rows",
        batch_size=num_samples // STEPS_PER_EPOCH,
        learning_rate=LINEAR_RATE,
        num_epochs=num_epochs,
    )
    draw = functools.partial(
        linear_teacher, num_samples=num_samples, snr=snr, weight_variance=WEIGHT_VARIANCE
    )
    record = linear_record(make_model(training), noise_variance=NOISE_VARIANCE)
    return Arm("linear", num_samples, snr, training, draw, record, linear_dataset)


def tanh_arm(fraction: float, num_epochs: int) -> Arm:
    """A tanh network on a part of the symmetric task."""
    convention, data = preset("paper"), symmetric_task()
    options = convention.training | {"num_epochs": num_epochs, "train_fraction": fraction}
    training = TrainConfig(activation="tanh", **options)
    record = plane_record(make_model(training), convention.estimator)
    num_samples = num_training_samples(len(data.y), fraction)
    return Arm("tanh", num_samples, np.nan, training, data, record, history_to_dataset)


def arms_of(config: Config) -> dict[str, Arm]:
    """All conditions, by the names that tables and figures give them."""
    epochs = config.epochs or (SMOKE_EPOCHS if config.smoke else FULL_EPOCHS)
    linear = SMOKE_LINEAR if config.smoke else LINEAR
    fractions = SMOKE_FRACTIONS if config.smoke else FRACTIONS
    arms = {f"{n} samples, SNR {snr:g}": linear_arm(n, snr, epochs) for n, snr in linear}
    return arms | {f"{fraction:.0%} of words": tanh_arm(fraction, epochs) for fraction in fractions}


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure all conditions; checkpoints go to ``folder`` if given."""
    arms, parts = arms_of(config), {}
    with progress_bar(len(arms)) as on_advance_of:
        for number, (name, arm) in enumerate(arms.items()):
            history = fit(
                arm.training,
                arm.data,
                record=arm.record,
                on_advance=on_advance_of(f"{arm.network}, {name}"),
                **config.fit_options(folder, str(number)),
            )
            parts[(name,)] = arm.to_dataset(history, arm.training.as_dict())
    results = stack_arms(parts, ("condition",)).assign_coords(
        network=("condition", [arm.network for arm in arms.values()]),
        num_samples=("condition", [arm.num_samples for arm in arms.values()]),
        snr=("condition", [arm.snr for arm in arms.values()]),
    )
    for name in ("train_loss", "test_loss"):
        results[name].attrs = {"units": "1 (linear), nats (tanh)", "long_name": f"{name}, by network"}
    return results.assign_attrs(
        experiment="overfitting",
        source="Saxe et al. (2018), section 3, figure 4",
        dataset="linear: ibjax.datasets.linear_teacher; tanh: ibjax.datasets.symmetric_task()",
        weight_variance=WEIGHT_VARIANCE,
        estimator=f"linear: exact; tanh: {describe_function(preset('paper').estimator)}",
        noise_variance=NOISE_VARIANCE,
        seed=config.seed,
        **environment(),
    )


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Learning and planes of both kinds of networks, and tables."""
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
    """The information plane of every linear condition with the bound of its task."""
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
    """(condition, seed): error on new samples minus that on the training samples, at the end."""
    return (results.test_loss - results.train_loss).isel(epoch=-1).transpose("condition", "seed")


def generalisation_table(results: xr.Dataset) -> Table:
    """Errors at the end, the lowest one on new samples and its epoch, and the gap with its interval."""
    header = "network condition train_end test_lowest at_epoch test_end gap+- test_accuracy"
    rows = []
    for name in results.condition.values:
        one = results.sel(condition=name)
        test = one.test_loss.mean("seed").values
        interval = mean_interval(gap(results).sel(condition=name).values)
        train_end, accuracy = (one[k][..., -1].mean().item() for k in ("train_loss", "test_accuracy"))
        lowest = test.min(), results.epoch.values[test.argmin()]
        rows.append([one.network.item(), name, train_end, *lowest, test[-1], *interval[:3], accuracy])
    return Table("generalisation", columns(header), rows)


def compression_table(results: xr.Dataset) -> Table:
    """Per condition and layer: peak, final, compression with its interval; bits."""
    header = columns("network condition layer peak peak_epoch final compression+- seeds")
    rows = []
    for name in results.condition.values:
        one = results.sel(condition=name)
        summary = compression_summary(one.isel(layer=slice(int(one.num_layers))))
        for i, layer in enumerate(summary.layer.values):
            values = [column.values[i] for column in summary.data_vars.values()]
            rows.append([one.network.item(), name, layer, *values])
    return Table("compression", header, rows)


def together_table(results: xr.Dataset) -> Table:
    """Rank correlation over networks of compression, and of the final I(X;T), with the gap.

    Within each condition, and over all networks of one kind; NaN where none compresses by 0.05 bits.
    """
    header = columns("network networks layer compression_rho+- final_rho+- count")
    rows, sentences = [], []
    for kind in np.unique(results.network):
        some = results.isel(condition=results.network == kind)
        names = some.condition.values.tolist()
        for layer in range(1, int(some.num_layers[0]) + 1):
            ixt = some.ixt.sel(layer=layer).transpose("condition", "seed", "epoch").values
            amount, gaps = np.stack([compression(one) for one in ixt]), gap(some).values
            chosen = {name: i for i, name in enumerate(names)} | {"all": slice(None)}
            for name, where in chosen.items():
                of_gap = gaps[where].ravel()
                lost = amount[where].ravel()
                # Without compression what is left is rounding.
                compress = (lost > NEGLIGIBLE_BITS).any()
                by_amount = rank_correlation(lost if compress else np.nan * lost, of_gap)
                by_final = rank_correlation(ixt[where][..., -1].ravel(), of_gap)
                rows.append([kind, name, layer, *by_amount[:3], *by_final])
        sentences.append(verdict(some, str(kind)))
    note = (
        "rho: Spearman's rank correlation with the gap, 95% interval by Fisher's transformation; over "
        "all it is the conditions that differ, in both, and networks of a seed are not independent"
    )
    return Table("together", header, rows, [*sentences, note])


def verdict(some: xr.Dataset, kind: str) -> str:
    """Say how far gaps range over the conditions of one kind of network, and what follows."""
    gaps = mean_interval(gap(some).values, axis=1)
    hidden = some.isel(layer=slice(int(some.num_layers[0]) - 1))
    amounts = [
        compression_summary(hidden.sel(condition=name)).compression_low.max().item()
        for name in some.condition.values
    ]
    compress = np.array(amounts) > NEGLIGIBLE_BITS
    worst, best = gaps.estimate.argmax(), gaps.estimate.argmin()
    facts = (
        f"{kind}: the gap is {gaps.estimate[worst]:.2f} with {some.condition.values[worst]} and "
        f"{gaps.estimate[best]:.2f} with {some.condition.values[best]}; a hidden layer compresses in "
        f"{compress.sum()} of {len(compress)} conditions."
    )
    if not compress.any() and gaps.low[worst] > gaps.high[best]:
        return f"{facts} Generalisation differs where nothing compresses."
    if (compress & (gaps.low > 0)).any():
        return f"{facts} Networks overfit though they compress."
    return facts


if __name__ == "__main__":
    main("overfitting", Config, run, report)
