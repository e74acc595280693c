"""Linear layers with Gaussian noise against closed forms and determinants in float64."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibjax.mi.gaussian import gaussian_mi
from ibjax.mi.linear_gaussian import linear_gaussian_mi


def twin(kernels, covariance, noise_variance):
    """Bits, from the float64 determinant of the covariance of T."""
    w = functools.reduce(np.matmul, kernels, np.eye(len(covariance)))
    ratio = w.T @ np.float64(covariance) @ w / noise_variance
    return np.linalg.slogdet(np.eye(len(ratio)) + ratio)[1] / (2 * np.log(2))


def random_problem(rng, dims):
    shapes = itertools.pairwise(dims)
    kernels = [(rng.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32) for shape in shapes]
    inputs = rng.normal(size=(3 * dims[0], dims[0]))
    return kernels, np.cov(inputs, rowvar=False).astype(np.float32)


def f(weights, covariance, noise_variance):
    return linear_gaussian_mi(weights, input_covariance=covariance, noise_variance=noise_variance)


# --------------------------------------------------------------------------------------------------
# Closed forms.


@pytest.mark.parametrize("w", [1e-18, 1e-10, 1e-3, 1.0, 1e3, 1e10, 1e30])
@pytest.mark.parametrize("noise_variance", [1e-30, 1e-3, 1.0, 7e4])
def test_one_unit_from_nothing_to_very_much(w, noise_variance):
    """1/2 log2(1 + w^2 / s2): 1e-36 to 150 bits, where w^2 itself leaves float32."""
    w, noise_variance = np.float32(w), np.float32(noise_variance)
    truth = np.log1p(np.float64(w) ** 2 / np.float64(noise_variance)) / (2 * np.log(2))
    assert f([[w]], [[1.0]], noise_variance) == pytest.approx(truth, rel=1e-6, abs=1e-37)


@pytest.mark.parametrize(("rho", "nats"), [(0.1, 0.005025), (0.5, 0.143841), (0.75, 0.413339)])
def test_correlation_of_input_and_output(rho, nats):
    bits = f([[rho]], [[1.0]], 1 - rho**2)
    assert float(bits) * np.log(2) == pytest.approx(nats, abs=1e-6)
    assert bits == pytest.approx(-0.5 * np.log2(1 - rho**2), rel=1e-6)


def test_parallel_channels_add_up():
    variances, gains = np.float32([1e-8, 1.0, 9.0, 1e4]), np.float32([1e4, 0.0, 2.0, 1e-3])
    truth = 0.5 * np.log2(1 + np.float64(gains) ** 2 * variances).sum()
    assert f(np.diag(gains), np.diag(variances), 1.0) == pytest.approx(truth, rel=1e-6)


@pytest.mark.slow
def test_saturates_at_the_inputs_of_the_narrowest_layer():
    """Each halving of the noise's deviation adds 1 bit a unit of the bottleneck, and nothing else."""
    kernels, covariance = random_problem(np.random.default_rng(0), [12, 3, 2, 12])
    bits = [float(f(kernels, covariance, 4.0**-k)) for k in (20, 21, 40)]
    assert bits[1] - bits[0] == pytest.approx(2, abs=1e-4)
    assert bits[2] - bits[0] == pytest.approx(40, abs=1e-4)


@pytest.mark.slow
def test_kernels_beyond_float32_together():
    """1e30 * 1e30 * 1e-30 * 1e-30 = 1, and 1e30 * 1e30 over noise 1e-30: 200 bits and more."""
    one = np.ones((1, 1))
    assert f([1e30 * one, 1e30 * one, 1e-30 * one, 1e-30 * one], one, 1.0) == pytest.approx(
        0.5, rel=1e-5
    )
    assert f([1e30 * one, 1e30 * one], one, 1e-30) == pytest.approx(75 * np.log2(10), rel=1e-6)
    assert f([1e-30 * one, 1e-30 * one], one, 1.0) == 0


# --------------------------------------------------------------------------------------------------
# The twin.

DIMS = [[3, 5], [5, 3], [12, 10, 7, 5, 4, 3], [12, 3, 2, 12]]


