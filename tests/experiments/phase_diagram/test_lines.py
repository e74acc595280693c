"""Broken lines and their intervals."""

import numpy as np

from experiments.phase_diagram.lines import fit_line, half_width


def test_a_line_is_exact_for_values_of_a_broken_line():
    x = np.arange(21.0)  # quantiles at 0, 5, 10, 15, 20
    y = np.interp(x, [0, 5, 10, 15, 20], [0, 1, 1, 4, 3])
    line = fit_line(x, y)
    assert line is not None
    np.testing.assert_allclose(line(x), y, atol=1e-12)
    np.testing.assert_allclose(line(np.array([-5.0, 7.5, 90.0])), [0, 1, 3], atol=1e-12)


def test_needs_three_cells():
    assert fit_line(np.array([0.0, 1.0]), np.array([0.0, 1.0])) is None
    assert fit_line(np.zeros(3), np.arange(3.0))(np.array([5.0])) == 1  # all of them equal


def test_interval_is_the_error_of_cells_left_out_by_the_other_seeds():
    rng = np.random.default_rng(0)
    x, x_new = np.sort(rng.normal(size=(2, 40)), axis=1)
    y, y_new = x**2 + rng.normal(size=40), x_new**2 + rng.normal(size=40)
    knots = fit_line(x, y).knots
    errors = []
    for i in range(40):  # twin: fits anew without each cell, at the same knots
        others = np.arange(40) != i
        basis = np.stack([np.interp(x[others], knots, unit) for unit in np.eye(5)], axis=1)
        values = np.linalg.lstsq(basis, y[others])[0]
        errors.append(abs(y_new[i] - np.interp(x_new[i], knots, values)))
    # 95% of 40 cells and the new one: the 39th smallest of 40 errors.
    np.testing.assert_allclose(half_width(x, y, x_new, y_new), np.sort(errors)[38])
    assert np.isnan(half_width(x[:18], y[:18], x_new[:18], y_new[:18]))
