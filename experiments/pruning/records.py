"""Records for pruning: what early stopping and accuracies need, after every epoch, and parameters."""

import dataclasses
from typing import Any

import jax.numpy as jnp

from experiments.lab import Task
from experiments.lab.parameters import ParametersRecord
from experiments.lab.revisiting import binned_plane
from experiments.lab.two_passes import TwoPassRecord
from ibjax.analysis.records import JointRecord
from ibjax.datasets.splits import hold_out
from ibjax.losses import cross_entropy, output_units
from ibjax.models import MLP
from ibjax.training import TrainConfig, make_model
from ibjax.types import PyTree, Record, Samples, Split, Variable

__all__ = ["StoppingRecord", "plane_and_parameters"]


@dataclasses.dataclass(frozen=True)
class StoppingRecord(Record):
    """Record of what tells where a network stops, how well it does, and whether it is dead.

    ``record(params, data, split)`` returns a dict of ``validation_loss``, nats, ``test_accuracy`` and
    ``num_varying`` (layer,), as ``PlaneRecord`` with ``rows="train"`` measures them, without planes:
    cheap enough for every epoch.

    Args:
        model: the network.
        validation_fraction: fraction of the training rows held out.
    """

    model: MLP
    validation_fraction: float

    def __call__(self, params: PyTree, data: Samples, split: Split) -> dict[str, Any]:
        logits, hidden = self.model.apply(params, data.x.T, method="feature_major")
        _, held_out = hold_out(split.train, self.validation_fraction)
        loss = cross_entropy(logits, data.y)
        correct = jnp.where(jnp.isfinite(loss), jnp.argmax(logits, axis=0) == data.y, jnp.nan)
        layers = [h[:, split.train] for h in map(jnp.asarray, [*hidden, output_units(logits)])]
        return {
            "validation_loss": loss[held_out].mean(),
            "test_accuracy": correct[split.test].mean(),
            "num_varying": jnp.stack([(h != h[:, :1]).any(axis=1).sum(dtype=jnp.int32) for h in layers]),
        }

    @property
    def variables(self) -> dict[str, Variable]:
        """Descriptions of the recorded variables, by name."""
        return {
            "validation_loss": Variable((), "nats", "validation cross-entropy"),
            "test_accuracy": Variable((), "1", "test accuracy"),
            "num_varying": Variable(("layer",), "1", "units not constant over the samples"),
        }

    def __str__(self) -> str:
        return "validation loss, test accuracy, varying units"


def plane_and_parameters(task: Task, training: TrainConfig) -> Record:
    """Return the record of the training samples' plane, in bins, and of the network's parameters."""
    plane, parameters = binned_plane(task, training), ParametersRecord(make_model(training))
    if isinstance(plane, TwoPassRecord):
        record_of = plane.record_of
        return TwoPassRecord(plane.model, lambda limits: JointRecord([record_of(limits), parameters]))
    return JointRecord([plane, parameters])
