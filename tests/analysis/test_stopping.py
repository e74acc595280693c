"""Stopping rules on made curves."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from ibjax.analysis.stopping import at_position, early_stopping, perfect_stopping, stopped_at

EPOCHS = np.array([0, 1, 2, 5, 10, 20, 50, 100])


def stopped_by_hand(loss, epochs, patience, min_decrease=0.0):
    """One curve, as a training loop would do it."""
    best, best_epoch = np.inf, epochs[0]
    for i, (value, epoch) in enumerate(zip(loss, epochs, strict=True)):
        if value < best - min_decrease:
            best, best_epoch = value, epoch
        elif epoch - best_epoch >= patience:
            return i
    return len(epochs) - 1


@given(st.lists(st.integers(0, 9), min_size=8, max_size=8), st.integers(0, 60), st.integers(0, 2))
def test_early_stopping_is_the_loops(loss, patience, min_decrease):
    curves = np.array([loss, loss[::-1]], float)
    options = {"patience": patience, "min_decrease": min_decrease}
    found = early_stopping(curves, EPOCHS, **options)
    expected = [stopped_by_hand(c, EPOCHS, patience, min_decrease) for c in curves]
    np.testing.assert_array_equal(found, expected)


def test_a_falling_loss_never_stops_and_a_rising_one_stops_after_the_patience():
    falling = np.linspace(1, 0, 8)
    loss = np.stack([falling, falling[::-1]])
    np.testing.assert_array_equal(early_stopping(loss, EPOCHS, patience=9), [7, 4])


def test_no_patience_stops_at_the_first_loss_that_is_not_better():
    loss = np.array([[5.0, 4, 3, 3, 1, 0, 0, 0]])
    np.testing.assert_array_equal(early_stopping(loss, EPOCHS, patience=0), [3])


def test_perfect_stopping_is_at_the_first_minimum():
    loss = np.array([[3.0, 1, 2, 1, 4, 5, 6, 7]])
    np.testing.assert_array_equal(perfect_stopping(loss), [1])


def test_a_diverged_seed_has_no_stop_and_leaves_the_others_alone():
    loss = np.array([[3.0, 1, 2], [1.0, np.nan, np.nan]])
    np.testing.assert_array_equal(perfect_stopping(loss), [1, -1])
    np.testing.assert_array_equal(early_stopping(loss, np.array([0, 1, 2]), patience=1), [2, -1])


def test_values_at_a_position_and_of_networks_stopped_there():
    values = xr.DataArray(
        np.arange(24.0).reshape(3, 4, 2),
        {"epoch": [0, 10, 20, 30], "seed": [5, 6, 7]},
        ("seed", "epoch", "layer"),
    )
    position = np.array([0, 2, -1])
    at = at_position(values, position)
    assert at.dims == ("seed", "layer")
    np.testing.assert_array_equal(at, [[0, 1], [12, 13], [np.nan, np.nan]])
    stopped = stopped_at(values, position)
    assert stopped.dims == values.dims
    assert stopped.epoch.values.tolist() == [0, 10, 20, 30]
    np.testing.assert_array_equal(stopped[0, :, 0], [0, 0, 0, 0])
    np.testing.assert_array_equal(stopped[1, :, 1], [9, 11, 13, 13])
    assert np.isnan(stopped[2]).all()


@pytest.mark.parametrize(
    ("loss", "patience", "message"),
    [
        (np.zeros(3), 1, "loss: expected"),
        (np.zeros((2, 4)), 1, "epochs"),
        (np.zeros((2, 3)), -1, "patience: expected"),
    ],
)
def test_what_is_no_curve_or_patience_is_refused(loss, patience, message):
    with pytest.raises(ValueError, match=message):
        early_stopping(loss, np.arange(3), patience=patience)
