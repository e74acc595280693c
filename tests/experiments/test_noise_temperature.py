"""Noise temperature: the contract of a small run, slopes that are known, and verdicts on made data."""

import numpy as np
import pytest
import xarray as xr

from experiments import noise_temperature
from experiments.noise_temperature import (
    MOST,
    SLOPES,
    compression_at_losses,
    explained,
    report,
    seed_slopes,
    slope_summary,
    verdict,
)
from ibjax.analysis.intervals import halving_interval
from tests.made import EPOCHS, results_of

BATCHES, RATES = ["32", "128", "512", "full"], [0.05, 0.1, 0.2, 0.4]
LOG_BATCH = np.log2([32, 128, 512])[:, None, None]
LOG_RATE = np.log2(RATES)[:, None]


def made_results(bits, *, seeds=12, reach=1.0):
    """Networks whose loss falls to 0.01 nats, and whose I(X;T) falls along with it by the given bits.

    Args:
        bits: (batch_size, learning_rate, layer) compression by the end.
        seeds: networks per cell.
        reach: (batch_size, learning_rate) share of networks whose loss falls, the first ones.
    """
    cells = (len(BATCHES), len(RATES))
    size = (*cells, seeds, len(EPOCHS), 3)
    time = np.linspace(0, 1, len(EPOCHS))
    loss = np.exp(np.interp(time, [0, 0.5, 1], np.log([0.7, 0.7, 0.01])))
    falls = np.arange(seeds) < seeds * np.broadcast_to(reach, cells)[..., None]
    losses = np.where(falls[..., None], loss, 0.7)
    # All is lost by the time of the first loss.
    fallen = np.clip((time - 0.5) / 0.1, 0, 1)[:, None]
    noise = np.random.default_rng(0).normal(size=(*cells, seeds, 1, 3))
    ixt = 8 - (np.broadcast_to(bits, (*cells, 3))[:, :, None, None] + 0.1 * noise) * fallen
    variables = {"ixt": np.broadcast_to(ixt, size), "train_loss": losses}
    factors = {"batch_size": BATCHES, "learning_rate": RATES}
    return results_of(variables, factors, epochs=EPOCHS, binning="bins of 0.07")


def with_full(bits):
    """Add full batches without compression to (batch_size, learning_rate, layer) bits of minibatches."""
    bits = np.broadcast_to(bits, (3, len(RATES), 3))
    return np.concatenate([bits, np.zeros_like(bits[:1])])


@pytest.mark.slow
def test_a_small_run_keeps_the_contract_and_reports_everything():
    results = noise_temperature.run(noise_temperature.Config(smoke=True, seeds=2, epochs=4))
    assert results.ixt.dims == ("batch_size", "learning_rate", "seed", "epoch", "layer")
    assert results.batch_size.values.tolist() == ["8", "32", "full"]
    assert np.isfinite(results.ixt).all()
    figures, tables = report(results)
    assert set(figures) == {"equal_loss.png", "end.png"}
    assert [table.name for table in tables] == ["slopes", "full_batches", "reached"]


def test_full_scale_is_the_default():
    assert len(noise_temperature.Config().seed_range) == 30
    assert noise_temperature.FULL.epochs == 3000


class TestCompression:
    def test_is_that_up_to_the_loss_of_networks_that_reach_it(self):
        reach = np.ones((4, 4))
        reach[0, 0], reach[1, 1] = MOST - 0.1, MOST + 0.05
        found = compression_at_losses(made_results(with_full(1.5), reach=reach)).sel(loss=0.1)
        mean = halving_interval(found.transpose("halving", "seed", ...).values).estimate
        assert np.isnan(mean[0, 0]).all()
        np.testing.assert_allclose(mean[0, 1:], 1.5, atol=0.15)
        np.testing.assert_allclose(mean[1, 1], 1.5, atol=0.15)
        assert found[1, 1].isnull().any("layer").sum() == 20  # the one that does not
        np.testing.assert_allclose(mean[3], 0, atol=0.15)


