"""What layers lose."""

import numpy as np
import pytest

from experiments.invertibility.figures import plot_arithmetics, plot_invertibility
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


def test_what_is_lost_by_arithmetic():
    """Two hidden layers and the output: layer 2 of relu loses 2 bits in the first arithmetic alone."""
    lost = np.zeros((2, 2, 4, 3))
    lost[0, 0, :, 1] = 2.0
    dims = ("activation", "arithmetic", "seed", "layer")
    final = results_of({"loss": np.zeros((4, 1, 3))}, epochs=[1]).drop_vars("loss").drop_dims("epoch")
    final = final.assign(lost_finally=(dims, lost), shared_samples=(dims, 5 * lost))
    final = final.assign_coords(activation=["relu", "tanh"], arithmetic=["single", "double"])
    figure = plot_arithmetics(final, title="made")
    assert [ax.get_title() for ax in figure.axes[:2]] == ["relu", "tanh"]
    shared, bits = figure.axes[0], figure.axes[2]
    assert shared.get_ylabel() == "samples that share a state"
    marks = [line.get_ydata().tolist() for line in bits.get_lines() if line.get_marker() == "o"]
    assert marks == [[0, 2], [0, 0]]
    marks = [line.get_ydata().tolist() for line in shared.get_lines() if line.get_marker() == "o"]
    assert marks == [[0, 10], [0, 0]]
    with pytest.raises(ValueError, match="final"):
        plot_arithmetics(final.drop_vars("lost_finally"))
