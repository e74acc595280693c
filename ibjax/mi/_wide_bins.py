"""Binning of 64-bit activations in NumPy, for bins that float32 does not resolve.

Far from 0 the spacing of float32 numbers exceeds a bin: near 1e8 it is 8. All that matters is which
samples share a bin, so bins are numbered from each unit's smallest up.
"""

import numpy as np

from ibjax.arrays import EPSILON

__all__ = ["are_too_fine", "is_too_fine", "ranks_by_edges", "ranks_by_width"]

# Smallest number of float32 steps that a bin must span.
STEPS = 128

# Whole numbers below this are exact in float32.
EXACT = 2**24


def is_too_fine(t, bin_width: float) -> bool:
    """Return whether float32 has fewer than ``STEPS`` steps per bin at the largest activation."""
    return bin_width < STEPS * EPSILON * _largest(t)


def are_too_fine(edges) -> bool:
    """Return whether float32 has fewer than ``STEPS`` steps between any two neighbouring edges."""
    edges = np.asarray(edges, np.float64)
    size = np.maximum(np.abs(edges[1:]), np.abs(edges[:-1]))
    return bool((np.diff(edges) < STEPS * EPSILON * size).any())


def ranks_by_width(t, bin_width) -> np.ndarray:
    """Return the largest whole m with m * bin_width <= t, minus each unit's minimum; (n, width) float32.

    Raises:
        ValueError: for bins that float64 does not resolve either, except whole numbers in bins of whole
            width, which are exact.
    """
    t = np.asarray(t)
    if np.issubdtype(t.dtype, np.integer) and float(bin_width).is_integer():
        return _ranked(t // t.dtype.type(int(bin_width)))  # the width is smaller than the largest of t
    t, w = t.astype(np.float64), float(bin_width)
    if w < STEPS * 2.0**-52 * _largest(t):
        raise ValueError(
            f"bin_width: expected bins that float64 resolves at activations of {_largest(t):.3g}, "
            f"got {w!r}"
        )
    m = np.floor(t / w)
    m = np.where(m * w > t, m - 1, m)
    return _ranked(np.where((m + 1) * w <= t, m + 1, m))


def ranks_by_edges(t, edges) -> np.ndarray:
    """Return ``searchsorted(edges, t, side="right") - 1``, clipped to the outermost bins; float32."""
    inner = np.asarray(edges)[1:-1]
    return np.searchsorted(inner, np.asarray(t), side="right").astype(np.float32)


def _largest(t) -> float:
    t = np.asarray(t)
    return max(abs(float(t.min())), abs(float(t.max())))


def _ranked(m: np.ndarray) -> np.ndarray:
    """Map whole numbers of any size to numbers from 0 up in each column, equal for equal ones."""
    offset = m - m.min(axis=0)
    if offset.max() < EXACT:
        return offset.astype(np.float32)
    ranks = [np.unique(column, return_inverse=True)[1].reshape(-1) for column in m.T]
    return np.stack(ranks, axis=1).astype(np.float32)
