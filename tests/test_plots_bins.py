"""Figures of what bins see, of drift, stops and layers against the next."""

import numpy as np
import pytest
import xarray as xr

from experiments.bin_histograms.figures import (
    plot_bin_course,
    plot_bin_errors,
    plot_bin_histograms,
    plot_state_shares,
)
from experiments.bin_size.figures import plot_drift
from experiments.early_stopping.figures import plot_stops
from experiments.generalisation.figures import plot_generalisation
from experiments.invertibility.figures import plot_invertibility
from ibjax.plots import plot_information_plane, plot_layer_against_next

EPOCHS = np.array([0, 1, 10, 100])
LAYERS = [1, 2, 3]


def made(names, dims, sizes):
    rng = np.random.default_rng(0)
    return {name: (dims, rng.uniform(0.1, 0.3, sizes)) for name in names}


@pytest.fixture(scope="module")
def seen():
    dims = ("activation", "seed", "epoch", "layer")
    names = ("ixt", "ity", "extreme", "empty", "alone", "pure", "mixed")
    data = xr.Dataset(
        made(names, dims, (2, 5, 4, 3)),
        {"activation": ["tanh", "relu"], "epoch": EPOCHS, "layer": LAYERS, "bins": "0.5"},
    )
    data["histogram"] = (("activation", "shown", "layer", "bin"), np.full((2, 2, 3, 6), 0.0))
    data.histogram[:, :, :, :4] = 0.25
    data["lowest"] = (("activation", "layer"), np.array([[-1, -1, 0], [0, 0, 0.0]]))
    dims = ("activation", "seed", "shown", "layer", "width")
    data = data.assign(made(("error_ixt", "error_ity"), dims, (2, 5, 2, 3, 4)))
    return data.assign_coords(shown=[0, 100], width=[0.01, 0.1, 0.3, 1.0])


def test_histograms_reach_from_the_lower_end_to_the_last_filled_bin(seen):
    figure = plot_bin_histograms(seen, title="made")
    axes = figure.axes
    assert len(axes) == 6
    edges = axes[0].patches[0].get_data().edges
    np.testing.assert_allclose(edges, [-1, -0.5, 0, 0.5, 1])
    assert axes[0].get_yscale() == "log"
    assert axes[-1].get_xlabel() == "activation"


def test_course_has_a_row_for_each_measure(seen):
    axes = plot_bin_course(seen).axes
    assert [ax.get_ylabel() for ax in axes[::3]] == [
        "I(X;T) [bits]",
        "activations in\noutermost bins [share]",
        "empty bins",
    ]
    line = axes[1].get_lines()[0]
    np.testing.assert_allclose(
        line.get_ydata(), seen.ixt.sel(activation="tanh", layer=2).mean("seed"), rtol=1e-6
    )


def test_shares_of_states_are_stacked(seen):
    figure = plot_state_shares(seen)
    assert len(figure.axes[0].collections) == 3
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "alone",
        "with own class",
        "with other classes",
    ]


def test_errors_are_in_bits_against_the_width(seen):
    axes = plot_bin_errors(seen).axes
    assert len(axes) == 12
    assert axes[0].get_ylabel() == "tanh\nerror of I(X;T) [bits]"
    assert axes[-1].get_xlabel() == "width of the bins"


def test_drift_has_a_curve_for_each_layer():
    rng = np.random.default_rng(0)
    away = xr.DataArray(
        rng.uniform(size=(1, 2, 3, 5, 3)),
        {
            "dataset": ["symmetric"],
            "activation": ["tanh", "relu"],
            "bins": ["0.3", "0.07", "exact"],
            "layer": LAYERS,
        },
        ("dataset", "activation", "bins", "seed", "layer"),
    )
    figure = plot_drift(away, title="made")
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["0.3", "0.07", "exact"]
    assert len(figure.axes[0].containers) == 3
    assert figure.axes[0].get_ylabel() == "distance [bits]"
    (legend,) = figure.legends
    assert legend.get_texts()[-1].get_text() == "3 (softmax)"


