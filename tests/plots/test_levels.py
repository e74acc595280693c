"""A statistic against a factor."""

import numpy as np
import xarray as xr

from ibjax.plots import plot_by_level


def test_levels_show_medians_where_half_the_seeds_have_a_value():
    values = np.full((3, 9), np.nan)
    values[0] = np.arange(1, 10)
    values[1, :3] = 5
    values[2] = 100 * np.arange(9)
    data = xr.Dataset({"a": (("depth", "seed"), values)}, {"depth": [1, 2, 3]})
    figure = plot_by_level(data, "depth", labels={"a": "fitted"}, ylabel="epochs")
    (ax,) = figure.axes
    (bar,) = ax.containers
    np.testing.assert_allclose(bar.lines[0].get_xdata(), [1, 3])
    np.testing.assert_allclose(bar.lines[0].get_ydata(), [5, 400])
    assert (ax.get_yscale(), ax.get_ylabel(), ax.get_title()) == ("log", "epochs", "fitted")
