"""Significance of an estimate from shuffles, and its standard deviation from subsamples."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from ibjax.arrays import as_32_bits, as_array
from ibjax.checks import as_key, as_whole, check_function, check_nonempty, check_same_length
from ibjax.mi._inputs import check_num_samples
from ibjax.tracing import own_settings
from ibjax.types import ArrayLike

__all__ = ["ShuffleTest", "shuffle_test", "subsample_std"]

# In bits. Estimates closer than this, absolutely or relative to the estimate, count as ties: they may be
# float32 sums of the same numbers in another order.
TIE = np.float32(1e-5)

# Number of shuffles whose keys are split at once.
MOST_SHUFFLES = 2**24


class ShuffleTest(NamedTuple):
    """Result of ``shuffle_test``.

    Attributes:
        estimate: estimate for the data as given.
        p_value: between 1 / (num_shuffles + 1) and 1.
        null: (num_shuffles,) estimates for shuffled data.
    """

    estimate: Float[Array, ""]
    p_value: Float[Array, ""]
    null: Float[Array, " num_shuffles"]


@own_settings()
def shuffle_test(
    estimator: Callable[[Array, Array], Array],
    x: ArrayLike,
    y: ArrayLike,
    *,
    key: Array,
    num_shuffles: int = 199,
    batch_size: int = 1,
) -> ShuffleTest:
    """Test whether x and y are independent by shuffling y against x.

    With m shuffles::

        p = (1 + #{null >= estimate}) / (m + 1),

    which is never 0. If x and y are independent, the data are just another shuffle, so the p-value is p
    or less in at most a fraction p of tests. Ties count as >=, as do estimates that agree to 1e-5 bits,
    or to 1e-5 of the estimate if it exceeds 1 bit.

    Args:
        estimator: traceable function ``f(x, y) -> scalar``: any estimator of this package for two
            variables, or one result for a layer, such as ``lambda t, y: binned_mi(t, y).ity``. If it
            draws random numbers, it must close over its key. Calls with the same function compile once.
        x: (n, ...) samples, or activations; the estimator sees them as float32, or int32.
        y: (n, ...) samples of the other variable, or labels.
        key: random key for the shuffles.
        num_shuffles: number of shuffles m; the smallest possible p is 1 / (m + 1).
        batch_size: number of shuffles computed at once; memory grows with it.

    Returns:
        ``ShuffleTest(estimate, p_value, null)``. Invalid traced values give NaN: if the estimate or one
        of the null is NaN, so is the p-value.

    Bias:
        The test is valid whatever the estimator's bias, which the shuffles share.
        ``estimate - null.mean()`` is not an unbiased estimate of the information, since the bias depends
        on the dependence. Samples must be exchangeable, which rows of a time series or repeated inputs
        are not.

    Raises:
        ValueError: for different lengths, fewer than 2 samples, an estimator that does not give a
            scalar, numbers that are not whole and positive, and concrete samples that 32 bits cannot
            tell apart; and what the estimator raises.

    Example:
        >>> import jax
        >>> import numpy as np
        >>> from ibjax.mi.gaussian import gaussian_mi
        >>> x, noise = np.random.default_rng(0).normal(size=(2, 50))
        >>> test = shuffle_test(gaussian_mi, x, x + noise, key=jax.random.key(0), num_shuffles=99)
        >>> round(float(test.p_value), 4)
        0.01

    References:
        Davison & Hinkley (1997), section 4.3; Phipson & Smyth (2010), "Permutation p-values should
        never be zero".
    """
    num_shuffles = as_whole("num_shuffles", num_shuffles, at_most=MOST_SHUFFLES)
    batch_size = as_whole("batch_size", batch_size)
    check_function("estimator", estimator, "f(x, y) -> scalar")
    x, y, key = *_checked_samples(x, y), as_key("key", key)
    estimate = _estimate(estimator, x, y)
    null = _null(estimator, x, y, key, num_shuffles, min(batch_size, num_shuffles))
    return ShuffleTest(estimate, _p_value(estimate, null), null)


@jax.jit
def _p_value(estimate, null):
    tie = TIE * jnp.maximum(1.0, jnp.abs(estimate))
    at_least = jnp.sum(null >= estimate - tie, dtype=jnp.float32)
    known = ~(jnp.isnan(estimate) | jnp.isnan(null).any())
    return jnp.where(known, (1 + at_least) / (len(null) + 1), jnp.nan)


@functools.partial(jax.jit, static_argnames=("estimator", "num_shuffles", "batch_size"))
def _null(estimator, x, y, key, num_shuffles, batch_size):
    def shuffled_estimate(key):
        return _estimate(estimator, x, jax.random.permutation(key, y))

    return lax.map(shuffled_estimate, jax.random.split(key, num_shuffles), batch_size=batch_size)


@own_settings()
def subsample_std(
    estimator: Callable[[Array, Array], Array],
    x: ArrayLike,
    y: ArrayLike,
    *,
    key: Array,
    num_subsamples: int | Sequence[int] = tuple(range(2, 11)),
) -> Float[Array, ""]:
    """Estimate the standard deviation of an estimate from disjoint subsamples of the data.

    The variance of an estimate from m samples is assumed to be B / m. For each k in ``num_subsamples``
    the shuffled samples are split into k parts of size m_k = floor(n / k), and s_k^2 is the variance of
    the k estimates. Weighted by degrees of freedom, and extrapolated to all n samples::

        B = sum_k (k - 1) m_k s_k^2 / sum_k (k - 1),    standard deviation = sqrt(B / n).

    Unlike in the bootstrap, no sample occurs twice: to estimators that compare neighbours or count
    states, repeated samples look like dependence.

    Args:
        estimator: function as for ``shuffle_test``; traced once for every k.
        x: (n, ...) samples, or activations.
        y: (n, ...) samples of the other variable, or labels.
        key: random key for the splits.
        num_subsamples: one or several k, each from 2 to n / 2. The default computes 54 estimates at nine
            sample sizes, compiling once for each.

    Returns:
        A scalar, in the estimator's unit. NaN if any estimate is NaN.

    Bias:
        Accurate to about 1 / sqrt(2 sum_k (k - 1)) of its value (11% for the default), or somewhat worse
        since the splits share samples. Wrong if the variance is not B / m: if the smallest subsamples
        saturate the estimator, or if the variables are independent, as the variance then often falls as
        1 / m^2 (use ``shuffle_test``). It says nothing about the bias of the estimate: compare estimates
        at n / k samples for that.

    Raises:
        ValueError: for different lengths, numbers of subsamples below 2 or above n / 2, an estimator
            that does not give a scalar; and what the estimator raises for n / k samples.

    Example:
        >>> import jax
        >>> import numpy as np
        >>> from ibjax.mi.gaussian import gaussian_mi
        >>> x, noise = np.random.default_rng(0).normal(size=(2, 2000))
        >>> std = subsample_std(gaussian_mi, x, x + noise, key=jax.random.key(0), num_subsamples=20)
        >>> 0.01 < float(std) < 0.04  # .0228 for Gaussian samples
        True

    References:
        Holmes & Nemenman (2019), "Estimation of mutual information for real-valued data with error
        bars and controlled bias", section III.
    """
    check_function("estimator", estimator, "f(x, y) -> scalar")
    x, y, key = *_checked_samples(x, y), as_key("key", key)
    n = len(x)
    several = isinstance(num_subsamples, Sequence | np.ndarray) and np.ndim(num_subsamples) == 1
    given = list(np.asarray(num_subsamples)) if several else [num_subsamples]
    if not given:
        raise ValueError("num_subsamples: expected one number or more, got none")
    numbers = tuple(as_whole("num_subsamples", k, at_least=2, at_most=n // 2) for k in given)
    return _standard_deviation(estimator, x, y, key, numbers)


@functools.partial(jax.jit, static_argnames=("estimator", "numbers"))
def _standard_deviation(estimator, x, y, key, numbers):
    n = len(x)
    keys = jax.random.split(key, len(numbers))
    orders = jax.vmap(lambda key: jax.random.permutation(key, n))(keys)

    def weighted_variance(k, order):
        m = n // k
        parts = order[: k * m].reshape(k, m)
        estimates = lax.map(lambda rows: _estimate(estimator, x[rows], y[rows]), parts)
        return (k - 1) * m * jnp.var(estimates, ddof=1)

    total = sum(map(weighted_variance, numbers, orders))
    return jnp.sqrt(total / sum(k - 1 for k in numbers) / n)


def _estimate(estimator, x, y) -> Float[Array, ""]:
    result = estimator(x, y)
    if isinstance(result, tuple) or jnp.shape(result) != ():
        kind = type(result).__name__ if isinstance(result, tuple) else f"shape {jnp.shape(result)}"
        raise ValueError(f"estimator: expected one that gives a scalar, got {kind}")
    return jnp.asarray(result, jnp.float32)


def _checked_samples(x, y):
    x, y = _checked("x", x), _checked("y", y)
    check_same_length("x", x, "y", y)
    check_num_samples(len(x), 2, "")
    return x, y


def _checked(name, x):
    x = as_array(name, x)
    if x.ndim == 0:
        raise ValueError(f"{name}: expected shape (n_samples, ...), got shape ()")
    check_nonempty(name, x)
    return as_32_bits(name, x)
