"""Figures: what is drawn, labelled and told apart."""

import io

import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from experiments.ib_gaps.figures import plot_layer_terms
from ibjax.plots import (
    plot_against_truth,
    plot_along_layers,
    plot_bounded_plane,
    plot_compression,
    plot_compression_table,
    plot_curves,
    plot_information_plane,
    plot_layer_against_next,
    plot_learning,
    plot_snapshots,
    plot_variance_parts,
    plot_violations,
)

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


def test_the_legend_names_the_layers_of_the_deepest_network(planes):
    planes.ixt[0, :, :, :, 2] = np.nan  # a layer that the first column's networks do not have
    figure = plot_information_plane(planes, row="optimizer", column="activation")
    (legend,) = [ax.get_legend() for ax in figure.axes if ax.get_legend()]
    assert [text.get_text() for text in legend.get_texts()] == ["1", "2", "3"]


def test_one_network_without_an_axis_of_seeds(planes):
    one = planes.isel(activation=0, optimizer=0, seed=0)
    assert rendered(plot_information_plane(one)).startswith(b"\x89PNG")


def test_compression_draws_arms_on_the_same_axes(planes):
    figure = plot_compression(planes, row="activation", compare="optimizer")
    assert len(figure.axes) == 2 * 3
    for ax in figure.axes:
        assert [line.get_label() for line in ax.lines] == ["SGD", "BGD"]
        assert len(ax.collections) == 2  # the bands
        assert ax.get_xscale() == "symlog"
    mean = planes.ixt.sel(activation="tanh", optimizer="sgd", layer=1).mean("seed")
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), mean)
    assert figure.axes[0].get_ylabel() == "tanh\nI(X;T) [bits]"
    assert rendered(figure).startswith(b"\x89PNG")


@pytest.fixture
def estimators():
    rng = np.random.default_rng(1)
    dims = ("activation", "estimator", "setting", "seed", "epoch")
    return xr.Dataset(
        {"ixt": (dims, 12 * rng.random((2, 3, 2, 5, 4)))},
        {
            "activation": ["tanh", "relu"],
            "estimator": ["binned", "noisy", "KDE"],
            "setting": ["fine", "coarse"],
            "epoch": EPOCHS,
            "option": (("estimator", "setting"), [[f"{m}={s}" for s in (1, 2)] for m in "wnk"]),
        },
    )


def test_curves_of_settings_share_the_panel_of_their_estimator(estimators):
    facets = {"row": "activation", "column": "estimator", "compare": "setting"}
    figure = plot_curves(estimators, **facets, title="layer 5")
    assert len(figure.axes) == 2 * 3
    assert [ax.get_title() for ax in figure.axes[:3]] == ["binned", "noisy", "KDE"]
    assert [line.get_label() for line in figure.axes[1].lines] == ["n=1", "n=2"]
    last = estimators.ixt.sel(activation="relu", estimator="KDE", setting="coarse").mean("seed")
    np.testing.assert_allclose(figure.axes[-1].lines[1].get_ydata(), last)
    assert {ax.get_xlabel() for ax in figure.axes[3:]} == {"epoch"}
    assert rendered(figure).startswith(b"\x89PNG")


def test_table_of_compression_writes_what_is_sure_in_bold(estimators):
    dims = ("activation", "estimator", "setting", "layer")
    amount = xr.DataArray(np.linspace(-3, 3, 36).reshape(2, 3, 2, 3), dims=dims)
    summary = xr.Dataset(
        {
            "compression": amount,
            "compression_low": amount - 1,
            "compression_high": amount + 1,
        },
        {**estimators.drop_vars(["ixt", "epoch"]).coords, "layer": [1, 2, 3]},
    )
    figure = plot_compression_table(summary, rows=["estimator", "setting"], column="activation")
    first, second, bar = figure.axes
    assert [label.get_text() for label in first.get_yticklabels()] == [
        f"{name}, {option}"
        for name, options in zip(estimators.estimator.values, estimators.option.values, strict=True)
        for option in options
    ]
    for ax, values in zip((first, second), amount.values, strict=True):
        texts = {tuple(text.get_position()[::-1]): text for text in ax.texts}
        assert len(texts) == 6 * 3
        for place, value in np.ndenumerate(values.reshape(6, 3)):
            assert texts[place].get_text() == f"{value:.1f}"
            assert texts[place].get_fontweight() == ("bold" if abs(value) > 1 else "normal")
    assert "[bits]" in bar.get_ylabel()
    assert rendered(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize("num_arms", [5, 9, 30])
def test_any_number_of_arms_is_drawn_and_told_apart(num_arms):
    rng = np.random.default_rng(0)
    plane = xr.Dataset(
        {
            "ixt": (
                ("activation", "optimizer", "seed", "epoch", "layer"),
                rng.random((1, num_arms, 3, 4, 2)),
            )
        },
        {"activation": ["tanh"], "optimizer": [f"arm {i}" for i in range(num_arms)], "epoch": EPOCHS},
    )
    figure = plot_compression(plane, row="activation", compare="optimizer")
    for ax in figure.axes:
        looks = {(to_hex(line.get_color()), line.get_linestyle()) for line in ax.lines}
        assert len(looks) == len(ax.lines) == num_arms
    legends = [*figure.legends, *(ax.get_legend() for ax in figure.axes if ax.get_legend())]
    assert [len(legend.get_texts()) for legend in legends] == [num_arms]
    assert rendered(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"row": "depth"}, r"plane: expected ixt \(depth, optimizer, seed, epoch, layer\)"),
        ({"compare": "activation"}, "row, compare: expected different dimensions"),
        ({"plane": xr.Dataset()}, "plane: expected the variable ixt"),
    ],
)
def test_other_dims_are_refused(planes, change, message):
    with pytest.raises(ValueError, match=message):
        plot_compression(**({"plane": planes, "row": "activation", "compare": "optimizer"} | change))


