"""Record functions for ``training.fit``, which measure one network at a recorded epoch."""

import functools
import operator
from collections.abc import Hashable, Sequence
from typing import cast

import jax.numpy as jnp
import numpy as np

from ibjax.analysis._inputs import as_sequence
from ibjax.analysis._networks import as_estimators, check_model
from ibjax.checks import as_whole, check_function, check_known, kind_of
from ibjax.losses import cross_entropy, output_units, two_logits
from ibjax.models import MLP
from ibjax.types import Dataset, Estimator, History, Record, Split

__all__ = ["joint_record", "plane_record", "planes_record", "select_estimator"]

ROWS = ("all", "train", "test")


def plane_record(model: MLP, estimator: Estimator | Sequence[Estimator], *, rows: str = "all") -> Record:
    """Return a record function of the information plane and of the network's losses and accuracies.

    Args:
        model: the network.
        estimator: function ``estimator(t, y) -> MI`` for one layer; or one for each layer, the output
            last.
        rows: samples on which information is measured: "all", "train" or "test".

    Returns:
        ``record(params, data, split)``, which returns a dict of ``ixt`` and ``ity`` (layer,), bits,
        for the hidden layers and last the output, softmax or one sigmoid unit; and of the scalars
        ``train_loss``, ``test_loss`` (mean cross-entropy, nats), ``train_accuracy`` and
        ``test_accuracy``. The same arguments give the same function, so that its program is compiled
        once.

    Raises:
        ValueError: for anything but an ``MLP``, unknown ``rows``, estimators that are not functions,
            more or fewer of them than layers.
    """
    check_model(model)
    check_known("rows", rows, ROWS)
    of_layers = as_estimators("estimator", estimator, len(model.widths))
    return _plane_record(cast(Hashable, model), of_layers, rows)


def planes_record(
    model: MLP, estimators: Sequence[Estimator | Sequence[Estimator]], *, rows: str = "all"
) -> Record:
    """Return a ``plane_record`` with several estimators: ``ixt`` and ``ity`` are (estimator, layer).

    If an estimator returns arrays, one value per setting, their axes come in between:
    (estimator, setting, layer).

    Raises:
        ValueError: as ``plane_record``, and for no estimators.
    """
    check_model(model)
    check_known("rows", rows, ROWS)
    of_layers = tuple(
        as_estimators("estimators", estimator, len(model.widths))
        for estimator in as_sequence("estimators", estimators, "estimators")
    )
    return _planes_record(cast(Hashable, model), of_layers, rows)


def joint_record(*records: Record) -> Record:
    """Return a record function that measures what several measure, for example planes and gradients.

    Args:
        *records: record functions that return dicts; of equal names, the last counts.

    Returns:
        ``record(params, data, split)``, which returns the dicts as one. The same arguments give the
        same function, so that its program is compiled once.

    Raises:
        ValueError: for no records, and for anything but functions.
    """
    if not records:
        raise ValueError("records: expected one or more record functions, got none")
    for record in records:
        check_function("records", record, "of params, data and split")
    return _joint_record(records)


def select_estimator(history: History, *index: int) -> History:
    """Select one estimator (and setting) from the records of ``planes_record``.

    Args:
        history: training history with the records of ``planes_record``.
        index: index of the estimator, and of its setting if it has several.

    Raises:
        ValueError: for anything but a history of that record, and an index that it does not have.
    """
    if not isinstance(history, History) or not {"ixt", "ity"} <= set(history.records):
        raise ValueError(f"history: expected a History of planes_record, got {kind_of(history)}")
    index = tuple(as_whole("index", i, at_least=0) for i in index)
    sizes = np.shape(history.records["ixt"])[2:-1]  # (seed, epoch, estimator, settings..., layer)
    if len(index) > len(sizes) or any(i >= n for i, n in zip(index, sizes, strict=False)):
        raise ValueError(f"index: expected numbers below {sizes}, got {index}")
    seen = {k: history.records[k][:, :, *index] for k in ("ixt", "ity")}
    return history._replace(records=history.records | seen)


@functools.lru_cache(maxsize=64)
def _joint_record(records: tuple[Record, ...]) -> Record:
    def joint(params, data: Dataset, split: Split):
        return functools.reduce(operator.or_, (record(params, data, split) for record in records))

    return joint


@functools.lru_cache(maxsize=64)
def _plane_record(model, estimator: tuple[Estimator, ...], rows: str) -> Record:
    planes = _planes_record(model, (estimator,), rows)

    def record(params, data: Dataset, split: Split):
        seen = planes(params, data, split)
        return seen | {k: seen[k][0] for k in ("ixt", "ity")}

    return record


@functools.lru_cache(maxsize=64)
def _planes_record(model, estimators: tuple[tuple[Estimator, ...], ...], rows: str) -> Record:
    def record(params, data: Dataset, split: Split):
        logits, hidden = model.apply(params, data.x.T, method="feature_major")
        chosen = slice(None) if rows == "all" else getattr(split, rows)
        layers = [t.T[chosen] for t in [*hidden, output_units(logits)]]
        seen = [
            [measure(t, data.y[chosen]) for measure, t in zip(of_layers, layers, strict=True)]
            for of_layers in estimators
        ]
        loss = cross_entropy(logits, data.y)
        # A network whose outputs are not finite has no accuracy, whatever argmax returns.
        predicted = jnp.argmax(two_logits(logits), axis=0)
        correct = jnp.where(jnp.isfinite(loss), predicted == data.y, jnp.nan)

        def stacked(name):  # (estimator, ..., layer)
            of_each = [jnp.stack([getattr(mi, name) for mi in of_layers], -1) for of_layers in seen]
            return jnp.stack(of_each)

        return {
            "ixt": stacked("ixt"),
            "ity": stacked("ity"),
            "train_loss": loss[split.train].mean(),
            "test_loss": loss[split.test].mean(),
            "train_accuracy": correct[split.train].mean(),
            "test_accuracy": correct[split.test].mean(),
        }

    return record
