"""What the experiments on "Revisiting the Information Plane" (2019) share: tasks, training, options."""

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from experiments.lab.command import LabConfig
from experiments.lab.progress import progress_bar
from ibjax.analysis.records import plane_record
from ibjax.datasets import mnist, select_classes, symmetric_task
from ibjax.datasets.splits import num_training_samples
from ibjax.presets import preset, revisiting_estimators
from ibjax.results import environment
from ibjax.training import TrainConfig, fit, log_spaced_epochs, make_model
from ibjax.types import ArrayLike, Dataset, History, Record

__all__ = [
    "BINNING",
    "BIN_WIDTH",
    "EDGES",
    "NUM_FIRST",
    "RevisitingConfig",
    "Task",
    "Trained",
    "activation_arms",
    "binned_plane",
    "mixed_arms",
    "revisiting_attributes",
    "revisiting_training",
    "stopping_epochs",
    "train_tasks",
]

# Of MNIST: the paper's classes, and samples of each; 900 where only the test images are at hand.
CLASSES, PER_CLASS = (1, 3, 8), {"train": 1000, "test": 900}

# The text's plain SGD at the rate of the preset "paper"; the code's Adam is the preset's.
OPTIMIZERS = {"adam": {}, "sgd": {"optimizer": "sgd", "learning_rate": 0.1}}

FULL_EPOCHS, SMOKE_EPOCHS = 8000, 8

# Hidden layers of a mix, and the bins where an experiment has one width.
NUM_FIRST, NUM_LATER = 2, 3
BIN_WIDTH = 0.07
EDGES = "edges by activation: tanh [-1, 1], softmax [0, 1], relu from 0 without end"
BINNING = {
    "estimator": f"revisiting_binned_mi(bin_width={BIN_WIDTH})",
    "binning": f"bins of {BIN_WIDTH}, edges by activation",
}

# Epochs between records, at most: what early stopping can tell apart.
STEP = 25

# A smoke run's samples: every 8th word; of each class.
SMOKE_STEP, SMOKE_PER_CLASS = 8, 30


@dataclasses.dataclass(frozen=True)
class RevisitingConfig(LabConfig):
    """Options of the experiments on "Revisiting the Information Plane"."""

    optimizer: Literal["adam", "sgd"] = "adam"
    """Adam at a rate of 4e-4 as in the paper's code, or SGD as in its text, at 0.1."""
    datasets: tuple[Literal["symmetric", "mnist"], ...] = ("symmetric",)
    """The 12-bit symmetric task, MNIST's classes 1, 3 and 8, or both."""
    train_split: Literal["train", "test"] = "train"
    """Of MNIST: images to draw from, 1000 of each class; 900 of each of the test images."""
    data: Path | None = None
    """Folder of MNIST's IDX files, gzipped or plain; without it they are downloaded once."""

    def __post_init__(self):
        super().__post_init__()
        if not self.datasets or len(set(self.datasets)) < len(self.datasets):
            raise ValueError(f"datasets: expected one or more, each once, got {self.datasets}")

    @property
    def cpu_lanes(self) -> int:
        """Networks that a program runs on a CPU: XLA's products of 784 inputs are three times slower for
        several at once than one by one."""
        return 1 if "mnist" in self.datasets else super().cpu_lanes

    @property
    def num_epochs(self) -> int:
        """Of training."""
        return self.epochs or (SMOKE_EPOCHS if self.smoke else FULL_EPOCHS)


class Task(NamedTuple):
    """What networks learn.

    Attributes:
        name: "symmetric" or "mnist".
        data: all samples.
        num_classes: of the labels.
        train_fraction: of the samples, for training; information is measured on these.
        description: in words.
    """

    name: str
    data: Dataset
    num_classes: int
    train_fraction: float
    description: str


class Trained(NamedTuple):
    """An arm of an experiment: how its networks were trained, on what, and their history."""

    task: Task
    training: TrainConfig
    history: History


def revisiting_training(
    config: RevisitingConfig,
    task: Task,
    *,
    activation: str | tuple[str, ...] = "tanh",
    hidden: tuple[int, ...] = (10, 7, 5, 4, 3),
    smoke_hidden: tuple[int, ...] = (4, 3),
) -> TrainConfig:
    """Training by the preset "revisiting" at full scale; of a smoke run, few epochs of a small network.

    Args:
        config: of the command line.
        task: gives the output layer and the share of samples to train on.
        activation: of the hidden layers.
        hidden: their widths.
        smoke_hidden: widths of its network, since most of its time is compilation, layer by layer.
    """
    num_train = num_training_samples(len(task.data.y), task.train_fraction)
    options = preset("revisiting").training | OPTIMIZERS[config.optimizer]
    options |= {
        "widths": (*(smoke_hidden if config.smoke else hidden), task.num_classes),
        "activation": activation,
        "train_fraction": task.train_fraction,
        "batch_size": min(options["batch_size"], num_train),
        "num_epochs": config.num_epochs,
    }
    return TrainConfig(**options)


