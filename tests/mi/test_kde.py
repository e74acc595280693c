"""Kernel bounds against their definition in float64, known channels, and at any scale."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from ibjax.mi.kde import kde_mi, label_counts
from ibjax.types import MI

LN2 = np.log(2.0)
BOTH = pytest.mark.parametrize("bound", ["upper", "lower"])


def kde_mi_twin(t, y, *, noise_variance=1e-3, bound="upper") -> MI:
    """The definition, sample by sample in float64, on the activations as float32 holds them."""
    t = np.asarray(t, np.float32).astype(np.float64)
    y = np.asarray(y)
    scale = {"upper": 2.0, "lower": 8.0}[bound] * noise_variance

    def entropy(rows):  # less that of the noise, nats
        return -np.mean(
            [np.log(np.mean(np.exp(-np.sum((row - rows) ** 2, axis=1) / scale))) for row in rows]
        )

    h = entropy(t)
    h_given_y = sum(np.mean(y == c) * entropy(t[y == c]) for c in np.unique(y))
    return MI(h / LN2, (h - h_given_y) / LN2)


def clustered(seed, n, width, scale, noise_variance):
    """Activations of a scale, in clusters whose neighbours are about as far apart as the noise."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(n // 8, width)) * scale
    spread = rng.normal(size=(n, width)) * np.sqrt(noise_variance / width)
    t = np.repeat(centres, 8, axis=0) + spread
    y = (np.arange(n) % 3 == 0) + (centres[:, 0] > 0).repeat(8)
    return t.astype(np.float32), y.astype(np.int32)


def assert_close(got, expected, *, bits):
    np.testing.assert_allclose(np.array(got), np.array(expected), rtol=0, atol=bits)


@pytest.mark.parametrize(
    ("sigma", "bound", "nats"),
    [(1, "lower", 0.219070), (1, "upper", 0.566219), (0.5, "lower", 0.566219), (0.5, "upper", 0.692812)],
)
@pytest.mark.parametrize("repeats", [1, 64])
def test_bounds_on_the_binary_channel(sigma, bound, nats, repeats):
    t = np.repeat([[-1.0], [1.0]], repeats, axis=0)
    mi = kde_mi(t, np.repeat([0, 1], repeats), noise_variance=sigma**2, bound=bound)
    assert_close(mi, [nats / LN2] * 2, bits=2e-6)


@pytest.mark.slow
@BOTH
@pytest.mark.parametrize("scale", [1, 10, 30, 100])
@pytest.mark.parametrize("width", [1, 10, 17, 64])
def test_float32_costs_nothing_at_any_scale(scale, width, bound):
    """Squared distances by a matrix product err by 0.15 bits at scale 30 and 0.87 at 100."""
    t, y = clustered(width, 200, width, scale, 1e-3)
    expected = kde_mi_twin(t, y, bound=bound)
    assert 0.5 < expected.ixt < np.log2(200) - 0.5  # the distances matter
    assert_close(kde_mi(t, y, bound=bound), expected, bits=1e-5)


@pytest.mark.parametrize("scale", [1, 100])
@pytest.mark.parametrize("width", [65, 1024])
def test_float32_costs_nothing_in_wide_layers(scale, width):
    t, y = clustered(width, 96, width, scale, 1e-3)
    assert_close(kde_mi(t, y), kde_mi_twin(t, y), bits=1e-5)


@BOTH
@pytest.mark.parametrize("noise_variance", [1e-3, 0.1, 2.0])
@pytest.mark.parametrize("scale", [1, 10, 30, 100])
def test_agrees_with_the_twin_on_spread_activations(scale, noise_variance, bound):
    rng = np.random.default_rng(scale)
    t = np.maximum(rng.normal(size=(150, 5)), 0) * scale
    y = rng.integers(-1, 2, size=150)
    options = {"noise_variance": noise_variance, "bound": bound}
    assert_close(kde_mi(t, y, **options), kde_mi_twin(t, y, **options), bits=1e-5)


@BOTH
def test_agrees_with_scipy(bound):
    rng = np.random.default_rng(3)
    t = np.tanh(rng.normal(size=(300, 4))).astype(np.float32)
    exponents = -cdist(t, t, "sqeuclidean") / ({"upper": 2, "lower": 8}[bound] * 0.02)
    expected = (np.log(300) - logsumexp(exponents, axis=1).mean()) / LN2
    mi = kde_mi(t, np.zeros(300, int), noise_variance=0.02, bound=bound)
    assert_close(mi, [expected, 0.0], bits=1e-5)


def test_sums_of_ten_thousand_kernels_keep_their_digits():
    n = 10_000  # the kernels are 1 and exp(-2), which float32 does not hold
    t = np.where(np.arange(n) % 2, 1.0, -1.0)[:, None]
    mi = kde_mi(t, np.arange(n) % 2, noise_variance=1.0)
    assert_close(mi, [0.566219 / LN2] * 2, bits=2e-6)


