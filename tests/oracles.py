"""Slow, obvious twins in NumPy, written from the definitions and not from the library's code."""

from typing import NamedTuple

import numpy as np

__all__ = ["BinnedTwin", "binned_mi_twin", "edge_indices", "entropy_bits", "width_indices"]


class BinnedTwin(NamedTuple):
    """I(X;T), I(T;Y) and H(Y) in bits; the numbers of states of T and of (T, Y)."""

    ixt: float
    ity: float
    entropy_y: float
    num_states: int
    num_joint_states: int


def binned_mi_twin(t, y, *, bins=None, range=None, bin_width=None) -> BinnedTwin:
    """``binned_mi`` by ``np.unique`` on rows of bin indices, in float64."""
    t = np.asarray(t).astype(np.float32)
    if bin_width is not None:
        indices = width_indices(t, bin_width)
    elif np.ndim(bins) == 1:
        indices = edge_indices(t, np.asarray(bins, np.float32))
    else:
        lo, hi = (-1.0, 1.0) if range is None else range
        indices = edge_indices(
            t, np.linspace(lo, hi, (30 if bins is None else bins) + 1, dtype=np.float32)
        )
    of_t = _state_numbers(indices + 0.0)  # -0.0 is 0.0
    of_y = np.unique(np.asarray(y), return_inverse=True)[1].reshape(-1)
    of_ty = _state_numbers(np.stack([of_t, of_y], axis=1))
    h_t, h_y, h_ty = (entropy_bits(np.bincount(states)) for states in (of_t, of_y, of_ty))
    return BinnedTwin(h_t, h_t + h_y - h_ty, h_y, of_t.max() + 1, of_ty.max() + 1)


def edge_indices(t: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The bin of every activation; values outside the edges belong to the outermost bins."""
    index = np.searchsorted(edges, t, side="right") - 1
    return np.clip(index, 0, len(edges) - 2)


def width_indices(t: np.ndarray, bin_width: float) -> np.ndarray:
    """The largest whole float32 m with float32(m * bin_width) <= t, found by stepping.

    -inf where there is none: where every whole float32 number of bins is too high.
    """
    w = np.float32(bin_width)
    largest = float(np.finfo(np.float32).max)
    with np.errstate(over="ignore"):
        guess = np.floor(t.astype(np.float64) / np.float64(w))
        m = np.clip(guess, -largest, largest).astype(np.float32)
        while (too_high := m * w > t).any():
            m = np.where(too_high, _whole_below(m), m)
        above = _whole_above(m)
        while (too_low := np.isfinite(above) & (above * w <= t)).any():
            m = np.where(too_low, above, m)
            above = _whole_above(m)
    return m


def entropy_bits(counts) -> float:
    """Plug-in entropy of counts, -sum_k p_k log2 p_k."""
    counts = np.asarray(counts, np.float64)
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log2(p)).sum())


def _whole_below(m):
    """The next lower whole float32: 1 less, or a unit in the last place beyond 2^23."""
    small = (m > -(2.0**23)) & (m <= 2.0**23)
    return np.where(small, m - np.float32(1), np.nextafter(m, np.float32(-np.inf)))


def _whole_above(m):
    return -_whole_below(-m)


def _state_numbers(rows):
    """0, 1, ... for each row, equal where rows are."""
    return np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)
