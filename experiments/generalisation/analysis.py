"""The rise of the validation loss, and the phases of layers that compress."""

import numpy as np
import xarray as xr

from ibjax.analysis.compression import compression_summary
from ibjax.analysis.phases import plane_phases
from ibjax.analysis.stopping import at_position, perfect_stopping

__all__ = ["FALL", "RISE_NATS", "phases_of_compressing", "since_minimum"]

# A rise of the loss that counts, nats; a fall of accuracy that does.
RISE_NATS, FALL = 0.05, 0.01


def since_minimum(arm: xr.Dataset) -> xr.Dataset:
    """Find each seed's epoch of the least validation loss, and how loss and accuracy change from it."""
    position = perfect_stopping(arm.validation_loss.transpose("seed", "epoch").values)
    known = position >= 0
    change = {
        name: arm[name].isel(epoch=-1).drop_vars("epoch") - at_position(arm[name], position)
        for name in ("validation_loss", "validation_accuracy")
    }
    held = (change["validation_loss"] > RISE_NATS) & (change["validation_accuracy"] > -FALL)
    return xr.Dataset(
        {
            "epoch": ("seed", np.where(known, arm.epoch.values[position], np.nan), {"units": "epochs"}),
            "loss_rise": change["validation_loss"],
            "accuracy_change": change["validation_accuracy"],
            "rises_while_held": held.where(xr.DataArray(known, dims="seed")),
        }
    )


def phases_of_compressing(arm: xr.Dataset) -> xr.Dataset:
    """Return phases, those of compression only in layers that compress, over seeds, beyond noise."""
    compresses = compression_summary(arm[["ixt"]]).compresses
    phases, names = plane_phases(arm), ("compression_start", "compression_end")
    return phases.assign({name: phases[name].where(compresses) for name in names})
