"""Checks of the samples that networks train on, and the choice of training rows."""

from collections.abc import Callable
from typing import Any, TypeAlias

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ibjax.arrays import as_array, as_float32, as_labels
from ibjax.checks import (
    check_finite,
    check_integer,
    check_nonempty,
    check_rank,
    check_same_length,
    kind_of,
)
from ibjax.datasets.splits import (
    REVISITING_ROWS,
    all_rows_split,
    first_rows_split,
    num_fitted_samples,
    num_training_samples,
    random_split,
    revisiting_split,
)
from ibjax.models import MLP, num_outputs
from ibjax.training.config import TrainConfig
from ibjax.types import LabelledSamples, PyTree, Samples, Split

__all__ = [
    "DrawData",
    "DrawLabels",
    "check_drawn_form",
    "checked_data",
    "checked_drawn",
    "num_training_rows",
    "samples_of",
    "split_of",
]

# Function draw(key) -> samples of one seed.
DrawData: TypeAlias = Callable[[Array], Samples]

# Function draw_labels(key) -> (n,) int labels of one seed.
DrawLabels: TypeAlias = Callable[[Array], Array]

# float32 holds every integer up to this.
EXACT_INTEGERS = 2**24


def checked_data(config: TrainConfig, model: nn.Module, data: Any) -> LabelledSamples:
    """Return the samples that all seeds share, in 32 bits.

    Raises:
        ValueError: for anything without ``x`` and ``y``, other shapes or kinds, empty data, a batch
            larger than the training set, numbers that are not finite in float32, labels without an
            output.
    """
    if not isinstance(data, Samples):
        raise ValueError(
            "data: expected LabelledSamples(x, y), or a function that draws one by a key, "
            f"got {kind_of(data)}"
        )
    x, y = as_array("x", data.x), data.y
    _check_inputs(model, x)
    if config.loss == "squared_error":
        _check_form(config, model, x, y := as_array("y", y))
        return LabelledSamples(as_float32("x", x), as_float32("y", y))
    _check_form(config, model, x, y := as_labels("y", y, "x", x))
    _check_labels(model, x, "y", y)
    return LabelledSamples(as_float32("x", x), jnp.asarray(np.asarray(y), jnp.int32))


def check_drawn_form(
    config: TrainConfig,
    model: nn.Module,
    draw: DrawData | DrawLabels,
    shared: LabelledSamples | None,
) -> None:
    """Check the shapes and kinds of the samples or labels drawn for each seed, without drawing them.

    Args:
        config: training configuration.
        model: the network.
        draw: function that draws a seed's samples, or its labels if samples are ``shared``.
        shared: samples that all seeds share, or None.

    Raises:
        ValueError: as ``checked_data``, for drawn labels with a loss of numbers, and for anything but
            one label per sample.
    """
    drawn = jax.eval_shape(draw, jax.random.key(0, impl="threefry2x32"))
    if shared is None:
        if not (hasattr(drawn, "_replace") and _is_array(drawn, "x") and _is_array(drawn, "y")):
            raise ValueError(
                "data: expected a function that draws LabelledSamples, or another NamedTuple with "
                f"arrays x and y, got one that draws {kind_of(drawn)}"
            )
        _check_real("x", drawn.x)
        _check_real("y", drawn.y)
        _check_inputs(model, drawn.x)
        _check_form(config, model, drawn.x, drawn.y)
        return
    if config.loss == "squared_error":
        raise ValueError('draw_labels: expected with the loss "cross_entropy", got "squared_error"')
    wanted = (len(shared.y),)
    if not isinstance(drawn, jax.ShapeDtypeStruct) or drawn.shape != wanted:
        form = getattr(drawn, "shape", None) or kind_of(drawn)
        raise ValueError(f"draw_labels: expected one label for each sample, shape {wanted}, got {form}")
    check_integer("draw_labels", drawn)


