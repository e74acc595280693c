"""Calls a function with one argument replaced, and says what came of it."""

import os
import traceback
from pathlib import Path
from typing import Any

import jax
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.animation import Animation
from matplotlib.figure import Figure

import ibjax

__all__ = ["is_key", "numbers_of", "refusal", "same_numbers"]

PACKAGE = str(Path(ibjax.__file__).parent) + os.sep


def refusal(error: BaseException) -> str | None:
    """Why an error is not one of our own, with expected and got; None where it is."""
    text = str(error)
    if not isinstance(error, ValueError | TypeError):
        return f"raised {type(error).__name__}: {text[:200]}"
    where = traceback.extract_tb(error.__traceback__)[-1].filename
    if not where.startswith(PACKAGE):
        return f"raised by {where}: {text[:200]}"
    if "expected" not in text or "got" not in text:
        return f"without expected and got: {text[:200]}"
    return None


def numbers_of(result: Any) -> list[np.ndarray]:
    """All numbers in a result, in a fixed order; figures are closed and give none."""
    if isinstance(result, Animation):
        result._draw_was_started = True  # or its end would warn that nobody saw it
        return []
    if isinstance(result, Figure):
        plt.close(result)
        return []
    if isinstance(result, xr.Dataset):
        return [result[name].values for name in sorted(map(str, result.data_vars))]
    if isinstance(result, xr.DataArray):
        return [result.values]
    leaves = jax.tree.leaves(result)
    numeric = np.ndarray | np.generic | jax.Array | float | int
    return [np.asarray(x) for x in leaves if isinstance(x, numeric) and not is_key(x)]


def is_key(x: Any) -> bool:
    """Whether x is a typed random key, or an array of them."""
    return jax.dtypes.issubdtype(getattr(x, "dtype", np.float32), jax.dtypes.prng_key)


def same_numbers(got: Any, expected: Any) -> bool:
    """Whether two results hold the same numbers, up to the rounding of another precision."""
    a, b = numbers_of(got), numbers_of(expected)
    return len(a) == len(b) and all(
        x.shape == y.shape
        and (
            np.allclose(x.astype(float), y.astype(float), atol=1e-4, rtol=1e-4, equal_nan=True)
            if x.dtype.kind in "fiub" and y.dtype.kind in "fiub"
            else (x == y).all()
        )
        for x, y in zip(a, b, strict=True)
    )
