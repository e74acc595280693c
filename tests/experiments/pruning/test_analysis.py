"""Distances of paths and similar end layers, on made paths."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.pruning.analysis import (
    similar_end_layers,
    trajectory_distances,
)


def by_hand(ixt, ity, stop):
    found = np.full((ixt.shape[0], ixt.shape[2] - 1), np.nan)
    for s, end in enumerate(stop):
        for layer in range(ixt.shape[2] - 1):
            squares = [
                (ixt[s, e, layer + 1] - ixt[s, e, layer]) ** 2
                + (ity[s, e, layer + 1] - ity[s, e, layer]) ** 2
                for e in range(end + 1)
            ]
            if squares:
                found[s, layer] = np.sqrt(np.mean(squares))
    return found


def test_distances_are_those_of_loops_up_to_each_seeds_stop():
    rng = np.random.default_rng(0)
    ixt, ity = rng.normal(size=(2, 3, 7, 4))
    stop = np.array([6, 2, -1])
    np.testing.assert_allclose(trajectory_distances(ixt, ity, stop), by_hand(ixt, ity, stop))


def test_layers_that_move_alike_are_at_no_distance():
    ixt = np.cumsum(np.ones((1, 5, 3)), axis=1)
    ixt[..., 2] += 3
    found = trajectory_distances(ixt, np.zeros_like(ixt), np.array([4]))
    np.testing.assert_allclose(found, [[0, 3]])


@given(st.lists(st.sampled_from([0.1, 0.4, 0.5, 2.0]), min_size=1, max_size=8))
def test_layers_are_counted_from_the_end_until_one_is_far(distances):
    expected = 0
    for distance in reversed(distances):
        if distance >= 0.5:
            break
        expected += 1
    assert similar_end_layers(np.array(distances), 0.5) == expected


@pytest.mark.parametrize(
    ("distances", "threshold", "message"),
    [([0.1, np.nan], 1, "distances: expected"), ([[0.1]], 1, "distances"), ([0.1], 0, "threshold")],
)
def test_bad_distances_are_refused(distances, threshold, message):
    with pytest.raises(ValueError, match=message):
        similar_end_layers(np.array(distances), threshold)


def test_planes_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="ixt, ity: expected"):
        trajectory_distances(np.zeros((2, 3, 4)), np.zeros((2, 3, 3)), np.array([0, 0]))
