"""Noisy units against quadrature, another Monte Carlo average, and the kernel bounds."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from ibjax.mi.kde import kde_mi
from ibjax.mi.noisy import NoisyInfo, noisy_info, noisy_mi
from ibjax.types import MI

LN2 = np.log(2.0)


def quadrature_mi(t, y, *, noise_variance) -> MI:
    """I(X;T) and I(T;Y) of one unit, t of shape (n, m), by its densities on a fine grid; bits."""
    t, y = np.asarray(t, np.float64), np.asarray(y)
    s = np.sqrt(noise_variance)
    u = np.linspace(t.min() - 10 * s, t.max() + 10 * s, 20_001)
    given_x = norm.pdf(u[None, None, :], t[:, :, None], s).mean(axis=1)

    def h(density):
        return -np.trapezoid(density * np.log2(np.maximum(density, 1e-300)), u)

    h_t = h(given_x.mean(axis=0))
    h_given_x = np.mean([h(density) for density in given_x])
    h_given_y = sum(np.mean(y == c) * h(given_x[y == c].mean(axis=0)) for c in np.unique(y))
    return MI(h_t - h_given_x, h_t - h_given_y)


def noisy_mi_twin(t, y, *, noise_variance, rng, num_draws) -> tuple[MI, MI]:
    """Values and standard errors by the definition in float64: h(T) - h(T|X) and h(T) - h(T|Y)."""
    t, y = np.asarray(t, np.float64), np.asarray(y)
    n, m, width = t.shape
    ixt, ity = [], []
    for i, a, _ in itertools.product(range(n), range(m), range(num_draws)):
        u = t[i, a] + rng.normal(size=width) * np.sqrt(noise_variance)
        kernels = np.exp(-((u - t) ** 2).sum(axis=-1) / (2 * noise_variance))  # (n, m)
        ixt.append(np.log2(kernels[i].mean() / kernels.mean()))
        ity.append(np.log2(kernels[y == y[i]].mean() / kernels.mean()))
    return MI(np.mean(ixt), np.mean(ity)), MI(*(np.std(v) / np.sqrt(len(v)) for v in (ixt, ity)))


def assert_within(info: NoisyInfo, expected: MI, *, errors=4.5):
    assert abs(info.ixt - expected.ixt) <= errors * info.ixt_std_error + 1e-5
    assert abs(info.ity - expected.ity) <= errors * info.ity_std_error + 1e-5


@pytest.mark.parametrize(("sigma", "nats"), [(0.5, 0.632720), (1.0, 0.336831), (2.0, 0.111421)])
def test_binary_channel(sigma, nats):
    t, y = np.array([[-1.0], [1.0]]), np.array([0, 1])
    options = {"key": jax.random.key(1), "num_draws": 100_000}
    info = noisy_info(t, y, noise_variance=sigma**2, **options)
    assert_within(info, MI(nats / LN2, nats / LN2))
    assert 0 < info.ixt_std_error < 0.002
    assert noisy_mi(t, y, noise_variance=sigma**2, **options) == MI(info.ixt, info.ity)
    bounds = [kde_mi(t, y, noise_variance=sigma**2, bound=b).ixt for b in ("lower", "upper")]
    assert bounds[0] <= info.ixt <= bounds[1]


@pytest.mark.slow
def test_tanh_unit_compresses_by_saturation():
    x = np.array([-1.5, -0.5, 0.5, 1.5])
    found = []
    for w, nats in [(0.1, 0.395966), (0.5, 1.308976), (5.0, 0.695382)]:
        options = {"noise_variance": 0.1**2, "key": jax.random.key(2), "num_draws": 6000}
        info = noisy_info(np.tanh(w * x)[:, None], np.arange(4), **options)
        assert_within(info, MI(nats / LN2, nats / LN2))
        assert info.ixt_std_error < 0.007
        found.append(info.ixt)
    assert found[0] < found[2] < found[1]


@pytest.mark.slow
def test_one_unit_agrees_with_quadrature():
    t, y = np.random.default_rng(0).normal(size=(4, 3)), np.array([0, 0, 1, 2])
    info = noisy_info(t[:, :, None], y, noise_variance=0.2, key=jax.random.key(0), num_draws=700)
    assert_within(info, quadrature_mi(t, y, noise_variance=0.2))
    assert info.ixt_std_error < 0.01


def test_agrees_with_the_twin():
    rng = np.random.default_rng(0)
    t, y = 0.3 * rng.normal(size=(12, 3, 40)), rng.integers(0, 3, size=12)
    noise_variance = 1.0
    expected, errors = noisy_mi_twin(t, y, noise_variance=noise_variance, rng=rng, num_draws=100)
    info = noisy_info(t, y, noise_variance=noise_variance, key=jax.random.key(0), num_draws=20)
    assert abs(info.ixt - expected.ixt) < 4.5 * np.hypot(errors.ixt, info.ixt_std_error)
    assert abs(info.ity - expected.ity) < 4.5 * np.hypot(errors.ity, info.ity_std_error)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31 - 1), st.floats(0.01, 100.0), st.sampled_from([0.0, 3.0, 1e3]))
def test_lies_between_the_kernel_bounds(seed, noise_variance, distance):
    """On random mixtures, of one cluster or of several."""
    rng = np.random.default_rng(seed)
    t = rng.normal(size=(20, 3)) + distance * rng.integers(0, 3, size=(20, 1))
    y = rng.integers(0, 2, size=20)
    lower, upper = (kde_mi(t, y, noise_variance=noise_variance, bound=b).ixt for b in ("lower", "upper"))
    key = jax.random.key(seed)
    info = noisy_info(t, y, noise_variance=noise_variance, key=key, num_draws=200)
    slack = 5 * info.ixt_std_error + 1e-5
    assert lower - slack <= info.ixt <= upper + slack


@pytest.mark.slow
@pytest.mark.parametrize("num_draws", [1, 3])
def test_standard_errors_are_those_of_repetitions(num_draws):
    t, y = np.random.default_rng(0).normal(size=(30, 1)), np.arange(30) % 2

    def f(key):
        return noisy_info(t, y, noise_variance=0.3, key=key, num_draws=num_draws)

    info = jax.vmap(f)(jax.random.split(jax.random.key(3), 400))
    exact = quadrature_mi(t, y, noise_variance=0.3)
    for values, errors, expected in [
        (info.ixt, info.ixt_std_error, exact.ixt),
        (info.ity, info.ity_std_error, exact.ity),
    ]:
        assert abs(values.mean() - expected) < 4.5 * values.std() / 20  # no bias, with few draws
        ratio = jnp.sqrt(jnp.square(errors).mean()) / values.std()  # of 400 repetitions: within 0.036
        assert 0.88 < ratio < (2.0 if num_draws == 1 else 1.12)


@pytest.mark.slow
def test_runs_of_a_noisy_network():
    """X in {-1, 1}, noise of variance 1 upstream and again at the unit: a channel of variance 2."""
    rng = np.random.default_rng(0)
    x = np.array([-1.0, 1.0])
    exact = quadrature_mi(x[:, None], np.arange(2), noise_variance=2.0).ixt

    def f(t, key):
        return noisy_mi(t, np.arange(2), noise_variance=1.0, key=key, num_draws=10).ixt

    excess = {}
    for m, repetitions in [(2, 400), (40, 50)]:
        t = x[None, :, None, None] + rng.normal(size=(repetitions, 2, m, 1))
        keys = jax.random.split(jax.random.key(5), repetitions)
        found = jax.vmap(f)(t, keys)
        excess[m] = found.mean() - exact, found.std() / np.sqrt(repetitions)
    assert excess[2][0] > 5 * excess[2][1]  # upward, by less as m grows
    assert -3 * excess[40][1] < excess[40][0] < 0.3 * excess[2][0]


@pytest.mark.slow
def test_equal_runs_are_one_and_order_does_not_matter():
    rng = np.random.default_rng(0)
    t, y = rng.normal(size=(15, 4)), rng.integers(0, 2, size=15)
    order = rng.permutation(15)
    options = {"noise_variance": 0.5, "key": jax.random.key(0)}
    one = noisy_info(t, y, **options, num_draws=400)
    np.testing.assert_array_equal(one, noisy_info(t[:, None, :], y, **options, num_draws=400))
    three = noisy_info(np.repeat(t[:, None, :], 3, axis=1), y, **options, num_draws=50)
    expected = MI(one.ixt, one.ity)
    assert_within(three, expected, errors=4.5 * np.sqrt(2))
    # Another order gives other draws.
    shuffled = noisy_info(t[order, ::-1], y[order], **options, num_draws=400)
    assert_within(shuffled, expected, errors=4.5 * np.sqrt(2))


@pytest.mark.slow
def test_float32_costs_nothing_at_any_scale():
    """The same draws around centres 2^20 away, where float32 holds steps of 1/8 alone."""
    rng = np.random.default_rng(0)
    t, y = rng.integers(-8, 8, size=(30, 3)) / 8.0, np.arange(30) % 3
    options = {"noise_variance": 0.05, "key": jax.random.key(0), "num_draws": 20}
    near, far = (noisy_mi(t + offset, y, **options) for offset in (0.0, 2.0**20))
    assert 1.0 < near.ixt < 4.5
    np.testing.assert_allclose(far, near, atol=1e-6)


def test_exact_where_nothing_is_random():
    y = np.arange(32) // 8
    options = {"noise_variance": 1e-3, "key": jax.random.key(0), "num_draws": 3}
    apart = noisy_info(10.0 * np.arange(32)[:, None], y, **options)
    np.testing.assert_allclose(apart, [5.0, 2.0, 0.0, 0.0], atol=1e-6)
    np.testing.assert_array_equal(noisy_info(np.full((32, 1), 0.3), y, **options), 0.0)
    t = np.random.default_rng(0).normal(size=(32, 1))
    assert noisy_mi(t, np.full(32, 7), **options).ity == pytest.approx(0.0, abs=1e-6)


@pytest.mark.slow
def test_jit_vmap_one_trace_and_what_is_not_a_number():
    rng = np.random.default_rng(5)
    t = jnp.asarray(rng.normal(size=(3, 19, 2, 2)), jnp.float32)
    y = jnp.asarray(rng.integers(0, 4, size=(3, 19)), jnp.int32)
    noise = jnp.array([0.01, 0.1, 1.0])
    keys = jax.random.split(jax.random.key(0), 3)
    traces = []

    def f(t, y, noise, key):
        traces.append(1)
        return noisy_info(t, y, noise_variance=noise, key=key, num_draws=5)

    loop = [f(t[i], y[i], float(noise[i]), keys[i]) for i in range(3)]
    traces.clear()
    jitted, batched = jax.jit(f), jax.vmap(f)
    for i in range(3):
        np.testing.assert_allclose(jitted(t[i], y[i], noise[i], keys[i]), loop[i], atol=1e-6)
    names = np.array([7, -3, 2**31 - 1, 0], np.int32)
    renamed = jitted(t[0], jnp.asarray(names)[y[0]], noise[0], keys[0])
    np.testing.assert_allclose(renamed, loop[0], atol=1e-6)
    assert len(traces) == 1
    lanes = batched(t, y, noise, keys)
    np.testing.assert_allclose(np.stack(lanes), np.stack(loop, axis=-1), atol=1e-6)

    for bad in (np.nan, np.inf, -np.inf):
        broken = t.at[1, 4, 0, 0].set(bad)
        with pytest.raises(ValueError, match="t: expected finite values, got 1"):
            f(broken[1], y[1], 0.1, keys[1])
        for bits, expected in zip(batched(broken, y, noise, keys), lanes, strict=True):
            assert np.isnan(bits[1])
            np.testing.assert_array_equal(bits[::2], expected[::2])
    for bad in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match=r"noise_variance: expected .* got "):
            f(t[0], y[0], bad, keys[0])
        assert np.isnan(jitted(t[0], y[0], jnp.float32(bad), keys[0])).all()


@pytest.mark.slow
def test_memory_is_bounded():
    t = jax.ShapeDtypeStruct((500, 20, 8), jnp.float32)
    y = jax.ShapeDtypeStruct((500,), jnp.int32)

    def f(t, y, key):
        return noisy_info(t, y, noise_variance=0.1, key=key, num_draws=10)

    compiled = jax.jit(f).lower(t, y, jax.random.key(0)).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 20e6  # an array of all pairs takes 400e6


def test_refuses_other_shapes_and_counts(monkeypatch):
    # As for users, whose arguments no type checker has seen.
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    t, y = np.zeros((4, 3, 2)), np.zeros(4, int)
    f = functools.partial(noisy_mi, noise_variance=1.0, key=jax.random.key(0))
    for bad_t, bad_y in [
        (t[0, 0], y),
        (t[None], y),
        (t, y[1:]),
        (t[:0], y[:0]),
        (t[:, :0], y),
        (t[:, :, :0], y),
        (t, y.astype(float)),
        (t.astype(str), y),
    ]:
        with pytest.raises(ValueError, match=r"expected .* got "):
            f(bad_t, bad_y, num_draws=1)
    for num_draws in (0, -1, 2.5):
        with pytest.raises(ValueError, match="num_draws: expected a whole number"):
            f(t, y, num_draws=num_draws)
