"""Controls: the verdict on made-up results, the smoke run, and the claim at a reduced size."""

import numpy as np
import pytest

from experiments import controls
from experiments.lab import Scale
from ibjax.analysis.compression import compression_summary
from tests.made import results_of

DIMS = ("activation", "control", "estimator", "seed", "epoch", "layer")
ALL = ["trained", "shuffled", "rescaled", "random labels"]


def made_up(falling):
    """Results in which layer 2 of the tanh networks falls by 2 bits in these controls."""
    rng = np.random.default_rng(0)
    ixt = 5 + 0.01 * rng.normal(size=(2, 4, 2, 6, 4, 3))
    for name in falling:
        ixt[0, ALL.index(name), :, :, 1:3, 1] += 2
    accuracy = np.full(ixt.shape[:-1], 0.6)
    return results_of(
        {"ixt": ixt, "ity": 0 * ixt + 0.25, "train_accuracy": accuracy},
        {"activation": ["tanh", "relu"], "control": ALL, "estimator": ["binned", "KDE"]},
        bin_width=0.07,
    )


@pytest.mark.parametrize(
    ("falling", "conclusion"),
    [
        ([], "No hidden layer of the trained networks compresses in bins."),
        (["trained", "shuffled"], "Neither control compresses: what the trained networks lose"),
        (["trained", "rescaled"], "It compresses without learning the task, too: rescaled."),
        (ALL, "It compresses without learning the task, too: rescaled and random labels."),
    ],
)
def test_the_verdict_follows_the_controls(falling, conclusion):
    results = made_up(falling)
    sentence = controls.verdict(results, compression_summary(results), "tanh")
    assert conclusion in sentence
    assert "training accuracy 60%" in sentence
    assert "its I(T;Y) is 0.25 bits" in sentence
    if falling:
        assert sentence.startswith("tanh, layer 2 in bins: trained 2.0")


def test_report_draws_every_control():
    figures, (table,) = controls.report(made_up(ALL))
    assert set(figures) == {"compression_of_controls.png", "information_plane.png"}
    assert len(table.frame) == 2 * 4 * 2 * 3
    assert len(table.sentences) == 2


@pytest.mark.slow
def test_the_claim_at_reduced_size(tmp_path, monkeypatch):
    """tanh: trained networks compress in bins; shuffling changes no I(X;T) and loses the labels."""
    monkeypatch.setattr(controls, "FULL", Scale(epochs=8000, num_recorded=8))
    binned = {"binned": controls.SAXE_ESTIMATORS["binned"]}
    monkeypatch.setattr(controls, "SAXE_ESTIMATORS", binned)
    config = controls.Config(seeds=6, epochs=1500, out=tmp_path)
    results = controls.run(config)
    assert results.ixt.dims == DIMS
    assert results.control.values.tolist() == ALL
    assert np.isfinite(results.ixt).all()
    summary = compression_summary(results).sel(activation="tanh", estimator="binned", layer=4)
    assert float(summary.compression_low.sel(control="trained")) > 0.3
    np.testing.assert_array_equal(
        results.ixt.sel(control="shuffled"), results.ixt.sel(control="trained")
    )
    last = results.isel(epoch=-1).sel(activation="tanh", estimator="binned")
    label = last.ity.mean("seed").sel(layer=5)
    assert float(label.sel(control="trained")) > 0.5 + float(label.sel(control="shuffled"))
    accuracy = last.test_accuracy.mean("seed")
    assert float(accuracy.sel(control="trained")) > 0.85
    assert abs(float(accuracy.sel(control="random labels")) - 0.5) < 0.05
