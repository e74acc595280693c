"""What layers lose."""

import numpy as np
import xarray as xr

from experiments.invertibility.figures import plot_invertibility


def test_losses_of_exact_states_and_bins():
    dims = ("activation", "estimator", "seed", "epoch", "layer")
    lost = xr.Dataset(
        {
            "lost": (dims, np.broadcast_to(np.array([1.0, 3.0])[:, None, None, None], (2, 2, 5, 4, 3))),
            "zero_state": (("activation", "seed", "epoch", "layer"), np.full((2, 5, 4, 3), 0.25)),
        },
        {
            "activation": ["relu", "tanh"],
            "estimator": ["exact", "bins"],
            "epoch": [0, 1, 10, 100],
            "layer": [1, 2, 3],
        },
    )
    figure = plot_invertibility(lost)
    solid, dashed = figure.axes[0].get_lines()[:2]
    np.testing.assert_allclose(solid.get_ydata(), 1)
    np.testing.assert_allclose(dashed.get_ydata(), 3)
    assert figure.axes[0].get_ylabel() == "H(X) - I(X;T) [bits]"
    assert [t.get_text() for t in figure.axes[5].texts] == ["no such state"]
