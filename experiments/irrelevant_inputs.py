"""Networks do forget inputs that do not matter, and the total does not show it.

Claim: Saxe et al. (2018), section 5 and figure 6: with 30 inputs that the teacher looks at and 70 that
it does not, a linear network's information about the former rises throughout; about the latter it
rises, because few samples mislead, and falls again while the network fits; and I(X;T), about all
inputs, shows no compression.

Command:  python -m experiments.irrelevant_inputs
Time:     2 minutes on 2 cores
Expect:   I(X_irr;T) rises by 0.018 bits at the hidden layer and falls by 0.013 (0.012 to 0.015), by
          0.097 and 0.074 (0.068 to 0.081) at the output, from epoch 60 to 70 on, while the network
          fits; I(X_rel;T) and I(X;T) only rise, by 0.3 bits and by 2.0 and 2.5.

50 networks 100-100-1, each with a teacher and 300 samples of its own (inputs N(0, I / 100), weights of
the teacher N(0, 100) on 30 inputs and 0 on 70, SNR 10), trained on squared error by SGD in batches of
5. Information is exact, with noise of variance 1 at each layer; to I(X_rel;T) the irrelevant inputs are
noise as well, and the other way round, so that the two add up to less than I(X;T).

Dims: seed, epoch, layer. Variables: ``ixt``, ``ixt_relevant``, ``ixt_irrelevant``, ``ity``, bits;
``train_loss``, ``test_loss``, mean squared errors.
"""

import dataclasses
import functools
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import LabConfig, Table, columns, main, progress_bar
from ibjax.analysis.compression import compression_summary
from ibjax.analysis.intervals import mean_interval
from ibjax.analysis.linear import linear_dataset, linear_record
from ibjax.datasets.linear_teacher import linear_teacher
from ibjax.plots import plot_parts
from ibjax.results import environment
from ibjax.training import TrainConfig, fit, make_model

NUM_SAMPLES, NUM_INPUTS, NUM_RELEVANT = 300, 100, 30
WEIGHT_VARIANCE, SNR, NOISE_VARIANCE = 100.0, 10.0, 1.0
BATCH_SIZE, LEARNING_RATE = 5, 0.0005
FULL_EPOCHS, SMOKE_EPOCHS = 300, 60

LAYERS = {1: "hidden layer", 2: "output"}
PARTS = {
    "all": "ixt",
    "relevant": "ixt_relevant",
    "irrelevant": "ixt_irrelevant",
}


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Networks do forget inputs that do not matter, and the total does not show it."""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure; checkpoints go to ``folder`` if given."""
    training = TrainConfig(
        widths=(NUM_INPUTS, 1),
        activation="linear",
        loss="squared_error",
        split="all_rows",
        batch_size=BATCH_SIZE,
        learning_rate=LEARNING_RATE,
        num_epochs=config.epochs or (SMOKE_EPOCHS if config.smoke else FULL_EPOCHS),
    )
    draw = functools.partial(
        linear_teacher,
        num_samples=NUM_SAMPLES,
        snr=SNR,
        weight_variance=WEIGHT_VARIANCE,
        num_inputs=NUM_INPUTS,
        num_relevant=NUM_RELEVANT,
    )
    model = make_model(training)
    with progress_bar(1) as on_advance_of:
        history = fit(
            training,
            draw,
            record=linear_record(model, noise_variance=NOISE_VARIANCE, num_relevant=NUM_RELEVANT),
            on_advance=on_advance_of("sgd"),
            **config.fit_options(folder, "sgd"),
        )
    attributes = {
        "experiment": "irrelevant_inputs",
        "source": "Saxe et al. (2018), section 5, figure 6",
        "dataset": f"ibjax.datasets.linear_teacher: {NUM_SAMPLES} samples, {NUM_RELEVANT} of "
        f"{NUM_INPUTS} inputs relevant, a teacher a seed",
        "snr": SNR,
        "weight_variance": WEIGHT_VARIANCE,
        "estimator": "exact, from covariances",
        "noise_variance": NOISE_VARIANCE,
        "num_samples": NUM_SAMPLES,
        "num_relevant": NUM_RELEVANT,
        "training": training.as_dict(),
        "seed": config.seed,
    }
    return linear_dataset(history, {**attributes, **environment()})


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Information about all, relevant and irrelevant inputs over epochs, the table and the verdict."""
    seeds = results.sizes["seed"]
    title = f"{NUM_RELEVANT} relevant and {NUM_INPUTS - NUM_RELEVANT} irrelevant inputs, {seeds} seeds"
    figure = plot_parts(results, names=LAYERS, title=f"{title}, mean with 95% band")
    return {"irrelevant_inputs.png": figure}, [parts_table(results)]


def parts_table(results: xr.Dataset) -> Table:
    """Per layer and part of the inputs: the fall after the peak and the rise up to it; bits."""
    header = "layer inputs start peak peak_epoch final fall+- rise+-"
    rows, falls = [], {}
    for part, variable in PARTS.items():
        summary = compression_summary(results.assign(ixt=results[variable]))
        information = results[variable].transpose("seed", "epoch", "layer")
        rise = mean_interval((information.sel(epoch=summary.peak_epoch) - information[:, 0]).values)
        for i, layer in enumerate(summary.layer.values):
            values = [column.values[i] for column in summary.data_vars.values()][:-1]
            start = float(information[:, 0, i].mean())
            rows.append([layer, part, start, *values, rise.estimate[i], rise.low[i], rise.high[i]])
            falls[int(layer), part] = values[-3:]
    return Table("parts", columns(header), rows, [verdict(falls, layer) for layer in LAYERS])


def verdict(falls: dict[tuple[int, str], list[float]], layer: int) -> str:
    """Say what follows for one layer from the intervals of how far the parts fall."""

    def say(part: str) -> str:
        amount, low, high = falls[layer, part]
        falling = "falls after its peak" if low > 0 else "does not fall"
        return f"about {part} inputs {falling} ({amount:.3f} bits, {low:.3f} to {high:.3f})"

    facts = f"{LAYERS[layer]}: information " + "; ".join(map(say, ("irrelevant", "relevant", "all")))
    if falls[layer, "irrelevant"][1] > 0 >= falls[layer, "all"][1]:
        return (
            f"{facts}. The network forgets what does not matter, and I(X;T) does not show it; it does "
            "so while it fits, not afterwards."
        )
    return f"{facts}."


if __name__ == "__main__":
    main("irrelevant_inputs", Config, run, report)
