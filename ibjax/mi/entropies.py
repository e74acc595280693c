"""Entropy from counts: the plug-in estimate and the bias corrections used in the literature."""

import functools
import warnings
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import digamma, entr
from jaxtyping import Array, Bool, Float, Int

from ibjax.arrays import as_array
from ibjax.checks import check_count, check_known, check_nonempty, check_rank, is_concrete
from ibjax.mi._nsb import nsb_entropy
from ibjax.numerics import to_bits
from ibjax.sorting import sort_words
from ibjax.tracing import own_settings
from ibjax.types import ArrayLike

__all__ = ["CORRECTIONS", "Tally", "entropy", "entropy_of_tally", "run_lengths", "tally"]

# At least this many whole numbers, this many per distinct one, look like labels rather than counts.
FEWEST_LABELS, LABELS_A_CLASS = 20, 4


@own_settings()
def entropy(
    counts: ArrayLike, *, correction: str = "none", num_states: ArrayLike | None = None
) -> Float[Array, ""]:
    """Estimate the entropy of a discrete distribution from the counts of its states.

    With N samples, counts n_k, K1 states observed and K states in all, in nats::

        none           H = sum_k (n_k / N) log(N / n_k)
        miller_madow   H + (K1 - 1) / (2 N)
        jackknife      N H - (N - 1) / N sum_k n_k H(counts with one sample less in state k)
        grassberger88  log N - sum_k (n_k / N) [psi(n_k) + (-1)^n_k / (n_k + 1)]
        grassberger03  log N - sum_k (n_k / N) G(n_k),
                       G(n) = psi(n) + (-1)^n / 2 [psi((n + 1) / 2) - psi(n / 2)]
        chao_shen      -sum_k C p_k log(C p_k) / (1 - (1 - C p_k)^N), p_k = n_k / N,
                       C = 1 - (states seen once) / N, or 1 / N where all are
        shrinkage      the plug-in entropy of l / K + (1 - l) p_k, with James and Stein's l
        nsb            the posterior mean under a mixture of Dirichlet priors whose prior mean of H is
                       uniform: density of beta proportional to K psi1(K beta + 1) - psi1(beta + 1)

    Args:
        counts: (k,) whole numbers, not all 0. States with a count of 0 were not observed.
        correction: one of the names above.
        num_states: number of states K, at least the number observed; may be traced. Default: k, the
            length of ``counts``. Only "shrinkage" and "nsb" depend on it, strongly so if K is large:
            pass it whenever ``counts`` is padded or omits states that could have been observed.

    Warns:
        UserWarning: if ``counts`` look like labels (many whole numbers, none of them large) and
            ``num_states`` is not given.

    Returns:
        Scalar, bits, float32. NaN if traced counts are not whole numbers, sum to 0, or occupy more than
        ``num_states`` states.

    Bias:
        "none" is biased downward by about (K - 1) / (2 N ln 2) bits. "miller_madow", "jackknife" and
        Grassberger's two corrections remove most of this bias if N exceeds K, and stay biased downward
        otherwise. "chao_shen" works for smaller N if the distribution is nearly uniform, but is noisier.
        "shrinkage" is biased towards log2 K: upward if only few of many states are likely. "nsb" is
        nearly unbiased for such distributions, and biased downward for nearly uniform ones with K far
        above N. Corrected entropies may exceed log2 K. A single observed state gives 0, except that
        Grassberger's corrections give a value within 2 / N nats of 0, and "shrinkage" and "nsb" one
        above 0 if more states are possible.

    Accuracy:
        About 1e-6 bits absolute and 1e-6 relative. "nsb": 1e-5 bits; 0.01 bits, about 2% of the
        posterior's standard deviation, if nearly all of 60,000 samples differ and K exceeds 1e8.

    Raises:
        ValueError: for counts that are empty, negative, not whole or all 0, an unknown correction, and
            ``num_states`` below the number of states observed.

    Example:
        >>> counts = [4, 2, 3, 0, 2, 4, 0, 0, 2, 1, 1]
        >>> print(f"{entropy(counts):.3f}", f"{entropy(counts, correction='miller_madow'):.3f}")
        2.840 3.106

    References:
        Miller (1955); Efron & Stein (1981) (jackknife); Grassberger (1988, 2003); Chao & Shen (2003);
        Hausser & Strimmer (2009) (shrinkage); Nemenman, Shafee & Bialek (2002).
    """
    check_known("correction", correction, CORRECTIONS)
    counts = _checked_counts(counts)
    if num_states is None:
        _warn_of_labels(counts)
    K = _checked_num_states(counts.shape[0] if num_states is None else num_states, counts)
    return _entropy(jnp.asarray(counts, jnp.float32), jnp.asarray(K, jnp.float32), correction)


