"""Seeds in blocks of a fixed number of lanes."""

from collections.abc import Sequence

import numpy as np

from ibjax.checks import check_whole

__all__ = ["blocks_of_seeds", "default_lanes"]


def default_lanes(platform: str) -> int:
    """Networks a compiled program runs on "cpu", "gpu" or "tpu".

    On a CPU 13 keep 256 samples of the papers' network in a core's cache and fill 50 seeds into four
    programs; an accelerator's time hardly depends on the lanes.
    """
    return 13 if platform == "cpu" else 64


def blocks_of_seeds(seeds: Sequence[int], size: int) -> list[np.ndarray]:
    """The seeds in order, in as few blocks of at most ``size`` as it takes, of nearly equal length.

    Raises:
        ValueError: for no seeds, the same seed twice, or a size that is not a whole number.
    """
    check_whole("seeds_per_batch", size)
    numbers = np.asarray(seeds)
    if numbers.ndim != 1 or len(numbers) == 0 or not np.issubdtype(numbers.dtype, np.integer):
        raise ValueError(f"seeds: expected one or more whole numbers, got {seeds!r}")
    if numbers.min() < 0 or numbers.max() >= 2**31:
        raise ValueError(f"seeds: expected numbers from 0 to 2^31 - 1, got {seeds!r}")
    if len(np.unique(numbers)) < len(numbers):
        raise ValueError(f"seeds: expected each seed once, got {numbers.tolist()}")
    return np.array_split(numbers.astype(np.int32), -(-len(numbers) // size))
