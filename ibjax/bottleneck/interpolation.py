"""Interpolation between the points of an information curve, in either direction."""

import numpy as np

from ibjax.bottleneck.bounds import ROUNDING_BITS
from ibjax.bottleneck.joint import known_float64
from ibjax.checks import check_finite, check_nonempty, check_rank, check_same_length
from ibjax.types import ArrayLike

__all__ = ["interpolate_curve"]


def interpolate_curve(
    curve_ixt: ArrayLike,
    curve_ity: ArrayLike,
    *,
    ixt: ArrayLike | None = None,
    ity: ArrayLike | None = None,
) -> np.ndarray:
    """Return the best I(T;Y) at a given I(X;T), or the smallest I(X;T) that a given I(T;Y) needs.

    The curve is taken to run straight from (0, 0) through its points. The true one is concave: between
    the points it reaches more I(T;Y) with less I(X;T).

    Args:
        curve_ixt: (point,) I(X;T) of the curve's points, bits, in any order, including the end of the
            curve, where T is all of X.
        curve_ity: (point,) I(T;Y) of the same points.
        ixt: (...) I(X;T), 0 or more; beyond the end the best I(T;Y) is that of the end.
        ity: (...) I(T;Y), at most that of the end. Give either this or ``ixt``.

    Returns:
        (...) the other one of the two, bits, float64; NaN where NaN is given.

    Raises:
        ValueError: for other shapes, a curve that is negative or not finite, both or neither of ``ixt``
            and ``ity``, values that are negative, and ``ity`` beyond the end.

    Example:
        >>> interpolate_curve([1.0, 3.0], [0.5, 0.7], ixt=[0.5, 2.0, 9.0]).tolist()
        [0.25, 0.6, 0.7]
        >>> interpolate_curve([1.0, 3.0], [0.5, 0.7], ity=[0.25, 0.6]).tolist()
        [0.5, 2.0]
    """
    ixt_points, ity_points = _checked_bits("curve_ixt", curve_ixt), _checked_bits("curve_ity", curve_ity)
    check_same_length("curve_ixt", ixt_points, "curve_ity", ity_points)
    if (ixt is None) == (ity is None):
        raise ValueError("ixt, ity: expected one of them, got both or neither")
    order = np.argsort(ixt_points, kind="stable")
    x = np.append(0.0, ixt_points[order])
    y = np.maximum.accumulate(np.append(0.0, ity_points[order]))
    if ixt is not None:
        return np.asarray(np.interp(_checked_values("ixt", ixt), x, y))
    rising = np.append(True, np.diff(y) > 0)
    return np.asarray(np.interp(_checked_values("ity", ity, at_most=y[-1]), y[rising], x[rising]))


def _checked_bits(name, points) -> np.ndarray:
    points = known_float64(name, points)
    check_rank(name, points, 1, "(point,)")
    check_nonempty(name, points)
    check_finite(name, points)
    if points.min() < 0:
        raise ValueError(f"{name}: expected 0 bits or more, got {points.min()}")
    return points


def _checked_values(name, values, at_most=np.inf) -> np.ndarray:
    values = known_float64(name, values)
    check_nonempty(name, values)
    if (values < 0).any() or (values > at_most + ROUNDING_BITS).any():
        wanted = "0 bits or more" if at_most == np.inf else f"0 to the curve's {at_most:.6g} bits"
        raise ValueError(f"{name}: expected {wanted}, got {np.nanmin(values)} to {np.nanmax(values)}")
    return values
