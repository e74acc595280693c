"""The tasks of "Revisiting", and their training."""

import numpy as np
import pytest

from experiments.lab import (
    RevisitingConfig,
    revisiting_attributes,
    revisiting_training,
    train_tasks,
)
from ibjax.analysis.records import plane_record
from ibjax.presets import revisiting_estimators
from ibjax.training import make_model
from tests.datasets.idx_files import write_mnist


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    write_mnist(folder, {"test": 600})
    return folder


def trained_on(config):
    return train_tasks(
        config,
        lambda task: {("relu",): revisiting_training(config, task, activation="relu")},
        lambda _, training: plane_record(
            make_model(training), revisiting_estimators(training.activations), rows="train"
        ),
        folder=None,
        schedule=[0],
    )


@pytest.mark.slow
def test_every_dataset_has_its_outputs_and_its_share_of_training_samples(digits):
    config = RevisitingConfig(
        smoke=True, seeds=2, epochs=1, datasets=("symmetric", "mnist"), train_split="test", data=digits
    )
    trained = trained_on(config)
    assert list(trained) == [("symmetric", "relu"), ("mnist", "relu")]
    symmetric, mnist = trained.values()
    assert symmetric.training.widths == (4, 3, 2)
    assert mnist.training.widths == (4, 3, 3)
    assert (symmetric.training.batch_size, mnist.training.batch_size) == (256, 45)
    assert np.isfinite(mnist.history.records["ixt"]).all()
    assert sorted(np.unique(mnist.task.data.y)) == [0, 1, 2]
    attributes = revisiting_attributes(config, "name", trained, "source")
    assert attributes["num_samples_symmetric"] == round(512 * 3276 / 4096)
    assert attributes["num_samples_mnist"] == 45
    assert "classes 1, 3, 8" in attributes["dataset_mnist"]


def test_full_scale_is_the_papers():
    config = RevisitingConfig()
    assert len(config.seed_range) == 50
    assert config.datasets == ("symmetric",)
    seen = []

    def arms_of(task):
        seen.append(revisiting_training(config, task))
        return {}

    train_tasks(config, arms_of, lambda task, training: None, folder=None)
    (training,) = seen
    assert training.widths == (10, 7, 5, 4, 3, 2)
    assert (training.optimizer, training.learning_rate, training.init) == ("adam", 4e-4, "fan_out")
    assert (training.batch_size, training.num_epochs) == (256, 8000)


def test_the_texts_optimizer_is_an_option():
    config = RevisitingConfig(optimizer="sgd")
    seen = []
    train_tasks(
        config,
        lambda task: seen.append(revisiting_training(config, task)) or {},
        lambda task, training: None,
        folder=None,
    )
    assert (seen[0].optimizer, seen[0].learning_rate) == ("sgd", 0.1)


@pytest.mark.parametrize("datasets", [(), ("symmetric", "symmetric")])
def test_datasets_are_one_or_more_each_once(datasets):
    with pytest.raises(ValueError, match="datasets: expected one or more, each once"):
        RevisitingConfig(datasets=datasets)
