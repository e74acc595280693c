"""Tasks, training and options shared by the experiments on "Revisiting the Information Plane" (2019)."""

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from experiments.lab.command import LabConfig
from experiments.lab.tasks import Task, symmetric
from experiments.lab.training import Arm
from ibjax.analysis.records import PlaneRecord
from ibjax.datasets import mnist, select_classes
from ibjax.datasets.splits import num_training_samples
from ibjax.presets import preset, revisiting_estimators
from ibjax.training import TrainConfig, log_spaced_epochs, make_model
from ibjax.types import Record

__all__ = [
    "BINNING",
    "BIN_WIDTH",
    "EDGES",
    "NUM_FIRST",
    "RevisitingConfig",
    "activation_trainings",
    "binned_plane",
    "dataset_arms",
    "mixed_trainings",
    "provenance",
    "revisiting_training",
    "stopping_epochs",
]

# The paper's classes of MNIST, and the samples per class; 900 if only the test images are at hand.
CLASSES, PER_CLASS = (1, 3, 8), {"train": 1000, "test": 900}

# The paper's code uses Adam, as the preset does; its text plain SGD, here at the preset "paper"'s rate.
OPTIMIZERS = {"adam": {}, "sgd": {"optimizer": "sgd", "learning_rate": 0.1}}

FULL_EPOCHS, SMOKE_EPOCHS = 8000, 8

# Numbers of first and later hidden layers in a mix, and the bins of experiments with one bin width.
NUM_FIRST, NUM_LATER = 2, 3
BIN_WIDTH = 0.07
EDGES = "edges by activation: tanh [-1, 1], softmax [0, 1], relu from 0 without end"
BINNING = f"bins of {BIN_WIDTH}, edges by activation"

# Largest number of epochs between records: the resolution of early stopping.
STEP = 25

# Samples of a smoke run: every 8th word, and the number of images per class.
SMOKE_STEP, SMOKE_PER_CLASS = 8, 30


@dataclasses.dataclass(frozen=True)
class RevisitingConfig(LabConfig):
    """Options of the experiments on "Revisiting the Information Plane"."""

    optimizer: Literal["adam", "sgd"] = "adam"
    """Adam at a rate of 4e-4 as in the paper's code, or SGD as in its text, at 0.1."""
    datasets: tuple[Literal["symmetric", "mnist"], ...] = ("symmetric",)
    """The 12-bit symmetric task, MNIST's classes 1, 3 and 8, or both."""
    train_split: Literal["train", "test"] = "train"
    """MNIST images to use: 1000 of each class of the training images, or 900 of the test images."""
    data: Path | None = None
    """Folder of MNIST's IDX files, gzipped or plain; without it they are downloaded once."""

    def __post_init__(self):
        super().__post_init__()
        if not self.datasets or len(set(self.datasets)) < len(self.datasets):
            raise ValueError(f"datasets: expected one or more, each once, got {self.datasets}")

    @property
    def cpu_lanes(self) -> int:
        """Number of networks per compiled program on a CPU.

        It is 1 with MNIST: XLA's products of 784 inputs are three times slower for several networks at
        once than one by one.
        """
        return 1 if "mnist" in self.datasets else super().cpu_lanes

    @property
    def num_epochs(self) -> int:
        """Number of training epochs."""
        return self.epochs or (SMOKE_EPOCHS if self.smoke else FULL_EPOCHS)


