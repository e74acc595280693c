"""Finite-sample bounds: how far information estimated from n samples can be from the truth."""

import math
from typing import NamedTuple

import numpy as np

from ibjax.arrays import as_array
from ibjax.checks import as_whole, check_finite, check_known, check_number
from ibjax.types import ArrayLike

__all__ = ["FiniteSampleBounds", "finite_sample_bounds"]

# Tolerance in bits for estimates that exceed the possible maximum by rounding in float32.
ROUNDING_BITS = 1e-4


class FiniteSampleBounds(NamedTuple):
    """Intervals that contain the true I(X;T) and I(T;Y), in bits.

    Attributes:
        ixt_low: lower bound on I(X;T).
        ixt_high: upper bound on I(X;T).
        ity_low: lower bound on I(T;Y).
        ity_high: upper bound on I(T;Y).
        ixt_vacuous: whether the interval for I(X;T) is no better than 0 <= I(X;T) <= log2 |T|.
        ity_vacuous: whether that for I(T;Y) is no better than 0 <= I(T;Y) <= min(log2 |T|, log2 |Y|).
        ixt_method: name of the bound that gave the interval for I(X;T).
        ity_method: name of the bound that gave the interval for I(T;Y).
    """

    ixt_low: np.ndarray
    ixt_high: np.ndarray
    ity_low: np.ndarray
    ity_high: np.ndarray
    ixt_vacuous: np.ndarray
    ity_vacuous: np.ndarray
    ixt_method: str
    ity_method: str


class _Margins(NamedTuple):
    """How far the truth may lie below and above the estimate, in nats."""

    below: float
    above: float


