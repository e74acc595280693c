"""Record of how hard the units of a layer are driven."""

import dataclasses
from typing import Any

import jax.numpy as jnp

from ibjax.analysis._networks import check_model, known_layers
from ibjax.analysis.gradients import SATURATED_SLOPE, saturated_share
from ibjax.models import MLP
from ibjax.numerics import product
from ibjax.types import PyTree, Record, Samples, Split, Variable

__all__ = ["DriveRecord"]


@dataclasses.dataclass(frozen=True)
class DriveRecord(Record):
    """Record of the pre-activations' size and of the share of saturated units, on all inputs.

    ``record(params, data, split)`` returns a dict of (layer,) arrays, the output last:
    ``pre_activation``, the root mean square over inputs and units of ``W^T h + b``; ``saturated``, by
    ``ibjax.analysis.gradients.saturated_share``, NaN for the output.

    Args:
        model: the network.

    Raises:
        ValueError: for anything but an ``MLP``.
    """

    model: MLP

    def __post_init__(self):
        check_model(self.model)

    def __call__(self, params: PyTree, data: Samples, split: Split) -> dict[str, Any]:
        _, hidden = self.model.apply(params, data.x.T, method="feature_major")
        layers = known_layers(params, self.model)
        sizes = []
        for layer, h in zip(layers, [data.x.T, *hidden], strict=True):
            z = product(layer["kernel"].T, h) + layer["bias"][:, None]  # (width, n)
            sizes.append(jnp.sqrt((z**2).mean()))
        return {
            "pre_activation": jnp.stack(sizes),
            "saturated": saturated_share(self.model, params, data.x),
        }

    @property
    def variables(self) -> dict[str, Variable]:
        """Descriptions of the recorded variables, by name."""
        return {
            "pre_activation": Variable(("layer",), "1", "root mean square pre-activation"),
            "saturated": Variable(
                ("layer",), "1", "share of units and inputs at a flat part of the activation"
            ),
        }

    def __str__(self) -> str:
        return f"pre-activations, and units with a slope below {SATURATED_SLOPE} of the steepest"
