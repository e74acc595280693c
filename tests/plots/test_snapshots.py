"""Planes at single epochs, and their films."""

import numpy as np
import pytest
from matplotlib.animation import PillowWriter
from PIL import Image

from ibjax.plots import animate_snapshots, plot_snapshots
from tests.made import results_of


@pytest.fixture
def plane():
    rng = np.random.default_rng(0)
    ixt, ity = 12 * rng.uniform(size=(5, 4, 3)), rng.uniform(size=(5, 4, 3))
    return results_of({"ixt": ixt, "ity": ity}, epochs=[0, 3, 400, 9000])


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
