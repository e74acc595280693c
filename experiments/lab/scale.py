"""The size of an experiment's runs: at full scale, and in a smoke run."""

import dataclasses
import functools
from typing import Any

import numpy as np

from experiments.lab.command import LabConfig
from experiments.lab.tasks import Task, symmetric

__all__ = ["Scale", "scale_of"]


@dataclasses.dataclass(frozen=True)
class Scale:
    """The size of a run.

    Attributes:
        epochs: number of training epochs.
        widths: layer widths, the output last; None for the papers' 10-7-5-4-3-2. A smoke run's network
            is small, because the run mostly compiles, layer by layer.
        every: step through the words of the symmetric task; 1 for all.
        num_recorded: largest number of epochs in ``recorded``; other schedules do not depend on it.
    """

    epochs: int
    widths: tuple[int, ...] | None = None
    every: int = 1
    num_recorded: int = 210

    @property
    def training(self) -> dict[str, Any]:
        """Options of ``TrainConfig``."""
        widths = {} if self.widths is None else {"widths": self.widths}
        return {"num_epochs": self.epochs, **widths}

    @functools.cached_property
    def task(self) -> Task:
        """The symmetric task."""
        return symmetric(self.every)

    @property
    def recorded(self) -> np.ndarray:
        """Epochs in a geometric progression, fewer than ``num_recorded`` where some coincide."""
        return np.unique(np.geomspace(1, self.epochs, self.num_recorded).astype(int))


def scale_of(config: LabConfig, full: Scale, smoke: Scale) -> Scale:
    """Return the scale that the command line asks for.

    Args:
        config: options from the command line.
        full: the experiment's full scale.
        smoke: the scale of its smoke run.
    """
    scale = smoke if config.smoke else full
    return dataclasses.replace(scale, epochs=config.epochs or scale.epochs)
