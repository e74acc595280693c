"""Entropy of counts and its corrections, against slow twins in float64 written from the definitions."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln, digamma, gammaln, polygamma, softmax

from ibjax.mi.entropies import CORRECTIONS, entropy

BITS = 1 / np.log(2)

# --------------------------------------------------------------------------------------------------
# Twins, in nats, of positive counts n of N samples and of K states.


def plug_in(n, K):
    p = n / n.sum()
    return -(p * np.log(p)).sum()


def miller_madow(n, K):
    return plug_in(n, K) + (len(n) - 1) / (2 * n.sum())


def jackknife(n, K):
    N = n.sum()
    if N == 1:
        return 0.0
    left_out = []
    for k in range(len(n)):
        fewer = n.copy()
        fewer[k] -= 1
        left_out.append(plug_in(fewer[fewer > 0], K))
    return N * plug_in(n, K) - (N - 1) * (n / N * left_out).sum()


def grassberger_1988(n, K):
    return np.log(n.sum()) - (n * (digamma(n) + (-1.0) ** n / (n + 1))).sum() / n.sum()


def grassberger_2003(n, K):
    G = digamma(n) + (-1.0) ** n / 2 * (digamma((n + 1) / 2) - digamma(n / 2))
    return np.log(n.sum()) - (n * G).sum() / n.sum()


def chao_shen(n, K):
    N = n.sum()
    singletons = min((n == 1).sum(), N - 1)
    p = (1 - singletons / N) * n / N
    return -(p * np.log(p) / (1 - (1 - p) ** N)).sum()


def shrinkage(n, K):
    N = n.sum()
    p = np.concatenate([n / N, np.zeros(K - len(n))])
    distance = (N - 1) * ((1 / K - p) ** 2).sum()
    weight = min(1.0, (1 - (p**2).sum()) / distance) if distance > 0 else 1.0
    p = weight / K + (1 - weight) * p
    p = p[p > 0]
    return -(p * np.log(p)).sum()


def nsb(n, K, log_beta=None):
    if K == 1:
        return 0.0
    N, unobserved = n.sum(), K - len(n)
    log_beta = np.linspace(-np.log(K) - 30, 30, 3001) if log_beta is None else log_beta
    beta = np.exp(log_beta)[:, None]
    density = beta * (K * polygamma(1, K * beta + 1) - polygamma(1, beta + 1))
    # Gamma(K beta) / Gamma(N + K beta) and its inverses, up to constants.
    log_p = betaln(K * beta, N) - betaln(beta, n).sum(axis=1, keepdims=True) + np.log(density)
    mean = ((n + beta) * digamma(n + beta + 1)).sum(axis=1, keepdims=True)
    mean += unobserved * beta * digamma(beta + 1)
    mean = digamma(N + K * beta + 1) - mean / (N + K * beta)
    return float((softmax(log_p) * mean).sum())


TWINS = {
    "none": plug_in,
    "miller_madow": miller_madow,
    "jackknife": jackknife,
    "grassberger88": grassberger_1988,
    "grassberger03": grassberger_2003,
    "chao_shen": chao_shen,
    "shrinkage": shrinkage,
    "nsb": nsb,
}


def entropy_twin(counts, correction, num_states=None):
    """Bits."""
    counts = np.asarray(counts, np.float64)
    K = len(counts) if num_states is None else num_states
    return TWINS[correction](counts[counts > 0], K) * BITS


# --------------------------------------------------------------------------------------------------
# Counts of different lengths in one program.

SIZE = 40


def padded(counts):
    return np.pad(np.asarray(counts, np.float32), (0, SIZE - len(counts)))


def entropy_of(counts, correction, num_states=None):
    K = len(counts) if num_states is None else num_states
    return float(entropy(padded(counts), correction=correction, num_states=K))


every_correction = pytest.mark.parametrize("correction", CORRECTIONS)
COUNTS = [4, 2, 3, 0, 2, 4, 0, 0, 2, 1, 1]


def test_every_correction_has_a_twin():
    assert list(TWINS) == list(CORRECTIONS)


# --------------------------------------------------------------------------------------------------
# Known values.

KNOWN = {  # nats
    "none": 1.968382,
    "miller_madow": 2.152593,
    "grassberger88": 2.099725,
    "grassberger03": 2.144626,
    "chao_shen": 2.201137,
    "shrinkage": 2.379603,
}


@pytest.mark.parametrize("correction", KNOWN)
def test_published_corrections(correction):
    assert entropy_of(COUNTS, correction) / BITS == pytest.approx(KNOWN[correction], abs=1e-6)
    assert entropy_twin(COUNTS, correction) / BITS == pytest.approx(KNOWN[correction], abs=1e-6)


def test_plug_in_agrees_with_scipy():
    for counts in (COUNTS, [1], [5, 5], [1000, 1, 1], list(range(1, 40))):
        assert entropy_of(counts, "none") == pytest.approx(scipy.stats.entropy(counts, base=2), abs=1e-6)


def tables(num_states, num_samples):
    """All counts of so many samples of equally likely states, in no order, and their probabilities."""
    bars = itertools.combinations(range(num_samples + num_states - 1), num_states - 1)
    bars = np.array(list(bars)).reshape(-1, num_states - 1)
    counts = np.diff(bars, axis=1, prepend=-1, append=num_samples + num_states - 1) - 1
    log_p = gammaln(num_samples + 1) - gammaln(counts + 1).sum(axis=1) - num_samples * np.log(num_states)
    counts, table = np.unique(np.sort(counts, axis=1), axis=0, return_inverse=True)
    return counts, np.bincount(table.reshape(-1), np.exp(log_p))


def expectation(correction, num_states, num_samples):
    counts, p = tables(num_states, num_samples)
    assert p.sum() == pytest.approx(1.0)
    return sum(p * [entropy_of(c, correction) for c in counts])


@pytest.mark.parametrize(("num_states", "num_samples", "nats"), [(2, 10, 0.6401204), (4, 20, 1.3072597)])
def test_expectation_of_the_plug_in(num_states, num_samples, nats):
    assert expectation("none", num_states, num_samples) / BITS == pytest.approx(nats, abs=1e-6)


def test_mean_of_the_plug_in_over_random_samples():
    counts = np.random.default_rng(0).multinomial(50, np.ones(10) / 10, size=4000)
    h = np.asarray(jax.vmap(entropy)(jnp.asarray(counts))) / BITS
    assert h.mean() == pytest.approx(2.2081231, abs=4 * h.std() / math.sqrt(len(h)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "correction", ["miller_madow", "jackknife", "grassberger88", "grassberger03", "shrinkage"]
)
def test_corrections_remove_most_of_the_bias(correction):
    """20 samples of 4 equally likely states, where the plug-in misses 0.114 bits."""
    plug_in_bias = 1.3072597 * BITS - 2
    assert abs(expectation(correction, 4, 20) - 2) < 0.4 * abs(plug_in_bias)


# --------------------------------------------------------------------------------------------------
# The twins.


@every_correction
@settings(max_examples=10, deadline=None)
@given(
    counts=st.lists(st.integers(0, 30), min_size=1, max_size=SIZE).filter(any),
    more_states=st.integers(0, 100),
)
def test_agrees_with_the_twin(correction, counts, more_states):
    K = len(counts) + more_states
    expected = entropy_twin(counts, correction, K)
    assert entropy_of(counts, correction, K) == pytest.approx(expected, rel=3e-6, abs=3e-6)


LARGE = [
    ([60_000], 1),
    ([59_999, 1], 2),
    ([30_000, 30_000], 2),
    ([30_001, 29_999], 3),
    ([1500] * 40, 40),
    ([1500] * 40, 4096),
    ([50_000, *range(1, 40)], 10_000),
    (np.random.default_rng(0).multinomial(60_000, 1 / np.arange(1, 41) / 4.2785), 40),
]


@every_correction
def test_large_counts_lose_no_precision(correction):
    for counts, K in LARGE:
        expected = entropy_twin(counts, correction, K)
        assert entropy_of(counts, correction, K) == pytest.approx(expected, rel=3e-6, abs=3e-6)


MANY = 10_000


def entropy_of_many(counts, correction, num_states):
    counts = np.pad(counts, (0, MANY - len(counts)))
    return entropy(counts.astype(np.float32), correction=correction, num_states=num_states)


@pytest.mark.slow
@pytest.mark.parametrize("correction", ["none", "chao_shen", "nsb"])
def test_many_states(correction):
    """60,000 samples of 4096 states; the sums of as many terms must not lose digits."""
    rng = np.random.default_rng(0)
    counts = rng.multinomial(60_000, rng.dirichlet(np.full(4096, 0.3)))
    if correction == "nsb":
        # The posterior is as narrow as this.
        expected = nsb(counts[counts > 0].astype(np.float64), 4096, np.linspace(-1.4, -1.0, 101)) * BITS
    else:
        expected = entropy_twin(counts, correction)
    assert entropy_of_many(counts, correction, 4096) == pytest.approx(expected, rel=2e-6)


# --------------------------------------------------------------------------------------------------
# Invariances and limits.


@every_correction
def test_order_and_states_that_were_not_seen(correction):
    expected = entropy_of(COUNTS, correction)
    assert entropy_of(COUNTS[::-1], correction) == expected
    assert entropy_of([0, 0, *COUNTS], correction, len(COUNTS)) == expected
    needs_num_states = correction in ("shrinkage", "nsb")
    assert (entropy_of(COUNTS, correction, 1000) > expected) == needs_num_states


@every_correction
@pytest.mark.parametrize("N", [1, 2, 3, 1000, 60_000])
def test_one_state_has_no_entropy(correction, N):
    within = 2 / N * BITS if correction.startswith("grassberger") else 1e-6
    assert entropy_of([N], correction) == pytest.approx(0.0, abs=within)


def test_equal_counts_have_the_logarithm_of_their_number():
    for k in (2, 3, 7, 40):
        assert entropy_of([5] * k, "none") == pytest.approx(np.log2(k), abs=1e-6)
        assert entropy_of([5] * k, "shrinkage") == pytest.approx(np.log2(k), abs=1e-6)
    assert entropy(np.ones(60_000, np.int32)) == pytest.approx(np.log2(60_000), abs=2e-6)


@every_correction
@pytest.mark.parametrize("K", [SIZE, 10**6])
def test_singletons_are_finite(correction, K):
    assert np.isfinite(entropy_of([1] * SIZE, correction, K))


# --------------------------------------------------------------------------------------------------
# jit, vmap, and what is no number.


TRACES = dict.fromkeys(CORRECTIONS, 0)


@functools.cache
def compiled(correction):
    """``entropy`` under ``jit`` and ``vmap``, over counts and numbers of states."""

    def estimate(counts, num_states):
        TRACES[correction] += 1
        return entropy(counts, correction=correction, num_states=num_states)

    return jax.jit(jax.vmap(estimate))


@pytest.mark.slow
@every_correction
def test_jit_and_vmap_agree_with_eager(correction):
    lanes = np.random.default_rng(0).integers(0, 9, (3, SIZE)).astype(np.float32)
    num_states = np.float32([40, 50, 1000])
    eager = [
        entropy(c, correction=correction, num_states=K) for c, K in zip(lanes, num_states, strict=True)
    ]
    for h in eager:
        assert h.shape == ()
        assert h.dtype == jnp.float32
    np.testing.assert_allclose(compiled(correction)(lanes, num_states), eager, rtol=2e-6)
    compiled(correction)(lanes[::-1], num_states)
    assert TRACES[correction] == 1


@pytest.mark.slow
@every_correction
def test_traced_counts_that_are_none_give_nan_in_their_own_lane(correction):
    lanes = np.random.default_rng(1).integers(1, 9, (3, SIZE)).astype(np.float32)
    num_states = np.float32([SIZE] * 3)
    clean = compiled(correction)(lanes, num_states)
    for bad in (np.nan, np.inf, -1.0, 0.5, 0.0):
        broken = lanes.copy()
        broken[1, 3:] = bad
        broken[1, :3] = 0
        got = compiled(correction)(broken, num_states)
        assert np.isnan(got[1])
        np.testing.assert_array_equal(got[::2], clean[::2])
    got = compiled(correction)(lanes, np.float32([SIZE, SIZE - 1, SIZE]))  # more states than there are
    assert np.isnan(got[1])
    np.testing.assert_array_equal(got[::2], clean[::2])


@pytest.mark.parametrize(
    ("counts", "options", "message"),
    [
        ([], {}, "counts: expected at least one entry"),
        ([[1, 2]], {}, r"counts: expected shape \(states,\)"),
        ([0, 0], {}, "counts: expected whole numbers of 0 or more and one above 0"),
        ([1, -1], {}, "counts: expected whole numbers"),
        ([1, 0.5], {}, "counts: expected whole numbers"),
        ([1, np.nan], {}, "counts: expected whole numbers"),
        ([1, 2j], {}, "counts: expected real numbers, got dtype complex"),
        ([1, 2], {"correction": "miller"}, "correction: expected one of chao_shen, grassberger03"),
        ([1, 2], {"num_states": 1}, "num_states: expected at least the 2 states observed, got 1"),
        ([1, 2], {"num_states": 2.5}, "num_states: expected a whole number"),
        ([0, 1], {"num_states": 0}, "num_states: expected a whole number of 1 or more"),
        ([0, 1], {"num_states": np.inf}, "num_states: expected a whole number of 1 or more"),
    ],
)
def test_refuses(counts, options, message):
    with pytest.raises(ValueError, match=message):
        entropy(counts, **options)
