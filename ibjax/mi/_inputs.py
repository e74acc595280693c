"""Checks and conversion of estimators' inputs: a layer with labels, or two variables.

Arrays may come from any library. Concrete values stay in 64 bits until their offset (and, where the
estimator is invariant to it, their scale) has been removed. Narrower and traced values are cast to
float32 directly.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from ibjax.arrays import as_array, as_labels, check_apart, is_wide, residual
from ibjax.checks import check_finite, check_nonempty, check_rank, check_same_length

__all__ = [
    "centred",
    "check_num_samples",
    "checked_layer",
    "checked_variable",
    "checked_variables",
    "float32_columns",
    "float32_of",
    "scaled",
    "smallest_to_zero",
]


def checked_layer(t, y):
    """Return activations (n, width), in their own precision if concrete, and integer labels (n,).

    Raises:
        ValueError: for other shapes, empty arrays, different lengths, activations that are not real
            and finite, labels that are not integers.
    """
    t = as_array("t", t)
    check_rank("t", t, 2, "(n_samples, width)")
    check_nonempty("t", t)
    y = as_labels("y", y, "t", t)
    check_finite("t", t)
    return t, y


def checked_variables(x, y, *, at_least: int = 1, because: str = ""):
    """Return samples of two variables, (n, dx) and (n, dy), in their own precision if concrete.

    Raises:
        ValueError: for other shapes, empty arrays, different lengths, values that are not real and
            finite, and fewer than ``at_least`` samples, with the reason ``because``.
    """
    x, y = checked_variable("x", x), checked_variable("y", y)
    check_same_length("x", x, "y", y)
    check_num_samples(x.shape[0], at_least, because)
    return x, y


def checked_variable(name: str, x):
    """Return samples of one variable (n, d), in their own precision if concrete; (n,) becomes (n, 1)."""
    x = as_array(name, x)
    if x.ndim not in (1, 2):
        raise ValueError(f"{name}: expected shape (n_samples,) or (n_samples, d), got shape {x.shape}")
    check_nonempty(name, x)
    check_finite(name, x)
    return x[:, None] if x.ndim == 1 else x


def check_num_samples(n: int, at_least: int, because: str) -> None:
    if n < at_least:
        raise ValueError(f"n_samples: expected at least {at_least}{because and f' {because}'}, got {n}")


def float32_columns(name: str, x: Any) -> Any:
    """Convert to float32 where neither offset nor scale may be removed.

    Raises:
        ValueError: for concrete numbers that float32 cannot hold, or cannot tell apart.
    """
    if is_wide(x):
        check_apart(name, np.asarray(x))
    return float32_of(name, x)


def centred(name: str, x: Any) -> Any:
    """Convert to float32 columns; subtract a sample near the median from 64-bit ones first.

    Raises:
        ValueError: for concrete numbers that float32 cannot tell apart even so.
    """
    if not is_wide(x):
        return float32_of(name, x)
    x = _about_median(x)
    check_apart(name, x)
    return float32_of(name, x)


def scaled(name: str, x: Any, *, together: bool = False) -> tuple[Any, int]:
    """Centre columns, and divide each, or all ``together``, by a power of 2 to fit float32's range.

    Returns:
        The columns, and the exponent of the common power of 2; 0 unless ``together``.
    """
    if not is_wide(x):
        return float32_of(name, x), 0
    x = _about_median(x)
    _, exponent = np.frexp(np.abs(x).max(axis=None if together else 0))
    x = np.ldexp(x, -exponent)
    check_apart(name, x)
    return float32_of(name, x), int(exponent) if together else 0


def smallest_to_zero(name: str, x: Any) -> Any:
    """Convert to float32; shift the minimum of 64-bit ones to 0 and scale them to 1 by a power of 2."""
    if not is_wide(x):
        return float32_of(name, x)
    x = residual(x, np.min(x))
    x = np.ldexp(x, -np.frexp(x.max())[1])
    check_apart(name, x)
    return float32_of(name, x)


def float32_of(name: str, x: Any) -> Any:
    """Round finite numbers to float32; concrete ones beyond its range raise a ValueError."""
    with np.errstate(over="ignore", under="ignore"):  # overflow gives infinity, refused below
        rounded = jnp.asarray(x, jnp.float32)
    if x.dtype != jnp.float32:
        check_finite(name, rounded)
    return rounded


def _about_median(x) -> np.ndarray:
    x = np.asarray(x)
    middle = len(x) // 2
    return residual(x, np.partition(x, middle, axis=0)[middle])
