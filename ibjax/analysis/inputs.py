"""Checks and conversion of inputs of analyses: concrete numbers, labelled results, networks.

Numbers may come from any array library. NaN is accepted: it stands for seeds that diverged and for
layers that a network does not have. So is infinity, which a ratio or a loss may reach.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from ibjax.arrays import as_array, as_float32, as_labels
from ibjax.checks import (
    check_finite,
    check_function,
    check_integer,
    check_nonempty,
    check_rank,
    check_same_length,
    check_variables,
    is_concrete,
    kind_of,
)
from ibjax.models import MLP
from ibjax.types import Dataset, Estimator, PyTree, Samples

__all__ = [
    "as_dataset",
    "as_estimators",
    "as_floats",
    "as_integers",
    "as_numbers",
    "as_positions",
    "as_probabilities",
    "as_rows",
    "as_sequence",
    "as_targets",
    "check_broadcast",
    "check_epochs",
    "check_labelled",
    "check_model",
    "check_results",
    "check_same_levels",
    "check_same_seeds",
    "check_text",
    "known_layers",
]


def as_numbers(name: str, x: Any, axes: str, *, empty: bool = False) -> np.ndarray:
    """Convert concrete real numbers to float64.

    Args:
        name: name of the argument, for messages.
        x: anything that an array can be made from.
        axes: required axes, such as "(seed, epoch)"; "(..., layer)" allows others before.
        empty: whether the array may be empty, as for live networks if all are dead.

    Raises:
        ValueError: for anything but an array of concrete real numbers, other axes, and, unless allowed,
            empty arrays.
    """
    return _known(name, x, axes, empty).astype(np.float64)


def as_integers(name: str, x: Any, axes: str, *, at_least: int | None = None) -> np.ndarray:
    """Convert concrete whole numbers of any type to int64.

    Raises:
        ValueError: as ``as_numbers``, for other numbers, and for those below ``at_least``.
    """
    x = _known(name, x, axes)
    if not (np.issubdtype(x.dtype, np.integer) or (np.isfinite(x) & (x == np.floor(x))).all()):
        raise ValueError(f"{name}: expected whole numbers, got {kind_of(x)} of others")
    if at_least is not None and x.min() < at_least:
        raise ValueError(f"{name}: expected numbers of {at_least} or more, got {x.min()}")
    return x.astype(np.int64)


def as_probabilities(name: str, x: Any) -> np.ndarray:
    """Return (n,) concrete numbers from 0 to 1, checked."""
    x = as_numbers(name, x, "(n,)")
    check_finite(name, x)
    if x.min() < 0 or x.max() > 1:
        raise ValueError(f"{name}: expected probabilities from 0 to 1, got {x.min()} to {x.max()}")
    return x


def as_floats(name: str, x: Any, axes: str) -> Any:
    """Convert finite numbers with these axes, none empty, to float32; traced values are not checked.

    Raises:
        ValueError: as ``as_float32``, and for other axes.
    """
    x = as_array(name, x)
    check_rank(name, x, axes.strip("(,)").count(",") + 1, axes)
    check_nonempty(name, x)
    return as_float32(name, x)


def as_positions(name: str, x: Any, num_epochs: int) -> np.ndarray:
    """Return checked (seed,) positions on the axis of epochs; -1 for none."""
    x = as_integers(name, x, "(seed,)", at_least=-1)
    if x.max() >= num_epochs:
        raise ValueError(f"{name}: expected positions of {num_epochs} epochs from 0, got {x.max()}")
    return x


def as_sequence(name: str, x: Any, what: str) -> tuple:
    """Return the entries, one or more, of a list, a tuple or an array's first axis."""
    if (
        isinstance(x, str | bytes)
        or not isinstance(x, Sequence | np.ndarray | jax.Array)
        or (isinstance(x, np.ndarray | jax.Array) and x.ndim == 0)
    ):
        raise ValueError(f"{name}: expected a sequence of {what}, got {kind_of(x)}")
    if len(x) == 0:
        raise ValueError(f"{name}: expected a sequence of {what}, got none")
    return tuple(x)


