"""The point of the information bottleneck that a layer is closest to."""

from typing import NamedTuple

import numpy as np
import scipy.optimize
import scipy.special

from ibjax.bottleneck.joint import checked_conditional, checked_joint, decoder, known_float64
from ibjax.checks import check_finite, check_rank
from ibjax.types import ArrayLike

__all__ = ["EncoderBeta", "encoder_beta"]


class EncoderBeta(NamedTuple):
    """The bottleneck encoder closest to a layer's encoder.

    Attributes:
        beta: trade-off parameter at which it is closest.
        distance: KL(layer || bottleneck), averaged over x, bits; 0 for a fixed point.
        at_bound: whether ``beta`` is an end of the search range. It then only means that the layer is
            nearly invertible (upper end) or almost independent of p(y|x) (lower end).
    """

    beta: float
    distance: float
    at_bound: bool


def encoder_beta(
    p_t_given_x: ArrayLike, p_xy: ArrayLike, *, beta_range: ArrayLike = (1e-2, 1e4)
) -> EncoderBeta:
    """Find the beta whose self-consistent encoder is closest to a layer's own.

    From the layer's p(t) and p(y|t), the bottleneck equation gives an encoder for each beta::

        p_beta(t|x) = p(t) exp(-beta KL[p(y|x) || p(y|t)]) / Z(x, beta).

    sum_x p(x) KL[p(t|x) || p_beta(t|x)] is convex in beta and minimal where both encoders have the same
    mean distortion KL[p(y|x) || p(y|t)], which for the layer is I(X;Y) - I(T;Y). That beta is found by
    bracketing. A layer at an optimum of the bottleneck has distance 0 at its own beta; a hard encoder
    has distance 0 only where clusters share no p(y|x) > 0, as beta grows.

    Args:
        p_t_given_x: (x, t) the layer's encoder; one-hot rows for states of a deterministic layer.
        p_xy: (x, y) joint distribution, with soft or hard labels.
        beta_range: search range (low, high), 0 < low < high.

    Returns:
        ``EncoderBeta``.

    Raises:
        ValueError: for invalid encoders or joint distributions, shapes that do not match, and a range
            that is not positive and increasing.

    Example:
        >>> from ibjax.bottleneck import information_curve
        >>> p_xy = [[0.45, 0.05], [0.05, 0.45]]
        >>> curve = information_curve(p_xy, [3.0])
        >>> found = encoder_beta(curve.encoders[0], p_xy)
        >>> round(found.beta, 3), round(abs(found.distance), 6), found.at_bound
        (3.0, 0.0, False)

    References:
        Shwartz-Ziv & Tishby (2017), section 3.5 and figure 6; equations 4 to 6.
    """
    p_xy = checked_joint(p_xy)
    p_t_given_x = checked_conditional(p_t_given_x, len(p_xy))
    low, high = _checked_range(beta_range)
    possible = p_xy.sum(axis=1) > 0
    p_xy, p_t_given_x = p_xy[possible], p_t_given_x[possible]
    p_x = p_xy.sum(axis=1)
    p_y_given_x = p_xy / p_x[:, None]
    p_t, p_y_given_t = decoder(p_t_given_x, p_xy)
    held = p_t > 0
    p_t, p_y_given_t, p_t_given_x = p_t[held], p_y_given_t[held], p_t_given_x[:, held]
    with np.errstate(divide="ignore"):
        log_y = np.maximum(np.log(p_y_given_t), np.finfo(float).min / 1e10)
    neg_entropy = scipy.special.xlogy(p_y_given_x, p_y_given_x).sum(axis=1)
    distortion = np.maximum(neg_entropy[:, None] - p_y_given_x @ log_y.T, 0)  # (x, t), large but finite
    weights = p_x[:, None] * p_t_given_x
    mean_distortion = np.sum(np.where(weights > 0, weights * distortion, 0))

    def logits(beta):
        return np.log(p_t)[None, :] - beta * distortion

    def excess(log_beta):
        """Return the layer's mean distortion minus the bottleneck encoder's; increasing in beta."""
        encoder = scipy.special.softmax(logits(np.exp(log_beta)), axis=1)
        return mean_distortion - np.sum(p_x[:, None] * np.where(encoder > 0, encoder * distortion, 0))

    def distance(beta):
        log_encoder = scipy.special.log_softmax(logits(beta), axis=1)
        ratio = scipy.special.xlogy(weights, p_t_given_x) - np.where(
            weights > 0, weights * log_encoder, 0
        )
        return max(float(ratio.sum() / np.log(2)), 0.0)

    for end, outside in ((low, excess(np.log(low)) >= 0), (high, excess(np.log(high)) <= 0)):
        if outside:
            return EncoderBeta(end, distance(end), True)
    root = scipy.optimize.root_scalar(excess, bracket=(np.log(low), np.log(high)), xtol=1e-10).root
    beta = float(np.exp(root))
    return EncoderBeta(beta, distance(beta), False)


def _checked_range(beta_range) -> tuple[float, float]:
    ends = known_float64("beta_range", beta_range)
    check_rank("beta_range", ends, 1, "(2,)")
    check_finite("beta_range", ends)
    if len(ends) != 2 or not 0 < ends[0] < ends[1]:
        raise ValueError(f"beta_range: expected 0 < low < high, got {beta_range!r}")
    return float(ends[0]), float(ends[1])
