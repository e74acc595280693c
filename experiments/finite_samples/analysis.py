"""Known encoders, their information estimated from samples, and how many samples bounds need."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import xarray as xr

from ibjax.analysis._inputs import as_numbers
from ibjax.analysis.encoders import class_joint
from ibjax.bottleneck import information_curve
from ibjax.bottleneck.bounds import FiniteSampleBounds, finite_sample_bounds
from ibjax.bottleneck.joint import checked_conditional, entropy_bits
from ibjax.checks import check_finite, check_function, check_number, kind_of
from ibjax.datasets import soft_label_probability
from ibjax.datasets.symmetric import symmetric_score
from ibjax.types import ArrayLike

__all__ = [
    "DELTA",
    "ESTIMATES",
    "RULE",
    "USEFUL_BITS",
    "SampleInformation",
    "analytic_encoders",
    "draws",
    "estimates_and_bounds",
    "inside",
    "least_samples",
    "methods",
    "needed",
    "sample_information",
]

# The soft rule of the labels, named by its I(X;Y) in bits, and the probability that bounds may fail.
RULE, DELTA = "0.90", 0.05

# Betas of the bottleneck's encoders; the beta and the numbers of states of the hard partitions.
BETAS = (2.0, 50.0)
HARD_BETA, HARD_STATES = 100.0, (2, 6)

# An error of I(T;Y) below this is small.
USEFUL_BITS = 0.05

# The search for a number of samples stops here.
MOST_SAMPLES = 2**60

# Descriptions of the variables of ``estimates_and_bounds``.
ESTIMATES = {
    "ixt": "I(X;T), plug-in",
    "ity": "I(T;Y), plug-in",
    "ixt_corrected": "I(X;T), Miller-Madow",
    "ity_corrected": "I(T;Y), Miller-Madow",
    "ixt_low": "lower bound of I(X;T)",
    "ixt_high": "upper bound of I(X;T)",
    "ity_low": "lower bound of I(T;Y)",
    "ity_high": "upper bound of I(T;Y)",
    "ixt_vacuous": "the bounds of I(X;T) are those that always hold",
    "ity_vacuous": "the bounds of I(T;Y) are those that always hold",
    "ixt_shamir_low": "lower bound of I(X;T) by Shamir et al.",
    "ixt_shamir_high": "upper bound of I(X;T) by Shamir et al.",
    "ity_shamir_low": "lower bound of I(T;Y) by Shamir et al.",
    "ity_shamir_high": "upper bound of I(T;Y) by Shamir et al.",
}


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
    method: str | None = None,
    says: Callable[[FiniteSampleBounds], bool],
) -> float:
    """Find the number of samples from which ``finite_sample_bounds`` around these values say something.

    Args:
        ixt: I(X;T), bits.
        ity: I(T;Y), bits.
        cardinality_t: number of states of T.
        cardinality_y: number of labels.
        delta: failure probability of ``finite_sample_bounds``.
        method: ``method`` of ``finite_sample_bounds``.
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
            method=method,
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


def analytic_encoders() -> dict[str, np.ndarray]:
    """Return p(t|x) of the bottleneck's encoders, hard partitions and the 44 classes, (4096, t) each."""
    classes = np.unique(symmetric_score(), return_inverse=True)[1]
    p_cy = class_joint(classes, soft_label_probability(RULE))
    curve = information_curve(p_cy, BETAS)
    encoders = {
        f"bottleneck, beta {beta:g}": encoder[:, :count]
        for beta, encoder, count in zip(BETAS, curve.encoders, curve.num_clusters, strict=True)
    }
    for k in HARD_STATES:
        hard = information_curve(p_cy, [HARD_BETA], alpha=0.0, num_clusters=k)
        encoders[f"{k} hard states"] = hard.encoders[0]
    encoders["44 classes"] = np.eye(len(p_cy))
    return {name: encoder.astype(float)[classes] for name, encoder in encoders.items()}


