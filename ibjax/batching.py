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
    seeds = np.asarray(seeds)
    if seeds.ndim != 1 or len(seeds) == 0 or not np.issubdtype(seeds.dtype, np.integer):
        raise ValueError(f"seeds: expected one or more whole numbers, got {seeds!r}")
    if len(np.unique(seeds)) < len(seeds):
        raise ValueError(f"seeds: expected each seed once, got {seeds.tolist()}")
    return np.array_split(seeds.astype(np.int32), -(-len(seeds) // size))
