"""The lecture's plane: the contract of a small run, what the tables say, and the claim."""

import numpy as np
import pytest

from experiments import ib_gaps

LAYER_VARIABLES = (
    *("ixt", "ity", "ict", "ity_train", "excess_complexity", "overestimate", "complexity_gap"),
    *("generalisation_gap", "kept", "lost", "objective"),
)


@pytest.fixture(scope="module")
def small():
    return ib_gaps.run(ib_gaps.Config(smoke=True, seeds=3, epochs=4, beta=5.0))


@pytest.mark.slow
def test_results_keep_the_contract(small):
    for name in LAYER_VARIABLES:
        assert small[name].dims == ("seed", "epoch", "layer"), name
        assert small[name].attrs["units"] == "bits"
        assert np.isfinite(small[name]).all(), name
    assert small.captured.dims == ("seed", "epoch")
    assert small.guaranteed.dims == ("num_samples", "point")
    assert small.forced_ixt.dims == ("clusters", "point")
    for name in ("estimator", "binning", "dataset", "beta", "delta", "seed", "versions", "device"):
        assert name in small.attrs


@pytest.mark.slow
def test_numbers_are_consistent(small):
    assert (small.excess_complexity > -0.2).all()  # the curve is the best, up to its points' distance
    assert (small.ict <= small.ixt + 1e-6).all()
    np.testing.assert_allclose(small.objective, small.kept + 5 * small.lost, rtol=1e-6)
    np.testing.assert_allclose(small.overestimate, small.ity_train - small.ity, atol=1e-6)
    optimum = small.sel(num_samples=3277)
    np.testing.assert_allclose(small.complexity_gap, small.ixt - optimum.best_ixt, atol=1e-6)
    np.testing.assert_allclose(small.generalisation_gap, optimum.best_guaranteed - small.ity, atol=1e-6)
    np.testing.assert_allclose(small.curve_ity.max(), small.information, atol=1e-6)
    assert ((small.captured >= 0) & (small.captured <= 1)).all()
    # Fewer clusters are nowhere above the optimum, and more samples make more sure.
    for loss in (small.forced_loss, small.score_forced_loss):
        assert float(loss.min()) > -2e-3
    assert (small.guaranteed.diff("num_samples") >= 0).all()
    assert small.split_clusters[0] == 2


@pytest.mark.slow
def test_a_small_run_reports_everything(small):
    figures, tables = ib_gaps.report(small)
    assert set(figures) == {"ib_gaps.png", "suboptimal.png", "layerwise.png"}
    gaps, splits = tables
    assert (gaps.name, splits.name) == ("gaps", "bifurcations")
    seeds, verdict = gaps.sentences
    assert seeds.startswith("diverged: 0 of 3 networks")
    assert "R(n) and the sure I(T;Y) there: n = 3,277: 1.90 and 0.22 (6 states);" in verdict
    assert splits.sentences[0].startswith("Curves of at most so many clusters lie below the optimum")
    assert set(splits.frame.labels) == {"two, soft", "eight levels"}
    assert len(gaps.frame) == 3


def test_full_scale_is_the_default():
    assert len(ib_gaps.Config().seed_range) == 50
    assert ib_gaps.FULL.epochs == 8000


@pytest.mark.parametrize("beta", [0.0, -1.0, float("inf"), float("nan")])
def test_bad_betas_are_refused(beta):
    with pytest.raises(ValueError, match="beta: expected a positive finite number"):
        ib_gaps.Config(beta=beta)


@pytest.mark.slow
def test_the_claim_at_reduced_size():
    """Trained layers leave a complexity gap that the last hidden layer narrows as it compresses."""
    results = ib_gaps.run(ib_gaps.Config(seeds=8, epochs=1500))
    gap = results.excess_complexity.sel(layer=5).mean("seed")
    assert float(gap[-1]) > 0.3
    assert float(gap.max() - gap[-1]) > 0.3
    assert float(results.overestimate.isel(epoch=-1).min()) > 0
