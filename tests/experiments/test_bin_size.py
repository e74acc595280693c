"""Bin size: the contract of a small run, what the tables say, and the claim."""

import numpy as np
import pytest
import xarray as xr

from experiments import bin_size
from experiments.bin_size.figures import plot_drift
from tests.datasets.idx_files import write_mnist
from tests.made import made_results

BINS = ("0.3", "0.15", "0.07", "0.01", "exact")


@pytest.mark.slow
def test_a_small_run_keeps_the_contract_and_reports_everything(tmp_path):
    write_mnist(tmp_path, {"test": 600})
    config = bin_size.Config(
        smoke=True, seeds=2, epochs=2, datasets=("symmetric", "mnist"), train_split="test", data=tmp_path
    )
    results = bin_size.run(config)
    assert results.ixt.dims == ("dataset", "activation", "bins", "seed", "epoch", "layer")
    assert results.bins.values.tolist() == list(BINS)
    assert results.hx.dims == results.ixy.dims == ("dataset", "activation", "seed")
    assert np.isfinite(results.ixt).all()
    np.testing.assert_allclose(results.hx.sel(dataset="mnist"), np.log2(45))
    exact = results.sel(bins="exact", activation="tanh", dataset="symmetric")
    np.testing.assert_allclose(exact.ixt.isel(layer=0), np.log2(410), atol=1e-4)
    assert bool((results.ixt <= results.ixt.sel(bins="exact") + 1e-4).all())
    figures, tables = bin_size.report(results)
    assert set(figures) == {"planes_symmetric.png", "planes_mnist.png", "drift.png"}
    assert [table.name for table in tables] == ["drift", "table_1", "seeds"]


def test_full_scale_is_the_default():
    assert bin_size.BIN_WIDTHS == (0.3, 0.15, 0.07, 0.01)
    assert bin_size.Config().num_epochs == 8000


@pytest.fixture(scope="module")
def made_up():
    """Layer 1 arrives at (12, 1) bits as bins shrink, layer 2 comes nearer, layer 3 stays away."""
    results = made_results(
        {"dataset": ("symmetric",), "activation": ("tanh",), "bins": BINS}, num_samples_symmetric=3276
    )
    away = np.array([[4, 3, 2, 1, 0], [8, 7, 6, 5, 4], [9, 9, 9, 9, 9]], float)
    for i in range(3):
        results.ixt[..., i] = 12 - away[i][:, None, None] + 0.005 * results.seed.values[:, None]
    results.ity[:] = 1.0
    shape = (1, 1, results.sizes["seed"])
    for name, value in (("hx", 12.0), ("ixy", 1.0)):
        results[name] = (("dataset", "activation", "seed"), np.full(shape, value))
    return results


def test_the_verdict_counts_steps_and_names_the_layers_that_stay_away(made_up):
    _, (drift, table_1, seeds) = bin_size.report(made_up)
    _, text = drift.sentences
    assert "nearer in 8 of 12 steps" in text
    assert "farther in 0" in text
    assert "at (H(X), I(X;Y)): layers 1;" in text
    assert "away from it: 2 by 3.9" in text
    assert "3 by 8.9" in text
    assert len(drift.frame) == 15
    assert "log2 3276 in all 8 splits" in table_1.sentences[1]
    assert seeds.frame.to_numpy().tolist() == [["symmetric", "tanh", 8, 0, 0, 0.9, 0.9]]


def test_the_papers_split_is_rare():
    assert bin_size.share_of_splits_as_low(bin_size.PAPER_IXY, 3276) == pytest.approx(0.002, abs=0.001)
    assert bin_size.share_of_splits_as_low(1.0, 3276) == pytest.approx(1)


def test_drift_has_a_curve_for_each_layer():
    rng = np.random.default_rng(0)
    away = xr.DataArray(
        rng.uniform(size=(1, 2, 3, 5, 3)),
        {
            "dataset": ["symmetric"],
            "activation": ["tanh", "relu"],
            "bins": ["0.3", "0.07", "exact"],
            "layer": [1, 2, 3],
        },
        ("dataset", "activation", "bins", "seed", "layer"),
    )
    figure = plot_drift(away, title="made")
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["0.3", "0.07", "exact"]
    assert len(figure.axes[0].containers) == 3
    assert figure.axes[0].get_ylabel() == "distance [bits]"
    (legend,) = figure.legends
    assert legend.get_texts()[-1].get_text() == "3 (softmax)"


@pytest.mark.slow
def test_the_claim_at_reduced_size():
    """Finer bins are nearer to (H(X), I(X;Y)), in the tanh layer that saturates as in others."""
    results = bin_size.run(bin_size.Config(seeds=4, epochs=1500))
    away = bin_size.distances(results).sel(dataset="symmetric", activation="tanh").mean("seed")
    hidden = away.isel(layer=slice(0, 5)).sum("layer").values
    assert (np.diff(hidden) < 0).all()
    assert hidden[-1] < 0.1
