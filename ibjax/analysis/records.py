"""Records of the information plane, for ``training.fit``: they measure one network at an epoch."""

import dataclasses
import functools
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from ibjax.analysis._inputs import as_sequence, check_text
from ibjax.analysis._networks import as_estimators, check_module, for_layers
from ibjax.checks import check_function, check_known, check_number, kind_of
from ibjax.datasets.splits import hold_out
from ibjax.functions import by_value, describe_function
from ibjax.losses import cross_entropy, output_units, two_logits
from ibjax.models import MLP
from ibjax.types import Estimator, PyTree, Record, Split, Variable

__all__ = ["ROWS", "JointRecord", "PlaneRecord", "PlanesRecord"]

# Samples on which information is measured.
ROWS = ("all", "train", "test")

QUALITY = {
    "train_loss": Variable((), "nats", "training cross-entropy"),
    "test_loss": Variable((), "nats", "test cross-entropy"),
    "train_accuracy": Variable((), "1", "training accuracy"),
    "test_accuracy": Variable((), "1", "test accuracy"),
}
VALIDATION = {
    "validation_loss": Variable((), "nats", "validation cross-entropy"),
    "validation_accuracy": Variable((), "1", "validation accuracy"),
}


@dataclasses.dataclass(frozen=True)
class PlaneRecord(Record):
    """Record of the information plane and of the network's losses and accuracies.

    ``record(params, data, split)`` returns a dict of ``ixt`` and ``ity`` (layer,), bits, for the hidden
    layers and last the output, softmax or one sigmoid unit; of ``num_varying`` (layer,) int32, how many
    of a layer's units are not constant over the measured samples, which a NaN counts as; and of the
    scalars ``train_loss``, ``test_loss`` (mean cross-entropy, nats), ``train_accuracy`` and
    ``test_accuracy``.

    With a ``validation_fraction``, the training loss and accuracy are those of the training rows that
    updates use, and ``validation_loss`` and ``validation_accuracy`` those of the rows held out. With
    ``rows="train"`` information is measured on both.

    Args:
        model: the network: an ``MLP``, or a Flax module that returns logits (n, k) and a list of hidden
            activations, of which the axes after the first are flattened.
        estimator: function ``estimator(t, y) -> MI`` for one layer; or one for each layer, the output
            last. A ``functools.partial`` of plain options compares by their values.
        rows: samples on which information is measured: "all", "train" or "test".
        validation_fraction: fraction of the training rows held out, that of the ``TrainConfig``.

    Raises:
        ValueError: for anything but a module, unknown ``rows``, estimators that are not functions, more
            or fewer of them than layers, a fraction outside [0, 1).
    """

    model: nn.Module
    estimator: Estimator | Sequence[Estimator]
    rows: str = "all"
    validation_fraction: float = 0.0

    def __post_init__(self):
        check_module(self.model)
        check_known("rows", self.rows, ROWS)
        _check_fraction(self)
        layer_estimators = as_estimators("estimator", self.estimator, self.model)
        object.__setattr__(self, "estimator", tuple(map(by_value, layer_estimators)))

    def __call__(self, params: PyTree, data: Any, split: Split) -> dict[str, Any]:
        planes = _measured(self, (self.estimator,), params, data, split)
        return planes | {name: planes[name][0] for name in ("ixt", "ity")}

    @property
    def variables(self) -> dict[str, Variable]:
        """Descriptions of the recorded variables, by name."""
        return _plane_variables(("layer",)) | _quality_variables(self.validation_fraction)

    def __str__(self) -> str:
        return _describe_layers(self.estimator)


@dataclasses.dataclass(frozen=True)
class PlanesRecord(Record):
    """Record as ``PlaneRecord``, with several estimators: ``ixt`` and ``ity`` are (estimator, layer).

    Args:
        model: the network.
        estimators: estimators by name, each one function or one for each layer.
        rows: samples on which information is measured: "all", "train" or "test".
        settings: names of the settings if every estimator measures in several: its ``MI`` then holds
            (setting,) arrays, and ``ixt`` and ``ity`` are (estimator, setting, layer).
        factor: name of the estimators' axis.
        validation_fraction: as in ``PlaneRecord``.

    Raises:
        ValueError: as ``PlaneRecord``, for no estimators, and for names that are not texts.
    """

    model: nn.Module
    estimators: Mapping[str, Estimator | Sequence[Estimator]] | tuple[tuple[str, Any], ...]
    rows: str = "all"
    settings: tuple[str, ...] = ()
    factor: str = "estimator"
    validation_fraction: float = 0.0

    def __post_init__(self):
        check_module(self.model)
        check_known("rows", self.rows, ROWS)
        _check_fraction(self)
        named = self.estimators
        if isinstance(named, tuple) and all(isinstance(p, tuple) and len(p) == 2 for p in named):
            named = dict(named)  # as they are kept, for dataclasses.replace
        if not isinstance(named, Mapping) or not named:
            wanted = "one or more estimators by name"
            raise ValueError(f"estimators: expected {wanted}, got {kind_of(named)}")
        layer_estimators = (as_estimators("estimators", e, self.model) for e in named.values())
        pairs = zip(map(str, named), (tuple(map(by_value, e)) for e in layer_estimators), strict=True)
        object.__setattr__(self, "estimators", tuple(pairs))
        none = isinstance(self.settings, tuple) and not self.settings
        settings = () if none else as_sequence("settings", self.settings, "names")
        for text in (self.factor, *settings):
            check_text("factor, settings", text)
        if not self.factor:
            raise ValueError("factor: expected a name, got an empty text")
        object.__setattr__(self, "settings", settings)

    def __call__(self, params: PyTree, data: Any, split: Split) -> dict[str, Any]:
        estimators = tuple(layer_estimators for _, layer_estimators in self.estimators)
        return _measured(self, estimators, params, data, split)

    @property
    def variables(self) -> dict[str, Variable]:
        """Descriptions of the recorded variables, by name."""
        variables = _plane_variables((*self.coords, "layer"))
        return variables | _quality_variables(self.validation_fraction)

    @property
    def coords(self) -> dict[str, tuple[str, ...]]:
        """Names of the estimators and of their settings."""
        settings = {"setting": self.settings} if self.settings else {}
        return {self.factor: tuple(name for name, _ in self.estimators), **settings}

    def __str__(self) -> str:
        return "; ".join(f"{name}: {_describe_layers(e)}" for name, e in self.estimators)


