"""Sweeps of experiments: grids of settings, with a live bar, checkpoints and provenance."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from experiments.lab.cluster import workers_of
from experiments.lab.command import LabConfig
from experiments.lab.progress import progress_bar
from experiments.lab.tasks import Task
from ibjax.training import TrainConfig, sweep
from ibjax.types import ArrayLike, Record

__all__ = ["train_grid"]


def train_grid(
    config: LabConfig,
    training: TrainConfig,
    task: Task,
    *,
    over: Mapping[str, Any],
    record: Callable[[TrainConfig], Record],
    source: str,
    schedule: str | ArrayLike = "log",
    folder: Path | None = None,
    **attributes: Any,
) -> xr.Dataset:
    """Train and measure all combinations of settings by one sweep.

    Args:
        config: options from the command line.
        training: settings that all cells share.
        task: the task that they learn, with data that all seeds share.
        over: values by the names of settings, for ``sweep``.
        record: function from a cell's configuration to its record.
        source: the paper, section and figure that the experiment is about.
        schedule: schedule of recorded epochs.
        folder: folder for checkpoints, or None.
        **attributes: further provenance, such as the bins.

    Returns:
        Dataset with dims ``(*over, "seed", "epoch", "layer")``, and attributes as those of ``train``.
    """
    with workers_of(config.cluster) as executor, progress_bar(1, config.writes) as on_advance_of:
        results = sweep(
            training,
            task.data,
            over=over,
            seeds=config.seed_range,
            record=record,
            schedule=schedule,
            draw_labels=task.draw_labels,
            executor=executor,
            checkpoint_dir=folder and folder / "grid",
            resume=config.how_to_resume,
            on_advance=on_advance_of("grid"),
        )
    measured_on, num_samples = task.measured(training, record(training).rows)
    provenance = {"dataset": task.description, "measured_on": measured_on, "num_samples": num_samples}
    return results.assign_attrs(
        source=source, **provenance, noise_variance=training.noise_variance, seed=config.seed
    ).assign_attrs(attributes)
