"""What figures refuse to draw."""

import pytest

from experiments.ib_gaps.figures import plot_layer_terms
from ibjax.plots import plot_curves, plot_snapshots


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
