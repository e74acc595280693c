"""Tasks, training and options shared by the experiments on "Revisiting the Information Plane" (2019)."""

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from experiments.lab.command import LabConfig
from experiments.lab.tasks import Task, symmetric
from experiments.lab.training import Arm, train
from experiments.lab.two_passes import TwoPassRecord
from ibjax.analysis.records import PlaneRecord
from ibjax.datasets import mnist, revisiting_split, select_classes
from ibjax.datasets.splits import hold_out, num_fitted_samples, num_training_samples
from ibjax.losses import cross_entropy
from ibjax.mi.conventions import is_bounded
from ibjax.models import MLP
from ibjax.presets import preset, revisiting_estimators
from ibjax.training import TrainConfig, log_spaced_epochs, make_model
from ibjax.types import ArrayLike, PyTree, Record, Samples, Split, Variable

__all__ = [
    "BINNING",
    "BIN_WIDTH",
    "EDGES",
    "NUM_FIRST",
    "RevisitingConfig",
    "activation_trainings",
    "binned_plane",
    "dataset_arms",
    "measured_with_limits",
    "mixed_trainings",
    "provenance",
    "recorded_with_stops",
    "revisiting_training",
    "run_text",
    "stop_positions",
    "stopping_epochs",
    "validation_losses",
]

# The paper's classes of MNIST, and the samples per class; 900 if only the test images are at hand.
CLASSES, PER_CLASS = (1, 3, 8), {"train": 1000, "test": 900}

# The paper's code uses Adam, as the preset does; its text plain SGD, here at the preset "paper"'s rate.
OPTIMIZERS = {"adam": {}, "sgd": {"optimizer": "sgd", "learning_rate": 0.1}}

FULL_EPOCHS, SMOKE_EPOCHS = 8000, 8

# Numbers of first and later hidden layers in a mix, and the bins of experiments with one bin width.
NUM_FIRST, NUM_LATER = 2, 3
BIN_WIDTH = 0.07
EDGES = (
    "whole bins over the activation's range: tanh [-1, 1], softmax [0, 1], relu from 0 to the network's "
    "largest activation of all recorded epochs, leaky_relu from its smallest"
)
BINNING = f"bins of {BIN_WIDTH}, edges by activation"

# Samples of a smoke run: every 8th word, and the number of images per class.
SMOKE_STEP, SMOKE_PER_CLASS = 8, 30


@dataclasses.dataclass(frozen=True)
class RevisitingConfig(LabConfig):
    """Options of the experiments on "Revisiting the Information Plane"."""

    optimizer: Literal["adam", "sgd"] = "adam"
    """Adam at a rate of 4e-4 as in the paper's code, or SGD as in its text, at 0.1."""
    datasets: tuple[Literal["symmetric", "mnist"], ...] = ("symmetric",)
    """The 12-bit symmetric task, MNIST's classes 1, 3 and 8, or both."""
    paper_split: bool = False
    """The paper's one split of the symmetric task for all seeds, instead of a random one for each."""
    train_split: Literal["train", "test"] = "train"
    """MNIST images to use: 1000 of each class of the training images, or 900 of the test images."""
    data: Path | None = None
    """Folder of MNIST's IDX files, gzipped or plain; without it they are downloaded once."""

    def __post_init__(self):
        super().__post_init__()
        if not self.datasets or len(set(self.datasets)) < len(self.datasets):
            raise ValueError(f"datasets: expected one or more, each once, got {self.datasets}")
        if self.paper_split and self.datasets != ("symmetric",):
            raise ValueError(
                f"paper_split: expected with the symmetric task alone, got it with {self.datasets}"
            )

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
        task: task that determines the output layer and the split.
        activation: activation of the hidden layers, or one name for each.
        hidden: widths of the hidden layers.
        smoke_hidden: hidden widths in a smoke run, small because it mostly compiles, layer by layer.
    """
    options = preset("revisiting").training | OPTIMIZERS[config.optimizer] | task.split
    num_train = len(revisiting_split().train)
    if not config.paper_split:
        num_train = num_training_samples(task.num_samples, options["train_fraction"])
    num_fitted = num_fitted_samples(num_train, options["validation_fraction"])
    options |= {
        "widths": (*(smoke_hidden if config.smoke else hidden), task.num_classes),
        "activation": activation,
        "batch_size": min(options["batch_size"], num_fitted),
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
    return {
        "preset": preset("revisiting").source,
        "optimizer": config.optimizer,
        "split": "the paper's split" if config.paper_split else "random splits",
    }


def run_text(results: xr.Dataset) -> str:
    """Return seeds, optimizer and split for the titles of figures."""
    return f"{results.sizes['seed']} seeds, {results.optimizer}, {results.split}"


def measured_with_limits(training: TrainConfig, record_of: Callable[[Any], Record]) -> Record:
    """Return a record whose bins end at the network's activations of all recorded epochs.

    Args:
        training: training configuration.
        record_of: function from limits of the hidden layers' activations, or None, to the record, as in
            ``TwoPassRecord``. Networks of bounded activations alone need no second pass.
    """
    if all(map(is_bounded, training.activations)):
        return record_of(None)
    return TwoPassRecord(make_model(training), record_of)


def binned_plane(_: Task, training: TrainConfig) -> Record:
    """Return the record of the training samples' plane, with bins of ``BIN_WIDTH`` by activation."""
    return measured_with_limits(
        training,
        lambda limits: PlaneRecord(
            make_model(training),
            revisiting_estimators(training.activations, BIN_WIDTH, limits),
            rows="train",
            validation_fraction=training.validation_fraction,
        ),
    )


