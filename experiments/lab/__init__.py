"""Code shared by the experiments: command line, training of arms, tables."""

from experiments.lab.command import LabConfig, main
from experiments.lab.scale import Scale, scale_of
from experiments.lab.sweeping import train_grid
from experiments.lab.tables import (
    Table,
    compresses_note,
    interval_cells,
    interval_text,
    layer_rows,
    levels_of,
    seeds_table,
    table_of,
    table_of_rows,
)
from experiments.lab.tasks import Task, symmetric, teacher
from experiments.lab.training import Arm, train

__all__ = [
    "Arm",
    "LabConfig",
    "Scale",
    "Table",
    "Task",
    "compresses_note",
    "interval_cells",
    "interval_text",
    "layer_rows",
    "levels_of",
    "main",
    "scale_of",
    "seeds_table",
    "symmetric",
    "table_of",
    "table_of_rows",
    "teacher",
    "train",
    "train_grid",
]
