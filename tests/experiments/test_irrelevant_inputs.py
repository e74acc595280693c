"""Relevant and irrelevant inputs: outputs, and the claim with fewer networks."""

import numpy as np
import pytest

from experiments import irrelevant_inputs as experiment


@pytest.fixture(scope="module")
def results():
    return experiment.run(experiment.Config(seeds=5, epochs=150))


@pytest.mark.slow
def test_results_keep_the_contract(results):
    for name in ("ixt", "ity", "ixt_relevant", "ixt_irrelevant"):
        assert results[name].dims == ("seed", "epoch", "layer")
        assert results[name].units == "bits"
        assert np.isfinite(results[name]).all()
    assert results.train_loss.dims == results.test_loss.dims == ("seed", "epoch")
    assert results.seed.values.tolist() == [0, 1, 2, 3, 4]
    assert results.epoch.values[[0, -1]].tolist() == [0, 150]
    for name in ("estimator", "dataset", "noise_variance", "num_samples", "snr", "versions", "device"):
        assert name in results.attrs
    # The parts of independent inputs tell less apart than together.
    assert (results.ixt_relevant + results.ixt_irrelevant <= results.ixt + 1e-4).all()


@pytest.mark.slow
def test_the_claim(results):
    """The irrelevant part rises and falls in both layers; the relevant part and the total only rise."""
    figures, (table,) = experiment.report(results)
    assert set(figures) == {"irrelevant_inputs.png"}
    parts = table.frame.set_index(["layer", "inputs"])
    for layer in (1, 2):
        irrelevant = parts.loc[layer, "irrelevant"]
        assert irrelevant["rise_low"] > 0
        assert irrelevant["fall_low"] > 0
        assert 0 < irrelevant["peak_epoch"] < 150
        for name in ("all", "relevant"):
            part = parts.loc[layer, name]
            assert part["rise_low"] > 10 * part["fall"]
            assert part["final"] > part["start"]
    assert all("falls after its peak" in sentence for sentence in table.sentences)
    assert (results.test_loss.isel(epoch=-1) < 0.5 * results.test_loss.isel(epoch=0)).all()


def test_verdict_says_what_the_intervals_say():
    rows = [
        {"layer": 1, "inputs": inputs, "fall": fall, "fall_low": low, "fall_high": high}
        for inputs, fall, low, high in (
            ("irrelevant", 0.02, 0.01, 0.03),
            ("relevant", 0.0, 0.0, 0.0),
            ("all", 0.0, -0.1, 0.1),
        )
    ]
    assert "forgets what does not matter" in experiment.verdict(rows, 1)
    rows[0] |= {"fall": 0.0, "fall_low": -0.01, "fall_high": 0.01}
    assert "about irrelevant inputs does not fall" in experiment.verdict(rows, 1)
    assert "forgets" not in experiment.verdict(rows, 1)


def test_full_scale_is_the_default():
    config = experiment.Config()
    assert len(config.seed_range) == 50
    assert (experiment.NUM_RELEVANT, experiment.NUM_INPUTS, experiment.BATCH_SIZE) == (30, 100, 5)
