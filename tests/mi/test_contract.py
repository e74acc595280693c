"""What every estimator of a layer, ``f(t, y) -> MI``, must do; a new one adds a line."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from ibjax.mi import (
    adaptive_binned_mi,
    binned_mi,
    exact_mi,
    idnns_binned_mi,
    kde_mi,
    noisy_mi,
    quantised_mi,
    revisiting_binned_mi,
)
from ibjax.types import MI
from tests.marks import slow

NOISY = functools.partial(noisy_mi, noise_variance=1e-3, key=jax.random.key(0), num_draws=2)
ESTIMATORS = [
    pytest.param(binned_mi, id="binned_mi"),
    pytest.param(functools.partial(binned_mi, bin_width=0.07), id="binned_mi(bin_width)"),
    pytest.param(functools.partial(adaptive_binned_mi, bins=8), id="adaptive_binned_mi"),
    slow(idnns_binned_mi, id="idnns_binned_mi"),
    pytest.param(revisiting_binned_mi, id="revisiting_binned_mi"),
    slow(functools.partial(revisiting_binned_mi, activation="relu"), id="revisiting(relu)"),
    pytest.param(functools.partial(quantised_mi, bits=4), id="quantised_mi"),
    pytest.param(exact_mi, id="exact_mi"),
    pytest.param(kde_mi, id="kde_mi"),
    slow(functools.partial(kde_mi, bound="lower"), id="kde_mi(lower)"),
    pytest.param(NOISY, id="noisy_mi"),
]
pytestmark = pytest.mark.parametrize("estimator", ESTIMATORS)

LANES, N, WIDTH = 3, 48, 3


@pytest.fixture(scope="module")
def layers():
    """Activations (lane, n, width), where several samples share a state; labels (lane, n)."""
    rng = np.random.default_rng(0)
    t = np.tanh(rng.normal(size=(LANES, N, WIDTH))).astype(np.float32)
    t[:, : N // 4] = t[:, :1]
    y = (t[..., 0] > 0) + 2 * (rng.random((LANES, N)) < 0.3)
    return jnp.asarray(t), jnp.asarray(y.astype(np.int32))


def assert_close(got: MI, expected: MI):
    np.testing.assert_allclose(got.ixt, expected.ixt, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(got.ity, expected.ity, rtol=1e-5, atol=1e-5)


def test_gives_two_finite_float32_scalars(estimator, layers):
    t, y = layers
    mi = estimator(t[0], y[0])
    assert isinstance(mi, MI)
    for bits in mi:
        assert bits.shape == ()
        assert bits.dtype == jnp.float32
        assert np.isfinite(bits)
        assert bits > 0


def test_is_in_bits(estimator):
    t = np.repeat(np.float32([[-0.9, 0.9], [0.9, -0.9], [-0.9, -0.9], [0.9, 0.9]]), 8, axis=0)
    mi = estimator(jnp.asarray(t), jnp.asarray(np.arange(32) // 16))
    assert mi.ixt == pytest.approx(2.0, abs=1e-5)
    assert mi.ity == pytest.approx(1.0, abs=1e-5)


@pytest.mark.slow
def test_jit_agrees_with_eager(estimator, layers):
    t, y = layers
    assert_close(jax.jit(estimator)(t[0], y[0]), estimator(t[0], y[0]))


def test_vmap_agrees_with_a_loop(estimator, layers):
    t, y = layers
    loop = [estimator(t[i], y[i]) for i in range(LANES)]
    assert_close(jax.vmap(estimator)(t, y), MI(*map(jnp.stack, zip(*loop, strict=True))))


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["cuda", "rocm", "tpu"])
def test_is_lowered_for_accelerators_without_callbacks(estimator, layers, platform):
    t, y = layers
    export.export(jax.jit(jax.vmap(estimator)), platforms=[platform])(t, y)


def test_traces_once_for_equal_shapes(estimator, layers):
    t, y = layers
    traces = []

    @jax.jit
    def counted(t, y):
        traces.append(1)
        return estimator(t, y)

    for i in range(LANES):
        counted(t[i], y[i])
    counted(t[0], jnp.zeros_like(y[0]))  # the number of classes is no part of the program
    assert len(traces) == 1


def test_order_of_samples_and_units_does_not_matter(estimator, layers):
    if estimator is NOISY:
        pytest.skip("each row has its own draws; test_noisy compares within their error")
    t, y = layers[0][0], layers[1][0]
    samples = np.random.default_rng(1).permutation(N)
    expected = estimator(t, y)
    assert_close(estimator(t[samples], y[samples]), expected)
    assert_close(estimator(t[:, ::-1], y), expected)


def test_names_of_labels_do_not_matter(estimator, layers):
    t, y = layers[0][0], layers[1][0]
    names = np.array([7, -3, 2**31 - 1, 0], np.int32)
    assert_close(estimator(t, jnp.asarray(names)[y]), estimator(t, y))


def test_labels_without_information_give_none(estimator, layers):
    t, y = layers[0][0], layers[1][0]
    assert estimator(t, jnp.full_like(y, 5)).ity == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, 0.3])
def test_constant_layer_has_no_information(estimator, layers, value):
    t, y = layers[0][0], layers[1][0]
    mi = estimator(jnp.full_like(t, value), y)
    assert mi.ixt == pytest.approx(0.0, abs=1e-6)
    assert mi.ity == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_refuses_what_is_not_a_number(estimator, layers, bad):
    t, y = layers
    with pytest.raises(ValueError, match="t: expected finite values, got 1"):
        estimator(t[0].at[5, 1].set(bad), y[0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_traced_nan_gives_nan_in_its_own_lane(estimator, layers, bad):
    t, y = layers
    clean = jax.vmap(estimator)(t, y)
    got = jax.vmap(estimator)(t.at[1, 5, 1].set(bad), y)
    for bits, expected in zip(got, clean, strict=True):
        assert np.isnan(bits[1])
        np.testing.assert_array_equal(bits[::2], expected[::2])


def test_refuses_other_shapes_and_labels(estimator, layers, monkeypatch):
    # As for users, whose arguments no type checker has seen.
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    t, y = layers[0][0], layers[1][0]
    for bad_t, bad_y in [
        (t[0], y),
        (t[None], y),
        (t, y[:, None]),
        (t, y[1:]),
        (t[:0], y[:0]),
        (t[:, :0], y),
        (t, y.astype(jnp.float32)),
    ]:
        with pytest.raises(ValueError, match=r"expected .* got "):
            estimator(bad_t, bad_y)
        with pytest.raises(ValueError, match=r"expected .* got "):
            jax.jit(estimator)(bad_t, bad_y)