def revisiting_training(
    config: RevisitingConfig,
    task: Task,
    *,
    activation: str | tuple[str, ...] = "tanh",
    hidden: tuple[int, ...] = (10, 7, 5, 4, 3),
    smoke_hidden: tuple[int, ...] = (4, 3),
) -> TrainConfig:
    """Return the training of the preset "revisiting", few epochs of a small network in a smoke run.

    Args:
        config: options from the command line.
        task: task that determines the output layer and the fraction of samples to train on.
        activation: activation of the hidden layers, or one name for each.
        hidden: widths of the hidden layers.
        smoke_hidden: hidden widths in a smoke run, small because it mostly compiles, layer by layer.
    """
    num_train = num_training_samples(task.num_samples, task.split["train_fraction"])
    options = preset("revisiting").training | OPTIMIZERS[config.optimizer] | task.split
    options |= {
        "widths": (*(smoke_hidden if config.smoke else hidden), task.num_classes),
        "activation": activation,
        "batch_size": min(options["batch_size"], num_train),
        "num_epochs": config.num_epochs,
    }
    return TrainConfig(**options)


def activation_trainings(
    config: RevisitingConfig, activations: Sequence[str]
) -> Callable[[Task], dict[tuple[str, ...], TrainConfig]]:
    """Return, for ``dataset_arms``, the paper's network with each activation in all hidden layers."""
    return lambda task: {
        (name,): revisiting_training(config, task, activation=name) for name in activations
    }


def mixed_trainings(
    config: RevisitingConfig, levels: Sequence[str]
) -> Callable[[Task], dict[tuple[str, ...], TrainConfig]]:
    """Return, for ``dataset_arms``, the paper's mixes by the first and the later layers' activation."""
    return lambda task: {
        (first, later): revisiting_training(
            config,
            task,
            activation=(first,) * NUM_FIRST + (later,) * NUM_LATER,
            smoke_hidden=(5, 4, 4, 3, 3),
        )
        for first, later in itertools.product(levels, levels)
    }


def dataset_arms(
    config: RevisitingConfig,
    trainings_of: Callable[[Task], Mapping[tuple[str, ...], TrainConfig]],
    record_of: Callable[[Task, TrainConfig], Record],
) -> dict[tuple[str, ...], Arm]:
    """Return arms for ``train`` whose first factor is the dataset.

    Args:
        config: options from the command line.
        trainings_of: function from a task to the training configurations by their levels.
        record_of: function from a task and a training configuration to the arm's record.
    """
    return {
        (task.name, *levels): Arm(training, task, record_of(task, training))
        for task in (TASKS[name](config) for name in config.datasets)
        for levels, training in trainings_of(task).items()
    }


def provenance(config: RevisitingConfig) -> dict[str, Any]:
    """Return the attributes, for ``train``, that all results of these experiments have."""
    return {"preset": preset("revisiting").source, "optimizer": config.optimizer}


def stopping_epochs(num_epochs: int) -> np.ndarray:
    """Return recorded epochs for early stopping: log-spaced ones and every 25th."""
    return np.union1d(log_spaced_epochs(num_epochs), np.arange(0, num_epochs, STEP))


def binned_plane(_: Task, training: TrainConfig) -> Record:
    """Return a ``PlaneRecord`` of the training samples, with bins of ``BIN_WIDTH`` by activation."""
    estimators = revisiting_estimators(training.activations, BIN_WIDTH)
    return PlaneRecord(make_model(training), estimators, rows="train")


def _symmetric(config: RevisitingConfig) -> Task:
    fraction = preset("revisiting").training["train_fraction"]
    task = symmetric(SMOKE_STEP if config.smoke else 1)
    return task._replace(split={"train_fraction": fraction})


def _mnist(config: RevisitingConfig) -> Task:
    count = SMOKE_PER_CLASS if config.smoke else PER_CLASS[config.train_split]
    data = select_classes(mnist(config.train_split, folder=config.data), CLASSES, count)
    text = (
        f"ibjax.datasets.mnist(): the first {count} {config.train_split} images of each of the "
        f"classes {', '.join(map(str, CLASSES))}"
    )
    return Task(
        "mnist",
        data,
        len(CLASSES),
        len(data.y),
        text,
        # Half of the samples are used for training and measured: H(X) = log2 1500 = 10.55 bits.
        split={"train_fraction": 0.5},
        one_by_one=True,
    )


TASKS = {"symmetric": _symmetric, "mnist": _mnist}
