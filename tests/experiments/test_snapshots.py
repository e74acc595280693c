"""Snapshots: the contract of a small run, what the table says, the film, and the claim."""

import shutil

import numpy as np
import pytest
from matplotlib.animation import PillowWriter
from PIL import Image

from experiments import snapshots
from tests.made import results_of


@pytest.mark.slow
def test_a_small_run_keeps_the_contract_and_reports_everything(tmp_path):
    results = snapshots.run(snapshots.Config(smoke=True, seeds=2, epochs=9))
    for name in ("ixt", "ity"):
        assert results[name].dims == ("seed", "epoch", "layer")
        assert results[name].attrs["units"] == "bits"
    assert results.train_loss.dims == ("seed", "epoch")
    assert {0, 9} <= set(results.epoch.values.tolist())
    for name in ("estimator", "binning", "dataset", "noise_variance", "num_samples", "seed", "versions"):
        assert name in results.attrs
    figures, tables = snapshots.report(results)
    assert set(figures) == {"snapshots.png", "snapshots.gif"}
    figures["snapshots.gif"].save(tmp_path / "film.gif", writer=PillowWriter(fps=5), dpi=40)
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == results.sizes["epoch"]
    assert [table.name for table in tables] == ["snapshots"]


def test_full_scale_is_the_default():
    config = snapshots.Config()
    assert (len(config.seed_range), snapshots.FULL.epochs, config.film) == (50, 9000, "gif")
    assert snapshots.SNAPSHOTS == (0, 400, 9000)


def test_a_film_that_cannot_be_written_is_refused_before_training(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ValueError, match="film: expected 'gif' or 'none' where there is no ffmpeg"):
        snapshots.Config(film="mp4")


def test_the_verdict_says_what_the_intervals_say():
    rng = np.random.default_rng(0)
    ixt = np.full((8, 3, 3), 8.0) + 0.01 * rng.normal(size=(8, 3, 3))
    ity = np.full((8, 3, 3), 0.5) + 0.01 * rng.normal(size=(8, 3, 3))
    ixt[:, 2, 0] -= 3
    ity[:, 1:, 1] += 0.4
    results = results_of(
        {"ixt": ixt, "ity": ity, "diverged": np.arange(8) == 3},
        epochs=[0, 400, 9000],
        activation="tanh",
        snapshots=[0, 400, 9000],
        film="none",
        binning="bins of 0.07",
    )
    figures, (table,) = snapshots.report(results)
    assert set(figures) == {"snapshots.png"}
    diverged, text, spread = table.sentences
    assert diverged.endswith(": 1.")
    assert "from epoch 0 to 400 layers gain I(T;Y): 2 by 0.40" in text
    assert "from epoch 400 to 9000 layers lose I(X;T): 1 by 3.0" in text
    assert "lose I(T;Y): none; bits" in text
    assert spread.count("none") == 4  # noise of 0.01 bits at all epochs
    assert len(table.frame) == 9


def test_networks_that_come_closer_or_drift_apart_are_named():
    off = np.linspace(-1, 1, 9)[:, None, None]
    width = {"ixt": [[0.5, 0.5, 1], [2, 0.5, 1]], "ity": [[0.4, 0.2, 1], [0.1, 0.2, 1]]}
    planes = {name: 3 + off * np.array(widths) for name, widths in width.items()}
    results = results_of(planes, epochs=[0, 9])
    text = snapshots.agreement(results, [0, 9])
    # The mean distance of nine even steps from -1 to 1 is 5/9.
    assert "closer in I(X;T): none, that drift apart: 1 (0.28 to 1.11);" in text
    assert "closer in I(T;Y): 1 (0.22 to 0.06), that drift apart: none." in text


@pytest.mark.slow
def test_the_claim_at_reduced_size():
    results = snapshots.run(snapshots.Config(seeds=8, epochs=3000))
    first, middle, last = np.atleast_1d(results.snapshots)
    for number in (4, 5):
        layer = results.sel(layer=number)
        assert float((layer.ity.sel(epoch=middle) - layer.ity.sel(epoch=first)).mean()) > 0.3
        assert float((layer.ixt.sel(epoch=middle) - layer.ixt.sel(epoch=last)).mean()) > 0.5
        assert float(layer.ity.sel(epoch=last).std()) < float(layer.ity.sel(epoch=first).std())
