"""Training of many small networks at once."""

from ibjax.training.blocks import Advance
from ibjax.training.config import TrainConfig, make_model, make_optimizer
from ibjax.training.loop import fit
from ibjax.training.schedule import (
    idnns_epochs,
    log_spaced_epochs,
    recorded_epochs,
    saxe_epochs,
)
from ibjax.training.sweep import sweep

__all__ = [
    "Advance",
    "TrainConfig",
    "fit",
    "idnns_epochs",
    "log_spaced_epochs",
    "make_model",
    "make_optimizer",
    "recorded_epochs",
    "saxe_epochs",
    "sweep",
]
