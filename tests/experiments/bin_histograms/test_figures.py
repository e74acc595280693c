"""What bins see: histograms, courses, shares and errors."""

import numpy as np
import pytest
import xarray as xr

from experiments.bin_histograms.figures import (
    plot_bin_course,
    plot_bin_errors,
    plot_bin_histograms,
    plot_state_shares,
)

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
    data["bin_width"] = (("activation", "layer"), np.full((2, 3), 0.5))
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


def test_empty_bins_of_all_layers_are_legible_on_one_scale(seen):
    axes = plot_bin_course(seen).axes
    assert [ax.get_yscale() for ax in axes] == ["linear"] * 6 + ["symlog"] * 3
    assert axes[-1].get_ylim()[0] == 0


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