@pytest.mark.slow
@given(st.sampled_from(DIMS), st.floats(-8, 6), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_equals_twin(dims, log_noise, seed):
    kernels, covariance = random_problem(np.random.default_rng(seed), dims)
    noise_variance = np.float32(10.0**log_noise)
    expected = twin(kernels, covariance, np.float64(noise_variance))
    assert f(kernels, covariance, noise_variance) == pytest.approx(expected, rel=1e-4, abs=1e-12)


@pytest.mark.slow
def test_wide_layer_equals_twin():
    kernels, covariance = random_problem(np.random.default_rng(1), [200, 100])
    assert f(kernels[0], covariance, 0.1) == pytest.approx(twin(kernels, covariance, 0.1), rel=1e-5)


@pytest.mark.slow
def test_one_kernel_or_several_of_the_same_product():
    kernels, covariance = random_problem(np.random.default_rng(2), [3, 4, 2])
    product = kernels[0] @ kernels[1]
    expected = float(f(kernels, covariance, 0.1))
    for weights in (tuple(kernels), product, [product], product.tolist(), (np.eye(3), product)):
        assert f(weights, covariance, 0.1) == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_estimate_from_samples_agrees():
    kernels, covariance = random_problem(np.random.default_rng(3), [3, 2])
    rng = np.random.default_rng(4)
    x = rng.normal(size=(50_000, 3)) @ np.linalg.cholesky(covariance.astype(np.float64)).T
    t = x @ kernels[0] + np.sqrt(0.3) * rng.normal(size=(50_000, 2))
    # The estimate's standard deviation is below sqrt(2 / n) nats.
    assert gaussian_mi(x, t) == pytest.approx(float(f(kernels, covariance, 0.3)), abs=0.03)


# --------------------------------------------------------------------------------------------------
# What carries nothing.


def test_nothing_in_nothing_out():
    assert f(np.zeros((3, 2)), np.eye(3), 1.0) == 0
    assert f(np.ones((3, 2)), np.zeros((3, 3)), 1.0) == 0


@pytest.mark.parametrize("noise_variance", [1.0, 1e-6, 1e-20])
def test_repeated_units_and_inputs_of_rank_one(noise_variance):
    """All units carry the same: as one unit of n_in n_out times the signal."""
    truth = 0.5 * np.log2(1 + 4 * 9 * 5 / noise_variance)
    bits = f(np.ones((3, 5)), np.full((3, 3), 4.0), noise_variance)
    assert bits == pytest.approx(truth, rel=1e-5)


@pytest.mark.slow
def test_constant_inputs_carry_nothing():
    covariance = np.diag([2.0, 0.0, 1.0])
    kernel = np.random.default_rng(5).normal(size=(3, 3))
    expected = f(kernel[[0, 2]], np.diag([2.0, 1.0]), 0.01)
    assert f(kernel, covariance, 0.01) == pytest.approx(float(expected), rel=1e-5)


# --------------------------------------------------------------------------------------------------
# Calls.


def lanes():
    rng = np.random.default_rng(6)
    problems = [random_problem(rng, [4, 3, 2]) for _ in range(3)]
    return jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(v) for v in leaves]), *problems)


@pytest.mark.slow
def test_jit_and_vmap_agree_with_eager():
    kernels, covariance = lanes()
    noise = jnp.float32([0.1, 1.0, 10.0])
    loop = [f([k[i] for k in kernels], covariance[i], noise[i]) for i in range(3)]
    assert loop[0].shape == ()
    assert loop[0].dtype == jnp.float32
    np.testing.assert_allclose(jax.vmap(f)(kernels, covariance, noise), jnp.stack(loop), rtol=1e-5)
    jitted = jax.jit(f)
    for i in range(3):
        got = jitted([k[i] for k in kernels], covariance[i], noise[i])
        np.testing.assert_allclose(got, loop[i], rtol=1e-5)
    assert jitted._cache_size() == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_traced_values_that_are_not_valid_give_nan_in_their_lane(bad):
    kernels, covariance = lanes()
    noise = jnp.ones(3)
    clean = jax.vmap(f)(kernels, covariance, noise)
    for spoilt in (
        ([kernels[0].at[1, 2, 0].set(bad), kernels[1]], covariance, noise),
        (kernels, covariance.at[1, 0, 0].set(bad), noise),
        (kernels, covariance.at[1, 0, 1].set(bad), noise),
        (kernels, covariance.at[1, 0, 1].add(0.5), noise),  # not symmetric
        (kernels, covariance.at[1].multiply(-1), noise),
        (kernels, covariance.at[1, 2, 2].set(-0.1), noise),
        (kernels, covariance, noise.at[1].set(bad)),
        (kernels, covariance, noise.at[1].set(0.0)),
        (kernels, covariance, noise.at[1].set(-1.0)),
    ):
        got = jax.vmap(f)(*spoilt)
        assert np.isnan(got[1])
        np.testing.assert_array_equal(got[::2], clean[::2])


def test_refuses_other_arguments():
    kernel, covariance = np.ones((3, 2)), np.eye(3)
    lopsided = np.eye(3) + np.triu(np.ones((3, 3)), 1)
    for arguments, message in [
        ((kernel[0], covariance, 1.0), "weights: expected shape"),
        ((kernel[None], covariance, 1.0), "weights: expected shape"),
        (
            ([kernel, kernel], covariance, 1.0),
            "weights: expected kernels .* got shapes",
        ),
        ((kernel * np.nan, covariance, 1.0), "weights: expected finite values"),
        ((kernel[:0], covariance, 1.0), "weights: expected at least one entry"),
        (([], covariance, 1.0), "weights: expected shape"),
        ((kernel, np.eye(2), 1.0), r"input_covariance: expected shape \(3, 3\)"),
        ((kernel, np.ones(3), 1.0), "input_covariance: expected shape"),
        ((kernel, lopsided, 1.0), "input_covariance: expected a symmetric matrix"),
        ((kernel, 2 * np.ones((3, 3)) - np.eye(3), 1.0), "input_covariance: expected no negative"),
        ((kernel, -covariance, 1.0), "input_covariance: expected no negative"),
        ((kernel, covariance, 0.0), "noise_variance: expected a positive finite number"),
        ((kernel, covariance, np.inf), "noise_variance: expected a positive finite number"),
    ]:
        with pytest.raises(ValueError, match=message):
            f(*arguments)
