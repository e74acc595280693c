"""Greedy clusterings: the agglomerative bottleneck and local search, against slow twins."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibjax.bottleneck.agglomerative import hard_objective, improved, merged_to
from tests.bottleneck.joints import hard_clusterings, random_joint


def information(label, p_xy):
    """I(T;Y) and H(T) of a hard clustering, nats."""
    p_ty = np.array([p_xy[label == t].sum(axis=0) for t in np.unique(label)])
    p_t, p_y = p_ty.sum(axis=1), p_ty.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p_ty > 0, p_ty * np.log(p_ty / np.outer(p_t, p_y)), 0)
    return terms.sum(), -np.sum(p_t * np.log(p_t))


def same_partition(a, b):
    return (np.equal.outer(a, a) == np.equal.outer(b, b)).all()


@given(st.integers(0, 500), st.integers(1, 7))
def test_merges_the_pair_that_loses_least(seed, num_clusters):
    p_xy = random_joint(seed, 7, 3)
    label = np.arange(7)
    while len(np.unique(label)) > num_clusters:
        pairs = itertools.combinations(np.unique(label), 2)
        merged = [np.where(label == j, i, label) for i, j in pairs]
        label = max(merged, key=lambda one: information(one, p_xy)[0])
    found = merged_to(p_xy, num_clusters)
    assert found.max() + 1 == num_clusters
    assert same_partition(found, label)


@given(st.integers(0, 500), st.sampled_from([1.5, 5.0, 40.0]))
def test_objective_equals_the_twin(seed, beta):
    p_xy = random_joint(seed, 6, 3)
    label = np.random.default_rng(seed).integers(4, size=6)
    ity, ht = information(label, p_xy)
    assert hard_objective(label, p_xy, beta) == pytest.approx(ht - beta * ity, abs=1e-9)


@given(st.integers(0, 500), st.sampled_from([1.5, 5.0, 40.0]), st.integers(1, 6))
def test_no_move_and_no_merger_improves_what_is_found(seed, beta, most):
    p_xy = random_joint(seed, 6, 3)
    start = np.random.default_rng(seed).integers(most, size=6)
    found = improved(start, p_xy, beta, most)
    assert found.max() < most
    assert set(found) == set(range(found.max() + 1))
    value = hard_objective(found, p_xy, beta)
    assert value <= hard_objective(start, p_xy, beta) + 1e-12
    for x, t in itertools.product(range(6), range(min(found.max() + 2, most))):
        moved = found.copy()
        moved[x] = t
        assert hard_objective(moved, p_xy, beta) >= value - 1e-9
    for i, j in itertools.combinations(range(found.max() + 1), 2):
        assert hard_objective(np.where(found == j, i, found), p_xy, beta) >= value - 1e-9


def test_finds_the_best_of_all_from_the_agglomerative_start():
    for seed in range(10):
        p_xy = random_joint(seed, 5, 2)
        best = min(hard_objective(label, p_xy, 6.0) for label in hard_clusterings(5))
        starts = [merged_to(p_xy, k) for k in range(1, 6)]
        found = min(hard_objective(improved(s, p_xy, 6.0, 5), p_xy, 6.0) for s in starts)
        assert found == pytest.approx(best, abs=1e-12)
