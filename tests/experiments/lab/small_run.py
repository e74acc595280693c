"""An experiment of seconds, with the command line of all: to be killed, stopped, and run out of room.

Command: python -m tests.experiments.lab.small_run
"""

import dataclasses
import os
import signal
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import LabConfig, Table, main, train_arms
from ibjax.analysis.records import plane_record
from ibjax.datasets import symmetric_task
from ibjax.presets import preset
from ibjax.results import stack_arms
from ibjax.training import TrainConfig, blocks, make_model
from ibjax.types import Dataset

NAME = "small_run"


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Two arms of small networks on a 32nd of the words."""

    seeds: int = 14
    """Two blocks."""
    last_stretch: int = 2
    """Epochs from the last but one recorded epoch to the last."""


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train, with a checkpoint at every recorded epoch."""
    blocks.SECONDS_BETWEEN_CHECKPOINTS = 0.0
    recorded = np.arange(config.epochs or 5)
    arms = {
        (activation,): TrainConfig(
            widths=(3, 2), activation=activation, num_epochs=int(recorded[-1]) + config.last_stretch,
            batch_size=64,
        )
        for activation in ("tanh", "relu")
    }  # fmt: skip
    data = symmetric_task()
    found = train_arms(
        config, arms, Dataset(data.x[::32], data.y[::32]),
        lambda training: plane_record(make_model(training), preset("paper").estimator),
        schedule=recorded, folder=folder,
    )  # fmt: skip
    return stack_arms(found, ("activation",)).assign_attrs(experiment=NAME)


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """A figure, and a table with a note and a verdict."""
    figure = Figure()
    figure.subplots().plot(results.epoch, results.ixt.mean(["activation", "seed"]))
    ends = results.ixt.isel(epoch=-1, layer=0).mean("seed")
    rows = [[str(name), float(ends.sel(activation=name))] for name in results.activation.values]
    return {"ixt.png": figure}, [Table("ends", ["activation", "ixt"], rows, ["ixt: bits", "It falls."])]


def kill_in_write() -> None:
    """From here on the process dies with half a file written."""
    whole = xr.Dataset.to_netcdf

    def half(results, path, **options):
        whole(results, path, **options)
        os.truncate(path, os.path.getsize(path) // 2)
        os.kill(os.getpid(), signal.SIGKILL)

    xr.Dataset.to_netcdf = half


if __name__ == "__main__":
    if os.environ.get("KILL_IN_WRITE"):
        kill_in_write()
    main(NAME, Config, run, report)
