"""Tasks: the words of the symmetric one, and what is said of the samples measured."""

import jax
import numpy as np
import pytest

from experiments.lab import Task, symmetric, teacher
from ibjax.datasets import linear_teacher, symmetric_task
from ibjax.training import TrainConfig


def test_the_symmetric_task_is_the_library_s():
    task, data = symmetric(), symmetric_task()
    np.testing.assert_array_equal(task.data.x, data.x)
    np.testing.assert_array_equal(task.data.y, data.y)
    assert (task.name, task.num_classes, task.num_samples) == ("symmetric", 2, 4096)
    assert task.description == "ibjax.datasets.symmetric_task(): 4096 binary words, hard labels"
    assert task.draw_labels is None
    assert not task.one_by_one


def test_every_eighth_word_is_said_to_be_one():
    task, data = symmetric(every=8), symmetric_task()
    np.testing.assert_array_equal(task.data.x, data.x[::8])
    np.testing.assert_array_equal(task.data.y, data.y[::8])
    assert task.num_samples == 512
    assert task.description.endswith("hard labels; every 8th")


def test_labels_that_are_drawn_are_described():
    def draw(key):
        raise NotImplementedError

    task = symmetric(labels="soft labels", draw_labels=draw)
    assert task.description.endswith("4096 binary words, soft labels")
    assert task.draw_labels is draw


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("all", ("all 10 inputs", 10)),
        ("train", ("the training samples", 8)),
        ("test", ("the test samples", 2)),
        ("none", ("no samples: exact", 10)),
    ],
)
def test_samples_measured_are_counted_and_named(rows, expected):
    task = Task("numbers", None, 2, 10, "ten numbers")
    assert task.measured(TrainConfig(train_fraction=0.8), rows) == expected


def test_a_teachers_task_draws_as_the_library_does():
    task, key = teacher(8, snr=2.0, num_inputs=5), jax.random.key(0)
    drawn, expected = task.data(key), linear_teacher(key, num_samples=8, snr=2.0, num_inputs=5)
    jax.tree.map(np.testing.assert_array_equal, drawn, expected)
    assert task.num_samples == len(drawn.y) == 8
    text = "ibjax.datasets.linear_teacher(num_samples=8, snr=2, num_inputs=5)"
    assert task.description == text