def draws(p_xy: np.ndarray, n: int, repeats: range) -> np.ndarray:
    """Return (repeat, x, y) counts of n samples, drawn by a generator of each repeat's own."""
    counts = [np.random.default_rng([repeat, n]).multinomial(n, p_xy.ravel()) for repeat in repeats]
    return np.reshape(counts, (len(repeats), *p_xy.shape))


def estimates_and_bounds(counts: np.ndarray, encoder: np.ndarray, n: int) -> dict[str, np.ndarray]:
    """Return the variables of ``ESTIMATES``, (repeat,) each, from counts of n samples."""
    estimates = sample_information(counts, encoder)
    bounds, shamir = (
        finite_sample_bounds(
            estimates.ixt,
            estimates.ity,
            cardinality_t=encoder.shape[1],
            cardinality_y=counts.shape[-1],
            num_samples=n,
            delta=DELTA,
            method=method,
        )._asdict()
        for method in (None, "shamir")
    )
    columns = estimates._asdict() | bounds
    for name in ("ixt", "ity"):
        columns |= {f"{name}_shamir_{end}": shamir[f"{name}_{end}"] for end in ("low", "high")}
    return {name: columns[name] for name in ESTIMATES}


def methods(results: xr.Dataset) -> xr.Dataset:
    """Return the names of the bounds that gave the intervals, (encoder, num_samples)."""
    dims, columns = ("encoder", "num_samples"), ("ixt_method", "ity_method")
    chosen = [
        [
            finite_sample_bounds(
                0.0, 0.0, cardinality_t=int(states), cardinality_y=2, num_samples=int(n), delta=DELTA
            )
            for n in results["num_samples"].values
        ]
        for states in results.cardinality.values
    ]
    names = {k: (dims, [[getattr(b, k) for b in row] for row in chosen]) for k in columns}
    return xr.Dataset(names, {dim: results[dim].values for dim in dims})


def inside(results: xr.Dataset) -> xr.DataArray:
    """Return whether both intervals hold the exact values, (encoder, num_samples, repeat)."""
    ixt, ity = (
        (results[f"{name}_low"] <= results[f"exact_{name}"])
        & (results[f"exact_{name}"] <= results[f"{name}_high"])
        for name in ("ixt", "ity")
    )
    return ixt & ity


def needed(results: xr.Dataset, encoder: str) -> dict[str, float]:
    """Return from how many samples on an encoder's estimate is good and bounds say something.

    Args:
        results: results of the experiment.
        encoder: name of the encoder.

    Returns:
        Numbers of samples, infinity where none suffices. The smallest of those drawn from which on

        - ``estimate``: the root mean square error of I(T;Y) is below ``USEFUL_BITS``;
        - ``ixt_speaks``: every draw's interval for I(X;T) says more than what always holds;

        and the smallest at all from which on, around the exact value,

        - ``ity_speaks``: the interval for I(T;Y) says more than what always holds, by the narrower
          bound; ``ity_speaks_distance`` and ``ity_speaks_shamir``: by these methods;
        - ``ity_useful``: the interval for I(T;Y) is within ``USEFUL_BITS``.
    """
    results = results.sel(encoder=encoder)
    ixt, ity = float(results.exact_ixt), float(results.exact_ity)
    sizes = [*results["num_samples"].values.tolist(), np.inf]

    def from_drawn(fails):
        """Return the number drawn after the last that fails."""
        last = np.flatnonzero(fails)
        return float(sizes[int(last[-1]) + 1 if len(last) else 0])

    def least(says, method=None):
        states = int(results.cardinality)
        return least_samples(ixt, ity, states, 2, delta=results.delta, method=method, says=says)

    def speaks(bounds):
        return not bounds.ity_vacuous

    error = np.sqrt(((results.ity - ity) ** 2).mean("repeat")).values
    return {
        "estimate": from_drawn(error >= USEFUL_BITS),
        "ixt_speaks": from_drawn(results.ixt_vacuous.max("repeat").values > 0),
        "ity_speaks": least(speaks),
        "ity_speaks_distance": least(speaks, "distance"),
        "ity_speaks_shamir": least(speaks, "shamir"),
        "ity_useful": least(lambda b: max(ity - b.ity_low, b.ity_high - ity) <= USEFUL_BITS),
    }
