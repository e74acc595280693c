"""Information curves with few clusters, and what samples make sure of."""

import numpy as np
import pytest

from experiments.ib_gaps import curves
from ibjax.bottleneck import finite_sample_bounds, sufficient_statistic


@pytest.fixture(scope="module")
def noisy_score():
    return curves.information_curves(curves.noisy_score_joint(), np.geomspace(1, 30, 24))


def binary(classes=6):
    """p(c, y) of equally likely classes of distinct p(y = 1 | c)."""
    p_y = np.linspace(0.02, 0.98, classes)
    return np.stack([1 - p_y, p_y], axis=1) / classes


def test_the_noisy_score_has_44_classes_and_about_equal_levels():
    p_cy = curves.noisy_score_joint()
    assert p_cy.shape == (44, 8)
    assert p_cy.sum() == pytest.approx(1)
    assert (np.abs(p_cy.sum(axis=0) - 1 / 8) < 0.02).all()
    assert len(np.unique(sufficient_statistic(p_cy))) == 43  # the two lowest are far below all limits


@pytest.mark.slow
def test_few_clusters_leave_the_curve_of_the_noisy_score(noisy_score):
    assert noisy_score.split_clusters.values[:3].tolist() == [2, 3, 4]
    for k in (2, 3, 4):
        forced = noisy_score.sel(clusters=k).isel(point=slice(-1)).sortby("forced_ixt")
        assert float(forced.forced_ixt.max()) <= np.log2(k) + 1e-6
        # On the curve up to the bifurcation into more than k clusters, visibly below it at the end.
        reached = float(noisy_score.split_ixt[noisy_score.split_clusters > k][0])
        assert float(forced.forced_loss.where(forced.forced_ixt <= reached).max()) < 0.005
        assert float(forced.forced_loss[-1]) > 0.05


@pytest.mark.slow
def test_what_is_sure_is_the_optimum_less_the_margin():
    computed = curves.information_curves(binary(), np.geomspace(1, 300, 12))
    sure = curves.sure_information(computed)
    n = curves.BOUND_SAMPLES[1]
    for point in (6, -1):
        at_point = computed.isel(point=point)
        bounds = finite_sample_bounds(
            float(at_point.curve_ixt),
            float(at_point.curve_ity),
            cardinality_t=int(at_point.curve_clusters),
            cardinality_y=2,
            num_samples=n,
            delta=curves.DELTA,
        )
        assert float(sure.guaranteed.sel(num_samples=n)[point]) == pytest.approx(float(bounds.ity_low))
    assert (sure.best_guaranteed >= sure.guaranteed.max("point")).all()
    assert (sure.guaranteed.diff("num_samples") >= 0).all()


@pytest.mark.slow
def test_r_of_n_is_nan_where_nothing_is_sure(monkeypatch):
    monkeypatch.setattr(curves, "BOUND_SAMPLES", (10, 10**6))
    computed = curves.information_curves(binary(), np.geomspace(1, 300, 12))
    sure = curves.sure_information(computed)
    assert np.isnan(sure.best_ixt.values).tolist() == [True, False]
    assert sure.best_guaranteed.values[0] == 0
