"""A deep linear network learns from a linear teacher: it generalises, and it does not compress.

Claim: Saxe et al. (2018), section 3 and figure 3: where everything is Gaussian and linear, error on new
samples and information are exact, without bins. The network generalises well though no layer
compresses; noise of SGD makes no difference (figure 19).

Command:  python -m experiments.linear_student_teacher
          With --hidden 50 50 50 50 50 --learning-rate 0.0005 --epochs 700 the supplement's deeper
          network (figure 18), whose layers do not compress either; at another pace in each seed, so
          that most overfit by then.
Time:     1 minute on 2 cores
Expect:   the error on new samples falls from 200 to 167, of which 100 is noise: 89% (86 to 91%) of what
          the best learner of the same samples gains. I(X;T) of both layers only rises, from 0.55 to
          0.90 bits and from 0.00 to 2.65, and SGD differs from full-batch descent by at most 0.005 bits.

50 networks 100-100-1 per arm. Inputs are N(0, I / 100), the teacher's weights N(0, 100), so that the
signal's variance is about 100, and its labels have noise of as much again (SNR 1). Each network has a
teacher, 100 samples and initial weights of its own, and is trained on squared error by full-batch
descent (bgd) or by SGD in batches of 5, at rates that make rate times updates the same. Training stops,
as in the paper, before it overfits; experiments.overfitting goes on. I(X;T) and I(T;Y) with noise of
variance 1 at each layer, from covariances; the dashed curve is the Gaussian information bottleneck of
the task. Nothing learns more from the same samples than ridge regression that knows the SNR: that is
the yardstick of generalisation.

Dims: optimizer, seed, epoch, layer. ``optimal_loss`` (seed,) and ``noise_loss`` (): mean squared errors
of the best possible learner and of the teacher itself.
"""

import dataclasses
from pathlib import Path

import jax.numpy as jnp
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
from ibjax.analysis.compression import compression_summary
from ibjax.analysis.intervals import Interval, mean_interval
from ibjax.analysis.linear import LinearRecord, optimal_test_error
from ibjax.plots import plot_bounded_plane, plot_learning
from ibjax.training import TrainConfig, make_model
from ibjax.training.steps import seed_keys

