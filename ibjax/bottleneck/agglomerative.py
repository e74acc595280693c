"""Hard clusterings by greedy merging and by single moves, in float64 NumPy."""

import numpy as np

from ibjax.bottleneck.joint import entropy_terms

__all__ = ["hard_objective", "improved", "merged_to"]


def merged_to(p_xy: np.ndarray, num_clusters: int) -> np.ndarray:
    """Cluster by the agglomerative bottleneck: repeatedly merge the pair that loses the least I(T;Y).

    Args:
        p_xy: (x, y) joint distribution.
        num_clusters: number of clusters to stop at, from 1 to the number of x.

    Returns:
        (x,) cluster numbers from 0 to ``num_clusters - 1``.

    References:
        Slonim & Tishby (1999).
    """
    p_ty = p_xy.copy()
    label = np.arange(len(p_xy))
    alive = np.ones(len(p_xy), bool)
    lost = _merge_losses(p_ty, p_ty)
    np.fill_diagonal(lost, np.inf)
    for _ in range(len(p_xy) - num_clusters):
        i, j = np.unravel_index(lost.argmin(), lost.shape)
        p_ty[i] += p_ty[j]
        label[label == j] = i
        alive[j] = False
        merged_losses = np.where(alive, _merge_losses(p_ty[[i]], p_ty)[0], np.inf)
        lost[j], lost[:, j] = np.inf, np.inf
        lost[i], lost[:, i] = merged_losses, merged_losses
        lost[i, i] = np.inf
    return np.unique(label, return_inverse=True)[1].reshape(-1)


def hard_objective(label: np.ndarray, p_xy: np.ndarray, beta: float) -> float:
    """Return H(T) - beta I(T;Y) of a hard clustering, in nats."""
    p_ty = np.zeros((label.max() + 1, p_xy.shape[1]))
    np.add.at(p_ty, label, p_xy)
    h_y = entropy_terms(p_xy.sum(axis=0)).sum()
    return float(
        ((1 - beta) * entropy_terms(p_ty.sum(axis=1)) + beta * entropy_terms(p_ty).sum(axis=1)).sum()
        - beta * h_y
    )


def improved(label: np.ndarray, p_xy: np.ndarray, beta: float, max_clusters: int) -> np.ndarray:
    """Improve a clustering until no move of a single x and no merger lowers H(T) - beta I(T;Y).

    Moves may open a new cluster as long as there are fewer than ``max_clusters``.

    Args:
        label: (x,) cluster numbers from 0.
        p_xy: (x, y) joint distribution.
        beta: trade-off parameter.
        max_clusters: largest number of clusters allowed.

    Returns:
        (x,) cluster numbers from 0, none empty.

    References:
        The moves: Slonim, Friedman & Tishby (2002); the mergers: Strouse & Schwab (2017).
    """

    def value(p_ty):  # value of each cluster, (..., y) -> (...,)
        return (1 - beta) * entropy_terms(p_ty.sum(axis=-1)) + beta * entropy_terms(p_ty).sum(axis=-1)

    label = np.unique(label, return_inverse=True)[1].reshape(-1)
    while True:
        count = label.max() + 1
        p_ty = np.zeros((min(count + 1, max_clusters), p_xy.shape[1]))
        np.add.at(p_ty, label, p_xy)
        values = value(p_ty)
        joined = value(p_ty[:, None] + p_ty[None, :]) - values[:, None] - values[None, :]  # (t, t)
        np.fill_diagonal(joined, np.inf)
        left = value(np.maximum(p_ty[label] - p_xy, 0)) - values[label]  # (x,)
        moved = left[:, None] + value(p_xy[:, None] + p_ty[None, :]) - values[None, :]  # (x, t)
        moved[np.arange(len(label)), label] = np.inf
        if min(joined.min(), moved.min()) > -1e-12 * max(beta, 1):  # no more than rounding
            return label
        if joined.min() <= moved.min():
            i, j = np.unravel_index(joined.argmin(), joined.shape)
            label = np.where(label == j, i, label)
        else:
            x, t = np.unravel_index(moved.argmin(), moved.shape)
            label = label.copy()
            label[x] = t
        label = np.unique(label, return_inverse=True)[1].reshape(-1)


def _merge_losses(a, b):
    """Return the nats of I(T;Y) lost by merging each cluster of a with each of b, (t, u)."""

    def value(p_ty):
        return entropy_terms(p_ty.sum(axis=-1)) - entropy_terms(p_ty).sum(axis=-1)

    return value(a)[:, None] + value(b)[None, :] - value(a[:, None] + b[None, :])
