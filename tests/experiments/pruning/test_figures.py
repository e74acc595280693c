"""What pruning changes."""

import numpy as np
import pytest

from experiments.pruning.figures import plot_pruning, plot_removals


def test_pruning_shows_distances_and_accuracies_by_step():
    rng = np.random.default_rng(0)
    distances = {"tanh": [rng.uniform(size=(5, 3)), rng.uniform(size=(5, 1))], "relu": [np.ones((5, 3))]}
    accuracies = {"tanh": [np.full(5, 0.9), np.full(5, 0.95)], "relu": [np.full(5, 0.8)]}
    paper = {"tanh": (0.87, 0.88, 0.89)}
    figure = plot_pruning(distances, accuracies, threshold=0.5, paper=paper, title="made")
    left, right, _, last = figure.axes
    assert [tick.get_text() for tick in figure.axes[2].get_xticklabels()] == ["1→2", "2→3", "3→4"]
    assert left.get_ylabel() == "tanh\ndistance of paths [bits]"
    crosses = [line for line in right.get_lines() if line.get_marker() == "x"]
    assert crosses[0].get_ydata().tolist() == [0.87, 0.88, 0.89]
    assert not [line for line in last.get_lines() if line.get_marker() == "x"]


def test_removals_are_shown_beside_those_of_others():
    """The criterion's is the second best of three choices; relu's networks lose no layer."""
    ends = {"tanh": np.full((3, 5), 0.9), "relu": np.full((3, 5), 0.8)}
    choices = {"tanh": np.array([[0.7] * 5, [0.6] * 5, [0.8] * 5]), "relu": np.full((1, 5), 0.8)}
    anew = {"tanh": {"criterion": np.full(5, 0.85), "random 1": np.full(5, 0.75)}, "relu": {}}
    counts = {"tanh": 2, "relu": 0}
    figure = plot_removals(ends, counts, choices, anew, title="made")
    left, middle, right, _, none, empty = figure.axes
    assert [line.get_xdata() for line in left.get_lines() if line.get_linestyle() == "--"] == [[2, 2]]
    (cross,) = [line for line in middle.get_lines() if line.get_marker() == "x"]
    assert (cross.get_xdata().tolist(), cross.get_ydata().tolist()) == ([1], [0.7])
    assert middle.get_lines()[0].get_ydata().tolist() == pytest.approx([0.8, 0.7, 0.6])
    assert [tick.get_text() for tick in right.get_xticklabels()] == ["criterion", "random 1"]
    assert not none.get_lines()
    assert not empty.get_lines()
    with pytest.raises(ValueError, match="ends, counts: expected the same arms"):
        plot_removals(ends, {"tanh": 2}, choices, anew)
    with pytest.raises(ValueError, match="ends: expected"):
        plot_removals({}, counts, choices, anew)
