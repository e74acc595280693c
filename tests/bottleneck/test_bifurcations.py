"""Where clusters split: the first exactly, the others between the curve's betas."""

import numpy as np
import pytest

from ibjax.bottleneck import bifurcations, information_curve
from tests.bottleneck.joints import random_joint, symmetric_channel


def maximal_correlation(p_xy):
    p_x, p_y = p_xy.sum(axis=1), p_xy.sum(axis=0)
    return np.linalg.svd(p_xy / np.sqrt(np.outer(p_x, p_y)), compute_uv=False)[1]


@pytest.mark.parametrize("p", [0.01, 0.1, 0.3])
def test_binary_symmetric_channel_splits_once(p):
    p_xy = symmetric_channel(p)
    found = bifurcations(p_xy, information_curve(p_xy, np.geomspace(0.9, 100, 40)))
    assert found.betas == pytest.approx([1 / (1 - 2 * p) ** 2], rel=1e-9)
    assert (found.before.tolist(), found.after.tolist()) == ([1], [2])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_one_cluster_is_left_when_it_loses_its_stability_or_before(seed):
    """Before, where a solution with two clusters becomes as good by a jump, as with seed 2."""
    p_xy = random_joint(seed, 8, 2)
    critical = 1 / maximal_correlation(p_xy) ** 2
    betas = critical * 1.01 ** np.arange(-40.5, 4)
    found = bifurcations(p_xy, information_curve(p_xy, betas))
    assert found.before[0] == 1
    assert found.betas[0] < critical * (1 + 1e-9)
    around = information_curve(p_xy, found.betas[0] * np.array([0.98, 1.02]))
    assert around.num_clusters[0] == 1
    assert around.num_clusters[1] > 1
    assert (found.betas[0] < 0.95 * critical) == (seed == 2)


@pytest.mark.slow
def test_two_independent_bits_split_one_after_the_other():
    """X = (U, V), Y = (U through 0.05, V through 0.2): each bit's own channel says when it is used."""
    p_xy = np.kron(symmetric_channel(0.05), symmetric_channel(0.2))
    curve = information_curve(p_xy, np.geomspace(0.9, 30, 200))
    found = bifurcations(p_xy, curve)
    np.testing.assert_allclose(found.betas, [1 / 0.9**2, 1 / 0.6**2], rtol=0.01)
    assert found.after.tolist() == [2, 4]


@pytest.mark.slow
def test_counts_agree_with_the_curve_in_any_order():
    p_xy = random_joint(4, 8, 3)
    betas = np.geomspace(100, 0.5, 50)
    curve = information_curve(p_xy, betas)
    shuffled = np.random.default_rng(0).permutation(betas)
    found, other = bifurcations(p_xy, curve), bifurcations(p_xy, information_curve(p_xy, shuffled))
    for a, b in zip(found, other, strict=True):
        np.testing.assert_array_equal(a, b)
    assert found.before[0] == 1
    assert found.after[-1] == curve.num_clusters[0]
    np.testing.assert_array_equal(found.before[1:], found.after[:-1])
    assert (np.diff(found.betas) > 0).all()
    for beta, before, after in zip(*found, strict=True):
        last = np.flatnonzero(betas <= beta)[0]
        assert (curve.num_clusters[last], curve.num_clusters[last - 1]) == (before, after)


@pytest.mark.slow
def test_a_curve_without_splits_has_none():
    p_xy = symmetric_channel(0.1)
    found = bifurcations(p_xy, information_curve(p_xy, [0.5, 1.0]))
    assert [len(column) for column in found] == [0, 0, 0]


def test_a_curve_of_another_distribution_is_refused():
    curve = information_curve(symmetric_channel(0.1), [2.0])
    with pytest.raises(ValueError, match="curve: expected encoders of the 3 x of p_xy, got of 2"):
        bifurcations(random_joint(0, 3, 2), curve)
