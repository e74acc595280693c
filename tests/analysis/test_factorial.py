"""Effects and components of variance, on made data with known answers."""

import numpy as np
import pytest

from ibjax.analysis.factorial import two_by_two, variance_components


def test_effects_are_those_put_in():
    rng = np.random.default_rng(0)
    mean, first, later, both = rng.normal(size=(4, 30))
    signs = np.array([1, -1])
    a, b = signs[:, None, None], signs[None, :, None]
    values = mean + a * first / 2 + b * later / 2 + a * b * both / 4
    for got, expected in zip(two_by_two(values), (first, later, both), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-12)


def test_other_designs_are_refused():
    with pytest.raises(ValueError, match="two levels of each factor"):
        two_by_two(np.zeros((2, 3, 5)))
    with pytest.raises(ValueError, match="two rows and columns or more"):
        variance_components(np.zeros((1, 5)))


def test_components_are_unbiased():
    """Means over 4000 made experiments of 10 x 5 cells; standard errors are below 0.05."""
    rng = np.random.default_rng(0)
    count = 4000
    rows, columns = 2.0 * rng.normal(size=(10, 1, count)), 1.0 * rng.normal(size=(1, 5, count))
    found = variance_components(3 + rows + columns + 0.5 * rng.normal(size=(10, 5, count)))
    assert found.rows.mean() == pytest.approx(4.0, abs=0.15)
    assert found.columns.mean() == pytest.approx(1.0, abs=0.06)
    assert found.residual.mean() == pytest.approx(0.25, abs=0.005)


def test_tests_keep_their_level_where_there_is_no_effect():
    rng = np.random.default_rng(1)
    found = variance_components(rng.normal(size=(10, 5, 4000)))
    for p in (found.p_rows, found.p_columns):
        assert (p < 0.05).mean() == pytest.approx(0.05, abs=0.012)
    assert found.rows.min() < 0  # not cut at 0
    assert abs(found.rows.mean()) < 0.01


def test_components_of_a_table_by_hand():
    """Rows differ by 2, columns do not, and the residuals are +-1/2."""
    values = np.array([[0.5, -0.5], [1.5, 2.5]])
    found = variance_components(values)
    # MS_rows = 2 * (1 + 1) = 4, MS_columns = 0, MS_residual = 4 * 1/4 = 1
    assert (found.rows, found.columns, found.residual) == (1.5, -0.5, 1.0)


def test_a_missing_cell_spoils_its_own_experiment_alone():
    values = np.random.default_rng(0).normal(size=(3, 4, 2))
    values[0, 0, 1] = np.nan
    found = variance_components(values)
    assert np.isfinite(found.rows[0])
    assert np.isnan(found.rows[1])
    assert np.isnan(found.p_rows[1])


def test_without_residuals_there_is_no_test():
    found = variance_components(np.array([[1.0, 1.0], [3.0, 3.0]]))
    assert np.isnan(found.p_rows)
    assert found.rows == 2