class Tally(NamedTuple):
    """Counts of states, with equal counts merged.

    Attributes:
        count: distinct positive counts; 1 in unused entries.
        states: number of states that have each count; 0 in unused entries.
        num_samples: total count N.
        num_states: number of states K, unobserved ones included.
    """

    count: Float[Array, " m"]
    states: Float[Array, " m"]
    num_samples: Float[Array, ""]
    num_states: Float[Array, ""]


def tally(counts: Float[Array, " k"], num_states: Float[Array, ""], size: int) -> Tally:
    """Merge equal counts, so that sums over them are short, fast and exact to float32 rounding.

    Args:
        counts: whole numbers; zeros are not states.
        num_states: number of states K.
        size: static upper bound on the number of distinct counts, 0 included.
    """
    # Positive floats have the same order as their bit patterns.
    ordered = sort_words(counts.view(jnp.uint32)).view(jnp.float32)
    end, states = run_lengths(ordered[1:] != ordered[:-1], size)
    count = ordered[end]
    states = jnp.where(count > 0, states, 0).astype(jnp.float32)
    return Tally(jnp.maximum(count, 1), states, jnp.sum(count * states), num_states)


def run_lengths(
    differs: Bool[Array, " n_minus_1"], size: int
) -> tuple[Int[Array, " size"], Int[Array, " size"]]:
    """Find the runs of equal words among n sorted words: where each ends, and its length.

    Args:
        differs: whether each word but the first differs from the one before it.
        size: static upper bound on the number of runs; unused entries have length 0.
    """
    n = differs.shape[0] + 1
    runs_ended = jnp.cumsum(jnp.concatenate([differs, jnp.ones(1, bool)]))
    end = jnp.searchsorted(runs_ended, jnp.arange(1, size + 1))  # n if there is no such run
    end = jnp.minimum(end, n - 1)
    return end, jnp.diff(end, prepend=-1)


def entropy_of_tally(counts: Tally, correction: str) -> Float[Array, ""]:
    """Return the corrected entropy in nats."""
    return CORRECTIONS[correction](counts)


@functools.partial(jax.jit, static_argnames="correction")
def _entropy(counts, num_states, correction):
    merged = tally(counts, num_states, len(counts))
    usable = _are_counts(counts, jnp) & (merged.states.sum() <= num_states)
    return jnp.where(usable, to_bits(entropy_of_tally(merged, correction)), jnp.nan)


def _mean(counts: Tally, values):
    """Return the mean over samples of a function of the count of each sample's state."""
    return jnp.sum(counts.states * (counts.count / counts.num_samples) * values)


def _plug_in(counts: Tally):
    return _mean(counts, jnp.log(counts.num_samples / counts.count))


def _miller_madow(counts: Tally):
    return _plug_in(counts) + (counts.states.sum() - 1) / (2 * counts.num_samples)


def _jackknife(counts: Tally):
    # With D(n) = n log n - (n - 1) log(n - 1) the definition becomes the mean of D(N) - D(n_k), which
    # avoids differences of numbers N times as large.
    def less_log(n):
        """Return D(n) - log n, which rises from 0 at n = 1 to 1."""
        return -(n - 1) * jnp.log1p(-1 / jnp.maximum(n, 2))

    return _plug_in(counts) + _mean(counts, less_log(counts.num_samples) - less_log(counts.count))


