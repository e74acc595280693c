"""ksg_mi against known values, a plain twin, k-d trees and scikit-learn; its ties, bias and contract."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from scipy.special import digamma

from ibjax.mi.ksg import ksg_mi
from tests.marks import slow

VARIANTS = pytest.mark.parametrize("variant", [1, 2])
LANES, N = 16, 1000
NAT = np.log(2)  # in bits: nats * NAT


@functools.cache
def lanes_of(variant: int):
    return jax.jit(jax.vmap(functools.partial(ksg_mi, variant=variant)))


def as_lanes(v) -> np.ndarray:
    return v.astype(np.float32).reshape(LANES, N, -1)


def scaled(v) -> np.ndarray:
    """float32 values in float64, (n, d), each column divided by its standard deviation."""
    v = np.asarray(v, np.float32).astype(np.float64).reshape(len(v), -1)
    deviation = v.std(axis=0)
    return np.divide(v, deviation, out=np.zeros_like(v), where=deviation > 0)


def ksg_twin(x, y, k=3, variant=1) -> float:
    """Bits, from the definitions, one sample at a time; distances tie where they agree to 2e-6."""
    x, y = scaled(x), scaled(y)
    n, tie = len(x), 2.0**-19
    terms = []
    for i in range(n):
        dx, dy = abs(x - x[i]).max(axis=1), abs(y - y[i]).max(axis=1)
        d = np.maximum(dx, dy)
        kth = np.sort(np.delete(d, i))[k - 1]
        if variant == 2:
            neighbours = np.setdiff1d(np.flatnonzero(d <= kth * (1 + tie)), i)
            side_x, side_y = dx[neighbours].max(), dy[neighbours].max()
            if side_x > 0 and side_y > 0:
                m_x, m_y = (dx <= side_x * (1 + tie)).sum() - 1, (dy <= side_y * (1 + tie)).sum() - 1
                ties = len(neighbours)
                terms.append(digamma(ties) - 1 / ties - digamma(m_x) - digamma(m_y))
                continue
        radius = kth * (1 - tie)
        joint, n_x, n_y = ((distance <= radius).sum() for distance in (d, dx, dy))
        terms.append(digamma(joint) - digamma(n_x) - digamma(n_y))
    return (digamma(n) + np.mean(terms)) / NAT


def gaussian(rng, rho):
    x, noise = rng.normal(size=(2, LANES, N))
    return x, rho * x + np.sqrt(1 - rho**2) * noise


def uniform_plus_noise(rng, e):
    x = rng.uniform(size=(LANES, N))
    return x, x + rng.uniform(-e, e, size=(LANES, N))


def student(rng, nu, d):
    scale = np.sqrt(nu / rng.chisquare(nu, size=(LANES, N, 1)))
    return rng.normal(size=(LANES, N, d)) * scale, rng.normal(size=(LANES, N, d)) * scale


def gamma_exponential(rng, s):
    rate = rng.gamma(s, size=(LANES, N))
    return rate, rng.exponential(size=(LANES, N)) / rate


def dense(rng, d):
    common, x, y = rng.normal(size=(LANES, N, 1)), *rng.normal(size=(2, LANES, N, d))
    return np.sqrt(0.5) * (x + common), np.sqrt(0.5) * (y + common)


def sparse(rng, d):
    x, y = rng.normal(size=(2, LANES, N, d))
    y[..., :2] = 0.8 * x[..., :2] + 0.6 * y[..., :2]
    return x, y


# Truth in nats, and the bias that is left at n = 1000, k = 3: downward, from heavy tails, sharp edges
# and dimensions.
KNOWN = [
    pytest.param(gaussian, (0.1,), 0.005025, 0.0, id="gaussian .1"),
    pytest.param(gaussian, (0.5,), 0.143841, 0.0, id="gaussian .5"),
    pytest.param(gaussian, (0.75,), 0.413339, 0.0, id="gaussian .75"),
    pytest.param(uniform_plus_noise, (0.05,), 2.352585, -0.074, id="uniform .05"),
    pytest.param(uniform_plus_noise, (0.25,), 0.943147, -0.033, id="uniform .25"),
    pytest.param(uniform_plus_noise, (0.5,), 0.5, -0.023, id="uniform .5"),
    pytest.param(gamma_exponential, (3.4,), 0.139910, 0.0, id="gamma 3.4"),
    pytest.param(student, (5, 1), 0.017128, -0.009, id="student 5, 1+1"),
    pytest.param(student, (1, 1), 0.224171, -0.088, id="student 1, 1+1"),
    pytest.param(student, (2, 2), 0.193147, -0.116, id="student 2, 2+2"),
    pytest.param(dense, (2,), 0.293893, 0.0, id="dense 2+2"),
    pytest.param(sparse, (2,), 1.021651, -0.021, id="sparse 2+2"),
]


@pytest.mark.parametrize(("draw", "parameters", "nats", "bias"), KNOWN)
def test_known_distributions(draw, parameters, nats, bias):
    check_known(1, draw, parameters, nats, bias)


@pytest.mark.parametrize(("draw", "parameters", "nats", "bias"), KNOWN[:-3])
def test_known_distributions_by_variant_2(draw, parameters, nats, bias):
    check_known(2, draw, parameters, nats, bias)


def check_known(variant, draw, parameters, nats, bias):
    x, y = (as_lanes(v) for v in draw(np.random.default_rng(1), *parameters))
    got = np.asarray(lanes_of(variant)(x, y)) * NAT
    standard_error = got.std(ddof=1) / np.sqrt(LANES)
    assert abs(got.mean() - nats - bias) < 3.5 * standard_error
    assert standard_error < 0.015


def test_gamma_exponential_with_heavy_tail():
    """s = 1, where 1 / rate has no mean: variant 1 is 0.07 nats low, variant 2 is not."""
    x, y = (as_lanes(v) for v in gamma_exponential(np.random.default_rng(2), 1.0))
    first, second = (np.asarray(lanes_of(variant)(x, y)).mean() * NAT for variant in (1, 2))
    assert -0.09 < first - 0.422784 < -0.04
    assert abs(second - 0.422784) < 0.04


def test_mean_and_spread_as_published():
    """Correlation 0.75, n = 1000, k = 3: within 0.03 nats in the mean of 10; deviation about 0.033."""
    x, y = (as_lanes(v) for v in gaussian(np.random.default_rng(5), 0.75))
    got = np.asarray(lanes_of(1)(x, y)) * NAT
    assert got[:10].mean() == pytest.approx(0.413339, abs=0.03)
    assert 0.018 < got.std(ddof=1) < 0.048


@pytest.mark.slow
def test_many_dimensions_are_far_too_low():
    x, y = (v[0].astype(np.float32) for v in sparse(np.random.default_rng(0), 25))
    assert 0.0 < ksg_mi(x, y) * NAT < 0.3  # of 1.021651


def test_independence_is_unbiased_and_not_clipped():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, LANES, N, 1)).astype(np.float32)
    for variant in (1, 2):
        got = np.asarray(lanes_of(variant)(x, y))
        assert abs(got.mean()) < 4 * got.std() / np.sqrt(LANES)
        assert (got < 0).any()


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 2)) * [1, 100] + [0, 50]
    y = np.stack([x[:, 0] + rng.normal(size=150), rng.uniform(size=150)], axis=1)
    return x.astype(np.float32), y.astype(np.float32)


@pytest.mark.parametrize(("k", "variant"), [slow(1, 1), (3, 1), slow(3, 2), slow(20, 2)])
def test_agrees_with_twin(samples, k, variant):
    x, y = samples
    assert ksg_mi(x, y, k=k, variant=variant) == pytest.approx(ksg_twin(x, y, k, variant), abs=1e-5)


def test_agrees_with_trees():
    rng = np.random.default_rng(4)
    n, k = N, 3
    x = rng.normal(size=n).astype(np.float32)
    y = (x**2 + rng.normal(size=n)).astype(np.float32)
    a, b = scaled(x), scaled(y)
    pairs = np.concatenate([a, b], axis=1)
    radius = np.nextafter(cKDTree(pairs).query(pairs, k + 1, p=np.inf)[0][:, -1], 0)
    n_x, n_y = (cKDTree(v).query_ball_point(v, radius, p=np.inf, return_length=True) for v in (a, b))
    nats = digamma(n) + digamma(k) - np.mean(digamma(n_x) + digamma(n_y))
    assert ksg_mi(x, y, k=k) == pytest.approx(nats / NAT, abs=1e-4)


@pytest.mark.parametrize("rho", [0.3, 0.75, 0.99])
def test_agrees_with_scikit_learn(rho):
    pytest.importorskip("sklearn")
    from sklearn.feature_selection._mutual_info import _compute_mi_cc

    x, y = (v[0].astype(np.float32) for v in gaussian(np.random.default_rng(6), rho))
    nats = _compute_mi_cc(scaled(x)[:, 0], scaled(y)[:, 0], 3)
    assert ksg_mi(x, y) * NAT == pytest.approx(nats, abs=1e-4)


# Ties.


@VARIANTS
@pytest.mark.parametrize("shape", ["constant", "values", "continuous"])
def test_constant_variable_gives_none(samples, shape, variant):
    y = {"constant": np.full(150, 7.0), "values": np.arange(150) % 4, "continuous": samples[1][:, 0]}[
        shape
    ]
    assert ksg_mi(np.full(150, 0.3), y, variant=variant) == 0.0
    assert ksg_mi(y, np.full(150, 0.3), variant=variant) == 0.0


@VARIANTS
def test_copies_give_plug_in_estimate(variant):
    """Few values of many copies: psi in the place of the plug-in estimate's logarithm."""
    rng = np.random.default_rng(7)
    x = rng.integers(0, 3, 150)
    y = (x + rng.integers(0, 2, 150)) % 4
    c_xy, c_x, c_y = (np.array([(states == s).sum() for s in states]) for states in (4 * x + y, x, y))
    assert c_xy.min() > 3
    nats = digamma(150) + np.mean(digamma(c_xy) - digamma(c_x) - digamma(c_y))
    assert ksg_mi(x, y, variant=variant) == pytest.approx(nats / NAT, abs=1e-5)


