"""Code shared by the experiments: command line, training of arms, tables."""

from experiments.lab.arms import paper_training, plane_attributes, train_arms
from experiments.lab.command import LabConfig, main
from experiments.lab.progress import progress_bar
from experiments.lab.revisiting import (
    BIN_WIDTH,
    BINNING,
    EDGES,
    NUM_FIRST,
    RevisitingConfig,
    Task,
    Trained,
    activation_arms,
    binned_plane,
    mixed_arms,
    revisiting_attributes,
    revisiting_training,
    stopping_epochs,
    train_tasks,
)
from experiments.lab.tables import Table, columns, interval_columns, interval_text, seeds_table, table_of

__all__ = [
    "BINNING",
    "BIN_WIDTH",
    "EDGES",
    "NUM_FIRST",
    "LabConfig",
    "RevisitingConfig",
    "Table",
    "Task",
    "Trained",
    "activation_arms",
    "binned_plane",
    "columns",
    "interval_columns",
    "interval_text",
    "main",
    "mixed_arms",
    "paper_training",
    "plane_attributes",
    "progress_bar",
    "revisiting_attributes",
    "revisiting_training",
    "seeds_table",
    "stopping_epochs",
    "table_of",
    "train_arms",
    "train_tasks",
]