OPTIMIZERS = ("bgd", "sgd")
NUM_SAMPLES, BATCH_SIZE = 100, 5
WEIGHT_VARIANCE = 100.0
FULL, SMOKE = Scale(epochs=200), Scale(epochs=40)


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """A deep linear network learns from a linear teacher."""

    hidden: tuple[int, ...] = (100,)
    """Widths of the hidden layers."""
    learning_rate: float = 0.005
    """Learning rate of full-batch descent; SGD uses 1/20 of it per step."""
    snr: float = 1.0
    """Variance of the teacher's signal over that of the labels' noise."""
    noise_variance: float = 1.0
    """Variance of the noise at a layer that makes its information finite."""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure both arms; checkpoints go to ``folder`` if given."""
    task = teacher(NUM_SAMPLES, snr=config.snr, weight_variance=WEIGHT_VARIANCE)
    arms = {}
    for optimizer in OPTIMIZERS:
        training = arm_config(config, optimizer)
        record = LinearRecord(make_model(training), config.noise_variance)
        arms[(optimizer,)] = Arm(training, task, record)
    results = train(
        config,
        arms,
        factors=("optimizer",),
        source="Saxe et al. (2018), section 3, figure 3",
        folder=folder,
        snr=config.snr,
        weight_variance=WEIGHT_VARIANCE,
        noise_variance=config.noise_variance,
    )
    samples = [task.data(seed_keys(jnp.asarray(seed)).data) for seed in config.seed_range]
    best = [optimal_test_error(data, weight_variance=WEIGHT_VARIANCE) for data in samples]
    attrs = {"units": "1", "long_name": "mean squared error of the best learner of the samples"}
    results["optimal_loss"] = ("seed", best, attrs)
    attrs = {"units": "1", "long_name": "mean squared error of the teacher"}
    results["noise_loss"] = ((), WEIGHT_VARIANCE / config.snr, attrs)
    return results


def arm_config(config: Config, optimizer: str) -> TrainConfig:
    """Return the training of an optimizer's arm."""
    sgd = optimizer == "sgd"
    return TrainConfig(
        widths=(*config.hidden, 1),
        activation="linear",
        loss="squared_error",
        split="all_rows",
        batch_size=BATCH_SIZE if sgd else None,
        learning_rate=config.learning_rate / (NUM_SAMPLES // BATCH_SIZE if sgd else 1),
        **scale_of(config, FULL, SMOKE).training,
    )


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw the plane with its bound, and errors and information over epochs; make the tables."""
    seeds = results.sizes["seed"]
    noise = f"noise variance {results.noise_variance:g}"
    figures = {
        "information_plane.png": plot_bounded_plane(
            results,
            xr.DataArray(results.snr / (1 + results.snr)),
            column="optimizer",
            title=f"exact, {noise}, {seeds} seeds; dashed: information bottleneck of the task",
        ),
        "learning.png": plot_learning(
            results,
            column="optimizer",
            layers=results.layer.values.tolist(),
            loss="mean squared error",
            references={"best of these samples": "optimal_loss", "noise of labels": "noise_loss"},
            title=f"{seeds} seeds, mean with 95% band; {noise}",
        ),
    }
    return figures, [errors_table(results), compression_table(results)]


def learnt(results: xr.Dataset, optimizer: str) -> Interval:
    """Return the share of the best learner's gain that the networks reach, with its interval."""
    test = results.test_loss.sel(optimizer=optimizer).transpose("seed", "epoch")
    return mean_interval(((test[:, 0] - test[:, -1]) / (test[:, 0] - results.optimal_loss)).values)


def errors_table(results: xr.Dataset) -> Table:
    """Tabulate errors on new samples, and the share learnt of what samples allow: 1 for the best."""
    rows, sentences = [], []
    best, noise = results.optimal_loss.mean().item(), results.noise_loss.item()
    for name in OPTIMIZERS:
        arm, share = results.sel(optimizer=name), learnt(results, name)
        test = arm.test_loss.mean("seed").values
        rows.append(
            {
                "optimizer": name,
                "start": test[0],
                "lowest": test.min(),
                "at_epoch": results.epoch.values[test.argmin()],
                "end": test[-1],
                "best": best,
                "noise": noise,
                **interval_cells("learnt", share),
                "train_end": arm.train_loss.isel(epoch=-1).mean().item(),
                "diverged": arm.diverged.sum().item(),
            }
        )
        sentences.append(
            f"{name}: the error on new samples falls from {test[0]:.0f} to {test[-1]:.0f}, of which "
            f"{noise:.0f} is noise of the labels: {share.estimate:.0%} (95% interval {share.low:.0%} to "
            f"{share.high:.0%}) of what the best learner gains from these samples."
        )
    return table_of_rows("errors", rows, sentences)


def compression_table(results: xr.Dataset) -> Table:
    """Tabulate by arm and layer peak, final, compression with its interval; bits; and the verdict."""
    rows, sentences = [], []
    summaries = compression_summary(results).rename(num_seeds="seeds")
    for name in OPTIMIZERS:
        summary = summaries.sel(optimizer=name)
        rows += layer_rows(summary, optimizer=name)
        compressing = summary.layer[summary.compresses].values.tolist()
        most = float(summary.compression_high.max())
        sentences.append(
            f"{name}: layers {', '.join(map(str, compressing))} compress."
            if compressing
            else f"{name}: no layer compresses: with 95% confidence by {most:.3f} bits at most."
        )
    generalises = all(learnt(results, name).low > 0.5 for name in OPTIMIZERS)
    if generalises and not any("compress." in sentence for sentence in sentences):
        sentences.append(
            "A network that generalises need not compress. That compression never helps one does not "
            "follow; nor anything about inputs some of which matter more: here all are alike."
        )
    return table_of_rows("compression", rows, [compresses_note(summaries), *sentences])


if __name__ == "__main__":
    main("linear_student_teacher", Config, run, report)
