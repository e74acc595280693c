"""``discrete_mi`` against closed forms, exact expectations, scikit-learn and a twin in float64."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaln
from scipy.stats import norm

from ibjax.mi.discrete import discrete_mi
from ibjax.mi.entropies import CORRECTIONS
from tests.marks import slow
from tests.mi.test_entropies import BITS, entropy_twin

# --------------------------------------------------------------------------------------------------
# The twin.


def discrete_mi_twin(x, y, correction="none"):
    """H(X) + H(Y) - H(X,Y) of a table of Kx by Ky counts, bits, float64."""
    x, y = (np.unique(v, axis=0, return_inverse=True)[1].reshape(-1) for v in (x, y))
    table = np.zeros((x.max() + 1, y.max() + 1))
    np.add.at(table, (x, y), 1)
    h_x, h_y, h_xy = (
        entropy_twin(c, correction) for c in (table.sum(axis=1), table.sum(axis=0), table.reshape(-1))
    )
    return h_x + h_y - h_xy


def pairs(table):
    """Samples x, y that occur as often as the table says."""
    table = np.asarray(table)
    x, y = np.indices(table.shape).reshape(2, -1)
    return np.repeat(x, table.reshape(-1)), np.repeat(y, table.reshape(-1))


# Of nearly all samples here, so that they share compiled programs.
N = 200


def dependent_pairs(seed, n=N, kx=5, ky=4):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, kx, n)
    y = np.where(rng.random(n) < 0.5, x % ky, rng.integers(0, ky, n))
    return x, y


every_correction = pytest.mark.parametrize(
    "correction", [name if name == "none" else slow(name) for name in CORRECTIONS]
)

# --------------------------------------------------------------------------------------------------
# Known values.


@pytest.mark.parametrize(
    ("p", "nats"), [(0.01, 0.637146), (0.05, 0.494632), (0.1, 0.368064), (0.25, 0.130812)]
)
def test_binary_symmetric_channel(p, nats):
    flips = round(100 * p)
    x, y = pairs([[100 - flips, flips], [flips, 100 - flips]])
    assert discrete_mi(x, y) / BITS == pytest.approx(nats, abs=1e-6)


@pytest.mark.parametrize(("p", "nats"), [(0.1, 1.757780), (0.2, 1.362738)])
def test_symmetric_channel_of_ten_symbols(p, nats):
    errors = round(10 * p)  # to each of the nine others
    x, y = pairs(np.full((10, 10), errors) + (90 - 10 * errors) * np.eye(10, dtype=int))
    assert discrete_mi(x, y) / BITS == pytest.approx(nats, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bins", "nats"), [slow(2, 0.15381), slow(4, 0.28949), (10, 0.37225), slow(30, 0.40261)]
)
def test_equally_filled_bins_of_a_normal(bins, nats):
    """Correlation 0.75: what binning converges to, from a million samples in exact proportion."""
    x = norm.ppf((np.arange(1000 * bins) + 0.5) / (1000 * bins)).reshape(bins, 1000, 1)
    edges = norm.ppf(np.arange(1, bins) / bins)
    below = norm.cdf((edges - 0.75 * x) / math.sqrt(1 - 0.75**2)).mean(axis=1)  # P(Y's bin <= j | X's)
    table = np.diff(below, prepend=0, append=1) / bins
    x, y = pairs(np.rint(1e6 * table).astype(int))
    # Whole numbers of samples in the corners of 30 x 30 bins make 5e-5.
    assert discrete_mi(x, y) / BITS == pytest.approx(nats, abs=7e-5)


@pytest.mark.parametrize(("q", "nats"), [(0.1, 0.525597), (0.25, 0.380396), (0.5, 0.215762)])
def test_z_channel(q, nats):
    lost = round(100 * q)
    x, y = pairs([[100, 0], [lost, 100 - lost]])
    assert discrete_mi(x, y) / BITS == pytest.approx(nats, abs=1e-6)


@pytest.mark.slow
def test_expectation_at_independence_of_two_by_two_values():
    """Exactly, over all tables of 20 samples."""
    a, b, c, d = (v.reshape(-1) for v in np.indices((21,) * 4))
    counts = np.stack([a, b, c, d], axis=1)[a + b + c + d == 20]
    p = np.exp(gammaln(21) - gammaln(counts + 1).sum(axis=1) - 20 * np.log(4))
    samples = [pairs(c.reshape(2, 2)) for c in counts]
    x, y = (np.stack(v) for v in zip(*samples, strict=True))
    mi = jax.vmap(discrete_mi)(jnp.asarray(x), jnp.asarray(y))
    assert (p * np.asarray(mi)).sum() / BITS == pytest.approx(0.0276872, abs=1e-7)


@pytest.mark.slow
def test_mean_at_independence_of_four_by_four_values():
    x, y = np.random.default_rng(0).integers(0, 4, (2, 2000, 100))
    mi = np.asarray(jax.vmap(discrete_mi)(jnp.asarray(x), jnp.asarray(y))) / BITS
    assert mi.mean() == pytest.approx(0.0474040, abs=4 * mi.std() / math.sqrt(len(mi)))


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_scikit_learn(seed):
    metrics = pytest.importorskip("sklearn.metrics")
    x, y = dependent_pairs(seed)
    assert discrete_mi(x, y) / BITS == pytest.approx(metrics.mutual_info_score(x, y), abs=1e-6)


# --------------------------------------------------------------------------------------------------
# The twin.


@every_correction
@pytest.mark.parametrize("seed", [0, slow(1), slow(2)])
def test_agrees_with_the_twin(correction, seed):
    x, y = dependent_pairs(seed)
    expected = discrete_mi_twin(x, y, correction)
    assert discrete_mi(x, y, correction=correction) == pytest.approx(expected, abs=5e-6)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.integers(1, 9))
def test_any_samples(seed, kx, ky):
    x, y = dependent_pairs(seed, kx=kx, ky=ky)
    mi = discrete_mi(x, y)
    assert mi == pytest.approx(discrete_mi_twin(x, y), abs=2e-6)
    assert mi >= 0
    assert discrete_mi(y, x) == mi
    assert discrete_mi(-7 * x, y**3) == mi
    assert discrete_mi(x[::-1], y[::-1]) == mi


@pytest.mark.slow
@pytest.mark.parametrize("correction", ["none", "jackknife"])
def test_many_samples_lose_no_precision(correction):
    rng = np.random.default_rng(0)
    x = rng.geometric(0.01, 60_000)
    y = x // 3 + rng.integers(0, 2, 60_000)
    expected = discrete_mi_twin(x, y, correction)
    assert discrete_mi(x, y, correction=correction) == pytest.approx(expected, abs=1e-5)


def test_60_000_samples_that_all_differ():
    x = np.random.default_rng(0).permutation(60_000)
    assert discrete_mi(x, x) == pytest.approx(np.log2(60_000), abs=2e-6)
    assert discrete_mi(x, x % 2) == pytest.approx(1.0, abs=2e-6)


def test_values_of_64_bits_and_truth_values():
    x, y = dependent_pairs(0)
    expected = discrete_mi(x, y)
    assert discrete_mi(x * 2**40 - 2**60, y) == expected
    assert discrete_mi(x.astype(np.uint8), y.astype(np.int64)) == expected
    assert discrete_mi(x > 2, y) == discrete_mi((x > 2).astype(int), y)
    assert discrete_mi(x.tolist(), y.tolist()) == expected


# --------------------------------------------------------------------------------------------------
# Rows as values.


def test_rows_are_one_value_eagerly_and_traced():
    rng = np.random.default_rng(0)
    rows = rng.integers(-1, 2, (N, 3)).astype(np.int32)
    rows[:, 1] *= 2**30
    y = rows[:, 0] + (rows[:, 2] > 0)
    number = np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)
    expected = discrete_mi(number, y)
    assert expected == pytest.approx(discrete_mi_twin(rows, y), abs=2e-6)
    assert discrete_mi(rows, y) == expected
    assert jax.jit(discrete_mi)(rows, y[:, None]) == expected


# --------------------------------------------------------------------------------------------------
# Limits.


@every_correction
def test_constant_variable_has_no_information(correction):
    x, y = dependent_pairs(0)
    # H(X) of the constant, which Grassberger's give as up to 2 / n nats.
    within = 2 / N * BITS if correction.startswith("grassberger") else 2e-6
    assert discrete_mi(np.full(N, 7), y, correction=correction) == pytest.approx(0.0, abs=within)
    assert discrete_mi(x, np.zeros(N, int), correction=correction) == pytest.approx(0.0, abs=within)


@pytest.mark.slow
def test_corrected_results_may_be_negative_and_are_not_clipped():
    x, y = pairs([[50, 50], [50, 50]])
    assert discrete_mi(x, y) == 0.0
    bias = 1 / (2 * N) * BITS
    assert discrete_mi(x, y, correction="miller_madow") == pytest.approx(-bias, abs=1e-6)


# --------------------------------------------------------------------------------------------------
# jit and vmap.

TRACES = dict.fromkeys(["none", "shrinkage", "nsb"], 0)


@functools.cache
def compiled(correction):
    def estimate(x, y):
        TRACES[correction] += 1
        return discrete_mi(x, y, correction=correction)

    return jax.jit(jax.vmap(estimate))


@pytest.mark.slow
@pytest.mark.parametrize("correction", TRACES)
def test_jit_and_vmap_agree_with_eager(correction):
    lanes = [dependent_pairs(seed) for seed in range(3)]
    eager = [discrete_mi(x, y, correction=correction) for x, y in lanes]
    for mi in eager:
        assert mi.shape == ()
        assert mi.dtype == jnp.float32
    x, y = (np.stack(v).astype(np.int32) for v in zip(*lanes, strict=True))
    np.testing.assert_allclose(compiled(correction)(x, y), eager, rtol=1e-5, atol=3e-6)
    compiled(correction)(x, np.arange(3 * N, dtype=np.int32).reshape(3, N))  # other numbers of values
    assert TRACES[correction] == 1


def test_one_variable_known_and_the_other_traced():
    x, y = dependent_pairs(0)
    names = np.array([2**40, -(2**50), 7, 0, 2**41])
    assert jax.jit(lambda y: discrete_mi(names[x], y))(y) == discrete_mi(x, y)


# --------------------------------------------------------------------------------------------------
# Refusals.


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        ([], [], {}, "x: expected at least one entry"),
        ([1, 2], [[[1]], [[2]]], {}, r"y: expected shape \(n_samples,\) or \(n_samples, d\)"),
        (np.zeros((2, 0), int), [1, 2], {}, "x: expected at least one entry"),
        ([1, 2, 3], [1, 2], {}, "x and y: expected one entry a sample in both, got lengths 3 and 2"),
        ([1.0, 2.0], [1, 2], {}, "x: expected integer"),
        ([1, 2], [1.0, np.nan], {}, "y: expected integer"),
        ([1, 2], [1, 2], {"correction": "MM"}, "correction: expected one of"),
    ],
)
def test_refuses(x, y, options, message):
    with pytest.raises(ValueError, match=message):
        discrete_mi(x, y, **options)
