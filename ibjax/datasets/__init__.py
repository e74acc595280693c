"""Datasets of the information-bottleneck debate, and splits of their rows."""

from ibjax.datasets.linear_teacher import linear_teacher
from ibjax.datasets.mnist import mnist
from ibjax.datasets.splits import (
    all_rows_split,
    first_rows_split,
    random_split,
    revisiting_split,
)
from ibjax.datasets.subsets import select_classes
from ibjax.datasets.symmetric import (
    draw_labels,
    permute_labels,
    soft_label_probability,
    symmetric_task,
)

__all__ = [
    "all_rows_split",
    "draw_labels",
    "first_rows_split",
    "linear_teacher",
    "mnist",
    "permute_labels",
    "random_split",
    "revisiting_split",
    "select_classes",
    "soft_label_probability",
    "symmetric_task",
]