def finite_sample_bounds(
    ixt: ArrayLike,
    ity: ArrayLike,
    *,
    cardinality_t: int | np.integer,
    cardinality_y: int | np.integer,
    num_samples: int | np.integer,
    delta: float | int,
    method: str | None = None,
) -> FiniteSampleBounds:
    """Bounds on the information of an encoder p(t|x) around its estimate from n samples of (X, Y).

    The estimates are those of the empirical distribution: with p^(t) = mean_i p(t|x_i), and p^(t, y) the
    sum of p(t|x_i) over the samples with y_i = y, divided by n, I^(X;T) = H^(T) - mean_i H(T|x_i) and
    I^(T;Y) = H^(T) + H^(Y) - H^(T,Y). The encoder must be chosen independently of these samples, as a
    trained layer is of the test samples. It may be soft, or hard as a binned layer is.

    Each of the two intervals fails with probability delta/2 at most. The margins depend on |T|, |Y|, n
    and delta alone, not on the samples, so choosing the narrower of two bounds costs no confidence.
    In nats:

    ``bounded_differences`` (Antos & Kontoyiannis 2001; Paninski 2003), extended to soft encoders:

    1. Replacing one sample changes I^(X;T) by at most h(1/n), the entropy of a coin with p = 1/n, which
       is below (1 + log n) / n. To see this, draw a sample's number i evenly and let Z = [i is the
       last]. I^(X;T) = I(i;T) = I(i;T|Z) + I(Z;T). The last sample has no part in the first term, and
       the second lies between 0 and H(Z) = h(1/n). Likewise H^(Y|T) = H(Y|T,Z) + I(Y;Z|T) and H^(Y) =
       H(Y|Z) + I(Y;Z), so these change by at most h(1/n) each, and I^(T;Y) = H^(Y) - H^(Y|T) by at most
       2 h(1/n).
    2. By McDiarmid, each estimate exceeds its mean, or falls below it, by more than the change in 1
       times sqrt(n log(4/delta) / 2) with probability delta/4 at most.
    3. Entropy is concave, so E H^ <= H; and H - E H^ = E KL(p^, p) <= log(1 + E chi^2(p^, p)) <= b(k)
       with b(k) = log(1 + (k - 1) / n) for k outcomes. Hence -b(|T|) <= E I^(X;T) - I(X;T) <= 0, and
       -b(min(|T|, |Y|)) <= E I^(T;Y) - I(T;Y) <= b(|T| |Y|).

    ``distance``, after Shamir, Sabato & Tishby (2010):

    1. The vector p^ over k outcomes is a mean of n independent vectors in the simplex. Its expected
       distance |p^ - p|_2 is at most 1/sqrt(n), and one sample changes it by at most sqrt(2)/n. By
       McDiarmid |p^ - p|_2 <= (1 + sqrt(log(1/q))) / sqrt(n) = c / sqrt(n), except with probability q.
    2. For u, v in [0, 1], |u log u - v log v| <= phi(|u - v|) with phi(d) = -d log d up to 1/e and 1/e
       beyond, which is increasing and concave. Hence by Jensen and Cauchy-Schwarz |H^ - H| <= sum
       phi(|p^ - p|) <= k phi(|p^ - p|_1 / k) <= k phi(c / sqrt(k n)), and no more than log k.
    3. mean_i H(T|x_i) is a mean of numbers in [0, log |T|]. By Hoeffding it is within log |T|
       sqrt(log(2/q) / 2n) of H(T|X), except with probability q.
    4. I(X;T) adds up the deviations of H(T) and H(T|X), with q = delta/4 each; I(T;Y) those of H(T),
       H(Y) and H(T,Y), with q = delta/6 each.

    ``shamir``, for comparison: Shamir, Sabato & Tishby (2010) for a fixed encoder, who state that
    |I^(X;T) - I(X;T)| <= (|T| log n + log |T|) sqrt(log(4/q) / 2n) + (|T| - 1) / n and |I^(T;Y) -
    I(T;Y)| <= (3 |T| + 2) log n sqrt(log(4/q) / 2n) + ((|Y| + 1)(|T| + 1) - 4) / n, except with
    probability q. Here q = delta/2 for each. From n = 2 on, both are wider than ``bounded_differences``,
    term by term. Their bounds for all encoders at once, also those chosen with these samples, are wider
    still; Tishby & Zaslavsky (2015) quote |T| / sqrt(n) and |T| |Y| / sqrt(n) without constants.

    Args:
        ixt: (...) I(X;T) of the empirical distribution, bits; at most log2 |T|.
        ity: (...) I(T;Y) of the empirical distribution, bits; at most log2 |T| and log2 |Y|.
        cardinality_t: number of states |T| that T may have, not only of those observed.
        cardinality_y: number of labels |Y|.
        num_samples: number n of samples of (X, Y).
        delta: probability, over the draw of samples, that one of the intervals misses the truth.
        method: "bounded_differences", "distance" or "shamir"; None takes the narrower of the first two,
            for each interval.

    Returns:
        ``FiniteSampleBounds``, bits, clipped to the possible range, from 0 to the logarithms above, with
        the names of the bounds that gave them.

    Raises:
        ValueError: for information that is negative, not finite, or more than that many states can
            carry, numbers that are not whole or below 1, a ``delta`` that is not between 0 and 1, and an
            unknown method.

    Accuracy:
        The intervals are guaranteed at any n, and conservative: in simulated draws, for hard and soft
        encoders and all three methods, far fewer than delta of them miss the truth, mostly none.

    Example:
        >>> bounds = finite_sample_bounds(
        ...     1.0, 0.5, cardinality_t=2, cardinality_y=2, num_samples=100_000, delta=0.05
        ... )
        >>> float(bounds.ity_low.round(2)), float(bounds.ity_high.round(2)), bounds.ity_method
        (0.33, 0.67, 'bounded_differences')

    References:
        Antos & Kontoyiannis (2001); Paninski (2003); Shamir, Sabato & Tishby (2010); Tishby & Zaslavsky
        (2015), section III.
    """
    cardinality_t = as_whole("cardinality_t", cardinality_t)
    cardinality_y = as_whole("cardinality_y", cardinality_y)
    n = as_whole("num_samples", num_samples)
    check_number("delta", delta, above=0.0, below=1.0)
    margins = {"bounded_differences": _bounded_differences, "distance": _distance, "shamir": _shamir}
    if method is not None:
        check_known("method", method, margins)
    names = ("bounded_differences", "distance") if method is None else (method,)
    most_t = math.log(cardinality_t)
    most_x, most_y = most_t, min(most_t, math.log(cardinality_y))
    ixt = _checked_bits("ixt", ixt, most_x / np.log(2), "states")
    ity = _checked_bits("ity", ity, most_y / np.log(2), "states and labels")

    candidates = {name: margins[name](cardinality_t, cardinality_y, n, delta) for name in names}
    intervals, vacuous, chosen = [], [], []
    for i, (estimate, most) in enumerate(((ixt, most_x), (ity, most_y))):
        name = min(candidates, key=lambda name: sum(candidates[name][i]))
        low, high = _interval(estimate, candidates[name][i], most)
        intervals += [low, high]
        vacuous.append((low <= 0) & (high >= most / np.log(2)))
        chosen.append(name)
    return FiniteSampleBounds(*intervals, *vacuous, *chosen)