def check_broadcast(**arrays: Any) -> None:
    """Refuse shapes that do not broadcast.

    Args:
        **arrays: arrays by argument name.
    """
    try:
        np.broadcast_shapes(*map(np.shape, arrays.values()))
    except ValueError:
        shapes = " and ".join(str(np.shape(x)) for x in arrays.values())
        raise ValueError(
            f"{', '.join(arrays)}: expected shapes that go together, got {shapes}"
        ) from None


def as_estimators(name: str, estimator: Any, count: int) -> tuple[Estimator, ...]:
    """Return an estimator for each of ``count`` layers: the same one, or those of a sequence."""
    if callable(estimator):
        check_function(name, estimator, "of (t, y)")
        return (cast(Estimator, estimator),) * count
    given = as_sequence(name, estimator, f"functions of (t, y), one for each of the {count} layers")
    for one in given:
        check_function(name, one, "of (t, y)")
    if len(given) != count:
        raise ValueError(f"{name}: expected one for each of the {count} layers, got {len(given)}")
    return given


def check_epochs(epochs: Any, name: str, curves: np.ndarray) -> np.ndarray:
    """Check recorded epochs (epoch,): concrete, increasing, one for each place on the curves' axis."""
    epochs = as_numbers("epochs", epochs, "(epoch,)")
    check_finite("epochs", epochs)
    check_same_length(f"{name}.T", curves.T, "epochs", epochs)
    if epochs.min() < 0 or (np.diff(epochs) <= 0).any():
        raise ValueError(f"epochs: expected increasing numbers from 0, got {kind_of(epochs.tolist())}")
    return epochs


def check_results(
    name: str, results: Any, variables: Mapping[Any, tuple[str, ...]], *, factors: bool = False
) -> None:
    """Run ``check_variables``, and check that the variables hold one or more real numbers.

    Raises:
        ValueError: as ``check_variables``; for other values, axes without an entry, and recorded epochs
            that are not increasing numbers.
    """
    check_variables(name, results, variables, factors=factors)
    for variable in variables:
        _check_values(f"{name}.{variable}", results[variable])


def check_labelled(name: str, values: Any, dims: Iterable[str], *, factors: bool = False) -> None:
    """Refuse anything but a DataArray of real numbers with these dims, in any order.

    Args:
        name: name of the argument, for messages.
        values: object that should be an xarray DataArray.
        dims: required dims.
        factors: whether further dims are allowed.
    """
    dims = tuple(dims)
    if not hasattr(values, "dims") or not hasattr(values, "dtype"):
        raise ValueError(f"{name}: expected an xarray DataArray, got {kind_of(values)}")
    found = set(values.dims)
    if not set(dims) <= found or (not factors and found != set(dims)):
        wanted = ", ".join((*dims, "others...") if factors else dims)
        raise ValueError(f"{name}: expected dims ({wanted}), got ({', '.join(map(str, values.dims))})")
    _check_values(name, values)


def check_same_seeds(**arms: Any) -> None:
    """Refuse to pair labelled arms, or arrays, with different seeds; unlabelled ones pass.

    Args:
        **arms: arms or arrays by argument name.
    """
    labelled = {
        name: np.asarray(arm.coords["seed"])
        for name, arm in arms.items()
        if hasattr(arm, "coords") and "seed" in arm.coords
    }
    (first, seeds), *others = labelled.items() if labelled else [("", np.array([]))]
    for name, own in others:
        if not np.array_equal(seeds, own):
            raise ValueError(
                f"{first}, {name}: expected the same seeds in the same order, "
                f"got {_shortened(seeds)} and {_shortened(own)}"
            )


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
    _check_below("data.y", y, max(num_outputs, 2))
    return x, y


