"""Effects, and variances by source."""

import numpy as np
import xarray as xr

from ibjax.plots import plot_effects, plot_variance_parts


def test_effects_have_a_panel_for_each_outcome():
    rng = np.random.default_rng(0)
    dims = ("effect", "layer", "seed")
    effects = xr.Dataset(
        {name: (dims, rng.normal(size=(3, 4, 9))) for name in ("a", "b")},
        {"effect": ["first", "later", "interaction"], "layer": [1, 2, 3, 4]},
    )
    figure = plot_effects(effects, labels={"a": "compression", "b": "final"}, title="made")
    assert [ax.get_ylabel() for ax in figure.axes] == [
        "effect on compression [bits]",
        "effect on final [bits]",
    ]
    drawn = figure.axes[0].containers[1].lines[0]
    np.testing.assert_allclose(drawn.get_ydata(), effects.a.sel(effect="later").mean("seed"))


def test_parts_of_the_variance_are_drawn_as_standard_deviations():
    variance = np.full((1, 2, 2, 3), 4.0)
    variance[0, 0, 0, 0] = -1.0
    parts = xr.DataArray(
        variance,
        {"outcome": ["final"], "arm": ["a", "b"], "source": ["rows", "columns"], "layer": [1, 2, 3]},
        ("outcome", "arm", "source", "layer"),
    )
    figure = plot_variance_parts(parts, row="outcome", labels={"rows": "weights", "columns": "data"})
    heights = [bar.get_height() for bar in figure.axes[0].containers[0]]
    assert heights == [0, 2, 2]
    assert figure.axes[0].get_ylabel() == "final\nstandard deviation [bits]"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["weights", "data"]
