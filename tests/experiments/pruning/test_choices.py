"""Choices of layers: as many as the criterion removes, and never ones that leave its network."""

import itertools
import math

import numpy as np
import pytest

from experiments.pruning.choices import (
    all_choices,
    drawn_choices,
    farthest_layers,
    other_choices,
    remaining,
)

WIDTHS = (10, 7, 5, 4, 3, 3, 3, 3, 3, 3)
DISTANCES = (2.0, 0.3, 1.5, 0.9, 3.0, 0.4, 0.3, 0.2, 0.1)


def test_all_choices_begin_with_the_criterions():
    choices = all_choices(10, 4)
    assert choices[0] == (7, 8, 9, 10)
    assert len(choices) == len(set(choices)) == math.comb(10, 4)
    assert all_choices(3, 0) == [()]


def test_the_farthest_layers_are_those_after_the_largest_distances():
    assert farthest_layers(DISTANCES, 3) == (2, 4, 6)
    assert farthest_layers(DISTANCES, 0) == ()
    assert farthest_layers([1.0, 1.0, 1.0], 2) == (2, 3)
    with pytest.raises(ValueError, match="count: expected"):
        farthest_layers(DISTANCES, 10)
    with pytest.raises(ValueError, match="distances: expected"):
        farthest_layers([np.nan, 1.0], 1)


def test_others_leave_other_networks_than_the_criterion_and_each_other():
    chosen = other_choices(WIDTHS, DISTANCES, 4, num_drawn=3, seed=0)
    assert [*chosen] == ["farthest", "random 1", "random 2", "random 3"]
    assert chosen["farthest"] == (2, 4, 5, 6)
    left = [remaining(WIDTHS, layers) for layers in chosen.values()]
    assert len({(10, 7, 5, 4, 3, 3), *left}) == 5
    assert all(len(widths) == 6 for widths in left)
    assert chosen == other_choices(WIDTHS, DISTANCES, 4, num_drawn=3, seed=0)


def test_layers_of_equal_widths_are_the_same_choice():
    """Of five units and three and three, only the first layer's removal leaves another network."""
    assert other_choices((5, 3, 3), (2.0, 1.0), 1, num_drawn=3, seed=0) == {"random 1": (1,)}
    assert other_choices((3, 3, 3), (2.0, 1.0), 2, num_drawn=3, seed=0) == {}


def test_all_choices_of_other_widths_are_drawn_equally_often():
    drawn = [drawn_choices((4, 3, 2), 1, {(4, 3)}, num_drawn=1, seed=seed) for seed in range(400)]
    counts = [drawn.count([layers]) for layers in ((1,), (2,))]
    assert sum(counts) == 400
    assert min(counts) > 150  # 5 standard deviations below 200


def test_a_draw_ends_when_all_are_drawn():
    drawn = drawn_choices((4, 3, 2), 1, set(), num_drawn=9, seed=0)
    assert sorted(drawn) == [*itertools.combinations((1, 2, 3), 1)]
