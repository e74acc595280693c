"""Information of noisy units by Monte Carlo: the sample-propagation estimator (Goldfeld et al. 2019)."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from ibjax.arrays import as_array
from ibjax.batching import map_rows
from ibjax.checks import as_key, as_whole, check_nonempty
from ibjax.mi._inputs import centred, checked_layer
from ibjax.mi.kde import checked_noise_variance, comparable, label_counts
from ibjax.numerics import sum_over_columns, to_bits
from ibjax.tracing import own_settings
from ibjax.types import MI, ArrayLike

__all__ = ["NoisyInfo", "noisy_info", "noisy_mi"]


class NoisyInfo(NamedTuple):
    """I(X;T) and I(T;Y) with the standard errors of their Monte Carlo averages, all in bits."""

    ixt: Float[Array, ""]
    ity: Float[Array, ""]
    ixt_std_error: Float[Array, ""]
    ity_std_error: Float[Array, ""]


def noisy_mi(t: ArrayLike, y: ArrayLike, *, noise_variance: ArrayLike, key: Array, num_draws: int) -> MI:
    """I(X;T) and I(T;Y) of a layer with Gaussian noise, by Monte Carlo over the Gaussian mixture.

    The layer is T = t(X) + Z, Z ~ N(0, s^2 I), with s^2 = ``noise_variance`` and X uniform on the n
    samples. With m centres t_xa per sample x, each taken with probability 1/m::

        p(u|x) = 1/m sum_a N(u; t_xa, s^2 I),    p(u|c), p(u): means of p(u|x) over class c, over all,
        I(X;T) = h(T) - h(T|X) = E ln p(T|X) / p(T),    I(T;Y) = E ln p(T|Y) / p(T),

    averaged over ``num_draws`` draws of Z around every centre. With one centre per sample, h(T|X) is
    the entropy of the noise, width / 2 ln(2 pi e s^2), and its part of the average is exact.

    Args:
        t: (n, width) activations before the noise, for a network that is noisy at this layer only; or
            (n, m, width) for a network that is also noisy upstream: for each sample the activations of m
            runs, again before this layer's own noise. Concrete ones are centred before the cast to
            float32.
        y: (n,) integer class labels, of any values.
        noise_variance: variance of the noise on each unit, in squared units of ``t``; may be traced.
        key: random key for the draws; the same key gives the same draws.
        num_draws: draws around each of the n m centres. The error falls as 1 / sqrt(n m num_draws)
            and the cost grows as (n m)^2 num_draws width: 1 is enough for thousands of samples; small
            n need more.

    Returns:
        ``MI(ixt, ity)``: two scalars, bits, float32. Under ``vmap`` leading axes are added. NaN if a
        traced ``t`` or noise variance is not valid.

    Bias:
        None from the Monte Carlo average: with one centre per sample both estimates are unbiased for the
        n samples as the only inputs, and may be slightly negative near zero. As estimates for more
        inputs, I(X;T) is biased downward and cannot exceed log2 n; I(T;Y) is biased upward. With m
        centres the propagated noise is represented by m draws only: both are then biased upward, less so
        as m grows.

    Raises:
        ValueError: for other shapes than these, empty arrays, NaN or infinite activations, labels
            that are not integers, a noise variance or number of samples that is not positive.

    Example:
        >>> import jax, numpy as np
        >>> t, y = np.array([[-1.0], [1.0]]), np.array([0, 1])
        >>> mi = noisy_mi(t, y, noise_variance=1.0, key=jax.random.key(0), num_draws=20_000)
        >>> print(f"{mi.ixt:.2f} {mi.ity:.2f}")  # exactly 0.4859
        0.49 0.49

    References:
        Goldfeld et al. (2019), Estimating information flow in deep neural networks, section 3.
    """
    info = noisy_info(t, y, noise_variance=noise_variance, key=key, num_draws=num_draws)
    return MI(info.ixt, info.ity)


@own_settings()
def noisy_info(
    t: ArrayLike, y: ArrayLike, *, noise_variance: ArrayLike, key: Array, num_draws: int
) -> NoisyInfo:
    """Return the estimates of :func:`noisy_mi` with the standard errors of their Monte Carlo averages.

    Args:
        t, y, noise_variance, key, num_draws: see :func:`noisy_mi`.

    Returns:
        ``NoisyInfo(ixt, ity, ixt_std_error, ity_std_error)``: four scalars, bits, float32. The errors
        are those of the draws for the given ``t``, from the spread of the draws around each centre. With
        ``num_draws=1`` there is no such spread, and that of all draws gives an upper estimate.

    Bias:
        As in :func:`noisy_mi`. The errors account neither for the choice of samples nor for that of the
        m runs.

    Raises:
        ValueError: as in :func:`noisy_mi`.

    Example:
        >>> import jax, numpy as np
        >>> t, y = np.array([[-1.0], [1.0]]), np.array([0, 1])
        >>> info = noisy_info(t, y, noise_variance=1.0, key=jax.random.key(0), num_draws=20_000)
        >>> print(f"{info.ixt_std_error:.3f}")
        0.004

    References:
        Goldfeld et al. (2019), section 3.
    """
    t = as_array("t", t)
    if t.ndim not in (2, 3):
        raise ValueError(
            f"t: expected shape (n_samples, width) or (n_samples, m, width), got shape {t.shape}"
        )
    check_nonempty("t", t)
    n, *_, width = t.shape
    flat, y = checked_layer(t.reshape(n, -1), y)
    num_centres = flat.size // width
    most = max((2**31 - 1) // num_centres, 1)  # draws are numbered in 32 bits
    num_draws = as_whole("num_draws", num_draws, at_most=most)
    noise_variance = checked_noise_variance(noise_variance)
    centres = centred("t", flat.reshape(-1, width)).reshape(n, -1, width)
    return _noisy_info(centres, comparable(y), noise_variance, as_key("key", key), num_draws)


@functools.partial(jax.jit, static_argnames="num_draws")
def _noisy_info(centres, labels, noise_variance, key, num_draws: int) -> NoisyInfo:
    n, m, width = centres.shape
    columns = centres.reshape(n * m, width).T
    labels = jnp.repeat(labels, m)

    def mixture_means(draw):
        component = draw // num_draws
        input_centres = centres[component // m]  # (m, width)
        centre = input_centres[component % m]
        noise = jnp.sqrt(noise_variance) * jax.random.normal(jax.random.fold_in(key, draw), (width,))
        kernels = _kernels(centre, noise, columns, noise_variance)
        class_sum = jnp.where(labels == labels[component], kernels, 0.0).sum()
        input_mean = _kernels(centre, noise, input_centres.T, noise_variance).mean()
        return kernels.mean(), class_sum, input_mean

    draws = jnp.arange(n * m * num_draws)
    entries = n * m + m * width
    kernel_mean, class_sum, input_mean = map_rows(mixture_means, draws, entries_per_row=entries)
    class_mean = class_sum.reshape(n * m, num_draws) / label_counts(labels)[:, None]
    log_all = jnp.log(kernel_mean).reshape(n * m, num_draws)
    ixt = jnp.log(input_mean).reshape(n * m, num_draws) - log_all
    ity = jnp.log(class_mean) - log_all
    return NoisyInfo(*map(to_bits, (ixt.mean(), ity.mean(), _std_error(ixt), _std_error(ity))))


def _kernels(centre, noise, columns, noise_variance) -> Float[Array, " n"]:
    """Return N(u; t_j, s^2 I) / N(u; centre, s^2 I) at u = centre + noise, for all centres t_j.

    The draw's own centre gives exactly 1, so no mean over centres is 0. None overflows: with r = |centre
    - t_j| / s the ratio is exp(-r g - r^2 / 2) <= exp(g^2 / 2) for a standard Gaussian g.
    """

    def term(c):
        difference = centre[c] - lax.dynamic_index_in_dim(columns, c, keepdims=False)
        return difference * (difference + 2 * noise[c])  # term of |difference + noise|^2 - |noise|^2

    return jnp.exp(-0.5 / noise_variance * sum_over_columns(term, columns.shape[0]))


def _std_error(values: Float[Array, "centres draws"]) -> Float[Array, ""]:
    """Standard error of the mean of all values, given equally many draws per centre."""
    within = values.var(axis=1, ddof=1).mean() if values.shape[1] > 1 else values.var()
    return jnp.sqrt(within / values.size)
