"""Validators with expected/got messages; every user error is a ``ValueError``.

Shapes are checked at trace time. Values are checked only if they are concrete, in public functions. A
traced NaN is not an error but data, and gives NaN in the result.
"""

import operator
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

__all__ = [
    "as_key",
    "as_whole",
    "check_count",
    "check_finite",
    "check_flag",
    "check_function",
    "check_integer",
    "check_known",
    "check_nonempty",
    "check_number",
    "check_positive",
    "check_rank",
    "check_same_length",
    "check_variables",
    "is_concrete",
    "kind_of",
]


def is_concrete(x: Any) -> bool:
    """Return True if the values of ``x`` are known, False inside ``jit``, ``vmap`` or ``grad``."""
    return not isinstance(x, Tracer)


def kind_of(x: Any) -> str:
    """Describe a refused argument for messages: its shape and dtype, or its type and a short value."""
    if isinstance(x, np.ndarray | jax.Array) and np.ndim(x) > 0:
        return f"an array of shape {x.shape} and dtype {x.dtype}"
    text = repr(x)
    return text if len(text) <= 60 else f"a {type(x).__name__}"


def check_rank(name: str, x: Any, rank: int, axes: str) -> None:
    if np.ndim(x) != rank:
        raise ValueError(f"{name}: expected shape {axes}, got shape {np.shape(x)}")


def check_nonempty(name: str, x: Any) -> None:
    if 0 in np.shape(x):
        raise ValueError(f"{name}: expected at least one entry on every axis, got shape {np.shape(x)}")


def check_same_length(name_a: str, a: Any, name_b: str, b: Any) -> None:
    if np.shape(a)[:1] != np.shape(b)[:1]:
        lengths = " and ".join(str(np.shape(x)[0]) if np.ndim(x) else "none" for x in (a, b))
        raise ValueError(
            f"{name_a} and {name_b}: expected one entry a sample in both, got lengths {lengths}"
        )


def check_integer(name: str, x: Any) -> None:
    if not (jnp.issubdtype(x.dtype, jnp.integer) or x.dtype == np.bool_):
        raise ValueError(f"{name}: expected integer class labels, got dtype {x.dtype}")


def check_finite(name: str, x: Any) -> None:
    """Refuse NaN and infinity in a concrete array; a traced one passes."""
    if not is_concrete(x):
        return
    x = np.asarray(x)
    with np.errstate(all="ignore"):
        if np.isfinite(x.sum()):  # as it is only if all are, and several times faster
            return
    if not (finite := np.isfinite(x)).all():
        raise ValueError(
            f"{name}: expected finite values, got {x.size - finite.sum()} NaN or infinite of {x.size}"
        )


def check_number(
    name: str,
    x: Any,
    *,
    at_least: float | int | None = None,
    above: float | int | None = None,
    at_most: float | int | None = None,
    below: float | int | None = None,
) -> None:
    """Refuse anything but one real, finite number within limits; only the shape if it is traced."""
    limits = {"at least": at_least, "above": above, "at most": at_most, "below": below}
    wanted = " and ".join(f"{word} {limit}" for word, limit in limits.items() if limit is not None)
    real = _is_real_number(x)
    if real and is_concrete(x):
        value = float(x)
        real = np.isfinite(value) and (
            (at_least is None or value >= at_least)
            and (above is None or value > above)
            and (at_most is None or value <= at_most)
            and (below is None or value < below)
        )
    if not real:
        raise ValueError(f"{name}: expected a finite number{wanted and f' {wanted}'}, got {kind_of(x)}")


def check_positive(name: str, x: Any) -> None:
    """Refuse zero, negative and non-finite numbers; check only the shape if it is traced."""
    if not _is_real_number(x) or (is_concrete(x) and not 0 < float(x) < float("inf")):
        raise ValueError(f"{name}: expected a positive finite number, got {kind_of(x)}")


def check_count(name: str, x: Any) -> None:
    """Refuse anything but a whole number of 1 or more, of any dtype; check only the shape if traced."""
    if not _is_real_number(x) or (is_concrete(x) and not (float(x).is_integer() and float(x) >= 1)):
        raise ValueError(f"{name}: expected a whole number of 1 or more, got {kind_of(x)}")


