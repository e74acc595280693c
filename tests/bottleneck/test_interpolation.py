"""Interpolation of information curves: each direction the inverse of the other, and known points."""

import numpy as np
import pytest

from ibjax.bottleneck import information_curve, interpolate_curve, layer_information
from tests.bottleneck.joints import random_joint

IXT = np.array([0.3, 1.0, 2.0, 5.0])
ITY = np.array([0.2, 0.5, 0.6, 0.65])
SHUFFLED = [2, 0, 3, 1]


def test_each_direction_is_the_inverse_of_the_other():
    ixt = np.linspace(0, 5, 31)
    ity = interpolate_curve(IXT, ITY, ixt=ixt)
    np.testing.assert_allclose(interpolate_curve(IXT, ITY, ity=ity), ixt, atol=1e-12)


def test_points_may_be_in_any_order():
    assert interpolate_curve(IXT[SHUFFLED], ITY[SHUFFLED], ity=0.55) == pytest.approx(1.5)
    assert interpolate_curve(IXT[SHUFFLED], ITY[SHUFFLED], ixt=1.5) == pytest.approx(0.55)


def test_where_the_curve_is_flat_the_smallest_ixt_counts():
    assert interpolate_curve([1.0, 3.0], [0.5, 0.5], ity=0.5) == 1.0


def test_a_point_below_an_earlier_one_does_not_count():
    assert interpolate_curve([1.0, 2.0, 3.0], [0.5, 0.4, 0.6], ixt=2.0) == 0.5
    assert interpolate_curve([1.0, 2.0, 3.0], [0.5, 0.4, 0.6], ity=0.5) == 1.0


def test_nan_stays_nan_and_beyond_the_end_nothing_is_gained():
    np.testing.assert_array_equal(
        interpolate_curve(IXT, ITY, ixt=[[np.nan, 0.0, 99.0]]), [[np.nan, 0.0, 0.65]]
    )
    np.testing.assert_array_equal(interpolate_curve(IXT, ITY, ity=[np.nan, 0.65]), [np.nan, 5.0])


@pytest.mark.slow
def test_encoders_of_the_bottleneck_are_on_the_curve_and_noisy_ones_below():
    p_xy = random_joint(0, 6, 3)
    curve = information_curve(p_xy, np.geomspace(1, 300, 60))
    end = layer_information(np.eye(6), p_xy)
    points = np.append(curve.ixt, end.ixt), np.append(curve.ity, end.ity)
    for encoder in information_curve(p_xy, [3.3, 40.0]).encoders:
        mi = layer_information(encoder, p_xy)
        assert interpolate_curve(*points, ixt=mi.ixt) == pytest.approx(float(mi.ity), abs=2e-3)
    noisy = layer_information(0.8 * np.eye(6) + 0.2 / 6, p_xy)
    assert interpolate_curve(*points, ixt=noisy.ixt) > noisy.ity + 0.05


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "ixt, ity: expected one of them"),
        ({"ixt": 1.0, "ity": 0.5}, "ixt, ity: expected one of them"),
        ({"ixt": -0.1}, r"ixt: expected 0 bits or more, got -0\.1"),
        ({"ity": -0.1}, r"ity: expected 0 to the curve's 0\.65 bits, got -0\.1"),
        ({"ity": [0.5, 0.9]}, r"ity: expected 0 to the curve's 0\.65 bits, got 0\.5 to 0\.9"),
        ({"ixt": 1.0, "curve_ixt": IXT[:3]}, "curve_ixt and curve_ity: expected one entry"),
        ({"ixt": 1.0, "curve_ity": -ITY}, r"curve_ity: expected 0 bits or more, got -0\.65"),
        ({"ixt": 1.0, "curve_ity": ITY * np.inf}, "curve_ity: expected finite values"),
        ({"ixt": 1.0, "curve_ixt": [IXT]}, r"curve_ixt: expected shape \(point,\)"),
    ],
)
def test_what_does_not_fit_a_curve_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        interpolate_curve(**({"curve_ixt": IXT, "curve_ity": ITY} | change))
