import numpy as np
import pytest
import xarray as xr
from matplotlib.animation import PillowWriter
from PIL import Image

from ibjax.plots import animate_snapshots, plot_by_level, plot_snapshots


@pytest.fixture
def plane():
    rng = np.random.default_rng(0)
    dims = ("seed", "epoch", "layer")
    ixt, ity = 12 * rng.uniform(size=(5, 4, 3)), rng.uniform(size=(5, 4, 3))
    return xr.Dataset(
        {"ixt": (dims, ixt), "ity": (dims, ity)}, {"epoch": [0, 3, 400, 9000], "layer": [1, 2, 3]}
    )


def test_snapshots_show_every_network_and_the_means(plane):
    figure = plot_snapshots(plane, [0, 400], title="tanh")
    axes = figure.axes
    assert [ax.get_title() for ax in axes] == ["epoch 0, untrained", "epoch 400"]
    assert axes[0].get_ylabel() == "I(T;Y) [bits]"
    for ax, epoch in zip(axes, (0, 400), strict=True):
        points = np.concatenate([c.get_offsets() for c in ax.collections])
        assert points.shape == (15, 2)
        now = plane.sel(epoch=epoch)
        np.testing.assert_allclose(points[:5, 0], now.ixt.sel(layer=1))
        crosses = [line.get_xdata()[0] for line in ax.lines]
        np.testing.assert_allclose(crosses, now.ixt.mean("seed"))
    assert [t.get_text() for t in axes[-1].get_legend().get_texts()] == ["1", "2", "3"]


def test_the_film_has_a_frame_for_every_epoch(plane, tmp_path):
    film = animate_snapshots(plane, title="tanh")
    path = tmp_path / "film.gif"
    film.save(path, writer=PillowWriter(fps=5), dpi=40)
    with Image.open(path) as image:
        assert image.n_frames == 4
    # Drawn last is the last epoch.
    ax = film._fig.axes[0]
    assert ax.get_title() == "tanh, epoch 9000"
    np.testing.assert_allclose(ax.collections[0].get_offsets()[:, 1], plane.ity.sel(epoch=9000, layer=1))


def test_levels_show_medians_where_half_the_seeds_have_a_value():
    values = np.full((3, 9), np.nan)
    values[0] = np.arange(1, 10)
    values[1, :3] = 5
    values[2] = 100 * np.arange(9)
    data = xr.Dataset({"a": (("depth", "seed"), values)}, {"depth": [1, 2, 3]})
    figure = plot_by_level(data, "depth", labels={"a": "fitted"}, ylabel="epochs")
    (ax,) = figure.axes
    (bar,) = ax.containers
    np.testing.assert_allclose(bar.lines[0].get_xdata(), [1, 3])
    np.testing.assert_allclose(bar.lines[0].get_ydata(), [5, 400])
    assert (ax.get_yscale(), ax.get_ylabel(), ax.get_title()) == ("log", "epochs", "fitted")
