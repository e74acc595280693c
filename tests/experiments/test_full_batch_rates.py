"""Rates of full-batch descent: the contract of a small run, statistics and verdicts on made data."""

import numpy as np
import pytest

from experiments import full_batch_rates
from tests.made import made_results, results_of

FACTORS = {"activation": full_batch_rates.ACTIVATIONS, "rate": full_batch_rates.RATES}


@pytest.mark.slow
def test_a_small_run_keeps_the_contract_and_reports_everything():
    results = full_batch_rates.run(full_batch_rates.Config(smoke=True, seeds=2, epochs=30))
    assert results.ixt.dims == ("activation", "rate", "seed", "epoch", "layer")
    assert np.isfinite(results.ixt).all()
    figures, (rates, seeds) = full_batch_rates.report(results)
    assert set(figures) == {"full_batch_rates.png"}
    assert len(rates.frame) == 2 * 3 * 3
    assert len(seeds.frame) == 2 * 3


def test_full_scale_is_the_default():
    assert len(full_batch_rates.Config().seed_range) == 50
    assert full_batch_rates.FULL.epochs == 6000


def test_early_gains_are_taken_at_equal_rate_times_epoch():
    epochs = np.array([0, 20, 40, 80, 160, 320, 640])
    ixt = np.tile(epochs[:, None] / 10.0, (2, 3, 1, 1))  # (rate, seed, epoch, layer)
    results = results_of({"ixt": ixt + 5}, {"rate": ["0.1", "0.5"]}, epochs=epochs)
    gain = full_batch_rates.early_gain(results)
    # Epochs 150 to 500 at the rate 0.1, 30 to 100 at 0.5.
    np.testing.assert_allclose(gain.sel(rate="0.1"), (16 + 32) / 2)
    np.testing.assert_allclose(gain.sel(rate="0.5"), (4 + 8) / 2)


def test_overshoot_is_the_largest_rise_above_an_earlier_loss():
    losses = np.array([[0.7, 0.5, 0.3, 0.1], [0.7, 0.4, 0.6, 0.5], [0.2, 0.3, 0.1, 0.7]])
    results = results_of({"train_loss": losses})
    np.testing.assert_allclose(full_batch_rates.overshoot(results), [0, 0.2, 0.6])


def test_the_verdict_says_what_the_intervals_say():
    made = made_results(FACTORS, binning="bins of 0.07")
    epoch = made.epoch.values
    early = epoch[(epoch >= 30) & (epoch <= 100)]
    made.ixt.loc[{"activation": "tanh", "rate": "0.5", "layer": 2, "epoch": early}] -= 2
    made.train_loss.loc[{"activation": "tanh", "rate": "0.5", "epoch": early}] += 0.3
    _, (table, _) = full_batch_rates.report(made)
    _, tanh, relu = table.sentences
    assert "at 0.1 training accuracy 90% and I(T;Y) 0.90 bits, overshoot 0.00 (0.00 to 0.00)" in tanh
    assert "overshoot 0.30 (0.30 to 0.30) nats, hidden layers that lose I(X;T) early: 2 by 2.00" in tanh
    assert relu.count("early: none") == 3
