"""The information plane: what is drawn, labelled and told apart."""

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba

from ibjax.plots import plot_information_plane
from ibjax.plots.axes import MARKERS, OUTPUT_MARKER
from tests.plots.drawn import rendered


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


def markers_of(ax):
    """Markers by label."""
    return {line.get_label(): line.get_marker() for line in ax.get_lines()}


def test_outputs_of_networks_that_differ_in_depth_have_one_marker(planes):
    planes.ixt[0, :, :, :, 2] = np.nan  # a layer that the first column's networks do not have
    figure = plot_information_plane(planes, row="optimizer", column="activation")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["1", "2", "output"]
    shallow, deep = (markers_of(ax) for ax in figure.axes[:2])
    assert list(shallow) == ["1", "output"]
    assert list(deep) == ["1", "2", "output"]
    assert shallow["output"] == deep["output"]
    assert len({*deep.values()}) == 3


def test_the_legend_of_layers_is_outside_the_panels(planes):
    figure = plot_information_plane(planes, row="optimizer", column="activation")
    assert [ax for ax in figure.axes if ax.get_legend()] == []
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["1", "2", "3"]


def test_layers_at_one_place_are_all_seen(planes):
    figure = plot_information_plane(planes.isel(activation=0, optimizer=0))
    lines = figure.axes[0].get_lines()
    sizes = [line.get_markersize() for line in lines]
    assert sizes == sorted(sizes, reverse=True)
    assert len({*sizes}) == len(sizes)
    assert all(to_rgba(line.get_markerfacecolor())[3] < 1 for line in lines)


def test_no_layer_is_marked_as_the_corner_is():
    assert "*" not in MARKERS + OUTPUT_MARKER
    assert OUTPUT_MARKER not in MARKERS


def test_one_network_without_an_axis_of_seeds(planes):
    one = planes.isel(activation=0, optimizer=0, seed=0)
    assert rendered(plot_information_plane(one)).startswith(b"\x89PNG")


def test_the_corner_of_a_plane_is_a_star(planes):
    figure = plot_information_plane(planes.isel(optimizer=0), row="activation", corner=(12.0, 1.0))
    stars = [line for line in figure.axes[0].get_lines() if line.get_marker() == "*"]
    assert [line.get_xydata().tolist() for line in stars] == [[[12.0, 1.0]]]
    others = [line.get_zorder() for line in figure.axes[0].get_lines() if line not in stars]
    assert stars[0].get_zorder() > max(others)


def test_layers_that_never_leave_the_corner_are_named(planes):
    planes = planes.isel(optimizer=0).copy(deep=True)
    planes.ixt[0, ..., :2], planes.ity[0, ..., :2] = 12.0, 1.0
    planes.ixt[0, :, -1, 1] = 11.0  # the second layer leaves it
    figure = plot_information_plane(planes, row="activation", corner=(12.0, 1.0))
    texts = [[text.get_text() for text in ax.texts] for ax in figure.axes[:2]]
    assert texts == [["always at the star: 1"], []]


def test_panels_reach_to_the_layers_of_all(planes):
    """The limits that they share are not the first one's."""
    made = planes.isel(optimizer=0).copy(deep=True)
    made.ixt[0], made.ixt[1] = made.ixt[0] / 10, made.ixt[1] + 5
    figure = plot_information_plane(made, row="activation", corner=(20.0, 1.0))
    for ax in figure.axes[:2]:
        low, high = ax.get_xlim()
        assert low <= 0
        assert high > 20
