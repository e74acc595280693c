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

from experiments.lab import Arm, LabConfig, Table, main, symmetric, table_of_rows, train
from ibjax.analysis.records import PlaneRecord
from ibjax.presets import preset
from ibjax.training import TrainConfig, blocks, make_model

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
    num_epochs = int(recorded[-1]) + config.last_stretch
    task, estimator, arms = symmetric(every=32), preset("paper").estimator, {}
    for activation in ("tanh", "relu"):
        training = TrainConfig((3, 2), activation, num_epochs=num_epochs, batch_size=64)
        arms[(activation,)] = Arm(training, task, PlaneRecord(make_model(training), estimator))
    return train(config, arms, factors=("activation",), source="none", schedule=recorded, folder=folder)


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """A figure, and a table with a note and a verdict."""
    figure = Figure()
    figure.subplots().plot(results.epoch, results.ixt.mean(["activation", "seed"]))
    ends = results.ixt.isel(epoch=-1, layer=0).mean("seed")
    rows = [
        {"activation": str(a), "ixt": float(ends.sel(activation=a))} for a in results.activation.values
    ]
    return {"ixt.png": figure}, [table_of_rows("ends", rows, ["ixt: bits", "It falls."])]


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