@dataclasses.dataclass(frozen=True)
class ValidationLossRecord(Record):
    """Record of ``validation_loss``, the mean cross-entropy of the rows held out, nats.

    Args:
        model: the network.
        validation_fraction: fraction of the training rows held out.
    """

    model: MLP
    validation_fraction: float

    def __call__(self, params: PyTree, data: Samples, split: Split) -> dict[str, Any]:
        _, rows = hold_out(split.train, self.validation_fraction)
        logits, _ = self.model.apply(params, data.x[rows].T, method="feature_major")
        return {"validation_loss": cross_entropy(logits, data.y[rows]).mean()}

    @property
    def variables(self) -> dict[str, Variable]:
        """Description of the recorded variable."""
        return {"validation_loss": Variable((), "nats", "validation cross-entropy")}

    def __str__(self) -> str:
        return "validation loss"


def validation_losses(
    config: RevisitingConfig,
    arms: Mapping[tuple[str, ...], Arm],
    *,
    factors: tuple[str, ...],
    source: str,
    folder: Path | None = None,
) -> xr.DataArray:
    """Train every arm and return its validation loss after every epoch, (*factors, seed, epoch), nats.

    Training again with other records gives the same networks, so that these losses tell beforehand which
    epochs to record.

    Args:
        config: options from the command line.
        arms: arms for ``train``; their records are not used.
        factors: names of the leading dimensions.
        source: source for ``train``.
        folder: folder for checkpoints, or None.
    """
    loss_arms = {
        levels: arm._replace(
            record=ValidationLossRecord(make_model(arm.training), arm.training.validation_fraction)
        )
        for levels, arm in arms.items()
    }
    losses = train(
        config,
        loss_arms,
        factors=factors,
        source=source,
        schedule=np.arange(config.num_epochs + 1),
        folder=folder and folder / "losses",
        derive=lambda levels, arm: arm.assign_coords(num_layers=((), len(arms[levels].training.widths))),
    )
    return losses.validation_loss


def stopping_epochs(
    losses: xr.DataArray, rule: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> xr.DataArray:
    """Return the epochs at which training stops by a rule, (factors..., seed); -1 for diverged seeds.

    Args:
        losses: validation losses (factors..., seed, epoch) after every epoch. That of the untrained
            network does not count.
        rule: function of (seed, epoch) losses and (epoch,) epochs that returns (seed,) positions on the
            axis of epochs, -1 for none, as those of ``ibjax.analysis.stopping``.
    """
    trained = losses.isel(epoch=losses.epoch > 0).transpose(..., "seed", "epoch")
    epochs = trained.epoch.values
    positions = rule(trained.values.reshape(-1, len(epochs)), epochs)
    stops = np.where(positions >= 0, epochs[positions], -1).reshape(trained.shape[:-1])
    attrs = {"units": "epochs", "long_name": "epoch at which training stops; -1: diverged"}
    return trained.isel(epoch=0, drop=True).copy(data=stops).drop_attrs().assign_attrs(attrs)


def stop_positions(arm: xr.Dataset, stops: np.ndarray) -> np.ndarray:
    """Return epochs of stops as positions on the axis of epochs, which has them all; -1 for none."""
    return np.where(stops >= 0, np.searchsorted(arm.epoch.values, stops), -1)


def recorded_with_stops(num_epochs: int, stops: ArrayLike) -> np.ndarray:
    """Return log-spaced epochs and those at which networks stop, for ``fit``."""
    stops = np.asarray(stops)
    return np.union1d(log_spaced_epochs(num_epochs), stops[stops >= 0])


def _symmetric(config: RevisitingConfig) -> Task:
    if config.paper_split:
        return symmetric()._replace(split={"split": "revisiting"})
    task = symmetric(SMOKE_STEP if config.smoke else 1)
    return task._replace(split={"train_fraction": preset("revisiting").training["train_fraction"]})


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