def test_a_layer_against_the_next_with_the_share_that_violates():
    dims = ("activation", "estimator", "seed", "epoch", "layer")
    ixt = np.full((1, 2, 4, 4, 3), 5.0)
    ixt[0, 1, :2, 2:, 2] = 6.0
    plane = xr.Dataset(
        {"ixt": (dims, ixt)},
        {"activation": ["tanh"], "estimator": ["exact", "bins"], "epoch": EPOCHS, "layer": LAYERS},
    )
    figure = plot_layer_against_next(plane, 2, 3, row="activation", column="estimator")
    shares = [ax.get_lines()[0].get_ydata() for ax in figure.axes if ax.get_ylim() == (0, 1.02)]
    np.testing.assert_allclose(shares[0], 0)
    np.testing.assert_allclose(shares[1], [0, 0, 0.5, 0.5])


def test_stops_are_drawn_at_their_medians():
    dims = ("activation", "seed", "epoch")
    results = xr.Dataset(
        {
            "test_loss": (dims, np.full((1, 5, 4), 0.5)),
            "ixt": ((*dims, "layer"), np.full((1, 5, 4, 3), 5.0)),
            "stop": (
                ("activation", "stopping", "seed"),
                np.array([[[1, 1, 2, 2, -1], [3, 3, 3, 3, -1]]]),
            ),
        },
        {
            "activation": ["tanh"],
            "stopping": ["early stopping", "perfect stopping"],
            "epoch": EPOCHS,
            "layer": LAYERS,
        },
    )
    figure = plot_stops(results)
    lines = {line.get_label(): line.get_xdata()[0] for line in figure.axes[1].get_lines()[1:]}
    assert lines == {"early stopping": 5.5, "perfect stopping": 100}
    assert figure.axes[0].get_ylabel() == "tanh\nvalidation loss [nats]"


def test_the_corner_of_a_plane_is_a_star(seen):
    figure = plot_information_plane(seen, row="activation", corner=(12.0, 1.0))
    stars = [line for line in figure.axes[0].get_lines() if line.get_marker() == "*"]
    assert [line.get_xydata().tolist() for line in stars] == [[[12.0, 1.0]]]


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
            "epoch": EPOCHS,
            "layer": LAYERS,
        },
    )
    figure = plot_invertibility(lost)
    solid, dashed = figure.axes[0].get_lines()[:2]
    np.testing.assert_allclose(solid.get_ydata(), 1)
    np.testing.assert_allclose(dashed.get_ydata(), 3)
    assert figure.axes[0].get_ylabel() == "H(X) - I(X;T) [bits]"
    assert [t.get_text() for t in figure.axes[5].texts] == ["no such state"]


def test_loss_and_accuracy_beside_the_phases():
    rng = np.random.default_rng(0)
    dims = ("activation", "seed", "epoch")
    names = ("train_loss", "test_loss", "train_accuracy", "test_accuracy")
    results = xr.Dataset(
        {name: (dims, rng.uniform(0.1, 1, (1, 5, 4))) for name in names},
        {"activation": ["tanh"], "epoch": EPOCHS},
    )
    own = ("activation", "seed", "layer")
    values = {"fitting_end": 2.0, "compression_start": 10.0, "compression_end": 90.0}
    phases = xr.Dataset(
        {name: (own, np.full((1, 5, 3), value)) for name, value in values.items()},
        {"activation": ["tanh"], "layer": LAYERS},
    )
    phases.compression_start[0, :3, 0] = np.nan
    rises = xr.Dataset(
        {"epoch": (("activation", "seed"), [[3.0, 4, 5, 6, np.nan]])}, {"activation": ["tanh"]}
    )
    axes = plot_generalisation(results, phases, rises).axes
    assert axes[0].get_ylabel() == "tanh\ncross-entropy [nats]"
    assert axes[1].get_lines()[-1].get_xdata()[0] == 4.5
    bars = [line.get_xdata().tolist() for line in axes[2].get_lines()[:-1:2]]
    assert np.isnan(bars[0][0])  # of two seeds of five alone
    assert bars[1:] == [[10, 90], [10, 90]]
