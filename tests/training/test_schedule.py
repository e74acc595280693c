import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibjax.training import idnns_epochs, log_spaced_epochs, recorded_epochs, saxe_epochs
from ibjax.training.schedule import SCHEDULES

NUM_EPOCHS = st.integers(1, 20_000)


def log_spaced_twin(num_epochs, num_recorded):
    """Geometric points; where they coincide the next free epoch, or from the end the one before."""
    count = min(num_recorded - 1, num_epochs)
    points = [int(np.rint(e)) for e in np.geomspace(1, num_epochs, count)]
    for i in range(1, count):
        points[i] = max(points[i], points[i - 1] + 1)
    points[-1] = num_epochs
    for i in reversed(range(count - 1)):
        points[i] = min(points[i], points[i + 1] - 1)
    return [0, *points]


def test_idnns_8000_is_the_codes_274_and_the_last():
    # The 2017 code's own expression. It records epoch index i before its updates: i epochs done.
    code = np.unique(np.logspace(np.log2(1), np.log2(8000), 400, base=2).astype(int)) - 1
    assert len(code) == 274
    assert code[0] == 0
    np.testing.assert_array_equal(idnns_epochs(8000), [*code, 8000])
    assert len(idnns_epochs(8000)) == 275


def test_saxe_is_shifted_to_after_the_epoch_and_has_the_untrained_network():
    # The 2018 code's rule on epoch indices, which it records after the epoch's updates.
    def is_recorded(index):
        if index < 20:
            return True
        if index < 100:
            return index % 5 == 0
        if index < 2000:
            return index % 20 == 0
        return index % 100 == 0

    expected = [0] + [i + 1 for i in range(10_000) if is_recorded(i)] + [10_000]
    np.testing.assert_array_equal(saxe_epochs(10_000), expected)
    np.testing.assert_array_equal(saxe_epochs(30), [*range(22), 26, 30])


def test_log_spaced_8000_are_210_of_which_the_last_is_8000():
    epochs = log_spaced_epochs(8000)
    assert len(epochs) == len(set(epochs.tolist())) == 210
    assert epochs[0] == 0
    assert epochs[-1] == 8000
    # Even on the log scale where epochs are far enough apart for it.
    ratios = epochs[151:] / epochs[150:-1]
    np.testing.assert_allclose(ratios, 8000 ** (1 / 208), atol=0.012)


@pytest.mark.parametrize(
    ("num_epochs", "num_recorded", "expected"),
    [
        (1, 210, [0, 1]),
        (2, 210, [0, 1, 2]),
        (3, 210, [0, 1, 2, 3]),
        (209, 210, range(210)),
        (100, 2, [0, 100]),
        (100, 3, [0, 1, 100]),
        (100, 4, [0, 1, 10, 100]),
        (4, 4, [0, 1, 2, 4]),
    ],
)
def test_log_spaced_of_few(num_epochs, num_recorded, expected):
    np.testing.assert_array_equal(log_spaced_epochs(num_epochs, num_recorded), list(expected))


def test_log_spaced_leaves_out_one_where_one_is_too_many():
    epochs = log_spaced_epochs(210)
    assert len(epochs) == 210
    assert epochs[-1] == 210


@given(NUM_EPOCHS, st.integers(3, 400))
def test_log_spaced_equals_its_twin(num_epochs, num_recorded):
    epochs = log_spaced_epochs(num_epochs, num_recorded)
    assert len(epochs) == min(num_recorded, num_epochs + 1)
    if num_epochs > 1:
        assert epochs.tolist() == log_spaced_twin(num_epochs, num_recorded)


@pytest.mark.parametrize("name", SCHEDULES)
@given(num_epochs=NUM_EPOCHS)
def test_named_schedules_increase_from_the_first_to_the_last(name, num_epochs):
    epochs = recorded_epochs(name, num_epochs)
    assert epochs.dtype == np.int64
    assert epochs[0] == 0
    assert epochs[-1] == num_epochs
    assert (np.diff(epochs) > 0).all()
    np.testing.assert_array_equal(epochs, SCHEDULES[name](num_epochs))


@given(st.data(), st.integers(1, 50))
def test_given_epochs_are_sorted_and_have_both_ends(data, num_epochs):
    given = data.draw(st.lists(st.integers(0, num_epochs)))
    epochs = recorded_epochs(given, num_epochs)
    assert epochs.tolist() == sorted({0, *given, num_epochs})


def test_given_epochs_may_be_any_iterable():
    assert recorded_epochs((e for e in (3, 1)), 5).tolist() == [0, 1, 3, 5]
    assert recorded_epochs(np.array([3, 1]), 5).tolist() == [0, 1, 3, 5]
    assert recorded_epochs([], 5).tolist() == [0, 5]


@pytest.mark.parametrize("epochs", [[-1, 2], [2, 6]])
def test_epochs_outside_the_run_are_refused(epochs):
    with pytest.raises(
        ValueError,
        match=rf"schedule: expected epochs from 0 to 5, got {min(epochs)} to {max(epochs)}",
    ):
        recorded_epochs(epochs, 5)


def test_an_unknown_schedule_lists_the_known_ones():
    with pytest.raises(ValueError, match="schedule: expected one of idnns, log, saxe; got 'every'"):
        recorded_epochs("every", 5)


@pytest.mark.parametrize("number", [0, -1])
def test_numbers_of_epochs_are_positive(number):
    with pytest.raises(ValueError, match=f"num_epochs: expected .*, got {number}"):
        log_spaced_epochs(number)
    with pytest.raises(ValueError, match=f"num_recorded: expected .*, got {number}"):
        log_spaced_epochs(10, number)
