"""Controls: what any claim of compression must survive.

Claim: none of a paper; a test of them all. Shwartz-Ziv & Tishby (2017) read compression as learning
what to forget. If it is, it must be there in the trained network and not in its controls: a network
trained on random labels, which can only memorise; one that was never trained, with the trained one's
weight norms (Saxe et al. 2018: compression is saturation, which needs large weights and no learning);
and the trained network's activations shuffled over the samples (is I(X;T) about the input at all?).

Command:  python -m experiments.controls
Time:     20 to 30 minutes on 2 cores, 1.7 GB
Expect:   tanh in bins: layer 3 loses 1.5 bits in every control; layer 5 4.6 bits in trained networks,
          1.2 with random labels, 0.3 (-0.1 to 0.8) rescaled. relu: no hidden layer compresses in any.

50 networks 12-10-7-5-4-3-2 per activation, tanh and relu, on the 12-bit symmetric task and, anew, on
its labels permuted at random; plain SGD (rate 0.1, batches of 256), 8000 epochs; I(X;T) and I(T;Y) on
all 4096 inputs in bins of 0.07, and the upper kernel bound with noise of variance 0.001, at 17 epochs.

Dims: activation, control, estimator, seed, epoch, layer. "epoch" of "rescaled" is that of the trained
network whose norms it has; losses and accuracies are those of each control.
"""

import dataclasses
import functools
from pathlib import Path

import jax
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import LabConfig, Table, main, progress_bar, table_of
from ibjax.analysis.compression import NEGLIGIBLE_BITS, compression_summary
from ibjax.analysis.controls import CONTROLS, controls_record, draw_controls
from ibjax.analysis.intervals import mean_interval
from ibjax.analysis.records import planes_record, select_estimator
from ibjax.datasets import permute_labels, symmetric_task
from ibjax.plots import plot_compression_table, plot_information_plane
from ibjax.presets import SAXE_BIN_WIDTH, SAXE_ESTIMATORS, SAXE_NOISE_VARIANCE, preset
from ibjax.results import describe_function, environment, history_to_dataset, stack_arms
from ibjax.training import TrainConfig, fit, make_model
from ibjax.types import Dataset, History

ACTIVATIONS = ("tanh", "relu")
FULL_EPOCHS, SMOKE_EPOCHS = 8000, 8
NUM_RECORDED = 17

# A smoke run's network: most of its time is compilation, layer by layer.
SMOKE_WIDTHS = (4, 2)


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Controls: what any claim of compression must survive."""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train the networks and measure them and their controls; checkpoints go to ``folder`` if given."""
    data = symmetric_task()
    options = {**preset("paper").training, "num_epochs": config.epochs or FULL_EPOCHS}
    if config.smoke:
        data = Dataset(data.x[::8], data.y[::8])
        options |= {"widths": SMOKE_WIDTHS, "num_epochs": config.epochs or SMOKE_EPOCHS}
    recorded = np.unique(np.geomspace(1, options["num_epochs"], NUM_RECORDED).astype(int))
    estimators = list(SAXE_ESTIMATORS.values())
    arms = {}
    with progress_bar(2 * len(ACTIVATIONS)) as on_advance_of:
        for activation in ACTIVATIONS:
            training = TrainConfig(activation=activation, **options)
            model = make_model(training)

            def fit_to(name, data, record, *, training=training, **drawn) -> History:
                return fit(
                    training,
                    data,
                    record=record,
                    schedule=recorded,
                    on_advance=on_advance_of(name.replace("_", " ")),
                    **config.fit_options(folder, name),
                    **drawn,
                )

            controlled = fit_to(
                f"{activation}_controls", draw_controls(model, data), controls_record(model, estimators)
            )
            histories = {
                name: controlled._replace(
                    records=jax.tree.map(lambda leaf, i=i: leaf[:, :, i], controlled.records)
                )
                for i, name in enumerate(CONTROLS)
            }
            histories["random labels"] = fit_to(
                f"{activation}_random_labels",
                data,
                planes_record(model, estimators),
                draw_labels=functools.partial(permute_labels, y=data.y),
            )
            for control, history in histories.items():
                for i, estimator in enumerate(SAXE_ESTIMATORS):
                    own = select_estimator(history, i)
                    arms[activation, control, estimator] = history_to_dataset(own, training.as_dict())
    return stack_arms(arms, ("activation", "control", "estimator")).assign_attrs(
        experiment="controls",
        dataset="ibjax.datasets.symmetric_task(): 4096 binary words, hard labels",
        **{
            f"estimator_{name}": describe_function(estimator)
            for name, estimator in SAXE_ESTIMATORS.items()
        },
        bin_width=SAXE_BIN_WIDTH,
        noise_variance=SAXE_NOISE_VARIANCE,
        measured_on="every 8th input" if config.smoke else "all 4096 inputs",
        num_samples=len(data.y),
        seed=config.seed,
        **environment(),
    )


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """The planes in bins, the compression of every layer in every control, and what survives."""
    summary = compression_summary(results)
    seeds = f"{results.sizes['seed']} seeds"
    binned = results.sel(estimator="binned")
    figures = {
        "compression_of_controls.png": plot_compression_table(
            summary,
            rows=["activation", "control"],
            column="estimator",
            title=f"Compression of I(X;T), bits, mean over {seeds}",
        ),
        "information_plane.png": plot_information_plane(
            binned, row="activation", column="control", title=f"bins of {results.bin_width}, {seeds}"
        ),
    }
    found = [verdict(results, summary, activation) for activation in ACTIVATIONS]
    return figures, [table_of("compression", summary, found)]


def verdict(results: xr.Dataset, summary: xr.Dataset, activation: str) -> str:
    """The layer of a trained network that compresses most in bins, beside its controls."""
    binned = summary.sel(activation=activation, estimator="binned").isel(layer=slice(0, -1))
    trained = binned.sel(control="trained")
    layer = int(trained.compression.idxmax("layer"))
    one = binned.sel(layer=layer)
    amounts = {
        name: f"{float(arm.compression):.2f} bits ({float(arm.compression_low):.2f} to "
        f"{float(arm.compression_high):.2f})"
        for name in one.control.values
        for arm in [one.sel(control=name)]
    }
    last = results.sel(activation=activation, estimator="binned").isel(epoch=-1)
    random, shuffled = last.sel(control="random labels"), last.sel(control="shuffled")
    accuracy = float(mean_interval(random.train_accuracy.values).estimate)
    label = float(mean_interval(shuffled.ity.sel(layer=layer).values).estimate)
    survives = [k for k in amounts if k not in ("trained", "shuffled")]
    survives = [k for k in survives if float(one.compression_low.sel(control=k)) > NEGLIGIBLE_BITS]
    if not float(one.compression_low.sel(control="trained")) > NEGLIGIBLE_BITS:
        conclusion = "No hidden layer of the trained networks compresses in bins."
    elif survives:
        conclusion = f"It compresses without learning the task, too: {' and '.join(survives)}."
    else:
        conclusion = "Neither control compresses: what the trained networks lose goes with the task."
    return (
        f"{activation}, layer {layer} in bins: trained {amounts['trained']}; rescaled "
        f"{amounts['rescaled']}; random labels {amounts['random labels']}, training accuracy "
        f"{accuracy:.0%}. {conclusion} Shuffled over the samples its I(X;T) is the same, for no "
        f"estimator of it looks at the input; its I(T;Y) is {label:.2f} bits, all of it bias."
    )


if __name__ == "__main__":
    main("controls", Config, run, report)