def numbers(**variables):
    """Numbers from 0.1 to 1, of these dims."""
    coords = {"seed": range(5), "epoch": EPOCHS, "layer": [1, 2, 3], "estimator": ["a", "b"],
              "arm": ["c", "d"], "source": ["data", "rest"], "variable": ["ixt", "ity"],
              "weight": [0.1, 1.0, 10.0], "pair": ["1-2", "2-3"]}  # fmt: skip
    rng, data = np.random.default_rng(0), {}
    for name, text in variables.items():
        dims = text.split()
        data[name] = (dims, rng.uniform(0.1, 1.0, [len(coords[d]) for d in dims]))
    return xr.Dataset(data, {d: coords[d] for dims, _ in data.values() for d in dims})


PLANE = numbers(ixt="seed epoch layer", ity="seed epoch layer")
LOSSES = numbers(train_loss="seed epoch", test_loss="seed epoch")
TABLE = numbers(
    compression="estimator layer", compression_low="estimator layer", compression_high="estimator layer"
)
RISES = numbers(share="variable estimator epoch pair", excess="variable estimator epoch pair")
PARTS = numbers(parts="arm source layer").parts


@pytest.mark.parametrize(
    ("draw", "num_panels"),
    [
        (lambda: plot_information_plane(PLANE), 1),
        (lambda: plot_compression(PLANE), 3),
        (lambda: plot_curves(PLANE[["ixt"]].isel(layer=0)), 1),
        (lambda: plot_compression_table(TABLE, rows=["estimator"]), 1),
        (lambda: plot_violations(RISES), 2),
        (lambda: plot_along_layers(numbers(ixt="estimator seed epoch layer"), "ixt"), 2),
        (lambda: plot_layer_against_next(PLANE, 1, 2), 1),
        (lambda: plot_learning(PLANE.merge(LOSSES), layers=[1, 3], loss="error", references={}), 3),
        (lambda: plot_bounded_plane(PLANE, xr.DataArray(0.5)), 1),
        (lambda: plot_against_truth(numbers(ixt="weight seed", exact="weight"), over="weight"), 1),
        (lambda: plot_variance_parts(PARTS, labels={"data": "data", "rest": "rest"}), 2),
    ],
)
def test_a_figure_without_facets(draw, num_panels):
    figure = draw()
    texts = [text for ax in figure.axes for text in (ax.get_title(), ax.get_xlabel(), ax.get_ylabel())]
    assert "None" not in "".join(texts)
    grids = [spec.get_geometry()[:2] for ax in figure.axes if (spec := ax.get_subplotspec())]
    assert {rows * columns for rows, columns in grids} == {num_panels}
    assert rendered(figure).startswith(b"\x89PNG")


def test_what_is_not_drawn_is_refused(planes):
    one = planes.isel(activation=0, optimizer=0)
    with pytest.raises(ValueError, match=r"epochs: expected levels of epoch \(0, 1, 10, 100\), got 7"):
        plot_snapshots(one, [7])
    with pytest.raises(ValueError, match="labels: expected a mapping to labels"):
        plot_layer_terms(one, labels={})
    with pytest.raises(ValueError, match="plane: expected a coordinate option"):
        plot_curves(
            one.ixt.expand_dims(a=1, b=1, c=1).isel(layer=0).to_dataset(),
            row="a",
            column="b",
            compare="c",
        )