@VARIANTS
def test_all_samples_twice(samples, variant):
    x, y = (np.repeat(v[:75], 2, axis=0) for v in samples)
    got = ksg_mi(x, y, variant=variant)
    assert np.isfinite(got)
    assert got == pytest.approx(ksg_twin(x, y, 3, variant), abs=1e-5)


@pytest.mark.parametrize("slope", [1.0, -4.0])
def test_ceiling(slope):
    """Variables that determine each other give psi(n) - psi(k), k without ties."""
    x = np.random.default_rng(8).normal(size=150).astype(np.float32)
    expected = (digamma(150) - digamma(3)) / NAT
    assert ksg_mi(x, np.float32(slope) * x) == pytest.approx(expected, abs=1e-5)
    assert ksg_mi(x, x, variant=2) == pytest.approx(expected - 1 / 3 / NAT, abs=1e-5)


@pytest.mark.slow
@VARIANTS
@given(st.lists(st.tuples(st.integers(-2, 2), st.integers(0, 3)), min_size=12, max_size=12))
@settings(max_examples=40, deadline=None)
def test_lattices(variant, points):
    x, y = np.array(points).T
    got = float(ksg_mi(x, y, variant=variant))
    assert abs(got) <= np.log2(12) + 0.84
    assert got == pytest.approx(ksg_twin(x, y, 3, variant), abs=1e-5)
    assert got == pytest.approx(float(ksg_mi(y, x, variant=variant)), abs=1e-5)
    order = np.random.default_rng(0).permutation(12)
    assert got == pytest.approx(float(ksg_mi(x[order], y[order], variant=variant)), abs=1e-5)


