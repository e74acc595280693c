"""Splitting of work into blocks: seeds by a fixed number of lanes, rows by available memory."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from ibjax.arrays import as_array
from ibjax.checks import as_whole, kind_of
from ibjax.types import ArrayLike

__all__ = ["blocks_of_seeds", "default_lanes", "map_rows"]

# Entries in the temporary arrays of one block of rows: 64 KB and 4 MB per lane. On a CPU, a problem over
# pairs of samples takes 0.6 to 0.9 of the time with 2^14 that it takes with 2^17, and half of it with 50
# lanes. Accelerators need blocks that fill them.
CPU_BLOCK, ACCELERATOR_BLOCK = 2**14, 2**20


def default_lanes(platform: str) -> int:
    """Return the default number of networks per compiled program on "cpu", "gpu" or "tpu".

    On a CPU, 13 networks of the papers' size keep 256 samples in a core's cache and fit 50 seeds into
    four programs; on an accelerator the time hardly depends on the number of lanes.
    """
    return 13 if platform == "cpu" else 64


def blocks_of_seeds(seeds: ArrayLike, size: int) -> list[np.ndarray]:
    """Split the seeds, in order, into the fewest blocks of at most ``size``, nearly equally long.

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
    """Compute ``vmap(f)(rows)`` in blocks of rows, so that temporary arrays stay small.

    Args:
        f: function of one row of each leaf of ``rows``.
        rows: pytree of arrays with a common leading axis.
        entries_per_row: number of entries in f's temporary arrays for one row.
    """
    entries_per_row = as_whole("entries_per_row", entries_per_row)
    block = CPU_BLOCK if jax.default_backend() == "cpu" else ACCELERATOR_BLOCK
    return jax.lax.map(f, rows, batch_size=max(1, block // entries_per_row))
