"""The tasks of "Revisiting", and their training."""

import numpy as np
import pytest

from experiments.lab import train
from experiments.lab.revisiting import (
    RevisitingConfig,
    activation_trainings,
    binned_plane,
    dataset_arms,
    mixed_trainings,
    provenance,
    stopping_epochs,
)
from tests.datasets.idx_files import write_mnist


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    write_mnist(folder, {"test": 600})
    return folder


def arms_of(config, activations=("relu",)):
    return dataset_arms(config, activation_trainings(config, activations), binned_plane)


@pytest.mark.slow
def test_every_dataset_has_its_outputs_and_its_share_of_training_samples(digits):
    config = RevisitingConfig(
        smoke=True, seeds=2, epochs=1, datasets=("symmetric", "mnist"), train_split="test", data=digits
    )
    arms = arms_of(config)
    assert list(arms) == [("symmetric", "relu"), ("mnist", "relu")]
    symmetric, mnist = arms.values()
    assert symmetric.training.widths == (4, 3, 2)
    assert mnist.training.widths == (4, 3, 3)
    assert (symmetric.training.batch_size, mnist.training.batch_size) == (256, 45)
    assert (symmetric.task.one_by_one, mnist.task.one_by_one) == (False, True)
    assert sorted(np.unique(mnist.task.data.y)) == [0, 1, 2]
    results = train(
        config,
        arms,
        factors=("dataset", "activation"),
        source="source",
        schedule=[0],
        **provenance(config),
    )
    assert np.isfinite(results.ixt.sel(dataset="mnist")).all()
    assert results.num_samples_symmetric == round(512 * 3276 / 4096)
    assert results.num_samples_mnist == 45
    assert "classes 1, 3, 8" in results.dataset_mnist
    assert results.measured_on == "the training samples"
    assert results.optimizer == "adam"


def test_full_scale_is_the_papers():
    config = RevisitingConfig()
    assert len(config.seed_range) == 50
    assert config.datasets == ("symmetric",)
    (arm,) = arms_of(config).values()
    training = arm.training
    assert training.widths == (10, 7, 5, 4, 3, 2)
    assert (training.optimizer, training.learning_rate, training.init) == ("adam", 4e-4, "fan_out")
    assert (training.batch_size, training.num_epochs) == (256, 8000)
    assert arm.task.num_samples == 4096
    assert arm.record.rows == "train"


def test_the_texts_optimizer_is_an_option():
    (arm,) = arms_of(RevisitingConfig(optimizer="sgd")).values()
    assert (arm.training.optimizer, arm.training.learning_rate) == ("sgd", 0.1)


def test_mixes_have_an_activation_for_the_first_and_one_for_later_layers():
    config = RevisitingConfig(smoke=True)
    arms = dataset_arms(config, mixed_trainings(config, ("tanh", "relu")), binned_plane)
    assert len(arms) == 4
    mixed = arms["symmetric", "relu", "tanh"].training
    assert mixed.activations == ("relu", "relu", "tanh", "tanh", "tanh")
    assert len(mixed.widths) == 6


def test_stopping_can_be_read_every_25_epochs():
    epochs = stopping_epochs(8000)
    assert (epochs[0], epochs[-1]) == (0, 8000)
    assert np.diff(epochs).max() == 25


@pytest.mark.parametrize("datasets", [(), ("symmetric", "symmetric")])
def test_datasets_are_one_or_more_each_once(datasets):
    with pytest.raises(ValueError, match="datasets: expected one or more, each once"):
        RevisitingConfig(datasets=datasets)
