"""What estimators accept: a layer with labels, or two variables, as float32 arrays of known shape."""

import jax.numpy as jnp
import numpy as np

from ibjax.checks import (
    as_array,
    check_finite,
    check_integer,
    check_nonempty,
    check_rank,
    check_same_length,
)

__all__ = [
    "check_num_samples",
    "checked_labels",
    "checked_layer",
    "checked_variable",
    "checked_variables",
]


def checked_layer(t, y):
    """Activations (n, width) as float32, and integer labels (n,) as they are.

    Raises:
        ValueError: for other shapes, empty arrays, different lengths, activations that are not real
            and finite, labels that are not integers.
    """
    t = as_array(t)
    check_rank("t", t, 2, "(n_samples, width)")
    check_nonempty("t", t)
    y = checked_labels("y", y, "t", t)
    return _finite_float32("t", t), y


def checked_variables(x, y, *, at_least: int = 1, because: str = ""):
    """Samples of two variables as float32 (n, dx) and (n, dy); (n,) becomes (n, 1).

    Raises:
        ValueError: for other shapes, empty arrays, different lengths, values that are not real and
            finite, and fewer than ``at_least`` samples, with the reason ``because``.
    """
    x, y = checked_variable("x", x), checked_variable("y", y)
    check_same_length("x", x, "y", y)
    check_num_samples(x.shape[0], at_least, because)
    return x, y


def checked_variable(name: str, x):
    """Samples of one variable as float32 (n, d)."""
    x = as_array(x)
    if x.ndim not in (1, 2):
        raise ValueError(f"{name}: expected shape (n_samples,) or (n_samples, d), got shape {x.shape}")
    check_nonempty(name, x)
    x = _finite_float32(name, x)
    return x[:, None] if x.ndim == 1 else x


def checked_labels(name: str, y, x_name: str, x):
    """Integer labels (n,) of the samples ``x``."""
    y = as_array(y)
    check_rank(name, y, 1, "(n_samples,)")
    check_same_length(x_name, x, name, y)
    check_integer(name, y)
    return y


def check_num_samples(n: int, at_least: int, because: str) -> None:
    if n < at_least:
        raise ValueError(f"n_samples: expected at least {at_least}{because and f' {because}'}, got {n}")


def _finite_float32(name, x):
    if not (jnp.issubdtype(x.dtype, jnp.floating) or jnp.issubdtype(x.dtype, jnp.integer)
            or x.dtype == np.bool_):  # fmt: skip
        raise ValueError(f"{name}: expected real numbers, got dtype {x.dtype}")
    with np.errstate(over="ignore"):  # what float32 cannot hold is not finite
        x = jnp.asarray(x, jnp.float32)
    check_finite(name, x)
    return x
