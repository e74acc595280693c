"""Training of an experiment's arms, and the provenance of their planes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from experiments.lab.command import LabConfig
from experiments.lab.progress import progress_bar
from ibjax.presets import Preset, preset
from ibjax.results import describe_function, environment, history_to_dataset
from ibjax.training import TrainConfig, fit
from ibjax.types import Record

__all__ = ["paper_training", "plane_attributes", "train_arms"]


def paper_training(
    config: LabConfig, *, epochs: int, smoke_epochs: int, smoke_widths: tuple[int, ...], **options: Any
) -> TrainConfig:
    """Return the training of the preset "paper", with few epochs and a small network in a smoke run.

    Args:
        config: options from the command line.
        epochs: number of epochs at full scale.
        smoke_epochs: number of epochs in a smoke run.
        smoke_widths: layer widths in a smoke run, small because it mostly compiles, layer by layer.
        options: further options for ``TrainConfig``, such as the activation.
    """
    options |= preset("paper").training
    options["num_epochs"] = config.epochs or (smoke_epochs if config.smoke else epochs)
    if config.smoke:
        options["widths"] = smoke_widths
    return TrainConfig(**options)


def train_arms(
    config: LabConfig,
    arms: Mapping[tuple[str, ...], TrainConfig],
    data: Any,
    record_of: Callable[[TrainConfig], Record],
    *,
    schedule: Any,
    folder: Path | None,
    **options: Any,
) -> dict[tuple[str, ...], xr.Dataset]:
    """Train and measure every arm, with a live bar; return Datasets by the arms' keys (factor levels).

    Args:
        config: options from the command line.
        arms: training configuration of each arm.
        data: data for ``fit``.
        record_of: function from an arm's configuration to its record function, with records like those
            of ``plane_record``.
        schedule: schedule for ``fit``.
        folder: folder for checkpoints, or None.
        options: further options for ``fit``.
    """
    found = {}
    with progress_bar(len(arms)) as on_advance_of:
        for key, training in arms.items():
            history = fit(
                training,
                data,
                record=record_of(training),
                schedule=schedule,
                on_advance=on_advance_of(" ".join(key)),
                **config.fit_options(folder, "_".join(key)),
                **options,
            )
            found[key] = history_to_dataset(history, training.as_dict())
    return found


def plane_attributes(config: LabConfig, name: str, convention: Preset, source: str) -> dict[str, Any]:
    """Provenance of planes measured on all 4096 inputs with a preset's estimator."""
    return {
        "experiment": name,
        "source": source,
        "preset": convention.source,
        "dataset": "ibjax.datasets.symmetric_task(): 4096 binary words, hard labels",
        "estimator": describe_function(convention.estimator),
        "binning": convention.binning,
        "measured_on": "all 4096 inputs",
        "num_samples": 4096,
        "noise_variance": 0.0,
        "seed": config.seed,
        **environment(),
    }
