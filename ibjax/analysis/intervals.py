"""Estimates over seeds with their 95% confidence intervals: means, medians, correlations, jackknife.

``benchmarks.calibration`` simulates them: how often they exclude the truth, and how long they are.
"""

from typing import Any, NamedTuple

import numpy as np
import scipy.stats

from ibjax.analysis._inputs import as_numbers
from ibjax.analysis._labelled import check_same_seeds
from ibjax.checks import as_whole, check_number, check_same_length, kind_of
from ibjax.types import ArrayLike

__all__ = [
    "Interval",
    "halving_interval",
    "halvings",
    "jackknife_interval",
    "jackknife_variance",
    "mean_interval",
    "median_interval",
    "rank_correlation",
    "simultaneous_level",
]

# Random halvings of the seeds over which a statistic is averaged. More hardly shorten its interval.
NUM_HALVINGS = 20
MOST_SEEDS = 10**6


class Interval(NamedTuple):
    """An estimate over seeds with its confidence interval: numbers, or arrays of one shape.

    Attributes:
        estimate: the mean, median or correlation.
        low: lower limit of the interval.
        high: upper limit of the interval.
        num_seeds: number of seeds that the estimate rests on.
    """

    estimate: Any
    low: Any
    high: Any
    num_seeds: Any


def mean_interval(values: ArrayLike, axis: int = 0, level: float | int = 0.95) -> Interval:
    """Mean over one axis with Student's t interval; NaN (diverged seeds) is left out and counted.

    Args:
        values: array of numbers, one of whose axes is that of the seeds.
        axis: axis of the seeds.
        level: confidence level of the interval, between 0 and 1.

    Returns:
        ``Interval`` of arrays without ``axis``; NaN limits for fewer than two values.

    Raises:
        ValueError: for anything but numbers, an axis that they do not have, a level outside (0, 1).

    Example:
        >>> interval = mean_interval(np.array([1.0, 2.0, 3.0, np.nan]))
        >>> float(interval.estimate), round(float(interval.low), 3), int(interval.num_seeds)
        (2.0, -0.484, 3)
    """
    values = as_numbers("values", values, "(...)", empty=True)
    axis = as_whole("axis", axis, at_least=-values.ndim)
    if axis >= values.ndim:
        raise ValueError(f"axis: expected one of the {values.ndim} of values, got {axis}")
    check_number("level", level, above=0.0, below=1.0)
    valid = np.isfinite(values)
    count = valid.sum(axis=axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(valid, values, 0.0).sum(axis=axis) / count
        squares = np.where(valid, (values - np.expand_dims(mean, axis)) ** 2, 0.0).sum(axis=axis)
        error = np.sqrt(squares / (count - 1) / count)
    half = scipy.stats.t.ppf(0.5 + level / 2, np.maximum(count - 1, 1)) * error
    half = np.where(count > 1, half, np.nan)
    return Interval(mean, mean - half, mean + half, count)


def simultaneous_level(num_intervals: int, level: float | int = 0.95) -> float:
    """Return the level of each of several intervals that hold all at once with probability ``level``.

    By Bonferroni's inequality: 1 - (1 - level) / num_intervals, whatever their dependence.

    Args:
        num_intervals: number of intervals that a statement rests on.
        level: probability that all of them hold, between 0 and 1.

    Raises:
        ValueError: for a number that is not whole and positive, a level outside (0, 1).

    Example:
        >>> round(simultaneous_level(10), 6)
        0.995
    """
    num_intervals = as_whole("num_intervals", num_intervals)
    check_number("level", level, above=0.0, below=1.0)
    return 1 - (1 - float(level)) / num_intervals


def halvings(num_seeds: int) -> np.ndarray:
    """Return random halvings of the seeds, the same ones at every call.

    A statistic that chooses something, such as the epoch of a peak, chooses it on one half and is
    measured on the other, and the other way round; ``halving_interval`` averages over the halvings.

    Args:
        num_seeds: number of seeds, by their positions.

    Returns:
        (halving, seed) bool: whether a seed is in the first half, which has ``num_seeds // 2``.

    Raises:
        ValueError: for a number that is not whole, positive and at most a million.
    """
    num_seeds = as_whole("num_seeds", num_seeds, at_most=MOST_SEEDS)
    rng = np.random.RandomState(0)
    positions = np.array([rng.permutation(num_seeds) for _ in range(NUM_HALVINGS)])
    return positions < num_seeds // 2


def halving_interval(values: ArrayLike, level: float | int = 0.95) -> Interval:
    """Mean over seeds of a statistic with something chosen on the other half, averaged over halvings.

    The means of the two halves are unbiased, since neither is measured with what it has chosen itself.
    Averaged over halvings they vary less than those of one halving, but more than Student's variance
    of the seeds' averages says, since all seeds share what is chosen. The interval is Student's with
    the mean of the two variances, that of one halving, averaged, and that of the averages:
    ``benchmarks.calibration`` shows that it neither excludes the truth too often nor too rarely.

    Args:
        values: (halving, seed, ...) numbers; NaN (diverged seeds) is left out and counted.
        level: confidence level of the interval, between 0 and 1.

    Returns:
        ``Interval`` of arrays (...); NaN limits for fewer than two seeds.

    Raises:
        ValueError: for anything but numbers with those axes, a level outside (0, 1).
    """
    values = as_numbers("values", values, "(halving, seed, ...)")
    each = mean_interval(values, axis=1, level=level)
    averages = mean_interval(_known_mean(values), level=level)
    square = (_known_mean(_half(each) ** 2) + _half(averages) ** 2) / 2
    mean, half = _known_mean(each.estimate), np.sqrt(square)
    return Interval(mean, mean - half, mean + half, averages.num_seeds)


def _known_mean(values: Any) -> Any:
    """Mean over the first axis of what is known; NaN where nothing is."""
    return mean_interval(values).estimate


def _half(interval: Interval) -> Any:
    return (interval.high - interval.low) / 2


def median_interval(values: ArrayLike) -> Interval:
    """Median with its 95% interval between order statistics; NaN is left out and counted.

    The interval is the binomial one: it covers at least 95%, whatever the distribution. Fewer than 6
    values are too few for it, and its limits are NaN.

    Args:
        values: (seed,) one number per seed.

    Raises:
        ValueError: for anything but a one-dimensional array of numbers.

    Example:
        >>> median_interval(np.arange(1.0, 10.0))
        Interval(estimate=5.0, low=2.0, high=8.0, num_seeds=9)
    """
    values = as_numbers("values", values, "(seed,)", empty=True)
    known = np.sort(values[np.isfinite(values)])
    count = len(known)
    if count == 0:
        return Interval(np.nan, np.nan, np.nan, 0)
    # The largest rank below which the median lies with a probability of at most 2.5%.
    rank = int(scipy.stats.binom.ppf(0.025, count, 0.5))
    low, high = (known[rank - 1], known[count - rank]) if rank > 0 else (np.nan, np.nan)
    return Interval(float(np.median(known)), float(low), float(high), count)


def rank_correlation(a: ArrayLike, b: ArrayLike) -> Interval:
    """Spearman's rank correlation with its 95% interval; pairs with NaN are left out and counted.

    The interval is Fisher's, arctanh(rho) +- 1.96 sqrt((1 + rho^2 / 2) / (n - 3)), with the variance of
    Bonett & Wright (2000). A correlation of 1 or -1 would have an interval of no length: its inner
    limit is that of a correlation half a step of the ranks nearer to 0, 1 - 6 / (n^3 - n). NaN for fewer
    than four pairs, and where a or b is constant.

    Args:
        a: (seed,) one number per seed.
        b: (seed,) another number of the same seeds.

    Raises:
        ValueError: for arrays of other shapes or lengths, and labelled ones of different seeds.
    """
    check_same_seeds(a=a, b=b)
    a, b = (as_numbers(name, x, "(seed,)", empty=True) for name, x in (("a", a), ("b", b)))
    check_same_length("a", a, "b", b)
    both = np.isfinite(a) & np.isfinite(b)
    a, b, count = a[both], b[both], int(both.sum())
    if count < 4 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return Interval(np.nan, np.nan, np.nan, count)
    ranks = scipy.stats.rankdata(a), scipy.stats.rankdata(b)
    rho = float(np.clip(np.corrcoef(*ranks)[0, 1], -1, 1))
    half = scipy.stats.norm.ppf(0.975) * np.sqrt((1 + rho**2 / 2) / (count - 3))
    most = 1 - 6 / (count**3 - count)
    low, high = np.tanh(np.arctanh(np.clip(rho, -most, most)) + np.array([-half, half]))
    return Interval(rho, min(float(low), rho), max(float(high), rho), count)


def jackknife_variance(without: ArrayLike) -> np.ndarray:
    """Variance of a statistic by the jackknife, from its values without each of n replicates.

    (n - 1)/n sum_i (s_i - mean_j s_j)^2 (Efron & Stein 1981: never too small on average).

    Args:
        without: (n, ...) the statistic computed without each replicate, such as a seed.

    Returns:
        (...) variances, in squared units of the statistic; NaN where one of its values is.

    Raises:
        ValueError: for anything but an array of numbers with two replicates or more.
    """
    without = as_numbers("without", without, "(n, ...)")
    if without.ndim < 1 or len(without) < 2:
        raise ValueError(f"without: expected two replicates or more, got shape {without.shape}")
    return (len(without) - 1) / len(without) * ((without - without.mean(axis=0)) ** 2).sum(axis=0)


def jackknife_interval(pairs: ArrayLike, level: float | int = 0.95) -> Interval:
    """Mean over pairs of seeds, with its interval by the jackknife over seeds.

    A seed's pairs are not independent. With m the mean over all pairs and m_i that without seed i, the
    variance of m is (n - 1)/n sum_i (m_i - mean_j m_j)^2 (Arvesen 1969; never too small on average:
    Efron & Stein 1981), and the interval is Student's with n - 1 degrees of freedom.

    Args:
        pairs: (seed, seed, ...) a number for each pair, the same in both orders; the diagonal is
            ignored. A seed whose pairs are NaN (diverged) is left out at the indices where they are.
        level: confidence level of the interval, between 0 and 1.

    Returns:
        ``Interval`` of arrays (...); NaN limits for fewer than three seeds.

    Raises:
        ValueError: for pairs of other axes, a level that is not between 0 and 1.
    """
    pairs = as_numbers("pairs", pairs, "(...)")
    check_number("level", level, above=0.0, below=1.0)
    if pairs.ndim < 2 or pairs.shape[0] != pairs.shape[1]:
        raise ValueError(f"pairs: expected shape (seed, seed, ...), got shape {pairs.shape}")
    if not np.allclose(pairs, pairs.swapaxes(0, 1), equal_nan=True):
        raise ValueError(f"pairs: expected the same in both orders, got {kind_of(pairs)} of others")
    pairs[np.diag_indices(len(pairs))] = np.nan
    valid = np.isfinite(pairs)
    total = np.where(valid, pairs, 0.0).sum(axis=(0, 1))
    num = valid.sum(axis=(0, 1))
    seed_total, seed_num = np.where(valid, pairs, 0.0).sum(axis=1), valid.sum(axis=1)  # (seed, ...)
    used = seed_num > 0
    count = used.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / num
        without = np.where(used, (total - 2 * seed_total) / (num - 2 * seed_num), 0.0)
        centre = without.sum(axis=0) / count
        squares = np.where(used, (without - centre) ** 2, 0.0).sum(axis=0)
        error = np.sqrt((count - 1) / count * squares)
    half = scipy.stats.t.ppf(0.5 + level / 2, np.maximum(count - 1, 1)) * error
    half = np.where(count > 2, half, np.nan)
    return Interval(mean, mean - half, mean + half, count)