@pytest.mark.slow
@pytest.mark.skipif(jax.default_backend() != "cpu", reason="accelerators take larger blocks")
@pytest.mark.parametrize(("lanes", "n", "width"), [(1, 60_000, 1024), (50, 4096, 10)])
def test_memory_is_bounded(lanes, n, width):
    t = jax.ShapeDtypeStruct((lanes, n, width), jnp.float32)
    y = jax.ShapeDtypeStruct((n,), jnp.int32)
    compiled = jax.jit(jax.vmap(kde_mi, in_axes=(0, None))).lower(t, y).compile()
    copies = 2 * lanes * n * width * 4
    assert compiled.memory_analysis().temp_size_in_bytes < copies + 150e6


# Ten samples of two units, from all the same to far apart.
LAYERS = st.lists(st.floats(-50, 50, width=32), min_size=20, max_size=20).map(
    lambda values: np.float32(values).reshape(10, 2)
)
LABELS = st.lists(st.integers(-2, 2), min_size=10, max_size=10).map(np.int32)


@settings(max_examples=30, deadline=None)
@given(LAYERS, LABELS, st.floats(1e-3, 1e3))
def test_bounds_are_in_order_and_noise_removes_information(t, y, noise_variance):
    lower, upper = (kde_mi(t, y, noise_variance=noise_variance, bound=b) for b in ("lower", "upper"))
    noisier = kde_mi(t, y, noise_variance=1.5 * noise_variance)
    assert -1e-6 <= lower.ixt <= upper.ixt + 1e-6
    assert noisier.ixt <= upper.ixt + 1e-6
    assert upper.ixt <= np.log2(len(t)) + 1e-6
    assert_close(upper, kde_mi_twin(t, y, noise_variance=noise_variance), bits=1e-5)


@settings(max_examples=20, deadline=None)
@given(LAYERS, LABELS, st.sampled_from([2.0**-20, 0.25, 8.0, 2.0**20]))
def test_only_the_ratio_of_scale_and_noise_matters(t, y, c):
    expected = kde_mi(t, y, noise_variance=0.5)
    assert_close(kde_mi(c * t, y, noise_variance=0.5 * c * c), expected, bits=1e-6)


def test_rotations_and_shifts_do_not_matter():
    rng = np.random.default_rng(0)
    t, y = rng.normal(size=(100, 4)), rng.integers(0, 3, size=100)
    q = np.linalg.qr(rng.normal(size=(4, 4))).Q
    expected = kde_mi(t, y, noise_variance=0.1)
    assert_close(kde_mi(t @ q + 3.0, y, noise_variance=0.1), expected, bits=1e-5)


def test_saturates_at_the_logarithm_of_the_sample():
    t, y = np.arange(64.0)[:, None], np.arange(64) // 16
    assert_close(kde_mi(t, y), [6.0, 2.0], bits=1e-6)


@pytest.mark.parametrize(
    ("centres", "counts", "side"),
    [((0.5, 2.8, 5.1, 8.0), [(0, 2, 13, 85), (70, 24, 5, 2)], 1), ((0.0, 2.0), [(3, 0), (0, 1)], -1)],
)
def test_class_information_is_a_bound_on_neither_side(centres, counts, side):
    """The lower bounds' difference lies above or below I(T;Y) of the same mixture, by quadrature."""
    t = np.concatenate([np.repeat(centres, of_class) for of_class in counts])
    y = np.repeat([0, 1], np.sum(counts, axis=1))
    u = np.linspace(-10, 20, 20_001)
    densities = np.exp(-0.5 * (u[None, :] - t[:, None]) ** 2) / np.sqrt(2 * np.pi)

    def h(p):
        return -np.trapezoid(p * np.log2(np.maximum(p, 1e-300)), u)

    h_given_y = sum(np.mean(y == c) * h(densities[y == c].mean(axis=0)) for c in (0, 1))
    exact = h(densities.mean(axis=0)) - h_given_y
    lower = kde_mi(t[:, None], y, noise_variance=1.0, bound="lower")
    assert side * (lower.ity - exact) > 0.01
    assert lower.ixt < h(densities.mean(axis=0)) - h(densities[0])


@pytest.mark.slow
def test_differentiable():
    """The bound serves as a penalty in training."""
    t, y = clustered(0, 24, 20, 1.0, 0.1)
    direction = np.random.default_rng(1).normal(size=t.shape).astype(np.float32)

    def ixt(t):
        return kde_mi(t, y, noise_variance=0.1).ixt

    slope = np.vdot(jax.grad(ixt)(jnp.asarray(t)), direction)
    h = 1e-3
    t = t.astype(np.float64)
    plus, minus = t + h * direction, t - h * direction
    expected = (
        kde_mi_twin(plus, y, noise_variance=0.1).ixt - kde_mi_twin(minus, y, noise_variance=0.1).ixt
    ) / (2 * h)
    assert slope == pytest.approx(expected, rel=2e-3)


