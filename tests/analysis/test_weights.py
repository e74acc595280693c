"""Correlations of weights: matching undoes renaming of hidden units; random weights; intervals."""

import itertools

import numpy as np
import pytest

from ibjax.analysis.weights import (
    expected_cosine,
    match_units,
    matched_correlations,
    rotated_kernels,
    weight_correlation,
    within_cosines,
)

SHAPES = [(6, 5), (5, 4), (4, 2)]


def network(seed, shapes=SHAPES):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


def renamed(kernels, seed, *, signs):
    """The same network with its hidden units in another order and, with ``signs``, some negated."""
    rng = np.random.default_rng(seed)
    out = [k.copy() for k in kernels]
    for i in range(len(kernels) - 1):
        width = out[i].shape[1]
        order = rng.permutation(width)
        sign = rng.choice([-1.0, 1.0], width) if signs else np.ones(width)
        out[i] = out[i][:, order] * sign
        out[i + 1] = out[i + 1][order] * sign[:, None]
    return out


def computes(kernels, x, activation):
    for kernel in kernels[:-1]:
        x = activation(x @ kernel)
    return x @ kernels[-1]


@pytest.mark.parametrize("signs", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_matching_finds_renamed_units(signs, seed):
    kernels = network(seed)
    other = renamed(kernels, seed, signs=signs)
    found = match_units(kernels, other, signs=signs)
    for a, b in zip(kernels, found, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(weight_correlation(kernels, found), 1.0)


def test_without_signs_negated_units_stay_apart():
    kernels = network(0)
    other = [-kernels[0], -kernels[1], kernels[2]]
    found = match_units(kernels, other, signs=False)
    assert weight_correlation(kernels, found)[0] < 0.7
    assert weight_correlation(kernels, match_units(kernels, other, signs=True))[0] == pytest.approx(1)


@pytest.mark.parametrize("signs", [True, False])
def test_a_matched_network_computes_the_same(signs):
    first, second = network(1), network(2)
    found = match_units(first, second, signs=signs)
    x = np.random.default_rng(3).normal(size=(20, 6))
    activation = np.tanh if signs else lambda z: np.maximum(z, 0)
    np.testing.assert_allclose(
        computes(found, x, activation), computes(second, x, activation), rtol=1e-12, atol=1e-12
    )


def test_the_assignment_is_the_best_of_all():
    first, second = (network(seed, [(6, 4), (4, 2)]) for seed in (0, 1))
    a, b = (k[0] / np.linalg.norm(k[0], axis=0) for k in (first, second))
    best = max(np.abs((a * b[:, order]).sum(0)).sum() for order in itertools.permutations(range(4)))
    found = match_units(first, second, signs=True)[0]
    found = found / np.linalg.norm(found, axis=0)
    assert (a * found).sum() == pytest.approx(best)


def test_softmax_ignores_what_classes_share():
    kernels = network(0)
    shifted = [*kernels[:-1], 3 * kernels[-1] + np.arange(4.0)[:, None]]
    np.testing.assert_allclose(weight_correlation(kernels, shifted), 1.0)
    np.testing.assert_allclose(weight_correlation([-kernels[0][:, :1]], [kernels[0][:, :1]]), -1.0)


def test_networks_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="expected the shapes"):
        match_units(network(0), network(0, [(6, 5), (5, 2)]), signs=True)


def test_all_pairs_of_networks():
    """Two renamed copies and a stranger: the copies correlate by 1 once matched, no one before."""
    first = network(0)
    seeds = [first, renamed(first, 1, signs=True), network(5)]
    layers = [np.stack(layer) for layer in zip(*seeds, strict=True)]
    matched, unmatched = matched_correlations(layers, signs=True)
    assert matched.shape == unmatched.shape == (3, 3, 3)
    np.testing.assert_allclose(matched[0, 1], 1.0)
    assert (unmatched[0, 1, :2] < 0.8).all()
    assert (matched[0, 2] < 0.99).all()
    np.testing.assert_array_equal(matched, matched.swapaxes(0, 1))
    assert np.isnan(matched[np.diag_indices(3)]).all()
    # The match of a pair does not depend on which comes first.
    swapped, _ = matched_correlations([layer[::-1] for layer in layers], signs=True)
    np.testing.assert_allclose(swapped[::-1, ::-1], matched, rtol=1e-12)


def test_a_network_that_has_diverged_correlates_with_none():
    layers = [np.stack([k, k, np.full_like(k, np.nan)]) for k in network(0)]
    matched, unmatched = matched_correlations(layers, signs=True)
    assert np.isnan(matched[2]).all()
    assert np.isnan(unmatched[:, 2]).all()
    np.testing.assert_allclose(matched[0, 1], 1.0)


def collinear_networks(rng, num_networks):
    """Independent networks; within a layer, units are nearly parallel to a direction of its own."""
    layers = []
    for fan_in, width in SHAPES:
        direction = rng.normal(size=(num_networks, fan_in, 1)) * rng.choice([-1, 1], width)
        layers.append(direction + 0.3 * rng.normal(size=(num_networks, fan_in, width)))
    return layers


def test_rotated_kernels_keep_the_gram_matrix_of_every_layer():
    networks = collinear_networks(np.random.default_rng(0), 20)
    rotated = rotated_kernels(networks, seed=1)
    for kernel, turned in zip(networks, rotated, strict=True):
        assert kernel.shape == turned.shape
        np.testing.assert_allclose(
            turned.swapaxes(1, 2) @ turned, kernel.swapaxes(1, 2) @ kernel, atol=1e-12
        )
        assert (np.abs(turned - kernel).max(axis=(1, 2)) > 0.1).all()
        np.testing.assert_allclose(within_cosines(turned), within_cosines(kernel), atol=1e-12)
    for again, turned in zip(rotated_kernels(networks, seed=1), rotated, strict=True):
        np.testing.assert_array_equal(again, turned)


def test_rotations_are_even_and_each_kernel_s_own():
    kernels = rotated_kernels([np.broadcast_to(np.eye(3), (4000, 3, 3))], seed=0)[0]
    # Entries of an even orthogonal matrix have mean 0 and mean square 1/3; networks are independent.
    error = 5 / np.sqrt(4000)
    assert np.abs(kernels.mean(axis=0)).max() < error
    assert np.abs((kernels**2).mean(axis=0) - 1 / 3).max() < error
    assert np.abs((kernels[1:] * kernels[:-1]).mean(axis=0)).max() < error
    assert (np.linalg.det(kernels) < 0).mean() == pytest.approx(0.5, abs=error)


def test_collinear_units_match_less_well_than_gaussian_ones():
    """Hence Gaussian weights are no null for them; rotated kernels are."""
    rng = np.random.default_rng(0)
    gaussian = [rng.normal(size=(30, *shape)) for shape in SHAPES]
    collinear = collinear_networks(rng, 30)
    collinear_mean, rotated_mean, gaussian_mean = (
        np.nanmean(matched_correlations(networks, signs=True)[0][..., :2])
        for networks in (collinear, rotated_kernels(collinear, seed=0), gaussian)
    )
    assert collinear_mean < gaussian_mean - 0.1
    assert collinear_mean == pytest.approx(rotated_mean, abs=0.04)


@pytest.mark.parametrize("dimension", [1, 2, 3, 12])
def test_cosines_of_gaussian_vectors(dimension):
    rng = np.random.default_rng(0)
    absolute, signed = within_cosines(rng.normal(size=(20_000, dimension, 2)))
    for values, expected in ((absolute, expected_cosine(dimension)), (signed, 0.0)):
        error = values.std() / np.sqrt(len(values))
        assert abs(values.mean() - expected) <= 4 * error + 1e-12


def test_cosines_of_known_units():
    kernel = np.array([[1.0, 0.0, -1.0], [0.0, 2.0, 0.0]])  # two units opposed, one orthogonal to both
    absolute, signed = within_cosines(kernel)
    assert float(absolute) == pytest.approx(1 / 3)
    assert float(signed) == pytest.approx(-1 / 3)
    assert np.isnan(within_cosines(np.array([[0.0, 1.0], [0.0, 1.0]]))[0])


@pytest.mark.parametrize("wrong", [np.ones(3), np.ones((3, 1))])
def test_one_unit_has_no_pair(wrong):
    with pytest.raises(ValueError, match=r"two units or more|\(\.\.\., fan_in, width\)"):
        within_cosines(wrong)
