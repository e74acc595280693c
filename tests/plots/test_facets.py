"""Figures draw any dims: without rows, columns or arms to compare there is one panel."""

import numpy as np
import pytest
import xarray as xr

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
    plot_variance_shares,
    plot_violations,
)
from tests.plots.drawn import rendered

EPOCHS = [0, 1, 10, 100]


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
TABLE = numbers(compression="estimator layer", compresses="estimator layer")
RISES = numbers(share="variable estimator epoch pair", excess="variable estimator epoch pair")
SHARES = numbers(
    **dict.fromkeys(["std", *(f"{x}{end}" for x in "ab" for end in ("", "_low", "_high"))], "arm layer")
)


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
        (lambda: plot_variance_shares(SHARES, labels={"a": "a", "interaction": "both", "b": "b"}), 2),
    ],
)
def test_a_figure_without_facets(draw, num_panels):
    figure = draw()
    texts = [text for ax in figure.axes for text in (ax.get_title(), ax.get_xlabel(), ax.get_ylabel())]
    assert "None" not in "".join(texts)
    grids = [spec.get_geometry()[:2] for ax in figure.axes if (spec := ax.get_subplotspec())]
    assert {rows * columns for rows, columns in grids} == {num_panels}
    assert rendered(figure).startswith(b"\x89PNG")