class TestSlopes:
    @pytest.mark.parametrize("ratio", [0.0, 0.4])
    @pytest.mark.parametrize("both", [0.0, -0.2])
    def test_are_exact_for_a_plane(self, ratio, both):
        plane = ratio * (LOG_RATE - LOG_BATCH) + both * LOG_BATCH
        values = np.broadcast_to(with_full(plane)[None, ..., None, None], (1, 4, 4, 3, 2, 5)).copy()
        values[:, 1, 2, :, :, 3] = np.nan  # a seed that has not reached the loss in a cell
        dims = ("loss", "batch_size", "learning_rate", "layer", "halving", "seed")
        coords = {"loss": [0.1], "batch_size": BATCHES, "learning_rate": RATES, "layer": [1, 2, 3]}
        found = seed_slopes(xr.DataArray(values, coords, dims))
        assert found.dims == ("slope", "loss", "layer", "halving", "seed")
        for name, slope in zip(SLOPES, (ratio, both, both - ratio), strict=True):
            np.testing.assert_allclose(found.sel(slope=name), slope, atol=1e-10)

    def test_need_cells_that_determine_a_plane(self):
        values = np.full((1, 4, 4, 1, 1, 1), np.nan)
        values[:, 0] = 1.0  # one batch size
        dims = ("loss", "batch_size", "learning_rate", "layer", "halving", "seed")
        coords = {"loss": [0.1], "batch_size": BATCHES, "learning_rate": RATES, "layer": [1]}
        assert seed_slopes(xr.DataArray(values, coords, dims)).isnull().all()

    def test_explain_what_depends_on_them(self):
        coords = {"loss": [0.1], "batch_size": BATCHES[:3], "learning_rate": RATES, "layer": [1, 2]}
        values = np.concatenate([LOG_RATE - LOG_BATCH, LOG_RATE + 0 * LOG_BATCH], axis=-1)[None]
        dims = ("loss", "batch_size", "learning_rate", "layer")
        shares = explained(xr.DataArray(values, coords, dims))
        np.testing.assert_allclose(shares["by_ratio"].values[0, 0], 1)
        np.testing.assert_allclose(shares["by_rate"].values[0, 1], 1)
        np.testing.assert_allclose(shares["by_both"], 1)
        rate, batch = LOG_RATE.var(), LOG_BATCH.var()
        np.testing.assert_allclose(shares["by_rate"].values[0, 0], rate / (rate + batch))


class TestVerdicts:
    def slopes(self, bits):
        return slope_summary(compression_at_losses(made_results(with_full(bits))))

    def test_see_a_ratio_that_decides_alone(self):
        bits = 4 + 0.3 * (LOG_RATE - LOG_BATCH) * np.array([1.0, 0.0, 0.0])
        said = verdict(self.slopes(bits), 0.1)
        assert "per doubling of the ratio at equal batch size: layer 1 0.3" in said
        assert "at a fixed ratio: no layer clearly" in said
        assert said.endswith("nothing beside the ratio is shown in layers 1.")

    def test_see_that_it_does_not_where_the_rate_decides(self):
        bits = 4 + 0.3 * LOG_RATE * np.array([1.0, 0.0, 0.0]) + 0 * LOG_BATCH
        said = verdict(self.slopes(bits), 0.1)
        assert "at a fixed ratio: layer 1 0.3" in said
        assert "of the batch size at equal rate: no layer clearly" in said
        assert said.endswith("the ratio does not decide alone in layers 1.")

    def test_see_nothing_where_nothing_is(self):
        said = verdict(self.slopes(np.full((3, 4, 3), 2.0)), 0.1)
        assert said.count("no layer clearly") == 3
        assert said.endswith("no hidden layer is shown to depend on the ratio.")

    def test_say_whether_full_batches_compress(self):
        bits = np.zeros((4, 4, 3))
        bits[3, 2, 1] = 2.0
        reach = np.ones((4, 4))
        reach[3, :2] = 0.0
        _, (slopes, full, reached) = report(made_results(bits, reach=reach))
        assert "at rate 0.2 2; at rate 0.4 no hidden layer." in slopes.sentences[-1]
        assert set(full.frame.learning_rate) == {0.2, 0.4}
        assert len(reached.frame) == 16

    def test_are_absent_where_too_few_cells_get_there(self):
        _, (slopes, *_) = report(made_results(with_full(1.0), reach=0.0))
        assert slopes.sentences[1] == "at 0.1 nats: too few cells get there."
        assert "at no rate do 80% of the networks reach 0.1 nats" in slopes.sentences[-1]