def as_rows(name: str, rows: Any, num_rows: int | None = None) -> Any:
    """Return row numbers (n,), checked to be below ``num_rows``, by default n, unless traced."""
    rows = as_array(name, rows)
    check_rank(name, rows, 1, "(n,)")
    check_nonempty(name, rows)
    check_integer(name, rows)
    _check_below(name, rows, len(rows) if num_rows is None else num_rows)
    return jnp.asarray(rows)


def check_same_levels(dimension: str, **results: Any) -> None:
    """Refuse results whose levels of a dimension differ.

    Args:
        dimension: dimension that all results have.
        **results: results by argument name.
    """
    (first, known), *others = ((name, one[dimension].values) for name, one in results.items())
    for name, own in others:
        if not np.array_equal(known, own):
            raise ValueError(
                f"{first}, {name}: expected the same levels of {dimension}, "
                f"got {_shortened(known)} and {_shortened(own)}"
            )


def check_text(name: str, x: Any) -> None:
    if not isinstance(x, str):
        raise ValueError(f"{name}: expected text, got {kind_of(x)}")


def check_model(model: Any) -> None:
    if not isinstance(model, MLP):
        raise ValueError(f"model: expected an ibjax.models.MLP, got {kind_of(model)}")


def as_dataset(data: Any) -> Dataset:
    """Return inputs (n, d) in float32 and class labels (n,) of an object with ``x`` and ``y``.

    Raises:
        ValueError: for objects without them, other shapes, inputs that are not finite, labels that are
            not integers.
    """
    x = _inputs(data)
    return Dataset(x, as_labels("data.y", data.y, "data.x", x))


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


def _check_below(name, numbers, end) -> None:
    """Refuse concrete numbers that are not from 0 to below ``end``."""
    if not is_concrete(numbers):
        return
    numbers = np.asarray(numbers)
    if numbers.min() < 0 or numbers.max() >= end:
        raise ValueError(
            f"{name}: expected numbers from 0 to {end - 1}, got {numbers.min()} to {numbers.max()}"
        )


def _inputs(data):
    if not isinstance(data, Samples):
        raise ValueError(f"data: expected samples with x and y, such as a Dataset, got {kind_of(data)}")
    return as_floats("data.x", data.x, "(n, d)")


def _is_layer(layer) -> bool:
    return (
        isinstance(layer, Mapping)
        and {"kernel", "bias"} <= layer.keys()
        and np.ndim(layer["kernel"]) == 2
        and np.shape(layer["bias"]) == np.shape(layer["kernel"])[1:]
    )


def _known(name, x, axes, empty=False) -> np.ndarray:
    names = [axis.strip() for axis in axes.strip("()").split(",") if axis.strip()]
    rank = len(names) - names.count("...")
    if (
        hasattr(x, "dims") and rank and set(names) - {"..."} <= set(x.dims)
    ):  # labelled axes, in any order
        x = x.transpose(*(... if axis == "..." else axis for axis in names), missing_dims="ignore")
    x = as_array(name, x)
    if not is_concrete(x):
        raise ValueError(f"{name}: expected known numbers, got traced ones")
    if x.ndim < rank or ("..." not in names and x.ndim > rank):
        raise ValueError(f"{name}: expected shape {axes}, got shape {x.shape}")
    if not empty:
        check_nonempty(name, x)
    return np.asarray(x)


def _check_values(name, values) -> None:
    check_nonempty(name, values)
    as_array(name, values.values)
    if "epoch" in values.dims:
        epochs = as_array(f"{name}.epoch", values["epoch"].values)
        if not np.isfinite(epochs).all() or (np.diff(epochs) <= 0).any():
            raise ValueError(f"{name}.epoch: expected increasing epochs, got {kind_of(epochs.tolist())}")


def _shortened(seeds: np.ndarray) -> str:
    text = ", ".join(map(str, seeds.ravel()[:6]))
    return f"{text}, ... ({seeds.size})" if seeds.size > 6 else text