def activation_arms(
    config: RevisitingConfig, activations: Sequence[str]
) -> Callable[[Task], dict[tuple[str, ...], TrainConfig]]:
    """The paper's network with each of the activations in all hidden layers, for ``train_tasks``."""
    return lambda task: {
        (name,): revisiting_training(config, task, activation=name) for name in activations
    }


def mixed_arms(
    config: RevisitingConfig, levels: Sequence[str]
) -> Callable[[Task], dict[tuple[str, ...], TrainConfig]]:
    """The paper's mixes: by (activation of the first layers, of the later ones), for ``train_tasks``."""
    return lambda task: {
        (first, later): revisiting_training(
            config,
            task,
            activation=(first,) * NUM_FIRST + (later,) * NUM_LATER,
            smoke_hidden=(5, 4, 4, 3, 3),
        )
        for first, later in itertools.product(levels, levels)
    }


def stopping_epochs(num_epochs: int) -> np.ndarray:
    """Recorded epochs that early stopping can read: on a log scale, and every 25."""
    return np.union1d(log_spaced_epochs(num_epochs), np.arange(0, num_epochs, STEP))


def binned_plane(task: Task, training: TrainConfig) -> Record:
    """``plane_record`` of the training samples in bins of ``BIN_WIDTH``, with edges by activation."""
    estimators = revisiting_estimators(training.activations, BIN_WIDTH)
    return plane_record(make_model(training), estimators, rows="train")


def train_tasks(
    config: RevisitingConfig,
    arms_of: Callable[[Task], Mapping[tuple[str, ...], TrainConfig]],
    record_of: Callable[[Task, TrainConfig], Record],
    *,
    folder: Path | None,
    schedule: str | ArrayLike = "log",
    **options: Any,
) -> dict[tuple[str, ...], Trained]:
    """Train and record every arm on every dataset, with a live bar; by (dataset, *arm).

    Args:
        config: of the command line.
        arms_of: how each arm of a task trains.
        record_of: the record function of an arm.
        folder: of the checkpoints, if given.
        schedule: of ``fit``.
        options: of ``fit``.
    """
    arms = {
        (task.name, *key): (task, training)
        for task in (TASKS[name](config) for name in config.datasets)
        for key, training in arms_of(task).items()
    }
    found = {}
    cpu = jax.default_backend() == "cpu"
    with progress_bar(len(arms)) as on_advance_of:
        for key, (task, training) in arms.items():
            one_by_one = cpu and task.name == "mnist"
            history = fit(
                training,
                task.data,
                record=record_of(task, training),
                schedule=schedule,
                on_advance=on_advance_of(" ".join(key)),
                **({"lanes": 1} if one_by_one else {}),
                **config.fit_options(folder, "_".join(key)),
                **options,
            )
            found[key] = Trained(task, training, history)
    return found


def revisiting_attributes(
    config: RevisitingConfig, name: str, trained: Mapping[tuple[str, ...], Trained], source: str
) -> dict[str, Any]:
    """What the results rest on; the number of measured samples is an attribute for each dataset."""
    tasks = {one.task.name: one.task for one in trained.values()}
    return {
        "experiment": name,
        "source": source,
        "preset": preset("revisiting").source,
        "optimizer": config.optimizer,
        **{f"dataset_{name}": task.description for name, task in tasks.items()},
        **{
            f"num_samples_{name}": num_training_samples(len(task.data.y), task.train_fraction)
            for name, task in tasks.items()
        },
        "measured_on": "the training samples",
        "noise_variance": 0.0,
        "seed": config.seed,
        **environment(),
    }


def _symmetric(config: RevisitingConfig) -> Task:
    data = symmetric_task()
    text = "ibjax.datasets.symmetric_task(): 4096 binary words, hard labels"
    if config.smoke:
        data = Dataset(data.x[::SMOKE_STEP], data.y[::SMOKE_STEP])
        text += f"; every {SMOKE_STEP}th"
    return Task("symmetric", data, 2, preset("revisiting").training["train_fraction"], text)


def _mnist(config: RevisitingConfig) -> Task:
    count = SMOKE_PER_CLASS if config.smoke else PER_CLASS[config.train_split]
    data = select_classes(mnist(config.train_split, folder=config.data), CLASSES, count)
    text = (
        f"ibjax.datasets.mnist(): the first {count} {config.train_split} images of each of the "
        f"classes {', '.join(map(str, CLASSES))}"
    )
    # Measured on half of the samples: H(X) = log2 1500 = 10.55 bits.
    return Task("mnist", data, len(CLASSES), 0.5, text)


TASKS = {"symmetric": _symmetric, "mnist": _mnist}
