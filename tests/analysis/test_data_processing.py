"""The data-processing inequality: violations of made-up planes, shares, their intervals."""

import numpy as np
import pytest
import scipy.stats

from ibjax.analysis.data_processing import (
    ROUNDING_BITS,
    dpi_violations,
    share_interval,
    violation_summary,
)
from tests.made import results_of


def test_only_rises_violate_and_by_how_much():
    planes = np.array([[[5.0, 3.0, 3.25], [5.0, 5.0, 1.0]], [[1.0, 2.0, 4.0], [np.nan, 1.0, 2.0]]])
    expected = [[[0.0, 0.25], [0.0, 0.0]], [[1.0, 2.0], [np.nan, 1.0]]]
    np.testing.assert_array_equal(dpi_violations(planes), expected)


def test_rounding_is_no_violation():
    assert dpi_violations(np.array([12.0, 12.0 + 0.9 * ROUNDING_BITS])).tolist() == [0.0]
    assert dpi_violations(np.array([12.0, 12.0 + 1.1 * ROUNDING_BITS]))[0] > 0


@pytest.mark.parametrize("wrong", [np.ones(()), np.ones(1), np.ones((3, 1))])
def test_one_layer_has_no_pair(wrong):
    with pytest.raises(ValueError, match=r"expected (two layers or more|shape)"):
        dpi_violations(wrong)


@pytest.mark.parametrize(("count", "total"), [(0, 7), (3, 7), (7, 7), (25, 50)])
def test_shares_have_the_exact_interval(count, total):
    expected = scipy.stats.binomtest(count, total).proportion_ci(method="exact")
    np.testing.assert_allclose(
        share_interval(np.array(count), np.array(total)), (expected.low, expected.high), rtol=1e-9
    )


def test_summary_of_a_known_plane():
    """Pair 2-3 of the second estimator rises by 1 bit in two of four networks; one has diverged."""
    ixt = np.tile([6.0, 4.0, 2.0], (2, 5, 3, 1))
    ixt[1, :2, 2, 2] = 5.0
    ixt[:, 4] = np.nan
    ity = np.where(np.isnan(ixt), np.nan, 0.5)
    plane = results_of({"ixt": ixt, "ity": ity}, {"estimator": ["a", "b"]}, epochs=[0, 10, 100])
    found = violation_summary(plane)
    assert found.excess.dims == ("variable", "estimator", "epoch", "pair")
    assert found.pair.values.tolist() == ["1-2", "2-3"]
    assert (found.num_seeds == 4).all()
    one = found.sel(variable="ixt", estimator="b", epoch=100, pair="2-3")
    assert float(one.share) == 0.5
    assert float(one.excess) == pytest.approx(0.5)
    assert float(one.largest) == 1.0
    half = scipy.stats.t.ppf(0.975, 3) * np.std([1, 1, 0, 0], ddof=1) / 2
    assert float(one.excess_high - one.excess) == pytest.approx(half)
    assert float(found.share.sum()) == 0.5
    assert all("units" in v.attrs for v in found.data_vars.values())


def test_without_a_network_nothing_is_known():
    nothing = np.full((2, 1, 2), np.nan)
    found = violation_summary(results_of({"ixt": nothing, "ity": nothing}, epochs=[0]))
    assert (found.num_seeds == 0).all()
    assert np.isnan(found.excess).all()
    assert np.isnan(found.share).all()


def test_intervals_widen_with_the_level():
    plain, wide = (share_interval(3, 50, level) for level in (0.95, 0.999))
    interval = scipy.stats.binomtest(3, 50).proportion_ci(0.999, "exact")
    assert wide == pytest.approx((interval.low, interval.high))
    assert wide[0] < plain[0] < plain[1] < wide[1]
    with pytest.raises(ValueError, match="level: expected"):
        share_interval(3, 50, 1.0)
    rng = np.random.default_rng(0)
    plane = results_of({"ixt": rng.random((9, 2, 3)), "ity": rng.random((9, 2, 3))}, epochs=[0, 1])
    plain, wide = (violation_summary(plane, level) for level in (0.95, 0.999))
    assert (wide.excess_low < plain.excess_low).all()
    assert (wide.share_high >= plain.share_high).all()
    assert wide.excess.equals(plain.excess)
