"""When do networks compress? Is compression the regime of large weights, whatever the path there?

Claim: none of a paper. Shwartz-Ziv & Tishby (2017) see tanh networks compress, Saxe et al. (2018) see
that relu networks do not, and explain it by saturation: weights grow until units sit at the ends of
tanh. If so, their settings are points of one map, and one number, how hard a layer's units are driven at
the end, predicts compression wherever it is large: grown by training or there from the start.

Command:  python -m experiments.phase_diagram
Time:     35 to 45 minutes on 2 cores
Expect:   tanh layers compress where the pre-activations end large by training; layers that begin
          saturated have nothing left to lose. No hidden relu layer compresses by much anywhere.

20 networks 12-10-7-5-4-3-2 a cell on the 12-bit symmetric task, tanh and relu: initial kernels times
13 factors from 1/8 to 8, at 11 learning rates from 0.003 to 3, plain SGD in batches of 256 for 2500
epochs, as one sweep. I(X;T) and I(T;Y) on all 4096 inputs in bins of 0.07, the root mean square
pre-activation and the share of saturated units at 40 epochs. A network has learnt if it ends with a
training accuracy of 95% or more; compression, after fitting, is that of a cell's networks that have, and
cells where fewer than half have learnt have no answer.

Prediction: a layer's compression (and its final I(X;T)) as a broken line in one number, fitted to the
cells of one colour of a checkerboard and to half the seeds, and compared with the other colour's cells
and the other half of the seeds, four ways. Cells share their seeds, so that without halves of the seeds
the noise of a fit would be that of its test. ``experiments.phase_diagram.analysis`` has the rules.

Dims: activation, init_scale, learning_rate, seed, epoch, layer.
"""

import dataclasses
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import LabConfig, Scale, Table, main, scale_of, train_grid
from experiments.phase_diagram.analysis import cell_summary, predictions
from experiments.phase_diagram.conclusions import layers_table, misses_table, papers_table, scores_table
from experiments.phase_diagram.figures import plot_maps, plot_misses, plot_predictions
from experiments.phase_diagram.records import DriveRecord
from ibjax.analysis.records import JointRecord, PlaneRecord
from ibjax.presets import preset
from ibjax.training import TrainConfig, make_model
from ibjax.training.schedule import log_spaced_epochs

__all__ = ["Config", "main", "report", "run"]

ACTIVATIONS = ("tanh", "relu")
INIT_SCALES = (0.125, 0.177, 0.25, 0.354, 0.5, 0.707, 1.0, 1.41, 2.0, 2.83, 4.0, 5.66, 8.0)
LEARNING_RATES = (0.00316, 0.00631, 0.0126, 0.0251, 0.0501, 0.1, 0.2, 0.398, 0.794, 1.58, 3.16)
SMOKE_SCALES, SMOKE_RATES = (0.5, 1.0, 2.0, 4.0), (0.1, 0.398, 1.58)

FULL = Scale(epochs=2500, num_recorded=40)
SMOKE = Scale(epochs=600, widths=(6, 4, 2), every=4, num_recorded=12)


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """When do networks compress? Initial scale against learning rate, tanh and relu."""

    seeds: int = 20
    """Networks per cell."""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train and measure all cells; checkpoints go to ``folder`` if given."""
    convention, scale = preset("paper"), scale_of(config, FULL, SMOKE)

    def record(training: TrainConfig) -> JointRecord:
        model = make_model(training)
        return JointRecord([PlaneRecord(model, convention.estimator), DriveRecord(model)])

    return train_grid(
        config,
        TrainConfig(**convention.training, **scale.training),
        scale.task,
        over={
            "activation": ACTIVATIONS,
            "init_scale": SMOKE_SCALES if config.smoke else INIT_SCALES,
            "learning_rate": SMOKE_RATES if config.smoke else LEARNING_RATES,
        },
        record=record,
        source="Shwartz-Ziv & Tishby (2017), figure 2; Saxe et al. (2018), figure 1",
        schedule=log_spaced_epochs(scale.epochs, scale.num_recorded),
        folder=folder,
        binning=convention.binning,
    )


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw maps and predictions; tabulate cells and scores, and say what follows."""
    cells = cell_summary(results)
    predicted = predictions(results)
    title = f"{results.sizes['seed']} networks a cell, {results.binning}"
    figures = plot_maps(cells, title=title)
    figures["predictions.png"] = plot_predictions(predicted, title=title)
    figures["misses.png"] = plot_misses(predicted, title=title)
    tables = [layers_table(cells), scores_table(predicted), papers_table(predicted)]
    return figures, [*tables, misses_table(predicted)]
