"""Networks do forget inputs that do not matter, and the total does not show it.

Claim: Saxe et al. (2018), section 5 and figure 6: with 30 inputs that the teacher looks at and 70 that
it does not, a linear network's information about the former rises throughout; about the latter it
rises, because few samples mislead, and falls again while the network fits; and I(X;T), about all
inputs, shows no compression.

Command:  python -m experiments.irrelevant_inputs
Time:     2 minutes on 2 cores
Expect:   I(X_irr;T) rises by 0.018 bits at the hidden layer and falls by 0.013 (0.012 to 0.015), by
          0.097 and 0.074 (0.068 to 0.081) at the output, from epochs 73 and 61 on, while the network
          fits; I(X_rel;T) and I(X;T) only rise, by 0.30 and 0.31 bits and by 1.97 and 2.49.

50 networks 100-100-1, each with a teacher and 300 samples of its own (inputs N(0, I / 100), weights of
the teacher N(0, 100) on 30 inputs and 0 on 70, SNR 10), trained on squared error by SGD in batches of
5. Information is exact, with noise of variance 1 at each layer; to I(X_rel;T) the irrelevant inputs are
noise as well, and the other way round, so that the two add up to less than I(X;T).

Dims: seed, epoch, layer. Variables: ``ixt``, ``ixt_relevant``, ``ixt_irrelevant``, ``ity``, bits;
``train_loss``, ``test_loss``, mean squared errors.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import (
    Arm,
    LabConfig,
    Scale,
    Table,
    layer_rows,
    main,
    scale_of,
    table_of_rows,
    teacher,
    train,
)
from ibjax.analysis.compression import compression_summary
from ibjax.analysis.intervals import mean_interval
from ibjax.analysis.linear import LinearRecord
from ibjax.plots import plot_parts
from ibjax.training import TrainConfig, make_model

NUM_SAMPLES, NUM_INPUTS, NUM_RELEVANT = 300, 100, 30
WEIGHT_VARIANCE, SNR, NOISE_VARIANCE = 100.0, 10.0, 1.0
BATCH_SIZE, LEARNING_RATE = 5, 0.0005
FULL, SMOKE = Scale(epochs=300), Scale(epochs=60)

LAYERS = {1: "hidden layer", 2: "output"}
PARTS = {"all": "ixt", "relevant": "ixt_relevant", "irrelevant": "ixt_irrelevant"}

LIMITS = ("compression", "compression_low", "compression_high")


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
        **scale_of(config, FULL, SMOKE).training,
    )
    task = teacher(
        NUM_SAMPLES,
        snr=SNR,
        weight_variance=WEIGHT_VARIANCE,
        num_inputs=NUM_INPUTS,
        num_relevant=NUM_RELEVANT,
    )
    record = LinearRecord(make_model(training), NOISE_VARIANCE, NUM_RELEVANT)
    return train(
        config,
        {(): Arm(training, task, record)},
        factors=(),
        source="Saxe et al. (2018), section 5, figure 6",
        folder=folder,
        snr=SNR,
        weight_variance=WEIGHT_VARIANCE,
        noise_variance=NOISE_VARIANCE,
        num_relevant=NUM_RELEVANT,
    )


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw the information about all, relevant and irrelevant inputs, and tabulate how it changes."""
    seeds = results.sizes["seed"]
    title = f"{NUM_RELEVANT} relevant and {NUM_INPUTS - NUM_RELEVANT} irrelevant inputs, {seeds} seeds"
    figure = plot_parts(results, names=LAYERS, title=f"{title}, mean with 95% band")
    return {"irrelevant_inputs.png": figure}, [parts_table(results)]


def parts_table(results: xr.Dataset) -> Table:
    """Tabulate by layer and part of the inputs the fall after the peak and the rise up to it; bits."""
    rows = []
    for part, variable in PARTS.items():
        information = results[variable].transpose("seed", "epoch", "layer")
        start = information.isel(epoch=0, drop=True)
        summary = compression_summary(results, variable)[["peak", "peak_epoch", "final", *LIMITS]]
        rise = mean_interval((information.sel(epoch=summary.peak_epoch) - start).values)
        limits = {"rise": rise.estimate, "rise_low": rise.low, "rise_high": rise.high}
        summary = summary.rename({name: name.replace("compression", "fall") for name in LIMITS})
        summary = summary.assign({name: ("layer", values) for name, values in limits.items()})
        rows += layer_rows(summary.assign(start=start.mean("seed")), inputs=part)
    columns = "layer inputs start peak peak_epoch final fall fall_low fall_high".split()
    columns += ["rise", "rise_low", "rise_high"]
    return table_of_rows("parts", rows, [verdict(rows, layer) for layer in LAYERS], columns=columns)


def verdict(rows: Sequence[Mapping[str, Any]], layer: int) -> str:
    """Say what follows for one layer from the intervals of how far the parts fall."""
    parts = {row["inputs"]: row for row in rows if row["layer"] == layer}

    def say(part: str) -> str:
        amount, low, high = (parts[part][f"fall{end}"] for end in ("", "_low", "_high"))
        falling = "falls after its peak" if low > 0 else "does not fall"
        return f"about {part} inputs {falling} ({amount:.3f} bits, {low:.3f} to {high:.3f})"

    facts = f"{LAYERS[layer]}: information " + "; ".join(map(say, ("irrelevant", "relevant", "all")))
    if parts["irrelevant"]["fall_low"] > 0 >= parts["all"]["fall_low"]:
        return (
            f"{facts}. The network forgets what does not matter, and I(X;T) does not show it; it does "
            "so while it fits, not afterwards."
        )
    return f"{facts}."


if __name__ == "__main__":
    main("irrelevant_inputs", Config, run, report)
