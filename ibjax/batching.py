"""Work in pieces that fit: seeds in blocks of a fixed number of lanes, rows in blocks of memory."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from ibjax.arrays import as_array
from ibjax.checks import as_whole, kind_of
from ibjax.types import ArrayLike

__all__ = ["blocks_of_seeds", "default_lanes", "map_rows"]

# Entries of the temporary arrays of one block of rows, 64 KB and 4 MB a lane. Compared on a CPU for
# pairs of samples: in 2^14 a problem alone takes 0.6 to 0.9 of its time in 2^17, one of 50 lanes half.
# Accelerators need blocks that fill them.
CPU_BLOCK, ACCELERATOR_BLOCK = 2**14, 2**20


def default_lanes(platform: str) -> int:
    """Networks a compiled program runs on "cpu", "gpu" or "tpu".

    On a CPU 13 keep 256 samples of the papers' network in a core's cache and fill 50 seeds into four
    programs; an accelerator's time hardly depends on the lanes.
    """
    return 13 if platform == "cpu" else 64


def blocks_of_seeds(seeds: ArrayLike, size: int) -> list[np.ndarray]:
    """The seeds in order, in as few blocks of at most ``size`` as it takes, of nearly equal length.

    Raises:
        ValueError: for no seeds, the same seed twice, or a size that is not a whole number.
    """
    size = as_whole("seeds_per_batch", size)
    numbers = np.asarray(as_array("seeds", seeds))
    if numbers.ndim != 1 or len(numbers) == 0 or not np.issubdtype(numbers.dtype, np.integer):
        raise ValueError(f"seeds: expected one or more whole numbers, got {kind_of(seeds)}")
    if numbers.min() < 0 or numbers.max() >= 2**31:
        raise ValueError(
            f"seeds: expected numbers from 0 to 2^31 - 1, got {numbers.min()} to {numbers.max()}"
        )
    if len(np.unique(numbers)) < len(numbers):
        raise ValueError(f"seeds: expected each seed once, got {numbers.tolist()}")
    return np.array_split(numbers.astype(np.int32), -(-len(numbers) // size))


def map_rows(f: Callable[..., Any], rows: Any, *, entries_per_row: int) -> Any:
    """``vmap(f)(rows)`` in blocks of as many rows as keep temporary arrays small.

    Args:
        f: of one row of each leaf of ``rows``.
        rows: a pytree of arrays with one leading axis.
        entries_per_row: entries that f's temporary arrays take for one row.
    """
    entries_per_row = as_whole("entries_per_row", entries_per_row)
    block = CPU_BLOCK if jax.default_backend() == "cpu" else ACCELERATOR_BLOCK
    return jax.lax.map(f, rows, batch_size=max(1, block // entries_per_row))
