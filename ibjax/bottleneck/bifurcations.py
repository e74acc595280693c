"""Bifurcations of an information curve: the betas at which its clusters split."""

from typing import NamedTuple

import numpy as np

from ibjax.bottleneck.curve import NEGLIGIBLE, InformationCurve
from ibjax.bottleneck.joint import checked_joint, decoder
from ibjax.checks import kind_of
from ibjax.types import ArrayLike

__all__ = ["Bifurcations", "bifurcations"]


class Bifurcations(NamedTuple):
    """Changes of the number of clusters along a curve, by increasing beta.

    Attributes:
        betas: (bifurcation,) location of each change, between the curve's betas.
        before: (bifurcation,) number of clusters below it.
        after: (bifurcation,) number of clusters above it.
    """

    betas: np.ndarray
    before: np.ndarray
    after: np.ndarray


def bifurcations(p_xy: ArrayLike, curve: InformationCurve) -> Bifurcations:
    """Locate the betas at which clusters of an information curve (``alpha=1``) split.

    A split has one of two causes. Either a cluster t becomes unstable: beta times the second eigenvalue
    of sum_x p(x|t) p(y|x) p(y'|x) / p(y|t) reaches 1 (the first eigenvalue is 1 and corresponds to no
    change). For a single cluster this happens at the inverse squared maximal correlation of X and Y.
    Since p(y|t) itself changes with beta, the point is extrapolated from the two betas below. Or, before
    that, another solution with more clusters becomes as good: the solutions found at the betas below and
    above have equal objectives. The smaller of the two betas is returned. It is exact for a continuous
    split of one cluster, and otherwise an upper bound that gets tighter as the curve's betas get closer.

    Args:
        p_xy: (x, y) joint distribution of the curve.
        curve: result of ``information_curve``.

    Returns:
        ``Bifurcations``.

    Raises:
        ValueError: as ``information_curve``; for anything but a curve, and a curve with another number
            of x.

    Example:
        >>> from ibjax.bottleneck import information_curve
        >>> p_xy = [[0.45, 0.05], [0.05, 0.45]]
        >>> found = bifurcations(p_xy, information_curve(p_xy, [1.0, 1.5, 2.0, 3.0]))
        >>> found.betas.round(4).tolist(), found.after.tolist()
        ([1.5625], [2])

    References:
        Wu, Fischer, Chuang & Tegmark (2019), the first split; Parker, Gedeon & Dimitrov (2002).
    """
    p_xy = checked_joint(p_xy)
    if not isinstance(curve, InformationCurve):
        raise ValueError(f"curve: expected an InformationCurve, got {kind_of(curve)}")
    if curve.encoders.shape[1] != len(p_xy):
        raise ValueError(
            f"curve: expected encoders of the {len(p_xy)} x of p_xy, got of {curve.encoders.shape[1]}"
        )
    order = np.argsort(curve.betas)
    betas, count = curve.betas[order], curve.num_clusters[order]
    ixt, ity = curve.ixt[order], curve.ity[order]
    changes = np.flatnonzero(np.diff(count))
    located = []
    for i in changes:
        beta = critical = _critical_beta(p_xy, curve.encoders[order[i]])
        if i > 0 and count[i - 1] == count[i]:
            moved = critical - _critical_beta(p_xy, curve.encoders[order[i - 1]])
            slope = moved / (betas[i] - betas[i - 1])
            beta = betas[i] + (critical - betas[i]) / (1 - slope)
        gained = ity[i + 1] - ity[i]
        crossing = (ixt[i + 1] - ixt[i]) / gained if gained > 0 else betas[i + 1]
        beta = np.clip(min(beta, crossing), betas[i], betas[i + 1])
        located.append(beta)
    return Bifurcations(np.array(located, np.float64), count[changes], count[changes + 1])


def _critical_beta(p_xy, encoder) -> float:
    """Return the beta at which the first of an encoder's clusters becomes unstable; inf if none does."""
    encoder = np.asarray(encoder, np.float64)
    p_x = p_xy.sum(axis=1)
    p_y_given_x = p_xy / np.where(p_x > 0, p_x, 1)[:, None]
    p_t, p_y_given_t = decoder(encoder, p_xy)
    largest = 0.0
    for t in np.flatnonzero(p_t > NEGLIGIBLE):
        p_x_given_t = p_x * encoder[:, t] / p_t[t]
        scaled = p_y_given_x / np.sqrt(np.where(p_y_given_t[t] > 0, p_y_given_t[t], 1))
        values = np.linalg.eigvalsh(scaled.T @ (p_x_given_t[:, None] * scaled))
        largest = max(largest, values[-2] if len(values) > 1 else 0.0)
    return 1 / largest if largest > 0 else np.inf
