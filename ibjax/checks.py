"""Validators with expected/got messages; every user error is a ``ValueError``.

Shapes are checked at trace time. Values are checked only where they are known: at the public edge,
on concrete arrays. A traced NaN is not an error but data, and gives NaN in the result.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from jax.core import Tracer

__all__ = [
    "as_array",
    "check_finite",
    "check_integer",
    "check_known",
    "check_nonempty",
    "check_positive",
    "check_rank",
    "check_same_length",
    "check_whole",
    "is_concrete",
]


def is_concrete(x: Any) -> bool:
    """True where the values of ``x`` are known, False inside ``jit``, ``vmap`` or ``grad``."""
    return not isinstance(x, Tracer)


def as_array(x: Any) -> Any:
    """Arrays as they are, of JAX or NumPy, traced or not; everything else as NumPy reads it."""
    return x if hasattr(x, "dtype") else np.asarray(x)


def check_rank(name: str, x: Any, rank: int, axes: str) -> None:
    if np.ndim(x) != rank:
        raise ValueError(f"{name}: expected shape {axes}, got shape {np.shape(x)}")


def check_nonempty(name: str, x: Any) -> None:
    if 0 in np.shape(x):
        raise ValueError(f"{name}: expected at least one entry on every axis, got shape {np.shape(x)}")


def check_same_length(name_a: str, a: Any, name_b: str, b: Any) -> None:
    if np.shape(a)[0] != np.shape(b)[0]:
        raise ValueError(
            f"{name_a} and {name_b}: expected one entry a sample in both, "
            f"got lengths {np.shape(a)[0]} and {np.shape(b)[0]}"
        )


def check_integer(name: str, x: Any) -> None:
    dtype = np.dtype(x.dtype)
    if not (np.issubdtype(dtype, np.integer) or dtype == np.bool_):
        raise ValueError(f"{name}: expected integer class labels, got dtype {dtype}")


def check_finite(name: str, x: Any) -> None:
    """Refuse NaN and infinity in a concrete array; a traced one passes."""
    if is_concrete(x) and not (finite := np.isfinite(np.asarray(x))).all():
        raise ValueError(
            f"{name}: expected finite values, got {np.size(x) - finite.sum()} NaN or infinite "
            f"of {np.size(x)}"
        )


def check_positive(name: str, x: Any) -> None:
    """Refuse zero, negative and non-finite numbers; a traced one passes."""
    if is_concrete(x) and not (np.ndim(x) == 0 and np.isfinite(x) and x > 0):
        raise ValueError(f"{name}: expected a positive finite number, got {x!r}")


def check_whole(name: str, x: Any) -> None:
    """Refuse anything but a whole number of 1 or more."""
    if isinstance(x, bool) or not isinstance(x, int | np.integer) or x < 1:
        raise ValueError(f"{name}: expected a whole number of 1 or more, got {x!r}")


def check_known(name: str, x: str, known: Iterable[str]) -> None:
    known = sorted(known)
    if x not in known:
        raise ValueError(f"{name}: expected one of {', '.join(known)}; got {x!r}")
