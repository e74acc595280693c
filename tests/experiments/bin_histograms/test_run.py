"""Bin histograms: the contract of a small run, what the tables say, and the claim."""

import numpy as np
import pytest

from experiments import bin_histograms
from experiments.bin_histograms.analysis import shown_positions


@pytest.fixture(scope="module")
def small():
    return bin_histograms.run(bin_histograms.Config(smoke=True, seeds=4, epochs=40))


@pytest.mark.slow
def test_a_small_run_keeps_the_contract_and_reports_everything(small):
    dims = ("dataset", "activation", "bins", "seed", "epoch", "layer")
    for name in ("ixt", "ity", "empty", "extreme", "mixed", "lost_label"):
        assert small[name].dims == dims
        assert np.isfinite(small[name]).all()
    assert small.bins.values.tolist() == ["0.07", "0.2"]
    np.testing.assert_allclose(small.histogram.sum("bin"), 1, atol=1e-6)
    np.testing.assert_allclose(small.alone + small.pure + small.mixed, 1, atol=1e-6)
    # The two ways to H(X|T) and H(Y|T) agree.
    np.testing.assert_allclose(np.log2(410) - small.ixt, small.lost_pure + small.lost_mixed, atol=1e-4)
    assert bool((small.error_ixt > -1e-4).all())
    figures, tables = bin_histograms.report(small)
    assert len(figures) == 7
    assert [table.name for table in tables] == ["layers", "errors", "seeds"]
    assert len(tables[0].frame) == 12
    assert all("share of" in text for text in tables[0].sentences[2:])


@pytest.mark.slow
def test_the_verdict_follows_the_curves(small):
    """A made curve that falls while activations saturate is named, one that rises too."""
    made = small.copy(deep=True)
    course = np.linspace(0, 1, made.sizes["epoch"])[:, None]
    made["extreme"] = made.extreme * 0 + course
    made["ixt"] = made.ixt * 0 + 6 + course * np.array([-3, 3, 0])
    _, (layers, _, _) = bin_histograms.report(made)
    text = layers.sentences[2]
    assert "rank correlation over epochs: 1 by -1.00 (-1.00 to -1.00);" in text
    assert "rises with it: 2 by 1.00 (1.00 to 1.00);" in text
    assert "compress at all: 1." in text


def test_full_scale_is_the_default():
    assert bin_histograms.BINS == (0.07, 0.2)
    config = bin_histograms.Config()
    assert (len(config.seed_range), config.num_epochs) == (50, 8000)


def test_shown_epochs_are_spread_on_a_log_scale():
    epochs = np.array([0, 1, 5, 30, 60, 500, 8000])
    assert shown_positions(epochs).tolist() == [0, 3, 5, 6]
    assert shown_positions(np.array([0, 1])).tolist() == [0, 1]


@pytest.mark.slow
def test_the_claim_at_reduced_size():
    """The last tanh layer's I(X;T) falls as its activations gather in the outermost bins."""
    results = bin_histograms.run(bin_histograms.Config(seeds=4, epochs=3000))
    rho = bin_histograms.correlations(results).sel(what="extreme", bins="0.07", dataset="symmetric")
    assert float(rho.sel(activation="tanh", layer=5).max()) < -0.3