# Contract.


@VARIANTS
def test_order_sides_and_scales_do_not_matter(samples, variant):
    x, y = samples
    expected = ksg_mi(x, y, variant=variant)
    order = np.random.default_rng(1).permutation(150)
    for other in [
        ksg_mi(x[order], y[order], variant=variant),
        ksg_mi(y, x, variant=variant),
        ksg_mi(x[:, ::-1], y, variant=variant),
        ksg_mi(x * np.float32([-(2**-13), 2**100]), y, variant=variant),
        ksg_mi(x * np.float32(2**115), y * np.float32(2**-100), variant=variant),
    ]:
        assert other == pytest.approx(float(expected), abs=1e-5)


def test_offsets_do_not_matter():
    grid = np.random.default_rng(2).integers(-500, 500, (150, 2)) / 64  # exact in float32
    x, y = grid.T
    assert ksg_mi(x + 4096, y - 1e4) == pytest.approx(float(ksg_mi(x, y)), abs=1e-5)


@pytest.mark.slow
@VARIANTS
def test_jit_and_vmap_agree_with_eager(samples, variant):
    x, y = samples
    estimator = functools.partial(ksg_mi, variant=variant)
    lanes = jnp.stack([x, x[::-1], x * 2]), jnp.stack([y, y, y[::-1]])
    loop = [estimator(a, b) for a, b in zip(*lanes, strict=True)]
    for bits in loop:
        assert bits.shape == ()
        assert bits.dtype == jnp.float32
    assert jax.jit(estimator)(x, y) == pytest.approx(float(loop[0]), abs=1e-5)
    np.testing.assert_allclose(jax.vmap(estimator)(*lanes), loop, atol=1e-5)


