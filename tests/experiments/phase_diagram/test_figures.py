"""Maps and predictions."""

import numpy as np
import pytest

from experiments.phase_diagram.analysis import cell_summary, predictions
from experiments.phase_diagram.figures import plot_maps, plot_misses, plot_predictions
from tests.experiments.phase_diagram.made_grid import made_grid
from tests.plots.drawn import rendered


@pytest.fixture(scope="module")
def results():
    share = np.ones((2, 7, 7))
    share[1, :, 3:] = 0.0  # relu fails at large rates
    return made_grid(learnt=share)


@pytest.mark.slow
def test_maps_have_activations_as_rows_and_layers_as_columns(results):
    figures = plot_maps(cell_summary(results), title="made")
    assert [len(f.axes) - 1 for f in figures.values()] == [4, 6, 4, 2, 2]  # beside the colour bar
    first = figures["compression.png"]
    assert [ax.get_ylabel() for ax in first.axes[:4:2]] == [
        "tanh\nfactor on initial weights",
        "relu\nfactor on initial weights",
    ]
    assert first.axes[-1].get_ylabel() == "compression after fitting [bits]"
    assert [text.get_text() for text in first.legends[0].get_texts()] == [
        "no answer",
        "share of networks that learn = 0.5",
        "Shwartz-Ziv & Tishby (tanh), Saxe et al. (relu)",
    ]
    assert all(rendered(figure) for figure in figures.values())


@pytest.mark.slow
def test_predictions_stand_beside_what_is_measured(results):
    found = predictions(results)
    figure = plot_predictions(found, title="made")
    assert [ax.get_title() for ax in figure.axes[:2]] == ["layer 1", "layer 2"]
    (dots,) = (c for c in figure.axes[0].collections if len(c.get_offsets()) == 49)
    measured = found.measured.sel(outcome="compression", activation="tanh", layer=1)
    np.testing.assert_allclose(np.sort(dots.get_offsets()[:, 1]), np.sort(measured.values.ravel()))
    assert rendered(figure)
    assert rendered(plot_misses(found))


@pytest.mark.slow
def test_no_network_that_learns_leaves_empty_panels():
    results = made_grid(learnt=0.0)
    assert rendered(plot_predictions(predictions(results)))
    assert all(rendered(figure) for figure in plot_maps(cell_summary(results)).values())
