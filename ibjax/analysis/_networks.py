"""Checks and conversion of networks, their parameters, samples and estimators."""

from collections.abc import Mapping
from typing import Any, cast

import flax.linen as nn
import numpy as np

from ibjax.analysis._inputs import as_floats, as_sequence, check_below
from ibjax.arrays import as_labels
from ibjax.checks import check_function, kind_of
from ibjax.models import MLP
from ibjax.types import Estimator, LabelledSamples, PyTree, Samples

__all__ = [
    "as_dataset",
    "as_estimators",
    "as_targets",
    "check_model",
    "check_module",
    "for_layers",
    "known_layers",
]


def check_model(model: Any) -> None:
    if not isinstance(model, MLP):
        raise ValueError(f"model: expected an ibjax.models.MLP, got {kind_of(model)}")


def check_module(model: Any) -> None:
    if not isinstance(model, nn.Module):
        raise ValueError(
            "model: expected an ibjax.models.MLP, or a Flax module that returns logits and a list of "
            f"hidden activations, got {kind_of(model)}"
        )


def known_layers(
    params: PyTree, model: MLP | None = None, num_inputs: int | None = None
) -> list[PyTree]:
    """Return a network's layers, each with its ``kernel`` and ``bias``, starting at the input.

    Args:
        params: parameters of an ``MLP``.
        model: network that the parameters must fit, or None.
        num_inputs: number of inputs that the first layer must have, or None.

    Raises:
        ValueError: for other parameters, and those of a network with other widths.
    """
    layers = params.get("params") if isinstance(params, Mapping) else None
    layers = layers if isinstance(layers, Mapping) else {}
    ordered: list[Any] = [layers.get(f"layer_{i}") for i in range(1, len(layers) + 1)]
    if not ordered or not all(map(_is_layer, ordered)):
        raise ValueError(f"params: expected the parameters of an MLP, as of init, got {kind_of(params)}")
    widths = [np.shape(layer["kernel"])[1] for layer in ordered]
    fans = [np.shape(layer["kernel"])[0] for layer in ordered]
    wanted = [fans[0] if num_inputs is None else num_inputs]
    wanted += widths if model is None else model.widths
    if (fans, widths) != (wanted[:-1], wanted[1:]):
        raise ValueError(
            f"params: expected layers of {' - '.join(map(str, wanted))} units, "
            f"got kernels of shapes {', '.join(map(str, zip(fans, widths, strict=True)))}"
        )
    return ordered


def as_dataset(data: Any) -> LabelledSamples:
    """Return inputs (n, d) in float32 and class labels (n,) of an object with ``x`` and ``y``.

    Raises:
        ValueError: for objects without them, other shapes, inputs that are not finite, labels that are
            not integers.
    """
    x = _inputs(data)
    return LabelledSamples(x, as_labels("data.y", data.y, "data.x", x))


def as_targets(data: Any, loss: str, num_outputs: int) -> tuple[Any, Any]:
    """Return inputs (n, d) in float32 and targets for a network with ``num_outputs`` outputs.

    Targets are labels (n,) from 0 for cross-entropy, and numbers (n, num_outputs) in float32 for other
    losses.

    Raises:
        ValueError: as ``as_dataset``, and for other labels.
    """
    if loss != "cross_entropy":
        x, y = _inputs(data), as_floats("data.y", data.y, "(n, k)")
        if y.shape != (len(x), num_outputs):
            raise ValueError(f"data.y: expected shape {(len(x), num_outputs)}, got shape {y.shape}")
        return x, y
    x, y = as_dataset(data)
    check_below("data.y", y, max(num_outputs, 2))
    return x, y


def as_estimators(name: str, estimator: Any, model: nn.Module) -> tuple[Estimator, ...]:
    """Return an estimator for each layer: the same one, or those of a sequence.

    The layers of other modules than an ``MLP`` are counted by ``for_layers``, once they are known.
    """
    count = len(model.widths) if isinstance(model, MLP) else None
    if callable(estimator):
        check_function(name, estimator, "of (t, y)")
        return (cast(Estimator, estimator),) * (count or 1)
    each = "each layer" if count is None else f"each of the {count} layers"
    given = as_sequence(name, estimator, f"functions of (t, y), one for {each}")
    for layer_estimator in given:
        check_function(name, layer_estimator, "of (t, y)")
    return for_layers(name, given, count or len(given))


def for_layers(name: str, estimators: tuple[Estimator, ...], count: int) -> tuple[Estimator, ...]:
    """Return estimators for ``count`` layers; a single one is for all.

    Raises:
        ValueError: for another number of them.
    """
    if len(estimators) not in (1, count):
        raise ValueError(f"{name}: expected one for each of the {count} layers, got {len(estimators)}")
    return estimators * (count // len(estimators))


def _inputs(data):
    if not isinstance(data, Samples):
        raise ValueError(
            f"data: expected samples with x and y, such as LabelledSamples, got {kind_of(data)}"
        )
    return as_floats("data.x", data.x, "(n, d)")


def _is_layer(layer) -> bool:
    return (
        isinstance(layer, Mapping)
        and {"kernel", "bias"} <= layer.keys()
        and np.ndim(layer["kernel"]) == 2
        and np.shape(layer["bias"]) == np.shape(layer["kernel"])[1:]
    )
