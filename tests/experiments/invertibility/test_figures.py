"""What layers lose."""

import numpy as np

from experiments.invertibility.figures import plot_invertibility
from tests.made import results_of


def test_losses_of_exact_states_and_bins():
    bits = np.broadcast_to(np.array([1.0, 3.0])[:, None, None, None], (2, 2, 5, 4, 3))
    lost = results_of({"lost": bits}, {"activation": ["relu", "tanh"], "estimator": ["exact", "bins"]})
    lost["zero_state"] = 0 * lost.lost.isel(estimator=0, drop=True) + 0.25
    figure = plot_invertibility(lost)
    solid, dashed = figure.axes[0].get_lines()[:2]
    np.testing.assert_allclose(solid.get_ydata(), 1)
    np.testing.assert_allclose(dashed.get_ydata(), 3)
    assert figure.axes[0].get_ylabel() == "H(X) - I(X;T) [bits]"
    assert [t.get_text() for t in figure.axes[5].texts] == ["no such state"]
