"""Batch size: arms, the contract of a small run, and verdicts on made data."""

import numpy as np
import pytest

from experiments import batch_size
from tests.made import made_results

FACTORS = {
    "activation": batch_size.ACTIVATIONS,
    "rate": batch_size.RATES,
    "batch_size": batch_size.BATCHES,
}


@pytest.mark.slow
def test_a_small_run_keeps_the_contract_and_reports_everything(monkeypatch):
    monkeypatch.setattr(batch_size, "SMOKE_BATCHES", batch_size.BATCHES)
    results = batch_size.run(batch_size.Config(smoke=True, epochs=4))
    sizes = {"activation": 2, "rate": 2, "batch_size": 4, "seed": 4, "epoch": 5, "layer": 3}
    assert dict(results.ixt.sizes) == sizes
    assert results.train_loss.dims == ("activation", "rate", "batch_size", "seed", "epoch")
    assert results.diffusion.dims == ("activation", "rate", "batch_size", "seed", "layer")
    assert np.isfinite(results.ixt).all()
    # The noise of minibatches falls with their size, here of the same untrained networks.
    noise = results.gradient_std.isel(epoch=0).mean(["activation", "rate", "seed", "layer"])
    assert (np.diff(noise.sel(batch_size=["32", "128", "512"])) < 0).all()
    figures, (layers, seeds) = batch_size.report(results)
    assert len(figures) == 4
    assert len(layers.frame) == 2 * 2 * 4 * 3
    assert len(seeds.frame) == 2 * 2 * 4
    assert len(layers.sentences) == 1 + 2 * 2


def test_the_verdict_is_of_differences_within_seeds():
    made = made_results(FACTORS)
    made["ixt"] = made.ixt * 0 + 8
    spread = np.linspace(0, 0.1, made.sizes["seed"])
    for batch, bits in (("32", 3.0), ("full", 1.0)):
        arm = {"activation": "tanh", "rate": "equal", "batch_size": batch, "layer": 2}
        made.ixt.loc[arm | {"epoch": made.epoch[-1]}] = 8 - bits - spread
    clear = batch_size.verdict(made, "tanh", "equal")
    assert "full (training accuracy 90%): layer 2 2.00 (2.00 to 2.00)." in clear
    assert "128 (training accuracy 90%): layer 2 3.05 (" in clear
    assert batch_size.verdict(made, "relu", "equal").count("no hidden layer") == 3


def test_full_scale_is_the_default():
    assert len(batch_size.Config().seed_range) == 50
    assert batch_size.FULL.epochs == 4000
