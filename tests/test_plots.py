"""Figures: what is drawn, labelled and told apart."""

import io

import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from ibjax.plots import plot_compression, plot_information_plane

EPOCHS = [0, 1, 10, 100]


@pytest.fixture
def planes():
    rng = np.random.default_rng(0)
    dims = ("activation", "optimizer", "seed", "epoch", "layer")
    sizes = (2, 2, 5, 4, 3)
    return xr.Dataset(
        {"ixt": (dims, 12 * rng.random(sizes)), "ity": (dims, rng.random(sizes))},
        {
            "activation": ["tanh", "relu"],
            "optimizer": ["sgd", "bgd"],
            "epoch": EPOCHS,
            "layer": [1, 2, 3],
        },
    )


def rendered(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=40)
    return file.getvalue()


def test_a_panel_an_arm_with_labels_and_a_colour_bar(planes):
    figure = plot_information_plane(planes, row="optimizer", column="activation", title="all")
    *panels, bar = figure.axes
    titles = {ax.get_title() for ax in panels}
    assert titles == {"tanh, sgd", "relu, sgd", "tanh, bgd", "relu, bgd"}
    assert {ax.get_xlabel() for ax in panels} == {"", "I(X;T) [bits]"}
    assert {ax.get_ylabel() for ax in panels} == {"", "I(T;Y) [bits]"}
    assert "epoch (log scale" in bar.get_ylabel()
    assert rendered(figure).startswith(b"\x89PNG")


def test_every_seed_and_the_mean_are_drawn(planes):
    figure = plot_information_plane(planes.sel(activation="tanh", optimizer="sgd"))
    paths = [c for c in figure.axes[0].collections if isinstance(c, LineCollection)]
    segments = [len(path.get_segments()) for path in paths]
    assert segments == [5 * 3, 3] * 3  # for each layer: 5 seeds faintly, then the mean
    markers = {line.get_marker() for line in figure.axes[0].lines}
    assert len(markers) == 3


def test_nan_is_not_drawn(planes):
    one = planes.sel(activation="tanh", optimizer="sgd").copy(deep=True)
    one.ixt[1] = np.nan  # a diverged seed
    one.ixt[:, :, 2] = np.nan  # a layer that the network does not have
    figure = plot_information_plane(one)
    paths = [c for c in figure.axes[0].collections if isinstance(c, LineCollection)]
    assert [len(path.get_segments()) for path in paths] == [4 * 3, 3] * 2


def test_one_network_without_an_axis_of_seeds(planes):
    one = planes.isel(activation=0, optimizer=0, seed=0)
    assert rendered(plot_information_plane(one)).startswith(b"\x89PNG")


def test_compression_draws_arms_on_the_same_axes(planes):
    figure = plot_compression(planes)
    assert len(figure.axes) == 2 * 3
    for ax in figure.axes:
        assert [line.get_label() for line in ax.lines] == ["SGD", "BGD"]
        assert len(ax.collections) == 2  # the bands
        assert ax.get_xscale() == "symlog"
    mean = planes.ixt.sel(activation="tanh", optimizer="sgd", layer=1).mean("seed")
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), mean)
    assert figure.axes[0].get_ylabel() == "tanh\nI(X;T) [bits]"
    assert rendered(figure).startswith(b"\x89PNG")
