"""Figures of gradients and phases: what is drawn, marked and named."""

import numpy as np
import pytest
import xarray as xr

from experiments.gradient_snr.figures import plot_gradient_phases, plot_phase_epochs
from tests.made import results_of
from tests.plots.drawn import rendered

EPOCHS = [0, 1, 10, 100]
SEEDS, LAYERS = 7, (1, 2, 3)


@pytest.fixture
def arm():
    rng = np.random.default_rng(0)
    sizes = (SEEDS, len(EPOCHS), len(LAYERS))
    names = ("gradient_mean", "gradient_std", "weight_norm", "ixt", "saturated")
    arm = results_of({name: 0.1 + rng.random(sizes) for name in names}, epochs=EPOCHS)
    arm.saturated[:, :, -1] = np.nan
    arm.gradient_mean[0, 2:] = 0.0  # a dead network
    return arm


@pytest.fixture
def phases():
    """Layers 1 and 3 of the first arm compress, none of the second.

    Layer 2 diffuses in four of seven seeds, layer 3 in three, layer 3 of the second arm in none.
    """
    rng = np.random.default_rng(1)
    diffusion = rng.uniform(200, 400, size=(2, SEEDS, 3))
    diffusion[:, 4:, 1] = np.nan
    diffusion[:, 3:, 2] = np.nan
    diffusion[1, :, 2] = np.nan
    compression = rng.uniform(20, 90, size=(2, SEEDS, 3))
    compression[0, 0, 0] = 0
    return xr.Dataset(
        {
            "diffusion": (("activation", "seed", "layer"), diffusion),
            "compression": (("activation", "seed", "layer"), compression),
            "compresses": (("activation", "layer"), [[True, False, True], [False] * 3]),
        },
        {"activation": ["tanh", "relu"], "layer": list(LAYERS)},
    )


def test_a_column_a_layer_with_both_of_its_own_phases_marked(arm, phases):
    tanh = phases.sel(activation="tanh")
    figure = plot_gradient_phases(arm, tanh, title="tanh")
    axes = np.reshape(figure.axes, (3, 3))
    assert [ax.get_title() for ax in axes[0]] == [
        "layer 1\n7 of 7 diffuse",
        "layer 2\n4 of 7 diffuse",
        "layer 3 (softmax)\n3 of 7 diffuse",
    ]
    assert [ax.get_ylabel() for ax in axes[:, 0]] == [
        "gradients over weights\n[nats]",
        "I(X;T) [bits]",
        "saturated units\n[share]",
    ]
    assert [ax.get_yscale() for ax in axes[:, 0]] == ["log", "linear", "linear"]
    for row in axes[:2]:
        marks = [[x.get_xdata()[0] for x in ax.lines if len(x.get_xdata()) == 2] for ax in row]
        diffusion, starts = tanh.diffusion.values, np.median(tanh.compression, axis=0)
        # Three of seven seeds never diffuse: the median is the last of the four that do.
        assert marks == [
            [np.median(diffusion[:, 0]), starts[0]],
            [np.nanmax(diffusion[:, 1])],
            [starts[2]],
        ]
    assert [text.get_text() for text in axes[2, 2].texts] == ["not defined"]
    assert not axes[2, 2].lines
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["mean", "standard deviation", "diffusion starts", "compression starts"]
    assert rendered(figure).startswith(b"\x89PNG")


def test_seeds_starts_are_short_lines_of_their_panels(arm, phases):
    tanh = phases.sel(activation="tanh")
    axes = np.reshape(plot_gradient_phases(arm, tanh).axes, (3, 3))
    rugs = [[line.get_xdata() for line in ax.lines if line.get_marker() == "|"] for ax in axes[:2, 0]]
    np.testing.assert_array_equal(rugs[0], [tanh.diffusion[:, 0]])
    np.testing.assert_array_equal(rugs[1], [tanh.compression[:, 0]])
    assert not [line for line in axes[1, 1].lines if line.get_marker() == "|"]


def test_gradients_are_geometric_means_over_weights_without_dead_seeds(arm, phases):
    figure = plot_gradient_phases(arm, phases.sel(activation="tanh"))
    relative = (arm.gradient_mean / arm.weight_norm).sel(layer=2)
    expected = np.exp(np.log(relative[:, :2]).mean("seed"))
    drawn = figure.axes[1].lines[0].get_ydata()
    np.testing.assert_allclose(drawn[:2], expected)
    np.testing.assert_allclose(drawn[3], np.exp(np.log(relative[1:, 3]).mean()))


def test_every_seed_is_a_point_and_those_without_a_start_are_counted(phases):
    figure = plot_phase_epochs(phases, title="when")
    axes = {ax.get_title(): ax for ax in figure.axes}
    assert list(axes) == ["tanh", "relu"]
    strips = [line.get_ydata() for line in axes["tanh"].lines]
    tanh = phases.sel(activation="tanh")
    expected = [tanh.diffusion[:, 0], np.maximum(tanh.compression[:, 0], 1), tanh.diffusion[:, 1]]
    expected += [tanh.diffusion[:, 2], tanh.compression[:, 2]]
    np.testing.assert_array_equal(strips, expected)
    assert len(axes["relu"].lines) == 3
    counts = {name: [text.get_text() for text in ax.texts] for name, ax in axes.items()}
    assert counts == {"tanh": ["3\nnever", "4\nnever"], "relu": ["3\nnever", "7\nnever"]}
    (legend,) = figure.legends
    assert [x.get_text() for x in legend.get_texts()] == ["diffusion starts", "compression starts"]
    assert rendered(figure).startswith(b"\x89PNG")


def test_without_any_phase_there_are_axes_still(arm, phases):
    nothing = phases.where(False).assign(compresses=phases.compresses & False)
    assert rendered(plot_phase_epochs(nothing)).startswith(b"\x89PNG")
    figure = plot_gradient_phases(arm, nothing.sel(activation="relu"))
    assert len(figure.legends[0].get_texts()) == 2
    assert rendered(figure).startswith(b"\x89PNG")
