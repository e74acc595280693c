"""Tasks, training and options shared by the experiments on "Revisiting the Information Plane" (2019)."""

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

# The paper's classes of MNIST, and the samples per class; 900 if only the test images are at hand.
CLASSES, PER_CLASS = (1, 3, 8), {"train": 1000, "test": 900}

# The paper's code uses Adam, as the preset does; its text plain SGD, here at the preset "paper"'s rate.
OPTIMIZERS = {"adam": {}, "sgd": {"optimizer": "sgd", "learning_rate": 0.1}}

FULL_EPOCHS, SMOKE_EPOCHS = 8000, 8

# Numbers of first and later hidden layers in a mix, and the bins of experiments with one bin width.
NUM_FIRST, NUM_LATER = 2, 3
BIN_WIDTH = 0.07
EDGES = "edges by activation: tanh [-1, 1], softmax [0, 1], relu from 0 without end"
BINNING = {
    "estimator": f"revisiting_binned_mi(bin_width={BIN_WIDTH})",
    "binning": f"bins of {BIN_WIDTH}, edges by activation",
}

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


class Task(NamedTuple):
    """A task for networks to learn.

    Attributes:
        name: "symmetric" or "mnist".
        data: all samples.
        num_classes: number of classes.
        train_fraction: fraction of samples used for training, on which information is measured.
        description: description for provenance.
    """

    name: str
    data: Dataset
    num_classes: int
    train_fraction: float
    description: str


class Trained(NamedTuple):
    """A trained arm of an experiment: its task, training configuration and history."""

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
    """Return the training of the preset "revisiting", few epochs of a small network in a smoke run.

    Args:
        config: options from the command line.
        task: task that determines the output layer and the fraction of samples to train on.
        activation: activation of the hidden layers, or one name for each.
        hidden: widths of the hidden layers.
        smoke_hidden: hidden widths in a smoke run, small because it mostly compiles, layer by layer.
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
    """Return arms for ``train_tasks``: the paper's network with each activation in all hidden layers."""
    return lambda task: {
        (name,): revisiting_training(config, task, activation=name) for name in activations
    }


def mixed_arms(
    config: RevisitingConfig, levels: Sequence[str]
) -> Callable[[Task], dict[tuple[str, ...], TrainConfig]]:
    """Return the paper's mixes for ``train_tasks``, by the first and the later layers' activation."""
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
    """Return recorded epochs for early stopping: log-spaced ones and every 25th."""
    return np.union1d(log_spaced_epochs(num_epochs), np.arange(0, num_epochs, STEP))


def binned_plane(task: Task, training: TrainConfig) -> Record:
    """Return a ``plane_record`` of the training samples, with bins of ``BIN_WIDTH`` by activation."""
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
    """Train and record every arm on every dataset, with a live bar; return them by (dataset, *arm).

    Args:
        config: options from the command line.
        arms_of: function from a task to the training configuration of each arm.
        record_of: function from a task and configuration to the arm's record function.
        folder: folder for checkpoints, or None.
        schedule: schedule for ``fit``.
        options: further options for ``fit``.
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
    """Provenance of the results, with the number of measured samples of each dataset."""
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
    # Half of the samples are used for training and measured: H(X) = log2 1500 = 10.55 bits.
    return Task("mnist", data, len(CLASSES), 0.5, text)


TASKS = {"symmetric": _symmetric, "mnist": _mnist}
