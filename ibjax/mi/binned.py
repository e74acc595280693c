"""Mutual information of a binned deterministic layer (Shwartz-Ziv & Tishby 2017; Saxe et al. 2018)."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool

from ibjax.arrays import as_array, is_wide
from ibjax.checks import as_whole, check_number, check_positive, check_rank, is_concrete
from ibjax.mi._binnings import (
    BY_EDGES,
    BY_WIDTH,
    TINY,
    Binning,
    checked_edges,
    checked_width,
    increase,
    total_order,
)
from ibjax.mi._host_patterns import PACKED_WIDTH
from ibjax.mi._inputs import checked_layer, float32_of
from ibjax.mi._patterns import label_ranks, pattern_entropies
from ibjax.mi._wide_bins import are_too_fine, is_too_fine, ranks_by_edges, ranks_by_width
from ibjax.tracing import own_settings
from ibjax.types import MI, ArrayLike

__all__ = ["binned_mi"]

DEFAULT_BINS = 30
DEFAULT_RANGE = (-1.0, 1.0)


@own_settings()
def binned_mi(
    t: ArrayLike,
    y: ArrayLike,
    *,
    bins: int | ArrayLike | None = None,
    range: tuple[float, float] | None = None,
    bin_width: ArrayLike | None = None,
) -> MI:
    """I(X;T) and I(T;Y) of a deterministic layer whose activations are binned unit by unit.

    With n distinct, equally likely inputs and a deterministic layer, H(T|X) = 0 and::

        I(X;T) = H(T),    I(T;Y) = H(T) + H(Y) - H(T,Y),

    with plug-in entropies, where two samples share a state T when all their bin indices are equal.

    Binning, all in float32 and the same eagerly, under ``jit`` and in NumPy:

    * ``bins=B`` (int): B equal-width bins over ``range``, with edges
      ``np.linspace(lo, hi, B + 1, dtype=np.float32)``; ``bins=edges`` (1-D, increasing): these bins.
      The index is ``searchsorted(edges, t, side="right") - 1``; values outside the range fall into
      the outermost bin.
    * ``bin_width=w``: unbounded bins; the index is the largest whole m with float32(m * w) <= t, which
      equals ``floor(t / w)`` except close to a bin edge.
    * Neither: 30 bins on [-1, 1].

    If concrete 64-bit activations are so large, or bins so narrow, that the spacing of float32 numbers
    exceeds 1/128 of a bin, indices are computed in 64 bits instead, by the same rules.

    Args:
        t: (n, width) activations, one row per sample; cast to float32.
        y: (n,) integer class labels, of any values.
        bins: number of bins, or (edges,) increasing bin edges, which may be traced.
        range: (lo, hi) for an integer ``bins``; default (-1, 1). Numbers, not traced arrays: pass
            edges for a range that is computed under ``jit``.
        bin_width: width of the bins, in place of ``bins`` and ``range``; may be traced.

    Returns:
        ``MI(ixt, ity)``: two scalars, bits, float32. Under ``vmap`` leading axes are added. NaN if
        traced ``t``, edges or width are not valid numbers.

    Bias:
        Exact for the binned layer on these n inputs. As an estimate for more inputs than n, plug-in H(T)
        is biased downward and I(T;Y) upward, and I(X;T) cannot exceed log2 n. For the unbinned layer it
        says little, since the number depends on the bins: a deterministic continuous layer carries
        infinite or log2 n bits (Saxe et al. 2018; Goldfeld et al. 2019).

    Exactness:
        Counts are exact where the units' index spans and the label fit into 64 bits (every width up to
        10 at 30 bins and up to 1 << 14 classes). Beyond that the pattern is hashed to 64 - L bits, where
        L is the bit length of the number of classes less one, or at most 4; the probability that any two
        of n samples collide is below n^2 / 2^(65 - L) per call: 1e-12 for n = 4096 and two classes.

    Raises:
        ValueError: for other shapes than these, empty arrays, NaN or infinite activations, labels
            that are not integers, ``bins`` or ``range`` together with ``bin_width``, ``range``
            together with edges, edges that do not increase, widths and counts that are not positive.

    Example:
        >>> import numpy as np
        >>> t = np.array([[-0.9], [-0.9], [0.1], [0.9]])
        >>> mi = binned_mi(t, np.array([0, 0, 1, 1]))
        >>> float(mi.ixt), float(mi.ity)
        (1.5, 1.0)

    References:
        Shwartz-Ziv & Tishby (2017), section 3.2 (30 bins of tanh's range); Saxe et al. (2018),
        appendix C, and their code (``floor(t / 0.07)``).
    """
    t, y = checked_layer(t, y)
    labels = label_ranks(y)
    if bin_width is not None:
        if bins is not None or range is not None:
            raise ValueError(
                f"bin_width: expected alone or None, got bin_width={bin_width!r} "
                f"with bins={bins!r}, range={range!r}"
            )
        check_positive("bin_width", bin_width)
        if is_wide(t) and is_concrete(bin_width) and is_too_fine(t, float(bin_width)):
            t, bin_width = ranks_by_width(t, bin_width), 1.0
        return _mi_by_width(float32_of("t", t), labels, checked_width(bin_width))
    name, edges = _edges(bins, range)
    if is_wide(t) and is_concrete(edges) and increase(edges) and are_too_fine(edges):
        return _mi_by_width(jnp.asarray(ranks_by_edges(t, edges)), labels, jnp.float32(1))
    return _mi_by_edges(float32_of("t", t), labels, checked_edges(name, edges))


@jax.jit
def _mi_by_edges(t, labels, edges):
    order = total_order(edges)
    usable = jnp.isfinite(edges).all() & (order[1:] > order[:-1]).all()
    return _mi(t.T, labels, usable, BY_EDGES, edges)


@jax.jit
def _mi_by_width(t, labels, bin_width):
    usable = jnp.isfinite(bin_width) & (bin_width >= TINY)
    return _mi(t.T, labels, usable, BY_WIDTH, bin_width)


def _mi(columns, labels, usable: Bool[Array, ""], binning: Binning, *parameters) -> MI:
    bounds = jnp.stack(_bounds(columns))  # NaN if any activation is
    usable = usable & jnp.isfinite(bounds).all()
    h = pattern_entropies(columns, bounds, labels, binning, usable, *parameters)
    # Rounding may take the result 1e-6 outside the bounds that any mutual information obeys.
    ity = jnp.clip(h.t + h.y - h.ty, 0.0, jnp.minimum(h.t, h.y))
    return MI(jnp.where(usable, h.t, jnp.nan), jnp.where(usable, ity, jnp.nan))


def _bounds(columns):
    """Return (width,) smallest and largest activations of each unit."""
    if len(columns) > PACKED_WIDTH:  # faster than both at once where a unit's numbers are far apart
        return columns.min(axis=1), columns.max(axis=1)
    limits = np.float32(np.inf), np.float32(-np.inf)
    return lax.reduce((columns, columns), limits, _wider, dimensions=(1,))


def _wider(bounds, others):
    return jnp.minimum(bounds[0], others[0]), jnp.maximum(bounds[1], others[1])


def _edges(bins, range):
    """Return the name of the edges' source for messages, and (edges,), not yet cast to float32."""
    bins = DEFAULT_BINS if bins is None else bins
    if np.ndim(bins if hasattr(bins, "ndim") else as_array("bins", bins)) == 0:
        limits = DEFAULT_RANGE if range is None else range
        return f"range={limits} with {bins} bins", _equal_width_edges(bins, limits)
    if range is not None:
        raise ValueError(f"range: expected None together with edges, got {range!r}")
    edges = as_array("bins", bins)
    check_rank("bins", edges, 1, "(edges,)")
    if edges.shape[0] < 2:
        raise ValueError(f"bins: expected at least 2 edges, got {edges.shape[0]}")
    return "bins", edges


def _equal_width_edges(bins, limits) -> np.ndarray:
    if not is_concrete(bins):
        raise ValueError("bins: expected a whole number or 1-D edges, got a traced number")
    bins = as_whole("bins", bins)
    if not isinstance(limits, tuple | list | np.ndarray) or len(limits) != 2:
        raise ValueError(f"range: expected two numbers, got {limits!r}")
    low, high = limits
    if not (is_concrete(low) and is_concrete(high)):
        raise ValueError("range: expected two numbers, got traced values; pass edges as bins")
    for limit in limits:
        check_number("range", limit)
    with np.errstate(all="ignore"):  # edges that are not finite are refused later
        return np.linspace(low, high, bins + 1)
