"""Broken lines: predictions of one number by another, with intervals for cells that are not fitted."""

from typing import NamedTuple

import numpy as np

__all__ = ["BrokenLine", "fit_line", "half_width"]

# Knots of the broken line, if there are four cells for each.
NUM_KNOTS = 5


class BrokenLine(NamedTuple):
    """A continuous function of one number, straight between knots and constant beyond the last.

    Attributes:
        knots: (knot,) increasing.
        values: (knot,) values there.
    """

    knots: np.ndarray
    values: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.interp(x, self.knots, self.values)


def fit_line(x: np.ndarray, y: np.ndarray) -> BrokenLine | None:
    """Fit a broken line by least squares, with knots at quantiles of x, which are numbers of it.

    Args:
        x: (cell,) numbers.
        y: (cell,) values.

    Returns:
        The line; None for fewer than three cells.
    """
    if len(x) < 3:
        return None
    shares = np.linspace(0, 1, min(NUM_KNOTS, len(x) // 4 + 1))
    knots = np.unique(np.quantile(x, shares, method="nearest"))  # a knot without a cell has no value
    return BrokenLine(knots, np.linalg.pinv(_basis(x, knots)) @ y)


def half_width(x: np.ndarray, y: np.ndarray, x_new: np.ndarray, y_new: np.ndarray) -> float:
    """Return half the width of 95% intervals of what a line predicts for another cell and other seeds.

    It is conformal prediction's: the error that 95% of the cells, the new one included, do not exceed,
    each predicted by the line through the others, and measured with the other seeds. The new cell takes
    no part.

    Args:
        x: (cell,) numbers that the line is fitted to.
        y: (cell,) values.
        x_new: (cell,) numbers of the same cells, by the other seeds.
        y_new: (cell,) values of the same cells, by the other seeds.

    Returns:
        Half the width; NaN for fewer than 19 cells.
    """
    rank = int(np.ceil(0.95 * (len(x) + 1)))
    line = fit_line(x, y)
    if line is None or rank > len(x):
        return np.nan
    basis = _basis(x, line.knots)
    inverse = np.linalg.pinv(basis)
    own = (basis * inverse.T).sum(axis=1)  # how much a value weighs in its own fit
    change = (y - basis @ line.values) / np.maximum(1 - own, 1e-6)
    without = line.values - inverse.T * change[:, None]  # (cell, knot) fitted to the others
    errors = np.abs(y_new - (_basis(x_new, line.knots) * without).sum(axis=1))
    return float(np.sort(errors)[rank - 1])


def _basis(x: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Return (cell, knot) how much each knot's value weighs at x."""
    return np.stack([np.interp(x, knots, unit) for unit in np.eye(len(knots))], axis=1)