def _bounded_differences(
    cardinality_t: int, cardinality_y: int, n: int, delta: float
) -> tuple[_Margins, _Margins]:
    """Return the margins of I(X;T) and I(T;Y) by McDiarmid's inequality and the bias of entropies."""
    coin = (math.log(n) - (n - 1) * math.log1p(-1 / n)) / n if n > 1 else 0.0  # h(1/n)
    deviation = coin * math.sqrt(n * math.log(4 / delta) / 2)

    def bias(k):
        return math.log1p((k - 1) / n)

    of_x = _Margins(deviation, deviation + bias(cardinality_t))
    below = 2 * deviation + bias(cardinality_t * cardinality_y)
    return of_x, _Margins(below, 2 * deviation + bias(min(cardinality_t, cardinality_y)))


def _distance(cardinality_t: int, cardinality_y: int, n: int, delta: float) -> tuple[_Margins, _Margins]:
    """Return the margins of I(X;T) and I(T;Y) by the distance between p^ and p."""

    def entropy_margin(k, failure):
        distance = (1 + math.sqrt(math.log(1 / failure))) / math.sqrt(k * n)
        phi = -distance * math.log(distance) if distance < math.exp(-1) else math.exp(-1)
        return min(k * phi, math.log(k)) if k > 1 else 0.0

    hidden = math.log(cardinality_t) * math.sqrt(math.log(8 / delta) / (2 * n))
    x = entropy_margin(cardinality_t, delta / 4) + hidden
    terms = (cardinality_t, cardinality_y, cardinality_t * cardinality_y)
    y = sum(entropy_margin(k, delta / 6) for k in terms)
    return _Margins(x, x), _Margins(y, y)


def _shamir(cardinality_t: int, cardinality_y: int, n: int, delta: float) -> tuple[_Margins, _Margins]:
    """Return the margins of I(X;T) and I(T;Y) that Shamir, Sabato & Tishby (2010) state."""
    t, deviation = cardinality_t, math.sqrt(math.log(8 / delta) / (2 * n))
    x = (t * math.log(n) + math.log(t)) * deviation + (t - 1) / n
    y = (3 * t + 2) * math.log(n) * deviation + ((cardinality_y + 1) * (t + 1) - 4) / n
    return _Margins(x, x), _Margins(y, y)


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


def _interval(estimate: np.ndarray, margins: _Margins, most: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the interval in bits, from margins and an upper limit in nats."""
    low = np.maximum(estimate - margins.below / np.log(2), 0)
    high = np.minimum(estimate + margins.above / np.log(2), most / np.log(2))
    return np.asarray(low), np.asarray(high)
