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
    """Layers 1 and 3 of the first arm compress, none of the second, half of whose seeds diffuse."""
    rng = np.random.default_rng(1)
    network = rng.uniform(200, 400, size=(2, SEEDS))
    network[1, 3:] = np.nan
    compression = rng.uniform(20, 90, size=(2, SEEDS, 3))
    compression[0, 0, 0] = 0
    return xr.Dataset(
        {
            "network_diffusion": (("activation", "seed"), network),
            "compression": (("activation", "seed", "layer"), compression),
            "compresses": (("activation", "layer"), [[True, False, True], [False] * 3]),
        },
        {"activation": ["tanh", "relu"], "layer": list(LAYERS)},
    )


def test_a_column_a_layer_with_both_phases_marked(arm, phases):
    found = phases.sel(activation="tanh")
    figure = plot_gradient_phases(arm, found, title="tanh")
    axes = np.reshape(figure.axes, (3, 3))
    assert [ax.get_title() for ax in axes[0]] == ["layer 1", "layer 2", "layer 3 (softmax)"]
    assert [ax.get_ylabel() for ax in axes[:, 0]] == [
        "gradients over weights\n[nats]",
        "I(X;T) [bits]",
        "saturated units\n[share]",
    ]
    assert [ax.get_yscale() for ax in axes[:, 0]] == ["log", "linear", "linear"]
    marks = [[line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 2] for ax in axes[1]]
    diffusion = np.median(found.network_diffusion)
    starts = np.median(found.compression, axis=0)
    assert marks == [[diffusion, starts[0]], [diffusion], [diffusion, starts[2]]]
    assert [text.get_text() for text in axes[2, 2].texts] == ["not defined"]
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["mean", "standard deviation", "diffusion starts", "compression starts"]
    assert rendered(figure).startswith(b"\x89PNG")


def test_gradients_are_geometric_means_over_weights_without_dead_seeds(arm, phases):
    figure = plot_gradient_phases(arm, phases.sel(activation="tanh"))
    relative = (arm.gradient_mean / arm.weight_norm).sel(layer=2)
    expected = np.exp(np.log(relative[:, :2]).mean("seed"))
    drawn = figure.axes[1].lines[0].get_ydata()
    np.testing.assert_allclose(drawn[:2], expected)
    np.testing.assert_allclose(drawn[3], np.exp(np.log(relative[1:, 3]).mean()))


def test_seeds_where_a_layer_compresses_and_marks_where_not(phases):
    figure = plot_phase_epochs(phases, title="when")
    axes = dict(zip([ax.get_title() for ax in figure.axes], figure.axes, strict=True))
    assert set(axes) == {f"{name}, layer {i}" for name in ("tanh", "relu") for i in LAYERS}
    points = axes["tanh, layer 1"].lines[1]
    tanh = phases.sel(activation="tanh", layer=1)
    np.testing.assert_array_equal(points.get_xdata(), tanh.network_diffusion)
    np.testing.assert_array_equal(points.get_ydata(), np.maximum(tanh.compression, 1))
    assert axes["tanh, layer 1"].texts[0].get_text().startswith("$\\rho$ = ")
    for title in ("tanh, layer 2", "relu, layer 1", "relu, layer 3"):
        assert axes[title].texts[0].get_text() == "does not compress"
        assert axes[title].lines[1].get_marker() == "|"
    assert axes["relu, layer 2"].get_xlabel() == "diffusion starts [epoch]"
    assert axes["relu, layer 1"].get_ylabel() == "compression starts\n[epoch]"
    assert rendered(figure).startswith(b"\x89PNG")


def test_without_any_phase_there_are_axes_still(arm, phases):
    nothing = phases.where(False).assign(compresses=phases.compresses & False)
    assert rendered(plot_phase_epochs(nothing)).startswith(b"\x89PNG")
    figure = plot_gradient_phases(arm, nothing.sel(activation="relu"))
    assert len(figure.legends[0].get_texts()) == 2
    assert rendered(figure).startswith(b"\x89PNG")
