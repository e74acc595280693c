"""What figures refuse to draw."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from experiments.ib_gaps.figures import plot_layer_terms
from ibjax.plots import plot_curves, plot_snapshots
from ibjax.plots.axes import log_axis
from tests.plots.drawn import rendered


@pytest.mark.parametrize(("low", "high"), [(0.1, 0.7), (0.15, 0.75), (0.02, 0.8), (1e-5, 1), (3, 8000)])
def test_log_axes_are_labelled_with_plain_numbers(low, high):
    figure = Figure()
    ax = figure.subplots()
    ax.plot([0, 1], [low, high])
    log_axis(ax)
    rendered(figure)
    inside = [
        label.get_text()
        for tick in (*ax.yaxis.get_major_ticks(), *ax.yaxis.get_minor_ticks())
        if low <= tick.get_loc() <= high and (label := tick.label1).get_text()
    ]
    assert len(inside) >= 2  # enough to read the scale
    assert not any("$" in text for text in inside)
    assert all(low <= float(text) <= high for text in inside)
    assert len(inside) < 12
    assert np.unique(inside).size == len(inside)


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
