"""The Gaussian information bottleneck against closed forms, the trade-off itself, and any other T."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibjax.bottleneck import (
    gaussian_ib,
    gaussian_ib_bound,
    gaussian_information_curve,
    squared_correlations,
)

MANY = [0.9, 0.6, 0.6, 0.05, 0.0]


def informations(a, noise, covariance, num_inputs):
    """I(X;T) and I(T;Y) of T = A X + N(0, noise), bits, from determinants."""
    of_x, of_xy = covariance[:num_inputs, :num_inputs], covariance[:num_inputs, num_inputs:]
    of_y = covariance[num_inputs:, num_inputs:]
    x_given_y = of_x - of_xy @ np.linalg.solve(of_y, of_xy.T)

    def bits(matrix):
        return np.linalg.slogdet(matrix)[1] / (2 * np.log(2))

    t, t_given_y = a @ of_x @ a.T + noise, a @ x_given_y @ a.T + noise
    return bits(t) - bits(noise), bits(t) - bits(t_given_y)


def random_covariance(rng, d):
    samples = rng.normal(size=(2 * d, d))
    return samples.T @ samples / (2 * d)


# --------------------------------------------------------------------------------------------------
# One input, one label: everything in closed form.


@pytest.mark.parametrize("rho2", [0.01, 0.5, 0.99])
def test_scalar_curve(rho2):
    """T = X + N(0, s): I(X;T) = 1/2 log2(1 + 1/s), I(T;Y) = -1/2 log2(1 - rho^2 / (1 + s))."""
    noise = np.geomspace(1e-4, 1e4, 50)
    ixt = np.log2(1 + 1 / noise) / 2
    expected = -np.log2(1 - rho2 / (1 + noise)) / 2
    np.testing.assert_allclose(gaussian_ib_bound([rho2], ixt).ity, expected, rtol=1e-9, atol=1e-12)


def test_scalar_at_a_beta():
    """Chechik et al.: T is constant up to beta = 1 / rho^2, then I(X;T) = 1/2 log2((beta - 1) snr)."""
    curve = gaussian_ib([0.8], [1.0, 1.25, 2.0, 1e9])
    np.testing.assert_allclose(curve.ixt[:3], [0, 0, np.log2(4) / 2], atol=1e-12)
    np.testing.assert_allclose(curve.ity[2], 1 - np.log2(1.6) / 2, rtol=1e-12)
    np.testing.assert_allclose(curve.ity[3], -np.log2(0.2) / 2, rtol=1e-8)


# --------------------------------------------------------------------------------------------------
# Several directions.


def test_ends_at_the_information_of_x_and_y():
    total = -np.log2(1 - np.array(MANY)).sum() / 2
    assert gaussian_ib_bound(MANY, [60.0]).ity[0] == pytest.approx(total, rel=1e-9)
    assert gaussian_ib(MANY, [1e12]).ity[0] == pytest.approx(total, rel=1e-9)


def test_starts_at_nothing_with_the_slope_of_the_largest_correlation():
    curve = gaussian_ib_bound(MANY, [0.0, 1e-6])
    assert curve.ity[0] == 0
    assert curve.ity[1] == pytest.approx(0.9e-6, rel=1e-4)


def test_both_ways_to_the_curve_agree():
    curve = gaussian_ib(MANY, np.geomspace(1.01, 1e4, 200))
    np.testing.assert_allclose(gaussian_ib_bound(MANY, curve.ixt).ity, curve.ity, atol=1e-10)
    shuffled = gaussian_ib_bound(MANY[::-1], curve.ixt).ity
    np.testing.assert_allclose(shuffled, curve.ity, atol=1e-10)


def test_slope_is_one_over_beta():
    beta = np.geomspace(1.2, 1e3, 400)
    curve = gaussian_ib(MANY, beta)
    change = np.diff(curve.ixt) > 1e-9
    slope = np.diff(curve.ity)[change] / np.diff(curve.ixt)[change]
    assert (slope <= 1 / beta[:-1][change] + 1e-9).all()
    assert (slope >= 1 / beta[1:][change] - 1e-9).all()
    fine = gaussian_ib_bound(MANY, np.linspace(0, 15, 3000)).ity
    assert (np.diff(fine) >= -1e-12).all()
    assert (np.diff(fine, 2) <= 1e-12).all()  # concave


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 3), st.integers(1, 4))
@settings(deadline=None, max_examples=60)
def test_no_linear_map_with_noise_does_better(seed, num_inputs, num_labels, width):
    rng = np.random.default_rng(seed)
    covariance = random_covariance(rng, num_inputs + num_labels)
    a = rng.normal(size=(width, num_inputs)) * 10.0 ** rng.uniform(-1, 1)
    ixt, ity = informations(a, random_covariance(rng, width), covariance, num_inputs)
    best = gaussian_ib_bound(squared_correlations(covariance, num_inputs), [ixt])
    assert ity <= best.ity[0] + 1e-9


def test_the_optimal_map_reaches_the_curve():
    """Canonical directions of X with the weights of Chechik et al., theorem 3.1."""
    rng, num_inputs, beta = np.random.default_rng(0), 3, 20.0
    covariance = random_covariance(rng, 6)
    of_x, of_xy = covariance[:3, :3], covariance[:3, 3:]
    x_given_y = of_x - of_xy @ np.linalg.solve(covariance[3:, 3:], of_xy.T)
    kept, vectors = np.linalg.eig(np.linalg.solve(of_x, x_given_y))  # left eigenvectors of the paper
    used = beta * (1 - kept) > 1
    assert used.sum() >= 2
    scale = np.einsum("ik,ij,jk->k", vectors, of_x, vectors)
    weight = np.where(used, (beta * (1 - kept) - 1) / (kept * scale), 0)
    a = np.sqrt(np.maximum(weight, 0))[:, None] * vectors.T
    expected = gaussian_ib(squared_correlations(covariance, num_inputs), [beta])
    ixt, ity = informations(a, np.eye(3), covariance, num_inputs)
    np.testing.assert_allclose([ixt, ity], [expected.ixt[0], expected.ity[0]], rtol=1e-9)


def test_independent_variables():
    curve = gaussian_ib_bound([0.0, 0.0], [0.0, 5.0])
    assert curve.ity.tolist() == [0, 0]
    assert gaussian_ib([0.0], [10.0]).ixt.tolist() == [0]


# --------------------------------------------------------------------------------------------------
# Canonical correlations.


def test_correlations_of_a_teacher():
    """Of many inputs and one noisy label there is one direction, the teacher's: snr / (1 + snr)."""
    teacher, variance = np.array([3.0, 0.0, 4.0]), 5.0
    covariance = np.eye(4)
    covariance[3, :3] = covariance[:3, 3] = teacher
    covariance[3, 3] = 25 + variance
    np.testing.assert_allclose(squared_correlations(covariance, 3), [25 / 30])