def _grassberger_1988(counts: Tally):
    n = counts.count
    alternating = (1 - 2 * (n % 2)) / (n + 1)
    return _mean(counts, jnp.log(counts.num_samples) - digamma(n) - alternating)


def _grassberger_2003(counts: Tally):
    # G(2 m) = G(2 m + 1) = psi(m + 1/2) + log 2.
    half = jnp.floor(counts.count / 2) + 0.5
    return _mean(counts, jnp.log(counts.num_samples / 2) - digamma(half))


def _chao_shen(counts: Tally):
    N = counts.num_samples
    singletons = jnp.sum(jnp.where(counts.count == 1, counts.states, 0))
    coverage = jnp.maximum(1 - singletons / N, 1 / N)
    p = coverage * (counts.count / N)
    is_seen = -jnp.expm1(N * jnp.log1p(-p))  # 1 - (1 - p)^N
    return jnp.sum(counts.states * entr(p) / is_seen)


def _shrinkage(counts: Tally):
    N, K = counts.num_samples, counts.num_states
    p, unobserved = counts.count / N, K - counts.states.sum()
    variance = jnp.sum(counts.states * p * ((N - counts.count) / N)) / jnp.maximum(N - 1, 1)
    distance = jnp.sum(counts.states * jnp.square(p - 1 / K)) + unobserved / K / K
    # A single sample tells nothing about its variance.
    weight = jnp.where((variance < distance) & (N > 1), variance / distance, 1.0)
    shrunk = weight / K + (1 - weight) * p
    return jnp.sum(counts.states * entr(shrunk)) + unobserved * entr(weight / K)


def _nsb(counts: Tally):
    return nsb_entropy(*counts)


CORRECTIONS: dict[str, Callable[[Tally], Float[Array, ""]]] = {
    "none": _plug_in,
    "miller_madow": _miller_madow,
    "jackknife": _jackknife,
    "grassberger88": _grassberger_1988,
    "grassberger03": _grassberger_2003,
    "chao_shen": _chao_shen,
    "shrinkage": _shrinkage,
    "nsb": _nsb,
}


def _are_counts(counts, xp):
    whole = xp.isfinite(counts) & (counts >= 0) & (xp.floor(counts) == counts)
    return whole.all() & (counts > 0).any()


def _checked_counts(counts):
    counts = as_array("counts", counts)
    check_rank("counts", counts, 1, "(states,)")
    check_nonempty("counts", counts)
    if not (jnp.issubdtype(counts.dtype, jnp.integer) or jnp.issubdtype(counts.dtype, jnp.floating)):
        raise ValueError(f"counts: expected whole numbers, got dtype {counts.dtype}")
    if is_concrete(counts) and not _are_counts(np.asarray(counts), np):
        raise ValueError(f"counts: expected whole numbers of 0 or more and one above 0, got {counts}")
    return counts


def _warn_of_labels(counts):
    """Warn if the counts are most likely labels: many whole numbers from 0 or 1 on, none large."""
    whole = np.issubdtype(counts.dtype, np.integer)
    if not (whole and is_concrete(counts) and len(counts) >= FEWEST_LABELS):
        return
    values = np.unique(np.asarray(counts))
    consecutive = values[0] <= 1 and values[-1] - values[0] == len(values) - 1
    if consecutive and 2 <= len(values) <= len(counts) // LABELS_A_CLASS:
        warnings.warn(
            f"entropy: {len(counts)} whole numbers from {values[0]} to {values[-1]} are taken for the "
            f"counts of {len(counts)} states. If they are labels, give numpy.bincount(labels); if they "
            f"are counts, num_states={len(counts)} says so.",
            stacklevel=4,
        )


def _checked_num_states(K, counts):
    check_count("num_states", K)
    if is_concrete(K) and is_concrete(counts) and (observed := np.count_nonzero(counts)) > K:
        raise ValueError(f"num_states: expected at least the {observed} states observed, got {K!r}")
    return K
