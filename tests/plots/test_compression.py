"""Courses and tables of compression: what is drawn, labelled and told apart."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex

from ibjax.plots import plot_compression, plot_compression_table, plot_curves
from tests.made import results_of
from tests.plots.drawn import rendered


def test_compression_draws_arms_on_the_same_axes(planes):
    figure = plot_compression(planes, row="activation", compare="optimizer")
    assert len(figure.axes) == 2 * 3
    for ax in figure.axes:
        assert [line.get_label() for line in ax.lines] == ["sgd", "bgd"]
        assert len(ax.collections) == 2  # the bands
        assert ax.get_xscale() == "symlog"
    mean = planes.ixt.sel(activation="tanh", optimizer="sgd", layer=1).mean("seed")
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), mean)
    assert figure.axes[0].get_ylabel() == "tanh\nI(X;T) [bits]"
    assert rendered(figure).startswith(b"\x89PNG")


def test_layers_that_hardly_change_have_no_panel(planes):
    flat = planes.assign(ixt=planes.ixt.where(planes.layer != 1, 12.0))
    figure = plot_compression(flat, row="activation", compare="optimizer", title="arms")
    assert [ax.get_title() for ax in figure.axes[:2]] == ["layer 2", "layer 3 (softmax)"]
    assert figure.get_suptitle() == "arms; changes by less than 0.2 bits: layer 1"
    still = planes.assign(ixt=xr.full_like(planes.ixt, 12.0))
    assert len(plot_compression(still, row="activation", compare="optimizer").axes) == 2 * 3


@pytest.fixture
def estimators():
    rng = np.random.default_rng(1)
    factors = {
        "activation": ["tanh", "relu"],
        "estimator": ["binned", "noisy", "KDE"],
        "setting": ["fine", "coarse"],
    }
    option = (("estimator", "setting"), [[f"{m}={s}" for s in (1, 2)] for m in "wnk"])
    return results_of({"ixt": 12 * rng.random((2, 3, 2, 5, 4))}, factors).assign_coords(option=option)


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
            "compresses": amount > 1,
        },
        {**estimators.drop_vars(["ixt", "seed", "epoch"]).coords, "layer": [1, 2, 3]},
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
            assert texts[place].get_fontweight() == ("bold" if value > 1 else "normal")
    assert "[bits]" in bar.get_ylabel()
    assert rendered(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize("num_arms", [5, 9, 30])
def test_any_number_of_arms_is_drawn_and_told_apart(num_arms):
    rng = np.random.default_rng(0)
    factors = {"activation": ["tanh"], "optimizer": [f"arm {i}" for i in range(num_arms)]}
    plane = results_of({"ixt": rng.random((1, num_arms, 3, 4, 2))}, factors)
    figure = plot_compression(plane, row="activation", compare="optimizer")
    for ax in figure.axes:
        looks = {(to_hex(line.get_color()), line.get_linestyle()) for line in ax.lines}
        assert len(looks) == len(ax.lines) == num_arms
    assert [len(legend.get_texts()) for legend in figure.legends] == [num_arms]
    assert [ax for ax in figure.axes if ax.get_legend()] == []  # none covers a curve
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