@dataclasses.dataclass(frozen=True)
class JointRecord(Record):
    """Record of what several records measure, for example planes and gradients.

    Args:
        records: records to join; of variables of equal names, the last record's counts.

    Raises:
        ValueError: for no records, and for anything but records.
    """

    records: Sequence[Record]

    def __post_init__(self):
        records = as_sequence("records", self.records, "records")
        for record in records:
            check_function("records", record, "of params, data and split")
            if not isinstance(record, Record):
                wanted = "records that declare their variables, such as PlaneRecord"
                raise ValueError(f"records: expected {wanted}, got {kind_of(record)}")
        object.__setattr__(self, "records", records)

    def __call__(self, params: PyTree, data: Any, split: Split) -> dict[str, Any]:
        return functools.reduce(operator.or_, (r(params, data, split) for r in self.records))

    @property
    def variables(self) -> dict[str, Variable]:
        """Descriptions of the recorded variables, by name."""
        return functools.reduce(operator.or_, (dict(r.variables) for r in self.records))

    @property
    def coords(self) -> dict[str, tuple[str, ...]]:
        """Names along the records' own axes."""
        return functools.reduce(operator.or_, (dict(r.coords) for r in self.records))

    @property
    def rows(self) -> str:
        """Samples on which the first record measures."""
        return self.records[0].rows

    def __str__(self) -> str:
        return "; ".join(map(str, self.records))


def _check_fraction(record: PlaneRecord | PlanesRecord) -> None:
    name = "validation_fraction"
    check_number(name, record.validation_fraction, at_least=0, below=1)
    object.__setattr__(record, name, float(record.validation_fraction))


def _quality_variables(validation_fraction: float) -> dict[str, Variable]:
    return QUALITY | VALIDATION if validation_fraction > 0 else QUALITY


def _plane_variables(dims: tuple[str, ...]) -> dict[str, Variable]:
    return {
        "ixt": Variable(dims, "bits", "I(X;T)"),
        "ity": Variable(dims, "bits", "I(T;Y)"),
        "num_varying": Variable(("layer",), "1", "units not constant over the samples"),
    }


def _describe_layers(layer_estimators) -> str:
    """Return the estimator's description, or, if layers' differ, each layer's once."""
    return ", ".join(dict.fromkeys(map(describe_function, layer_estimators)))


def _measured(
    record: PlaneRecord | PlanesRecord, estimators, params: PyTree, data: Any, split: Split
) -> dict[str, Any]:
    logits, hidden = _activations(record.model, params, data.x)
    chosen = slice(None) if record.rows == "all" else getattr(split, record.rows)
    layers = [t[chosen] for t in [*hidden, output_units(logits).T]]
    estimators = [for_layers("estimator", of_layers, len(layers)) for of_layers in estimators]
    measured = [
        [measure(t, data.y[chosen]) for measure, t in zip(layer_estimators, layers, strict=True)]
        for layer_estimators in estimators
    ]
    loss = cross_entropy(logits, data.y)
    # A network whose outputs are not finite has no accuracy, whatever argmax returns.
    predicted = jnp.argmax(two_logits(logits), axis=0)
    correct = jnp.where(jnp.isfinite(loss), predicted == data.y, jnp.nan)

    def stacked(name):  # (estimator, ..., layer)
        planes = [jnp.stack([getattr(mi, name) for mi in plane], -1) for plane in measured]
        return jnp.stack(planes)

    fitted, held_out = hold_out(split.train, record.validation_fraction)
    parts = {"train": fitted, "test": split.test}
    if record.validation_fraction > 0:
        parts["validation"] = held_out
    return {
        "ixt": stacked("ixt"),
        "ity": stacked("ity"),
        "num_varying": jnp.stack([(t != t[:1]).any(axis=0).sum(dtype=jnp.int32) for t in layers]),
        **{f"{part}_loss": loss[rows].mean() for part, rows in parts.items()},
        **{f"{part}_accuracy": correct[rows].mean() for part, rows in parts.items()},
    }


def _activations(model: nn.Module, params: PyTree, x: Array) -> tuple[Array, list[Array]]:
    """Return logits (k, n) and hidden activations (n, width)."""
    outputs: Any
    if isinstance(model, MLP):
        outputs = model.apply(params, x.T, method="feature_major")
        return outputs[0], [t.T for t in outputs[1]]
    outputs = model.apply(params, x)
    logits, hidden = outputs
    return logits.T, [t.reshape(len(t), -1) for t in hidden]
