"""Effects, and variances by source."""

import numpy as np
import pytest
import xarray as xr

from ibjax.plots import plot_effects, plot_variance_shares


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


def shares_of(**variables):
    """Shares of one outcome, two arms and three layers, the same in both arms."""
    dims = ("outcome", "arm", "layer")
    data = {name: (dims, np.tile(values, (1, 2, 1))) for name, values in variables.items()}
    return xr.Dataset(data, {"outcome": ["final"], "arm": ["a", "b"], "layer": [1, 2, 3]})


LABELS = {"w": "weights", "interaction": "both", "d": "data"}


def test_shares_of_the_variance_fill_a_bar():
    shares = shares_of(
        **{"std": [0.5, 1.25, np.nan], "w": [0.6, -0.1, np.nan], "d": [0.3, 0.2, np.nan]},
        **{"w_low": [0.5, -0.2, np.nan], "w_high": [0.7, 0.1, np.nan]},
        **{"d_low": [0.1, 0.0, np.nan], "d_high": [0.4, 0.5, np.nan]},
    )
    figure = plot_variance_shares(shares, row="outcome", labels=LABELS)
    bars = {c.get_label(): [(x.get_y(), x.get_height()) for x in c] for c in figure.axes[0].containers}
    np.testing.assert_allclose(bars["weights"][:2], [(0, 0.6), (0, 0)])
    np.testing.assert_allclose(bars["both"][:2], [(0.6, 0.1), (0, 0.8)])
    np.testing.assert_allclose(bars["data"][:2], [(0.7, 0.3), (0.8, 0.2)])
    main, rest = ([s[:, 1] for s in c.get_segments()[:2]] for c in figure.axes[0].collections)
    np.testing.assert_allclose(main, [(0.5, 0.7), (0, 0.1)])
    np.testing.assert_allclose(rest, [(0.9, 0.6), (1, 0.5)])
    assert [text.get_text() for text in figure.axes[0].texts] == ["0.50", "1.25", "nan"]
    assert figure.axes[0].get_ylabel() == "final\nshare of the variance"
    assert [x.get_text() for x in figure.legends[0].get_texts()] == ["weights", "both", "data"]


def test_labels_of_other_factors_are_refused():
    with pytest.raises(ValueError, match="labels: expected two factors and interaction, got w, d"):
        plot_variance_shares(shares_of(std=[0.0, 0.0, 0.0]), labels={"w": "weights", "d": "data"})
