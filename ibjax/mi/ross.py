"""Mutual information of a continuous and a discrete variable from nearest neighbours (Ross 2014)."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ibjax.arrays import as_labels
from ibjax.checks import as_whole, is_concrete
from ibjax.mi._inputs import check_num_samples, checked_variable, scaled
from ibjax.mi._neighbours import (
    count,
    digamma_table,
    distances,
    inside,
    kth_distance,
    map_samples,
    standardised,
)
from ibjax.mi._patterns import label_ranks
from ibjax.numerics import to_bits
from ibjax.tracing import own_settings
from ibjax.types import ArrayLike

__all__ = ["ross_mi"]


@own_settings()
def ross_mi(x: ArrayLike, y: ArrayLike, *, k: int = 3) -> Float[Array, ""]:
    """Estimate the mutual information of a continuous variable and a class label as Ross (2014).

    In nats, with averages <.> over samples i and the maximum norm::

        I = psi(N) + <psi(k_i) - psi(N_i) - psi(m_i)>

    N_i samples have the label of i; k_i = min(k, N_i - 1); m_i counts the samples of all labels,
    including i itself, that are closer to i than its k_i-th neighbour with the same label.

    A class of one sample has no neighbour and is left out, also of N and of the counts m_i (but not of
    the columns' scale).

    Scale: every column is divided by its standard deviation first, so offsets and units do not
    matter. Constant columns have no influence.

    Ties: no random noise is added, and no result is infinite. Distances that agree to a relative 2e-6
    count as equal. k_i is replaced by the number of samples with i's label that are closer than the
    k_i-th neighbour, including i itself, which is k_i unless neighbours tie. If i has that many copies
    with its label, both counts are of copies. So samples with few distinct values give nearly the
    plug-in estimate, and a constant x gives exactly 0.

    Args:
        x: (n,) or (n, d) samples of the continuous variable; concrete ones are centred and scaled before
            the cast to float32.
        y: (n,) integer class labels, of any values.
        k: number of neighbours, less than n.

    Returns:
        Scalar, bits, float32. May be negative: it is not clipped, so that averages at independence stay
        near 0. NaN if traced samples are not finite, or traced labels are all different. Under ``vmap``
        leading axes are added.

    Bias:
        Nearly none at independence and for overlapping classes in few dimensions. Downward in many
        dimensions, and if a class has clusters of fewer than k samples. Well separated classes give the
        plug-in entropy of the labels up to psi(N) - ln N, which is the right answer. Leaving out many
        small classes biases downward, since those labels carry the most information.

    Cost:
        Exact brute force, O(n^2 (d + k)) time. Blocks of distances take about 1 MB of memory at any n,
        times the number of lanes of a ``vmap``.

    Raises:
        ValueError: for other shapes than these, empty arrays, different lengths, values that are not
            finite, labels that are not integers or all different, n <= k, k that is not a whole
            number.

    Example:
        >>> import numpy as np
        >>> x = np.arange(100.0)
        >>> f"{ross_mi(x, x >= 50):.2f}"
        '0.99'
        >>> f"{ross_mi(np.ones(100), x >= 50):.2f}"
        '0.00'

    References:
        Ross (2014), Mutual information between discrete and continuous data sets, equation 2 and
        text; Gao, Kannan, Oh & Viswanath (2017), Estimating mutual information for
        discrete-continuous mixtures (copies).
    """
    k = as_whole("k", k)
    x = checked_variable("x", x)
    y = as_labels("y", y, "x", x)
    check_num_samples(x.shape[0], k + 1, f"for k = {k}")
    if is_concrete(y) and len(np.unique(np.asarray(y))) == len(y):
        raise ValueError(f"y: expected a label that occurs twice, got {len(y)} different labels")
    return _ross_mi(scaled("x", x)[0], label_ranks(y).rank, k)


@functools.partial(jax.jit, static_argnames="k")
def _ross_mi(x, labels, k):
    standard_x = standardised(x)
    psi = jnp.asarray(digamma_table(len(x)))
    class_size = _class_sizes(labels)
    kept = class_size > 1
    num_kept = count(kept)

    def term(x_i, label, size):
        distance = distances(standard_x, x_i)
        within_class = jnp.where(labels == label, distance, jnp.inf)
        radius = inside(kth_distance(within_class, jnp.minimum(k, size - 1), k))
        same, all_kept = count(within_class <= radius), count((distance <= radius) & kept)
        # Summed in this order, a constant x gives exactly 0.
        return (psi[num_kept] - psi[all_kept]) + (psi[same] - psi[size])

    terms = map_samples(term, standard_x.columns.T, labels, class_size)
    nats = jnp.sum(jnp.where(kept, terms, 0.0)) / num_kept
    return jnp.where(jnp.isfinite(x).all(), to_bits(nats), jnp.nan)


def _class_sizes(labels) -> Int[Array, " n"]:
    """Count the samples that share each sample's label."""
    ordered = jnp.sort(labels)
    first, end = (jnp.searchsorted(ordered, labels, side=side) for side in ("left", "right"))
    return end - first
