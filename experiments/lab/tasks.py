"""Tasks for networks to learn: data, split and a description in words."""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

from ibjax.datasets import symmetric_task
from ibjax.datasets.linear_teacher import linear_teacher
from ibjax.training import TrainConfig
from ibjax.training.data import DrawLabels, num_training_rows
from ibjax.types import LabelledSamples

__all__ = ["Task", "symmetric", "teacher"]


class Task(NamedTuple):
    """A task for networks to learn.

    Attributes:
        name: short name, such as "symmetric".
        data: all samples, or a function of a key that draws a seed's own.
        num_classes: number of classes.
        num_samples: number of samples.
        description: description in words, for provenance.
        split: options of ``TrainConfig`` that divide the samples into training and test samples.
        draw_labels: function of a key that draws a seed's labels; None for those of ``data``.
        one_by_one: whether a program on a CPU runs one network, since products of many inputs are
            several times slower for several networks at once than for one.
    """

    name: str
    data: Any
    num_classes: int
    num_samples: int
    description: str
    split: Mapping[str, Any] = {}
    draw_labels: DrawLabels | None = None
    one_by_one: bool = False

    def measured(self, training: TrainConfig, rows: str) -> tuple[str, int]:
        """Return a description and the number of the samples measured.

        Args:
            training: configuration that splits the samples.
            rows: "all", "train", "test" or "none", as a record says.
        """
        if rows == "none":
            return "no samples: exact", self.num_samples
        if rows == "all":
            return f"all {self.num_samples} inputs", self.num_samples
        num_train = num_training_rows(training, self.num_samples)
        count = num_train if rows == "train" else self.num_samples - num_train
        return f"the {'training' if rows == 'train' else 'test'} samples", count


def symmetric(
    every: int = 1, *, labels: str = "hard labels", draw_labels: DrawLabels | None = None
) -> Task:
    """Return the 12-bit symmetric task.

    Args:
        every: step through the words; 1 for all 4096 of them.
        labels: description of the labels.
        draw_labels: function of a key that draws a seed's labels; None for the task's own.
    """
    data = symmetric_task()
    text = f"ibjax.datasets.symmetric_task(): 4096 binary words, {labels}"
    if every > 1:
        data = LabelledSamples(data.x[::every], data.y[::every])
        text += f"; every {every}th"
    return Task("symmetric", data, 2, len(data.y), text, draw_labels=draw_labels)


def teacher(num_samples: int, **options: Any) -> Task:
    """Return the task of learning from a linear teacher, drawn for each seed together with its samples.

    Args:
        num_samples: number of training samples of a seed.
        **options: further options of ``linear_teacher``.
    """
    draw = functools.partial(linear_teacher, num_samples=num_samples, **options)
    settings = ", ".join(f"{name}={value:g}" for name, value in draw.keywords.items())
    return Task("linear_teacher", draw, 1, num_samples, f"ibjax.datasets.linear_teacher({settings})")