@pytest.mark.slow
def test_jit_vmap_and_order():
    rng = np.random.default_rng(5)
    t = jnp.asarray(rng.normal(size=(3, 37, 2)), jnp.float32)
    y = jnp.asarray(rng.integers(0, 4, size=(3, 37)), jnp.int32)
    noise = jnp.array([0.01, 0.1, 1.0])
    traces = []

    def f(t, y, noise):
        traces.append(1)
        return kde_mi(t, y, noise_variance=noise)

    loop = [kde_mi(t[i], y[i], noise_variance=float(noise[i])) for i in range(3)]
    jitted = jax.jit(f)
    for i in range(3):
        assert_close(jitted(t[i], y[i], noise[i]), loop[i], bits=1e-6)
    assert len(traces) == 1
    assert_close(jax.vmap(f)(t, y, noise), [np.stack(b) for b in zip(*loop, strict=True)], bits=1e-6)
    order = rng.permutation(37)
    names = np.array([7, -3, 2**31 - 1, 0], np.int32)
    assert_close(jitted(t[0][order, ::-1], names[y[0]][order], noise[0]), loop[0], bits=1e-6)


def test_labels_of_64_bits_keep_apart():
    t = np.array([[0.0], [1.0]])
    assert_close(kde_mi(t, np.array([0, 2**32])), [1.0, 1.0], bits=1e-6)


@BOTH
def test_constant_layers_and_constant_labels_have_none(bound):
    y = np.arange(50) % 3
    assert_close(kde_mi(np.full((50, 3), 0.3), y, bound=bound), [0.0, 0.0], bits=0)
    t = np.random.default_rng(0).normal(size=(50, 3))
    assert kde_mi(t, np.full(50, 7), bound=bound).ity == pytest.approx(0.0, abs=1e-6)
    assert_close(kde_mi([[0.5]], [3], bound=bound), [0.0, 0.0], bits=0)


def test_independent_labels_are_biased_upward():
    rng = np.random.default_rng(2)
    t, y = rng.normal(size=(20, 60, 2)), rng.integers(0, 2, size=(20, 60))
    ity = jax.vmap(functools.partial(kde_mi, noise_variance=0.3))(t, y).ity
    assert 0.0 < ity.mean() < 0.2


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number(bad):
    t = np.random.default_rng(0).normal(size=(3, 20, 2))
    y = np.arange(20) % 2
    broken = t.copy()
    broken[1, 4, 0] = bad
    with pytest.raises(ValueError, match="t: expected finite values, got 1"):
        kde_mi(broken[1], y)
    got, clean = (jax.vmap(kde_mi, in_axes=(0, None))(x, y) for x in (broken, t))
    for bits, expected in zip(got, clean, strict=True):
        assert np.isnan(bits[1])
        np.testing.assert_array_equal(bits[::2], expected[::2])


def test_noise_that_is_none():
    t, y = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2
    jitted = jax.jit(lambda noise_variance: kde_mi(t, y, noise_variance=noise_variance))
    for bad in (0.0, -1e-3, np.nan, np.inf, 1e-45):
        with pytest.raises(ValueError, match=r"noise_variance: expected .* got "):
            kde_mi(t, y, noise_variance=bad)
        assert np.isnan(jitted(jnp.float32(bad))).all()


def test_never_infinite():
    t = np.float32([[-3e38], [3e38], [1e-40], [0.0]])
    for noise_variance in (1.2e-38, 1.0, 1e37):
        mi = kde_mi(t, np.arange(4), noise_variance=noise_variance)
        assert np.isfinite(mi).all()


def test_refuses_other_bounds_and_shapes(monkeypatch):
    # As for users, whose arguments no type checker has seen.
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    t, y = np.zeros((4, 2)), np.zeros(4, int)
    with pytest.raises(ValueError, match="bound: expected one of lower, upper; got 'middle'"):
        kde_mi(t, y, bound="middle")
    for bad_t, bad_y in [(t[0], y), (t[None], y), (t, y[1:]), (t[:0], y[:0]), (t, y.astype(float))]:
        with pytest.raises(ValueError, match=r"expected .* got "):
            kde_mi(bad_t, bad_y)


def test_counts_of_labels():
    got = label_counts(jnp.array([3, 0, 3, 7, 3, 0], jnp.uint32))
    np.testing.assert_array_equal(got, [3, 2, 3, 1, 3, 2])
