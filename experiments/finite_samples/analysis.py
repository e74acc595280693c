"""An encoder's information estimated from samples, and how many samples bounds need; in NumPy."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ibjax.analysis._inputs import as_numbers
from ibjax.bottleneck.bounds import FiniteSampleBounds, finite_sample_bounds
from ibjax.bottleneck.joint import checked_conditional, entropy_bits
from ibjax.checks import check_finite, check_function, check_number, kind_of
from ibjax.types import ArrayLike

__all__ = ["SampleInformation", "least_samples", "sample_information"]

# The search for a number of samples stops here.
MOST_SAMPLES = 2**60


class SampleInformation(NamedTuple):
    """Estimates from counts of samples, in bits, with the counts' leading axes.

    Attributes:
        ixt: I(X;T) of the empirical distribution.
        ity: I(T;Y) of the empirical distribution.
        ixt_corrected: I(X;T) with the entropies' bias removed to first order.
        ity_corrected: I(T;Y) with the same correction.
    """

    ixt: np.ndarray
    ity: np.ndarray
    ixt_corrected: np.ndarray
    ity_corrected: np.ndarray


def sample_information(counts: ArrayLike, encoder: ArrayLike) -> SampleInformation:
    """Estimate I(X;T) and I(T;Y) of a known encoder p(t|x) from n samples of (X, Y).

    With p^(t, y) the mean of p(t|x_i) [y_i = y] over the samples, I^(X;T) = H^(T) - mean_i H(T|x_i) and
    I^(T;Y) = H^(T) + H^(Y) - H^(T,Y), as in ``ibjax.bottleneck.finite_sample_bounds``.

    Miller and Madow add (states - 1) / (2 n) nats to an entropy: the sum over states of the estimated
    Var[1(t)] / p(t), divided by 2 n. For a soft encoder this becomes sum_t Var[p(t|x)] / p^(t) / (2 n),
    which is less, since no state is drawn. For hard encoders the two are equal.

    Args:
        counts: (..., x, y) number of times that each pair was drawn.
        encoder: (x, t) encoder p(t|x).

    Returns:
        ``SampleInformation`` of arrays (...). The estimates are never negative; the corrected ones may
        be, and are not clipped, which would bias their averages.

    Raises:
        ValueError: for counts that are negative, not finite or all 0, and an invalid encoder.

    Bias:
        I^(X;T) is biased downward, I^(T;Y) upward.

    References:
        Shamir, Sabato & Tishby (2010), section 3; Miller (1955).
    """
    counts = as_numbers("counts", counts, "(..., x, y)")
    check_finite("counts", counts)
    encoder = checked_conditional(encoder, counts.shape[-2])
    n = counts.sum(axis=(-2, -1))
    if counts.min() < 0 or n.min() <= 0:
        raise ValueError(f"counts: expected 0 or more, some positive, got {counts.min()}, sum {n.min()}")
    shares = np.moveaxis(counts, -1, -2) / n[..., None, None]  # (..., y, x)
    p_x, p_y = shares.sum(axis=-2), shares.sum(axis=-1)
    rows = shares.reshape(-1, len(encoder))  # one product, which reads the encoder once
    p_ty, squares = (
        (rows @ weights).reshape(*shares.shape[:-1], -1) for weights in (encoder, encoder**2)
    )  # (..., y, t)
    p_t = p_ty.sum(axis=-2)
    h_t, h_y, h_ty = entropy_bits(p_t, -1), entropy_bits(p_y, -1), entropy_bits(p_ty, -1).sum(axis=-1)

    def missing(squares, p, axis):
        """Return an entropy's first-order bias in bits: sum (E[p(t|x)^2] - p^2) / p / 2n."""
        ratio = np.divide(squares, p, out=np.zeros_like(p), where=p > 0)
        return (ratio.sum(axis=axis) - p.sum(axis=axis)) / (2 * n * np.log(2))

    more_t = missing(squares.sum(axis=-2), p_t, -1)
    more_y, more_ty = missing(p_y, p_y, -1), missing(squares, p_ty, (-2, -1))
    ixt = np.maximum(h_t - p_x @ entropy_bits(encoder, 1), 0)
    ity = np.maximum(h_t + h_y - h_ty, 0)
    return SampleInformation(ixt, ity, ixt + more_t, ity + more_t + more_y - more_ty)


def least_samples(
    ixt: float | int,
    ity: float | int,
    cardinality_t: int | np.integer,
    cardinality_y: int | np.integer,
    *,
    delta: float | int,
    says: Callable[[FiniteSampleBounds], bool],
) -> float:
    """Find the number of samples from which ``finite_sample_bounds`` around these values say something.

    Args:
        ixt: I(X;T), bits.
        ity: I(T;Y), bits.
        cardinality_t: number of states of T.
        cardinality_y: number of labels.
        delta: failure probability of ``finite_sample_bounds``.
        says: function that returns whether the bounds say it; once true, it must stay true as n grows.

    Returns:
        The smallest such n; infinity beyond 2^60.

    Raises:
        ValueError: as ``finite_sample_bounds``, and for anything but a function.
    """
    check_number("ixt", ixt)
    check_number("ity", ity)
    check_function("says", says, "of FiniteSampleBounds that says True or False")

    def at(n):
        bounds = finite_sample_bounds(
            ixt,
            ity,
            cardinality_t=cardinality_t,
            cardinality_y=cardinality_y,
            num_samples=n,
            delta=delta,
        )
        return _truth(says(bounds))

    high = 1
    while not at(high):
        high *= 2
        if high > MOST_SAMPLES:
            return np.inf
    low = high // 2  # too few samples, or 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if at(middle) else (middle, high)
    return float(high)


def _truth(answer) -> bool:
    if not isinstance(answer, bool | np.bool_ | np.ndarray) or np.shape(answer) != ():
        raise ValueError(
            f"says: expected a function that says True or False, got {kind_of(answer)} from it"
        )
    return bool(answer)