def test_correlations_do_not_depend_on_coordinates():
    rng = np.random.default_rng(1)
    covariance = random_covariance(rng, 5)
    change = np.zeros((5, 5))
    change[:3, :3], change[3:, 3:] = rng.normal(size=(3, 3)), rng.normal(size=(2, 2))
    expected = squared_correlations(covariance, 3)
    assert expected.shape == (2,)
    np.testing.assert_allclose(squared_correlations(change @ covariance @ change.T, 3), expected)
    of_x, of_y = covariance[:3, :3], covariance[3:, 3:]
    total = np.linalg.slogdet(covariance)[1]
    total = np.linalg.slogdet(of_x)[1] + np.linalg.slogdet(of_y)[1] - total
    assert -np.log(1 - expected).sum() == pytest.approx(total)


def test_refuses():
    for call, message in [
        (lambda: gaussian_ib([1.0], [2.0]), r"rho2: expected .* from 0 to below 1, got 1.0 to 1.0"),
        (lambda: gaussian_ib([-0.1], [2.0]), "rho2: expected .* from 0"),
        (lambda: gaussian_ib([[0.5]], [2.0]), r"rho2: expected shape \(k,\)"),
        (lambda: gaussian_ib([], [2.0]), "rho2: expected at least one entry"),
        (lambda: gaussian_ib([0.5], [0.0]), "beta: expected positive numbers, got 0.0"),
        (lambda: gaussian_ib([0.5], [np.nan]), "beta: expected finite"),
        (lambda: gaussian_ib_bound([0.5], [-1.0]), "ixt: expected 0 bits or more, got -1.0"),
        (lambda: gaussian_ib_bound([0.5], [np.inf]), "ixt: expected finite"),
        (lambda: squared_correlations(np.eye(3), 3), "num_inputs: expected less than the 3"),
        (lambda: squared_correlations(np.eye(3), 0), "num_inputs: expected a whole number"),
        (lambda: squared_correlations(np.ones((2, 2)), 1), "covariance: expected a positive definite"),
        (lambda: squared_correlations([[1.0, 0.5], [0.0, 1.0]], 1), "covariance: expected a symmetric"),
        (lambda: squared_correlations(np.ones(2), 1), r"covariance: expected shape \(d, d\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


# --------------------------------------------------------------------------------------------------
# From covariances.


def blocks(seed, d, k):
    covariance = random_covariance(np.random.default_rng(seed), d + k)
    return covariance, (covariance[:d, :d], covariance[d:, d:], covariance[:d, d:])


@pytest.mark.parametrize(("d", "k"), [(1, 1), (3, 2), (2, 5)])
def test_curve_from_covariances_is_that_of_the_correlations(d, k):
    covariance, parts = blocks(d, d, k)
    betas = np.array([50.0, 1.5, 3.0])
    curve = gaussian_information_curve(*parts, betas)
    rho2 = squared_correlations(covariance, d)
    expected = gaussian_ib(rho2, betas)
    np.testing.assert_array_equal(curve.betas, betas)
    np.testing.assert_allclose(curve.ixt, expected.ixt)
    np.testing.assert_allclose(curve.ity, expected.ity)
    np.testing.assert_allclose(curve.critical_betas, 1 / rho2)
    assert (np.diff(curve.critical_betas) >= 0).all()


def test_a_direction_comes_into_use_at_its_critical_beta():
    _, parts = blocks(0, 3, 3)
    critical = gaussian_information_curve(*parts, [2.0]).critical_betas
    below, above = (gaussian_information_curve(*parts, critical * f) for f in (1 - 1e-6, 1 + 1e-6))
    assert below.ixt[0] == 0 < above.ixt[0]
    # I(X;T) rises without a jump, and faster above, with one direction more.
    wide = [gaussian_information_curve(*parts, critical * f).ixt for f in (0.99, 1.0, 1.01)]
    np.testing.assert_allclose(above.ixt, below.ixt, atol=1e-4)
    assert (wide[2] - wide[1] > wide[1] - wide[0]).all()


def test_independent_directions_are_never_in_use():
    curve = gaussian_information_curve(np.eye(2), np.eye(1), [[0.5], [0.0]], [1e9])
    assert curve.critical_betas.tolist() == [4.0]
    nothing = gaussian_information_curve(np.eye(2), np.eye(1), np.zeros((2, 1)), [1e9])
    assert (nothing.ity[0], nothing.critical_betas.tolist()) == (0.0, [np.inf])


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((np.ones(2), np.eye(1), np.ones((2, 1))), r"cov_x: expected shape \(d, d\)"),
        ((np.eye(2), np.eye(1), np.zeros((1, 2))), r"expected shapes \(d, d\), \(k, k\) and \(d, k\)"),
        ((np.eye(2), np.eye(1), np.ones((2, 1))), "expected a positive definite matrix"),
        ((np.eye(2), np.eye(1), np.full((2, 1), np.nan)), "expected finite"),
    ],
)
def test_covariances_that_do_not_fit_are_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        gaussian_information_curve(*parts, [2.0])
