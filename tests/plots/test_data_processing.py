"""Layers against the next."""

import numpy as np

from ibjax.plots import plot_layer_against_next
from tests.made import results_of


def test_a_layer_against_the_next_with_the_share_that_violates():
    ixt = np.full((1, 2, 4, 4, 3), 5.0)
    ixt[0, 1, :2, 2:, 2] = 6.0
    plane = results_of({"ixt": ixt}, {"activation": ["tanh"], "estimator": ["exact", "bins"]})
    figure = plot_layer_against_next(plane, 2, 3, row="activation", column="estimator")
    shares = [ax.get_lines()[0].get_ydata() for ax in figure.axes if len(ax.get_lines()) == 1]
    np.testing.assert_allclose(shares[0], 0)
    np.testing.assert_allclose(shares[1], [0, 0, 0.5, 0.5])
    # Equal curves are both seen: the one behind is the wider, and a share of 0 is off the axis.
    first, second = figure.axes[0].get_lines()
    assert first.get_linewidth() > 2 * second.get_linewidth()
    assert all(ax.get_ylim()[0] < 0 for ax in figure.axes if len(ax.get_lines()) == 1)