def test_vectors_are_one_column(samples):
    x, y = samples[0][:, 0], samples[1][:, 1]
    assert ksg_mi(x, y) == ksg_mi(x[:, None], y[:, None])
    assert ksg_mi(x.tolist(), y) == ksg_mi(x, y)


@pytest.mark.slow
@VARIANTS
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number(samples, variant, bad):
    estimator = functools.partial(ksg_mi, variant=variant)
    lanes = [jnp.stack([v] * 3) for v in samples]
    clean = jax.vmap(estimator)(*lanes)
    for side in (0, 1):
        spoilt = [v.at[1, 5, 1].set(bad) if side == s else v for s, v in enumerate(lanes)]
        got = jax.vmap(estimator)(*spoilt)
        assert np.isnan(got[1])
        np.testing.assert_array_equal(got[::2], clean[::2])
        with pytest.raises(ValueError, match="expected finite values, got 1"):
            estimator(*(v[1] for v in spoilt))


@pytest.mark.slow
def test_memory_is_bounded():
    x = jax.ShapeDtypeStruct((60_000, 1), jnp.float32)
    compiled = jax.jit(ksg_mi).lower(x, x).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 2**26


def test_refuses_bad_arguments(samples):
    x, y = samples
    with pytest.raises(ValueError, match="n_samples: expected at least 4 for k = 3, got 3"):
        ksg_mi(x[:3], y[:3])
    with pytest.raises(ValueError, match="n_samples: expected at least 151 for k = 150, got 150"):
        jax.jit(functools.partial(ksg_mi, k=150))(x, y)
    for k in (0, -1):
        with pytest.raises(ValueError, match="k: expected a whole number"):
            ksg_mi(x, y, k=k)
    with pytest.raises(ValueError, match="variant: expected a whole number from 1 to 2, got 3"):
        ksg_mi(x, y, variant=3)
    for bad_x, bad_y in [(x[None], y), (x[:9], y), (x[:0], y[:0]), (x[:, :0], y), (x * 1j, y)]:
        with pytest.raises(ValueError, match=r"expected .* got "):
            ksg_mi(bad_x, bad_y)