def as_whole(name: str, x: Any, *, at_least: int = 1, at_most: int | None = None) -> int:
    """Return a whole number as a Python int, which no product can overflow.

    Raises:
        ValueError: for anything but a concrete whole number from ``at_least`` to ``at_most``.
    """
    try:
        whole = None if _is_bool(x) or not is_concrete(x) else operator.index(x)
    except TypeError:
        whole = None
    if whole is None or whole < at_least or (at_most is not None and whole > at_most):
        wanted = f"of {at_least} or more" if at_most is None else f"from {at_least} to {at_most}"
        kind = "a traced value" if not is_concrete(x) else kind_of(x)
        raise ValueError(f"{name}: expected a whole number {wanted}, got {kind}")
    return whole


def check_flag(name: str, x: Any) -> None:
    """Refuse anything but True and False."""
    if not isinstance(x, bool | np.bool_):
        raise ValueError(f"{name}: expected True or False, got {kind_of(x)}")


def check_known(name: str, x: Any, known: Iterable[str]) -> None:
    known = sorted(known)
    if not isinstance(x, str) or x not in known:
        raise ValueError(f"{name}: expected one of {', '.join(known)}; got {kind_of(x)}")


def check_function(name: str, x: Any, form: str) -> None:
    """Refuse anything not callable, such as a function's name; ``form`` describes what was expected."""
    if not callable(x) or isinstance(x, type):
        raise ValueError(f"{name}: expected a function {form}, got {kind_of(x)}")


def as_key(name: str, key: Any) -> Any:
    """Return a random key, from ``jax.random.key`` or the older ``PRNGKey``, as a typed threefry key.

    Draws then do not depend on ``jax_default_prng_impl``; other implementations draw different numbers
    under ``vmap``. Keys of other implementations become threefry keys with all their words folded in.

    Raises:
        ValueError: for anything but one key.
    """
    typed = isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    raw = isinstance(key, jax.Array | np.ndarray) and key.dtype == np.uint32 and np.ndim(key) == 1
    if not ((typed and key.ndim == 0) or raw):
        raise ValueError(f"{name}: expected a random key such as jax.random.key(0), got {kind_of(key)}")
    words = jax.random.key_data(key) if typed else jnp.asarray(key)
    if words.shape[0] < 2:
        raise ValueError(f"{name}: expected a random key such as jax.random.key(0), got {kind_of(key)}")
    first, *others = (words[i : i + 2] for i in range(0, words.shape[0], 2))
    key = jax.random.wrap_key_data(first, impl="threefry2x32")
    for pair in others:
        for word in pair:
            key = jax.random.fold_in(key, word)
    return key


def check_variables(
    name: str, data: Any, variables: Mapping[str, tuple[str, ...]], *, factors: bool = False
) -> None:
    """Refuse a Dataset that lacks the variables, or whose variables have other dims.

    Args:
        name: name of the argument, for messages.
        data: object that should be an xarray Dataset.
        variables: dims that each variable must have, in any order.
        factors: whether further dims, those of an experiment, are allowed.
    """
    if not hasattr(data, "data_vars"):
        raise ValueError(f"{name}: expected an xarray Dataset, got {kind_of(data)}")
    for variable, dims in variables.items():
        wanted = f"{variable} ({', '.join(('factors...', *dims) if factors else dims)})"
        if variable not in data:
            there = ", ".join(map(str, data.data_vars)) or "none"
            raise ValueError(f"{name}: expected the variable {wanted}, got {there}")
        given_dims = set(data[variable].dims)
        if not set(dims) <= given_dims or (not factors and given_dims != set(dims)):
            names = ", ".join(map(str, data[variable].dims))
            raise ValueError(f"{name}: expected {wanted}, got {variable} ({names})")


def _is_bool(x) -> bool:
    return isinstance(x, bool) or (hasattr(x, "dtype") and x.dtype == np.bool_)


def _is_real_number(x) -> bool:
    """Return whether x is one real number, concrete or traced, and not a boolean, string or key."""
    if isinstance(x, int | float):
        return not isinstance(x, bool)
    if not isinstance(x, np.generic | np.ndarray | jax.Array) or np.ndim(x) != 0:
        return False
    return jnp.issubdtype(x.dtype, jnp.integer) or jnp.issubdtype(x.dtype, jnp.floating)
