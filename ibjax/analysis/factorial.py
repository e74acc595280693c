"""Experiments with several factors: effects within seeds, and components of variance.

Effects compare networks that share a seed. Variance components ask how much of the differences between
networks of one arm come from their initial weights and how much from their data.
"""

from typing import NamedTuple

import numpy as np
import scipy.stats

from ibjax.analysis._inputs import as_numbers
from ibjax.analysis._labelled import check_same_seeds
from ibjax.types import ArrayLike

__all__ = ["Components", "two_by_two", "variance_components"]


class Components(NamedTuple):
    """Variances in squared units of the values, and tests that they are 0.

    Attributes:
        rows: variance of the row effect, such as that of the initial weights.
        columns: variance of the column effect, such as that of the data.
        residual: variance of the interaction of row and column, and of chance.
        p_rows: probability of a ratio of mean squares at least as large if ``rows`` is 0.
        p_columns: the same probability for ``columns``.
    """

    rows: np.ndarray
    columns: np.ndarray
    residual: np.ndarray
    p_rows: np.ndarray
    p_columns: np.ndarray


def two_by_two(values: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute effects of two factors with two levels each: the first level minus the second.

    Args:
        values: (2, 2, ...) values by the level of the first and of the second factor; labelled arrays in
            lists must have the same seeds.

    Returns:
        Three (...) arrays: the effect of the first factor, averaged over the levels of the second; that
        of the second; and the interaction, the first factor's effect at the second's first level minus
        that at its second level.

    Raises:
        ValueError: for anything but an array of numbers, other than two levels, different seeds.

    Example:
        >>> [x.tolist() for x in two_by_two(np.array([[[5.0], [1.0]], [[2.0], [0.0]]]))]
        [[2.0], [3.0], [2.0]]
    """
    if isinstance(values, list | tuple):
        arms = [arm for row in values if isinstance(row, list | tuple) for arm in row]
        check_same_seeds(**{f"values {i}": arm for i, arm in enumerate(arms)})
    values = as_numbers("values", values, "(...)")
    if values.shape[:2] != (2, 2):
        raise ValueError(f"values: expected two levels of each factor, got shape {values.shape}")
    (a, b), (c, d) = values
    return (a + b - c - d) / 2, (a - b + c - d) / 2, a - b - c + d


def variance_components(values: ArrayLike) -> Components:
    """Estimate two-way random effects, with one value per cell: value = mean + row + column + residual.

    By the expected mean squares of the analysis of variance::

        var_rows = (MS_rows - MS_residual) / num_columns,    var_residual = MS_residual,

    and likewise for columns. Estimates are unbiased and may be negative if a component is small: they
    are not clipped at 0, which would bias their averages. The tests are exact for normal effects:
    MS_rows / MS_residual has an F distribution if ``rows`` is 0.

    Args:
        values: (rows, columns, ...) values, finite or NaN; NaN makes the results that depend on it NaN.

    Returns:
        ``Components`` of (...) arrays. p-values are NaN if all residuals are 0.

    Raises:
        ValueError: for anything but an array of numbers, and fewer than two rows or columns.

    Source:
        Searle, Casella & McCulloch (1992), Variance Components, section 4.
    """
    values = as_numbers("values", values, "(...)")
    if values.ndim < 2 or min(values.shape[:2]) < 2:
        raise ValueError(f"values: expected two rows and columns or more, got shape {values.shape}")
    r, c = values.shape[:2]
    row, column = values.mean(axis=1, keepdims=True), values.mean(axis=0, keepdims=True)
    mean = values.mean(axis=(0, 1), keepdims=True)
    ms_rows = c * ((row - mean) ** 2).sum(axis=(0, 1)) / (r - 1)
    ms_columns = r * ((column - mean) ** 2).sum(axis=(0, 1)) / (c - 1)
    degrees = (r - 1) * (c - 1)
    residual = ((values - row - column + mean) ** 2).sum(axis=(0, 1)) / degrees
    with np.errstate(divide="ignore", invalid="ignore"):
        p_rows = scipy.stats.f.sf(ms_rows / residual, r - 1, degrees)
        p_columns = scipy.stats.f.sf(ms_columns / residual, c - 1, degrees)
    undefined = residual == 0
    return Components(
        (ms_rows - residual) / c,
        (ms_columns - residual) / r,
        residual,
        np.where(undefined, np.nan, p_rows),
        np.where(undefined, np.nan, p_columns),
    )
