"""Figures of linear networks: what is drawn and labelled."""

import numpy as np
import pytest
import xarray as xr

from ibjax.bottleneck import gaussian_ib_bound
from ibjax.plots.linear import plot_bounded_plane, plot_learning, plot_parts
from tests.made import results_of
from tests.plots.drawn import rendered


@pytest.fixture
def results():
    rng = np.random.default_rng(0)
    names = ("ixt", "ity", "ixt_relevant", "ixt_irrelevant")
    data = {name: rng.random((2, 5, 4, 2)) for name in names}
    data |= {name: 1 + rng.random((2, 5, 4)) for name in ("train_loss", "test_loss")}
    results = results_of(data | {"noise": np.array([0.3, 0.2])}, {"optimizer": ["bgd", "sgd"]})
    return results.assign(optimal_loss=("seed", np.full(5, 0.5)))


@pytest.mark.parametrize("dims", [{"column": "optimizer"}, {"row": "optimizer"}])
def test_every_panel_of_the_plane_has_its_own_bound(results, dims):
    rho2 = xr.DataArray([0.5, 0.9], {"optimizer": ["bgd", "sgd"]}, ("optimizer",))
    figure = plot_bounded_plane(results, rho2, **dims, title="all")
    for ax, value in zip(figure.axes, rho2.values, strict=False):
        (curve,) = [line for line in ax.lines if line.get_linestyle() == "--"]
        ixt, ity = curve.get_data()
        np.testing.assert_allclose(ity, gaussian_ib_bound([value], ixt).ity)
        assert ixt[0] == 0
        assert ixt[-1] == pytest.approx(ax.get_xlim()[1], rel=0.2)
    assert [ax for ax in figure.axes if ax.get_legend()] == []
    assert len(figure.legends) == 1
    assert rendered(figure).startswith(b"\x89PNG")


def test_one_bound_for_all_panels(results):
    figure = plot_bounded_plane(results, xr.DataArray(0.5), column="optimizer")
    first, second = (next(x for x in ax.lines if x.get_linestyle() == "--") for ax in figure.axes[:2])
    np.testing.assert_array_equal(first.get_ydata(), second.get_ydata())


def test_learning_draws_errors_and_information(results):
    figure = plot_learning(
        results,
        column="optimizer",
        layers=[1, 2],
        loss="mean squared error",
        references={"best": "optimal_loss", "noise": "noise"},
    )
    axes = np.reshape(figure.axes, (3, 2))
    labels = [line.get_label() for line in axes[0, 0].lines]
    assert labels == ["training", "new samples", "best", "noise"]
    np.testing.assert_allclose(axes[0, 1].lines[3].get_ydata(), 0.2)
    mean = results.ity.sel(optimizer="sgd", layer=2).mean("seed")
    np.testing.assert_allclose(axes[2, 1].lines[1].get_ydata(), mean)
    assert [ax.get_ylabel() for ax in axes[:, 0]] == [
        "mean squared error",
        "I(X;T) [bits]",
        "I(T;Y) [bits]",
    ]
    assert axes[0, 0].get_yscale() == "log"
    assert {ax.get_xlabel() for ax in axes[2]} == {"epoch"}
    assert rendered(figure).startswith(b"\x89PNG")


def test_errors_fill_their_axis_and_their_bands_stay_on_it(results):
    few = np.array([1e-3, 1e-3, 1e-3, 1e-3, 1.0])  # a plain interval of the mean goes below 0
    results["train_loss"] = results.train_loss * few[:, None]
    figure = plot_learning(
        results, column="optimizer", layers=[1], loss="error", references={"noise": "noise"}
    )
    errors = figure.axes[0]
    lowest = min(band.get_paths()[0].vertices[:, 1].min() for band in errors.collections)
    mean = results.train_loss.mean("seed")
    assert 0 < lowest < errors.get_ylim()[0] * 2  # no empty decades below what is drawn
    assert float(mean.min()) / lowest < np.exp(2.78)  # Student's t of five seeds


def test_parts_have_axes_of_their_own(results):
    one = results.isel(optimizer=0)
    figure = plot_parts(one, names={1: "hidden", 2: "output"}, title="parts")
    axes = np.reshape(figure.axes, (2, 3))
    assert axes[1, 2].get_title() == "output: I(X_irr;T)"
    *seeds, mean = axes[1, 2].lines
    assert len(seeds) == 5
    expected = one.ixt_irrelevant.sel(layer=2).mean("seed")
    np.testing.assert_allclose(mean.get_ydata(), expected)
    assert {ax.get_ylabel() for ax in axes[:, 0]} == {"information [bits]"}
    assert rendered(figure).startswith(b"\x89PNG")
