"""Seven activations: the verdict on made-up results, the smoke run, the claim at a reduced size."""

import numpy as np
import pytest

from experiments import activations
from experiments.lab import Scale
from ibjax.analysis.compression import compression_summary
from tests.made import results_of

DIMS = ("activation", "estimator", "seed", "epoch", "layer")


def made_up(falling):
    """Results in which layer 2 falls by 2 bits for these (activation, estimator)."""
    rng = np.random.default_rng(0)
    named = {"activation": ["tanh", "relu", "elu"], "estimator": ["binned", "KDE"]}
    ixt = 5 + 0.01 * rng.normal(size=(3, 2, 6, 4, 3))
    for activation, estimator in falling:
        position = named["activation"].index(activation), named["estimator"].index(estimator)
        ixt[(*position, slice(None), slice(1, 3), 1)] += 2
    return results_of({"ixt": ixt, "ity": ixt / 12}, named, bin_width=0.07, noise_variance=1e-3)


def test_the_verdict_says_whether_the_claim_holds():
    results = made_up([("tanh", "binned"), ("tanh", "KDE"), ("elu", "binned")])
    tanh, relu, elu = (
        activations.verdict(compression_summary(results), a) for a in ("tanh", "relu", "elu")
    )
    assert tanh.startswith("tanh: hidden layers that compress, binned: layers 2, up to 2.0")
    assert tanh.endswith("Claim, compresses (saturates on both sides): holds.")
    assert relu.endswith("binned: none; KDE: none. Claim, does not compress: holds.")
    assert elu.endswith("Claim, does not compress: does not hold by both.")


def test_report_draws_the_papers_activations_and_the_others():
    figures, (table,) = activations.report(made_up([]))
    assert set(figures) == {
        "compression_by_activation.png",
        "information_plane.png",
        "other_activations.png",
    }
    assert len(table.frame) == 3 * 2 * 3
    assert len(table.sentences) == 4


@pytest.mark.slow
def test_the_claim_at_reduced_size(tmp_path, monkeypatch):
    """tanh compresses by both estimators, relu by neither."""
    monkeypatch.setattr(activations, "IN_PAPER", ("tanh", "relu"))
    monkeypatch.setattr(activations, "OTHERS", ())
    monkeypatch.setattr(activations, "FULL", Scale(epochs=8000, num_recorded=8))
    results = activations.run(activations.Config(seeds=6, epochs=1500, out=tmp_path))
    assert results.ixt.dims == DIMS
    assert np.isfinite(results.ixt).all()
    summary = compression_summary(results).isel(layer=slice(0, -1))
    tanh, relu = (summary.sel(activation=name) for name in ("tanh", "relu"))
    assert (tanh.compression_low.max("layer") > 0.3).all()
    assert (relu.compression_low.max("layer") < 0.05).all()
