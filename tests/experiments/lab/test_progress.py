"""How far a run is, where its output is no terminal."""

import time

import numpy as np
import pytest

from experiments.lab.progress import SECONDS_BETWEEN_LINES, progress_bar
from ibjax.training import Advance


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when they are told to."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def wait(seconds):
        now[0] += seconds

    return wait


def advance(fraction, epoch):
    return Advance(fraction, epoch, {"train_loss": np.array([0.25, 0.75])})


def test_a_line_at_the_start_of_each_arm_and_at_most_once_a_minute(clock, capsys):
    with progress_bar(2) as on_advance_of:
        first = on_advance_of("tanh sgd")
        clock(SECONDS_BETWEEN_LINES - 1)
        first(advance(0.1, 10))
        clock(1)
        first(advance(0.1, 20))
        clock(30)
        first(advance(0.8, 100))
        second = on_advance_of("relu sgd")
        clock(59)
        second(advance(0.5, 50))
        clock(5000)
        second(advance(0.4, 90))
    assert capsys.readouterr().err.splitlines() == [
        "tanh sgd: compiling",
        # A fifth of the first of two arms in a minute.
        "tanh sgd: epoch 20, training loss 0.500; about 9 min left",
        "relu sgd: compiling",
        "relu sgd: epoch 90, training loss 0.500; about 5 min left",
    ]


def test_hours_are_hours(clock, capsys):
    with progress_bar(1) as on_advance_of:
        on_advance = on_advance_of("mnist")
        clock(600)
        on_advance(advance(0.1, 5))
    assert "about 1 h 30 min left" in capsys.readouterr().err


def test_untrained_networks_tell_no_time_left(clock, capsys):
    """Compiling may take more than a minute, and nothing of the run is done at epoch 0."""
    with progress_bar(1) as on_advance_of:
        on_advance = on_advance_of("tanh")
        clock(SECONDS_BETWEEN_LINES)
        on_advance(advance(0.0, 0))
    assert capsys.readouterr().err.splitlines()[1:] == ["tanh: epoch 0, training loss 0.500"]
