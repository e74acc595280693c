"""Conversion of arrays from any library to native NumPy or JAX arrays, with errors for other input.

Every public function reads its arrays here. Concrete values stay in 64 bits until an estimator has
removed an offset or has told values apart. Arrays that reach a compiled program are float32 or int32,
native and without a mask, and mean what the user's array meant.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from ibjax.checks import check_finite, check_integer, check_rank, check_same_length, is_concrete, kind_of

__all__ = [
    "EPSILON",
    "as_32_bits",
    "as_array",
    "as_float32",
    "as_labels",
    "check_apart",
    "is_wide",
    "residual",
]

# Smallest number of float32 steps between the minimum and the maximum of a column.
LEVELS = 1024

# float32's step at 1, and its smallest normal number, below which arithmetic may read 0.
EPSILON, TINY = 2.0**-23, 2.0**-126


def as_array(name: str, x: Any) -> Any:
    """Convert real numbers to a NumPy array of native byte order; keep JAX arrays and tracers.

    Accepts NumPy arrays of any strides and byte order, memory maps, lists, numbers, and arrays of
    PyTorch (on any device, with or without a gradient), pandas, polars, xarray, h5py and whatever else
    NumPy can read.

    Raises:
        ValueError: for masked entries, complex numbers, strings, dates, objects that are not numbers,
            ragged lists, and anything that is not an array.
    """
    if isinstance(x, jax.Array):
        _check_real(name, x.dtype)
        return x
    if isinstance(x, list | tuple) and any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(x)):
        return as_array(name, jnp.asarray(x))
    array = _as_numpy(name, x)
    if array.dtype == np.object_:
        array = _numbers_of_objects(name, array, x)
    _check_real(name, array.dtype)
    if array.dtype.itemsize > 8:  # long double
        with np.errstate(over="ignore"):  # overflow gives infinity
            return array.astype(np.float64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def as_float32(name: str, x: Any) -> Any:
    """Convert finite numbers to float32; traced values are not checked.

    Raises:
        ValueError: as ``as_array``; for NaN and infinities, also those that arise in float32; and for
            concrete 64-bit numbers that float32 cannot tell apart, such as those with a large offset.
    """
    x = as_array(name, x)
    check_finite(name, x)
    with np.errstate(over="ignore", under="ignore"):  # overflow is refused below
        narrow = jnp.asarray(x, jnp.float32)
    check_finite(name, narrow)
    if is_wide(x):
        check_apart(name, np.asarray(x))
    return narrow


def as_labels(name: str, y: Any, x_name: str, x: Any) -> Any:
    """Return integer class labels (n,) of any values for samples ``x``; categories become their codes.

    Raises:
        ValueError: for other shapes or lengths, labels that are not integers, missing categories.
    """
    y = as_array(name, _codes(name, y))
    check_rank(name, y, 1, "(n_samples,)")
    check_same_length(x_name, x, name, y)
    check_integer(name, y)
    return y


def as_32_bits(name: str, x: Any) -> Any:
    """Convert finite numbers to float32, whole ones to int32 or uint32, which JAX keeps whatever x64 is.

    Raises:
        ValueError: as ``as_float32``, and for concrete integers that do not fit into 32 bits.
    """
    x = as_array(name, x)
    if x.dtype == np.bool_:
        return jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.integer):
        return as_float32(name, x)
    if is_concrete(x) and x.dtype.itemsize == 8 and x.size:
        low, high = int(x.min()), int(x.max())
        if low < -(2**31) or high >= 2**31:
            raise ValueError(f"{name}: expected integers of 32 bits, got {low} to {high}")
        return jnp.asarray(np.asarray(x), jnp.int32)
    return jnp.asarray(x)


def is_wide(x: Any) -> bool:
    """Return whether ``x`` is concrete with more bits than float32 holds."""
    return is_concrete(x) and x.dtype.itemsize >= (4 if jnp.issubdtype(x.dtype, jnp.integer) else 8)


def residual(x: Any, offset: Any) -> np.ndarray:
    """Return x - offset in float64; differences of integers are exact before rounding.

    Args:
        x: concrete real numbers.
        offset: numbers of the same dtype as x, such as its minimum.
    """
    x = np.asarray(x)
    offset = np.asarray(offset, x.dtype)
    if np.issubdtype(x.dtype, np.integer) and x.dtype.itemsize == 8:
        # Differences modulo 2^64, to which the sign is added below.
        larger = x >= offset
        size = np.where(larger, x.astype(np.uint64) - offset.astype(np.uint64),
                        offset.astype(np.uint64) - x.astype(np.uint64))  # fmt: skip
        return np.where(larger, 1.0, -1.0) * size
    return x.astype(np.float64) - offset.astype(np.float64)


def check_apart(name: str, x: np.ndarray) -> None:
    """Refuse concrete columns whose values float32 would round to a few steps between their limits.

    Differences far below a column's spread may be lost, as in a saturated unit.

    Raises:
        ValueError: for columns that change when rounded and span fewer than ``LEVELS`` steps.
    """
    if x.size == 0:
        return
    columns = x.reshape(len(x), -1) if x.ndim else x.reshape(1, 1)
    middle = len(columns) // 2
    size = np.abs(np.partition(columns, middle, axis=0)[middle].astype(np.float64))
    with np.errstate(over="ignore"):
        spread = residual(columns.max(axis=0), columns.min(axis=0))
    coarse = (spread > 0) & (spread < LEVELS * np.maximum(EPSILON * size, TINY))
    for i in np.flatnonzero(coarse):
        values = np.unique(columns[:, i])
        with np.errstate(under="ignore"):
            rounded = values.astype(np.float32).astype(np.float64)
        if (rounded != values.astype(np.float64)).any() or (np.diff(rounded) == 0).any():
            raise ValueError(
                f"{name}: expected numbers that float32 tells apart, got a column of size {size[i]:.6g} "
                f"that varies by {spread[i]:.2g}; take off its offset, or scale it, first"
            )


def _as_numpy(name: str, x: Any) -> np.ndarray:
    if isinstance(x, list | tuple) and any(_needs_reading(part) for part in x):
        x = [as_array(name, part) for part in x]
    elif isinstance(x, np.ma.MaskedArray):
        if np.ma.is_masked(x):
            raise ValueError(
                f"{name}: expected no masked entries, got {np.ma.count_masked(x)} of {x.size}; "
                "leave out their samples"
            )
        x = x.data
    try:
        return np.asarray(_on_host(x) if _is_torch(x) else x)
    except Exception as error:  # another library may raise anything
        raise ValueError(f"{name}: expected an array of numbers, got {kind_of(x)} ({error})") from error


def _needs_reading(part) -> bool:
    return isinstance(part, np.ma.MaskedArray) or _is_torch(part)


def _is_torch(x) -> bool:
    return type(x).__module__.partition(".")[0] == "torch" and hasattr(x, "detach")


def _on_host(tensor: Any) -> Any:
    """Return a PyTorch tensor without its gradient, on the host and in a dtype that NumPy can read."""
    tensor = tensor.detach().cpu()
    return tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor


def _numbers_of_objects(name: str, array: np.ndarray, given: Any) -> np.ndarray:
    """Convert an object array of Python's or NumPy's numbers, as nullable pandas columns give."""
    if array.ndim == 0:
        raise ValueError(f"{name}: expected an array of numbers, got {kind_of(given)}")
    strangers = {type(v).__name__ for v in array.ravel() if not isinstance(v, int | float | np.number)}
    numbers = array if strangers else np.array(array.tolist())
    whole = all(isinstance(v, int | np.integer) for v in array.ravel())
    if strangers or numbers.dtype == np.object_ or (whole and numbers.dtype.kind == "f"):
        kinds = ", ".join(sorted(strangers)) or "integers beyond 64 bits"
        raise ValueError(f"{name}: expected real numbers, got objects: {kinds}")
    return numbers.reshape(array.shape)


def _check_real(name: str, dtype: Any) -> None:
    numeric = jnp.issubdtype(dtype, jnp.integer) or jnp.issubdtype(dtype, jnp.floating)
    if dtype == np.bool_ or (numeric and not np.issubdtype(dtype, np.timedelta64)):
        return
    raise ValueError(f"{name}: expected real numbers, got dtype {dtype}")


def _codes(name: str, y: Any) -> Any:
    """Return the whole-number codes of pandas and polars categories; other input unchanged."""
    library = type(y).__module__.partition(".")[0]
    if library == "pandas" and hasattr(getattr(y, "dtype", None), "categories"):
        codes = np.asarray(y.cat.codes if hasattr(y, "cat") else y.codes)
        if (codes < 0).any():
            raise ValueError(
                f"{name}: expected a category for each sample, got {(codes < 0).sum()} without"
            )
        return codes
    if library == "polars" and str(getattr(y, "dtype", "")).startswith(("Categorical", "Enum")):
        return y.to_physical()
    return y