def checked_drawn(
    config: TrainConfig, model: nn.Module, drawn: PyTree, shared: LabelledSamples | None
) -> PyTree:
    """Return the samples or labels drawn for each seed, leaves (seed, ...), in 32 bits.

    Raises:
        ValueError: for numbers that are not finite, integers that float32 cannot hold, labels without an
            output.
    """
    if drawn is None:
        return None
    if shared is not None:
        _check_labels(model, shared.x, "draw_labels", drawn)
        return drawn.astype(jnp.int32)
    x, y = _checked_numbers("x", drawn.x), drawn.y
    if config.loss == "squared_error":
        y = _checked_numbers("y", y)
    else:
        _check_labels(model, x[0], "y", y)
        y = y.astype(jnp.int32)
    return drawn._replace(x=x, y=y)


def _check_inputs(model: nn.Module, x: Any) -> None:
    if isinstance(model, MLP) or np.ndim(x) < 2:
        check_rank("x", x, 2, "(n_samples, n_inputs)")


def _check_form(config: TrainConfig, model: nn.Module, x: Any, y: Any) -> None:
    if config.loss == "squared_error":
        outputs = num_outputs(model, np.shape(x)[1:])
        if np.ndim(y) != 2 or np.shape(y)[1] != outputs:
            raise ValueError(f"y: expected shape (n_samples, {outputs}), got {np.shape(y)}")
    else:
        check_rank("y", y, 1, "(n_samples,)")
    check_nonempty("x", x)
    check_same_length("x", x, "y", y)
    if config.loss != "squared_error":
        check_integer("y", y)
    num_train = num_training_rows(config, np.shape(x)[0])
    num_fitted = num_fitted_samples(num_train, config.validation_fraction)
    if config.batch_size is not None and config.batch_size > num_fitted:
        raise ValueError(
            f"batch_size: expected at most the {num_fitted} training samples, "
            f"got {config.batch_size}; None takes all of them"
        )


def _check_labels(model: nn.Module, x: Any, name: str, y: Any) -> None:
    labels = np.asarray(y)
    lowest, highest = int(labels.min()), int(labels.max())
    outputs = num_outputs(model, np.shape(x)[1:])
    if lowest < 0 or highest >= max(outputs, 2):  # one output distinguishes 1 from 0
        raise ValueError(
            f"{name}: expected labels from 0 to {max(outputs, 2) - 1}, which the network's {outputs} "
            f"outputs tell apart, got {lowest} to {highest}"
        )


def _checked_numbers(name: str, x: Any) -> Array:
    check_finite(name, x)
    if jnp.issubdtype(x.dtype, jnp.integer):
        size = max(abs(int(x.min())), abs(int(x.max())))
        if size > EXACT_INTEGERS:
            raise ValueError(f"{name}: expected integers that float32 holds, got {size}")
    return x.astype(jnp.float32)


def _check_real(name: str, x: Any) -> None:
    kinds = (jnp.bool_, jnp.integer, jnp.floating)
    if not any(jnp.issubdtype(x.dtype, kind) for kind in kinds):
        raise ValueError(f"{name}: expected real numbers, got dtype {x.dtype}")


def _is_array(drawn: Any, name: str) -> bool:
    return isinstance(getattr(drawn, name, None), jax.ShapeDtypeStruct)


def num_training_rows(config: TrainConfig, num_samples: int) -> int:
    """Return the number of training rows of every seed's split, validation rows included.

    Raises:
        ValueError: if a part of the split would be empty, and for the split "revisiting" of other data
            than the symmetric task's 4096 rows.
    """
    if config.split == "all_rows":
        return num_samples
    if config.split == "revisiting":
        if num_samples != REVISITING_ROWS:
            raise ValueError(
                f'split: expected data of {REVISITING_ROWS} rows for "revisiting", got {num_samples}'
            )
        return len(revisiting_split().train)
    return num_training_samples(num_samples, config.train_fraction)


def split_of(config: TrainConfig, key: Array, num_samples: int) -> Split:
    """Return a seed's training and test rows."""
    if config.split == "all_rows":
        return all_rows_split(num_samples)
    if config.split == "revisiting":
        return revisiting_split()
    if config.split == "first_rows":
        return first_rows_split(num_samples, config.train_fraction)
    return random_split(key, num_samples, config.train_fraction)


def samples_of(shared: Any, drawn: Any) -> Any:
    """Return a seed's samples: its own if drawn, or the shared ones with its own labels if drawn."""
    if shared is None:
        return drawn
    return shared if drawn is None else LabelledSamples(shared.x, drawn)
