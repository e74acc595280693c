"""What pruning changes."""

import numpy as np

from experiments.pruning.figures import plot_pruning


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
