"""Kernel bounds on a noisy layer's information (Kolchinsky & Tracey 2017; Saxe et al. 2018)."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from ibjax.batching import map_rows
from ibjax.checks import check_known, check_positive, is_concrete
from ibjax.mi._inputs import centred, checked_layer
from ibjax.mi._patterns import label_ranks
from ibjax.numerics import squared_distances, to_bits
from ibjax.tracing import own_settings
from ibjax.types import MI, ArrayLike

__all__ = ["checked_noise_variance", "comparable", "kde_mi", "label_counts"]

# Coefficients of the squared distance, times the noise variance s^2: 1 / (2 s^2) in the Kullback-Leibler
# divergence and 1 / (8 s^2) in the Bhattacharyya distance between two Gaussians.
BOUNDS = {"upper": 0.5, "lower": 0.125}

# Smaller noise variances have no finite float32 reciprocal.
TINY = np.finfo(np.float32).tiny


@own_settings()
def kde_mi(t: ArrayLike, y: ArrayLike, *, noise_variance: ArrayLike = 1e-3, bound: str = "upper") -> MI:
    """Bounds on I(X;T) and I(T;Y) of a layer with Gaussian noise added, from pairwise distances.

    The layer is T = t(X) + N(0, s^2 I), with s^2 = ``noise_variance`` and X uniform on the n samples.
    T is a mixture of n Gaussians, whose entropy is bounded by the distances of their centres::

        I(X;T) <= -1/n sum_i ln 1/n sum_j exp(-|t_i - t_j|^2 / (2 s^2))     bound="upper"
        I(X;T) >= -1/n sum_i ln 1/n sum_j exp(-|t_i - t_j|^2 / (8 s^2))     bound="lower"

    The terms j = i are included: they belong to the mixture. I(T;Y) = h(T) - sum_c p(c) h(T|Y=c) takes
    the same bound in both terms, so it is a **bound on neither side**, whichever ``bound`` is chosen.

    Distances are sums of squared differences, so float32 costs no accuracy at any activation scale
    or width. The cost is n^2 width operations; memory is a few MB beyond the arguments.

    Args:
        t: (n, width) activations, one row per sample; concrete ones are centred before the cast to
            float32.
        y: (n,) integer class labels, of any values.
        noise_variance: variance of the noise added to each unit, in squared units of ``t``; may be
            traced. The result depends on it, so report it.
        bound: "upper" or "lower".

    Returns:
        ``MI(ixt, ity)``: two scalars, bits, float32. Under ``vmap`` leading axes are added. NaN if a
        traced ``t`` or noise variance is not valid.

    Bias:
        I(X;T) is an exact bound, up or down as chosen, for the n samples as the only inputs. For more
        inputs than n, both bounds are biased downward, and I(X;T) cannot exceed log2 n: a value close to
        it indicates that the noise is too small for n. I(T;Y) is then biased upward; it tends to H(Y) if
        all samples are further apart than the noise. A deterministic network has no noise, so the number
        describes the noise as much as the network.

    Raises:
        ValueError: for other shapes than these, empty arrays, NaN or infinite activations, labels
            that are not integers, a noise variance that is not positive, or an unknown bound.

    Example:
        >>> import numpy as np
        >>> t, y = np.array([[-1.0], [1.0]]), np.array([0, 1])
        >>> mi = kde_mi(t, y, noise_variance=1.0)
        >>> print(f"{mi.ixt:.4f} {mi.ity:.4f}")
        0.8169 0.8169

    References:
        Kolchinsky & Tracey (2017), Estimating mixture entropy with pairwise distances, section 3 (the
        bounds) and section 5 (Gaussians); Saxe et al. (2018) and their code (noise variance 1e-3, on
        MNIST 0.1).
    """
    t, y = checked_layer(t, y)
    noise_variance = checked_noise_variance(noise_variance)
    check_known("bound", bound, BOUNDS)
    return _kde_mi(centred("t", t), comparable(y), noise_variance, bound)


@functools.partial(jax.jit, static_argnames="bound")
def _kde_mi(t, labels, noise_variance, bound: str) -> MI:
    n = t.shape[0]
    columns = t.T
    precision = BOUNDS[bound] / noise_variance

    def kernel_sums(sample):
        # The largest kernel is the sample's own, exp(0), so nothing overflows and no log of zero is
        # taken.
        row, label = sample
        distances = squared_distances(row[None, :], columns.T)[0]  # (n,)
        kernels = jnp.exp(-precision * distances)
        return kernels.sum(), jnp.where(labels == label, kernels, 0.0).sum()

    kernel_sum, class_sum = map_rows(kernel_sums, (t, labels), entries_per_row=n)
    # ln (1/n) sum_j: minus the information of one sample, in nats
    log_all = jnp.log(kernel_sum / n)
    log_class = jnp.log(class_sum / label_counts(labels))
    return MI(to_bits(jnp.mean(0.0 - log_all)), to_bits(jnp.mean(log_class - log_all)))


def comparable(y: ArrayLike) -> Array:
    """Return labels that are equal where ``y`` is; concrete ones are ranked, as JAX cuts int64."""
    return label_ranks(y).rank if is_concrete(y) else y


def label_counts(labels: Shaped[Array, " n"]) -> Float[Array, " n"]:
    """Count the samples that share each sample's label, by comparisons: XLA's sort is slow on CPUs."""
    counts = map_rows(lambda y: (labels == y).sum(), labels, entries_per_row=labels.shape[0])
    return counts.astype(jnp.float32)


def checked_noise_variance(noise_variance: ArrayLike) -> Float[Array, ""]:
    """Return the noise variance as float32: positive, finite, and large enough to invert in float32.

    Traced numbers that are not valid become NaN.

    Raises:
        ValueError: for concrete numbers that are not valid.
    """
    check_positive("noise_variance", noise_variance)
    if is_concrete(noise_variance) and not TINY <= float(noise_variance) <= np.finfo(np.float32).max:
        raise ValueError(f"noise_variance: expected a normal float32 number, got {noise_variance!r}")
    variance = jnp.asarray(noise_variance, jnp.float32)
    return jnp.where(jnp.isfinite(variance) & (variance >= TINY), variance, jnp.nan)
