"""Batch size: arms, the contract of a small run, and verdicts on made data."""

import numpy as np
import pytest

from experiments import batch_size


@pytest.fixture(scope="module")
def results():
    return batch_size.run(batch_size.Config(smoke=True, epochs=4))


@pytest.mark.slow
def test_a_small_run_keeps_the_contract_and_reports_everything(results):
    sizes = {"activation": 2, "rate": 2, "batch_size": 4, "seed": 4, "epoch": 5, "layer": 3}
    assert dict(results.ixt.sizes) == sizes
    assert results.train_loss.dims == ("activation", "rate", "batch_size", "seed", "epoch")
    assert np.isfinite(results.ixt).all()
    # The noise of minibatches falls with their size, here of the same untrained networks.
    noise = results.gradient_std.isel(epoch=0).mean(["activation", "rate", "seed", "layer"])
    assert (np.diff(noise.sel(batch_size=["32", "128", "512"])) < 0).all()
    figures, (layers, networks) = batch_size.report(results)
    assert len(figures) == 4
    assert len(layers.rows) == 2 * 2 * 4 * 3
    assert len(networks.rows) == 2 * 2 * 4
    assert len(layers.sentences) == 1 + 2 * 2


@pytest.mark.slow
def test_the_verdict_is_of_differences_within_seeds(results):
    made = results.assign(ixt=results.ixt * 0 + 8)
    spread = np.linspace(0, 0.1, made.sizes["seed"])
    for batch, amount in (("32", 3.0), ("full", 1.0)):
        last = {"activation": "tanh", "rate": "equal", "batch_size": batch, "epoch": 4, "layer": 2}
        made.ixt.loc[last] = 8 - amount - spread
    assert "layer 2 by 2.00 (2.00 to 2.00)." in batch_size.verdict(made, "tanh", "equal")
    assert "): none." in batch_size.verdict(made, "relu", "equal")


def test_full_scale_is_the_default():
    assert len(batch_size.Config().seed_range) == 50
    assert batch_size.FULL_EPOCHS == 4000
