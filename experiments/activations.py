"""Which nonlinearities compress? Seven of them in bins and by kernels, side by side.

Claim: Saxe et al. (2018), section 2 and figure 1 (with appendix figures of softsign and softplus):
compression on the information plane comes from the nonlinearity. Those that saturate on both sides
(tanh, softsign) compress; those that saturate on one side or on none do not. The same networks on the
plane by bins and by the kernel estimate of Kolchinsky & Tracey.

Command:  python -m experiments.activations
Time:     25 to 35 minutes on 2 cores, 1.7 GB: half training, half kernels
Expect:   by both estimators: tanh compresses in layers 2 to 5, by up to 4.7 bits, softsign in layers 4
          and 5, by up to 1.4; relu, leaky_relu and softplus nowhere. Linear layers lose up to 0.9 bits,
          elu, which saturates on one side, 0.3 in bins.

50 networks 12-10-7-5-4-3-2 per activation on the 12-bit symmetric task; plain SGD (rate 0.1, batches of
256), 8000 epochs; I(X;T) and I(T;Y) on all 4096 inputs in bins of 0.07, and the upper kernel bound with
noise of variance 0.001, at 25 epochs.

Dims: activation, estimator, seed, epoch, layer.
"""

import dataclasses
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import LabConfig, Table, main, progress_bar, table_of
from ibjax.analysis.compression import NEGLIGIBLE_BITS, compression_summary
from ibjax.analysis.records import planes_record, select_estimator
from ibjax.datasets import symmetric_task
from ibjax.plots import plot_compression_table, plot_information_plane
from ibjax.presets import SAXE_BIN_WIDTH, SAXE_ESTIMATORS, SAXE_NOISE_VARIANCE, preset
from ibjax.results import describe_function, environment, history_to_dataset, stack_arms
from ibjax.training import TrainConfig, fit, make_model
from ibjax.types import Dataset

# Those of the paper's figures, and others.
IN_PAPER, OTHERS = ("tanh", "softsign", "relu", "softplus"), ("leaky_relu", "elu", "linear")
SATURATE_TWICE = ("tanh", "softsign")
FULL_EPOCHS, SMOKE_EPOCHS = 8000, 8
NUM_RECORDED = 26

# A smoke run's: most of its time is compilation, arm by arm and layer by layer.
SMOKE_ACTIVATIONS, SMOKE_WIDTHS = ("tanh", "relu"), (4, 3, 2)


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Which nonlinearities compress? Seven of them in bins and by kernels, side by side."""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train the networks and measure them by both estimators; checkpoints go to ``folder`` if given."""
    data = symmetric_task()
    options = {**preset("paper").training, "num_epochs": config.epochs or FULL_EPOCHS}
    activations = IN_PAPER + OTHERS
    if config.smoke:
        data = Dataset(data.x[::8], data.y[::8])
        options |= {"widths": SMOKE_WIDTHS, "num_epochs": config.epochs or SMOKE_EPOCHS}
        activations = SMOKE_ACTIVATIONS
    recorded = np.unique(np.geomspace(1, options["num_epochs"], NUM_RECORDED).astype(int))
    arms = {}
    with progress_bar(len(activations)) as on_advance_of:
        for activation in activations:
            training = TrainConfig(activation=activation, **options)
            history = fit(
                training,
                data,
                record=planes_record(make_model(training), list(SAXE_ESTIMATORS.values())),
                schedule=recorded,
                on_advance=on_advance_of(activation),
                **config.fit_options(folder, activation),
            )
            for i, name in enumerate(SAXE_ESTIMATORS):
                own = select_estimator(history, i)
                arms[activation, name] = history_to_dataset(own, training.as_dict())
    return stack_arms(arms, ("activation", "estimator")).assign_attrs(
        experiment="activations",
        source="Saxe et al. (2018), section 2, figure 1",
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
    """The planes, the compression of every layer, and which activations compress."""
    summary = compression_summary(results)
    seeds = f"{results.sizes['seed']} seeds"
    figures = {
        "compression_by_activation.png": plot_compression_table(
            summary,
            rows=["activation"],
            column="estimator",
            title=f"Compression of I(X;T), bits, mean over {seeds}",
        )
    }
    for name, chosen in (("information_plane.png", IN_PAPER), ("other_activations.png", OTHERS)):
        shown = [activation for activation in results.activation.values if activation in chosen]
        if shown:
            title = f"bins of {results.bin_width}; KDE, noise variance {results.noise_variance}; {seeds}"
            figures[name] = plot_information_plane(
                results.sel(activation=shown), row="estimator", column="activation", title=title
            )
    found = [verdict(summary, activation) for activation in results.activation.values]
    return figures, [table_of("compression", summary, found)]


def verdict(summary: xr.Dataset, activation: str) -> str:
    """Say whether hidden layers compress, by either estimator, and whether the claim holds."""
    seen, facts = {}, []
    for name in summary.estimator.values:
        hidden = summary.sel(activation=activation, estimator=name).isel(layer=slice(0, -1))
        layers = hidden.layer[hidden.compression_low > NEGLIGIBLE_BITS].values.tolist()
        seen[name] = bool(layers)
        largest = float(hidden.compression.sel(layer=layers).max()) if layers else 0.0
        amount = f"layers {', '.join(map(str, layers))}, up to {largest:.2f} bits" if layers else "none"
        facts.append(f"{name}: {amount}")
    saturates = activation in SATURATE_TWICE
    expected = "compresses (saturates on both sides)" if saturates else "does not compress"
    holds = "holds" if all(one == saturates for one in seen.values()) else "does not hold by both"
    return f"{activation}: hidden layers that compress, {'; '.join(facts)}. Claim, {expected}: {holds}."


if __name__ == "__main__":
    main("activations", Config, run, report)
