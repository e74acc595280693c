"""The size of a run: full or smoke, with the epochs of the command line if given."""

import numpy as np
import pytest

from experiments.lab import LabConfig, Scale, scale_of
from ibjax.training import TrainConfig

FULL = Scale(epochs=8000)
SMOKE = Scale(epochs=30, widths=(4, 3, 2), every=8, num_recorded=5)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, FULL),
        ({"smoke": True}, SMOKE),
        ({"epochs": 7}, Scale(epochs=7)),
        ({"smoke": True, "epochs": 7}, Scale(7, (4, 3, 2), 8, 5)),
    ],
)
def test_the_command_line_chooses_the_scale_and_may_set_its_epochs(options, expected):
    assert scale_of(LabConfig(**options), FULL, SMOKE) == expected


def test_options_of_training_leave_the_papers_network_where_no_widths_are_given():
    assert FULL.training == {"num_epochs": 8000}
    assert TrainConfig(**FULL.training).widths == (10, 7, 5, 4, 3, 2)
    assert TrainConfig(**SMOKE.training).widths == (4, 3, 2)


def test_the_task_has_every_word_or_some():
    assert FULL.task.num_samples == 4096
    assert SMOKE.task.num_samples == 512


def test_recorded_epochs_grow_from_the_first_to_the_last_without_repeats():
    for scale in (FULL, SMOKE, Scale(epochs=1)):
        recorded = scale.recorded
        assert (recorded[0], recorded[-1]) == (1, scale.epochs)
        assert (np.diff(recorded) > 0).all()
        assert len(recorded) <= scale.num_recorded
    np.testing.assert_array_equal(SMOKE.recorded, [1, 2, 5, 12, 30])
