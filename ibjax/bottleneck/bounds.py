"""Finite-sample bounds: how far information estimated from n samples can be from the truth."""

import math
from typing import NamedTuple

import numpy as np

from ibjax.arrays import as_array
from ibjax.checks import as_whole, check_finite, check_number
from ibjax.types import ArrayLike

__all__ = ["FiniteSampleBounds", "finite_sample_bounds"]

# Tolerance in bits for estimates that exceed the possible maximum by rounding in float32.
ROUNDING_BITS = 1e-4

# Number of bounds that may fail: on the deviations of p(t), H(T|X), p(t, y) and p(y).
NUM_EVENTS = 4


class FiniteSampleBounds(NamedTuple):
    """Intervals that contain the true I(X;T) and I(T;Y), in bits.

    Attributes:
        ixt_low: lower bound on I(X;T).
        ixt_high: upper bound on I(X;T).
        ity_low: lower bound on I(T;Y).
        ity_high: upper bound on I(T;Y).
        ixt_vacuous: whether the interval for I(X;T) is no better than 0 <= I(X;T) <= log2 |T|.
        ity_vacuous: whether that for I(T;Y) is no better than 0 <= I(T;Y) <= min(log2 |T|, log2 |Y|).
    """

    ixt_low: np.ndarray
    ixt_high: np.ndarray
    ity_low: np.ndarray
    ity_high: np.ndarray
    ixt_vacuous: np.ndarray
    ity_vacuous: np.ndarray


def finite_sample_bounds(
    ixt: ArrayLike,
    ity: ArrayLike,
    *,
    cardinality_t: int | np.integer,
    cardinality_y: int | np.integer,
    num_samples: int | np.integer,
    delta: float | int,
) -> FiniteSampleBounds:
    """Bounds on the information of an encoder p(t|x) around its estimate from n samples of (X, Y).

    The estimates are those of the empirical distribution: with p^(t) = mean_i p(t|x_i), and p^(t, y) the
    sum of p(t|x_i) over the samples with y_i = y, divided by n, I^(X;T) = H^(T) - mean_i H(T|x_i) and
    I^(T;Y) = H^(T) + H^(Y) - H^(T,Y). The encoder must be chosen independently of these samples, as a
    trained layer is of the test samples.

    Derivation, in nats, after Shamir, Sabato & Tishby (2010):

    1. The vector p^ over k outcomes is a mean of n independent vectors in the simplex. Its expected
       distance |p^ - p|_2 is at most 1/sqrt(n), and one sample changes it by at most sqrt(2)/n. By
       McDiarmid |p^ - p|_2 <= (1 + sqrt(log(4/delta))) / sqrt(n) = c / sqrt(n), except with probability
       delta/4.
    2. For u, v in [0, 1], |u log u - v log v| <= phi(|u - v|) with phi(d) = -d log d up to 1/e and 1/e
       beyond, which is increasing and concave. Hence by Jensen and Cauchy-Schwarz
       |H^ - H| <= sum phi(|p^ - p|) <= k phi(|p^ - p|_1 / k) <= k phi(c / sqrt(k n)) = h(k), and no
       more than log k.
    3. mean_i H(T|x_i) is a mean of numbers in [0, log |T|]. By Hoeffding it is within g = log |T|
       sqrt(log(8/delta) / 2n) of H(T|X), except with probability delta/4.
    4. Together, except with probability delta, |I^(X;T) - I(X;T)| <= h(|T|) + g, and |I^(T;Y) - I(T;Y)|
       <= h(|T|) + h(|Y|) + h(|T| |Y|).

    For large n these are of the order sqrt(|T| / n) log n and sqrt(|T| |Y| / n) log n. Shamir et al.
    bound all encoders at once, including those chosen with these samples, through |p^(x) - p(x)|_2 over
    all of X; Tishby & Zaslavsky (2015) quote |T| / sqrt(n) and |T| |Y| / sqrt(n) without constants. Both
    are wider.

    Args:
        ixt: (...) I(X;T) of the empirical distribution, bits; at most log2 |T|.
        ity: (...) I(T;Y) of the empirical distribution, bits; at most log2 |T| and log2 |Y|.
        cardinality_t: number of states |T| that T may have, not only of those observed.
        cardinality_y: number of labels |Y|.
        num_samples: number n of samples of (X, Y).
        delta: probability, over the draw of samples, that one of the intervals misses the truth.

    Returns:
        ``FiniteSampleBounds``, bits, clipped to the possible range, from 0 to the logarithms above.

    Raises:
        ValueError: for information that is negative, not finite, or more than that many states can
            carry, numbers that are not whole or below 1, and a ``delta`` that is not between 0 and 1.

    Example:
        >>> bounds = finite_sample_bounds(
        ...     1.0, 0.5, cardinality_t=2, cardinality_y=2, num_samples=100_000, delta=0.05
        ... )
        >>> float(bounds.ity_low.round(2)), float(bounds.ity_high.round(2)), bool(bounds.ity_vacuous)
        (0.15, 0.85, False)

    References:
        Shamir, Sabato & Tishby (2010); Tishby & Zaslavsky (2015), section III.
    """
    cardinality_t = as_whole("cardinality_t", cardinality_t)
    cardinality_y = as_whole("cardinality_y", cardinality_y)
    n = as_whole("num_samples", num_samples)
    check_number("delta", delta, above=0.0, below=1.0)
    most_t = math.log(cardinality_t)
    most_x, most_y = most_t, min(most_t, math.log(cardinality_y))
    ixt = _checked_bits("ixt", ixt, most_x / np.log(2), "states")
    ity = _checked_bits("ity", ity, most_y / np.log(2), "states and labels")

    def entropy_width(k):
        distance = (1 + np.sqrt(np.log(NUM_EVENTS / delta))) / math.sqrt(k * n)
        phi = -distance * np.log(distance) if distance < np.exp(-1) else np.exp(-1)
        return min(k * phi, math.log(k)) if k > 1 else 0.0

    hidden = min(most_t * np.sqrt(np.log(2 * NUM_EVENTS / delta) / (2 * n)), most_t)
    x_width = entropy_width(cardinality_t) + hidden
    y_width = sum(
        entropy_width(k) for k in (cardinality_t, cardinality_y, cardinality_t * cardinality_y)
    )
    x_low, x_high = _interval(ixt, x_width, most_x)
    y_low, y_high = _interval(ity, y_width, most_y)
    vacuous = [(low <= 0) & (high >= most / np.log(2)) for low, high, most in
               ((x_low, x_high, most_x), (y_low, y_high, most_y))]  # fmt: skip
    return FiniteSampleBounds(x_low, x_high, y_low, y_high, *vacuous)


def _checked_bits(name, value, most, carriers) -> np.ndarray:
    value = np.asarray(as_array(name, value), np.float64)
    check_finite(name, value)
    if value.size and value.min() < 0:
        raise ValueError(f"{name}: expected 0 bits or more, got {value.min()}")
    if value.size and value.max() > most + ROUNDING_BITS:
        raise ValueError(
            f"{name}: expected at most the {most:.6g} bits that so few {carriers} carry, "
            f"got {value.max():.6g}"
        )
    return np.asarray(np.minimum(value, most))


def _interval(estimate, width, most):
    """Return the interval in bits, from a width and an upper limit in nats."""
    low = np.maximum(estimate - width / np.log(2), 0)
    return low, np.minimum(estimate + width / np.log(2), most / np.log(2))
