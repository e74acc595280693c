"""The tasks of "Revisiting", and their training."""

import functools

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
    recorded_with_stops,
    stop_positions,
    stopping_epochs,
    validation_losses,
)
from experiments.lab.two_passes import TwoPassRecord
from ibjax.analysis.stopping import early_stopping
from ibjax.training import fit
from tests.datasets.idx_files import write_mnist
from tests.made import results_of


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
    # Of 410 and 45 training samples a fifth is held out.
    assert (symmetric.training.batch_size, mnist.training.batch_size) == (256, 36)
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
    assert results.split == "random splits"


def test_full_scale_is_the_papers():
    config = RevisitingConfig()
    assert len(config.seed_range) == 50
    assert config.datasets == ("symmetric",)
    (arm,) = arms_of(config).values()
    training = arm.training
    assert training.widths == (10, 7, 5, 4, 3, 2)
    assert (training.optimizer, training.learning_rate, training.init) == ("adam", 4e-4, "glorot")
    assert (training.batch_size, training.num_epochs) == (256, 8000)
    assert (training.split, training.validation_fraction) == ("random", 0.2)
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


@pytest.mark.parametrize("smoke", [False, True])
def test_the_papers_split_is_an_option_of_the_symmetric_task(smoke):
    config = RevisitingConfig(paper_split=True, smoke=smoke)
    (arm,) = arms_of(config).values()
    assert arm.training.split == "revisiting"
    assert arm.task.measured(arm.training, "train") == ("the training samples", 3276)
    assert arm.training.batch_size == 256
    assert provenance(config)["split"] == "the paper's split"
    with pytest.raises(ValueError, match="paper_split: expected with the symmetric task alone"):
        RevisitingConfig(paper_split=True, datasets=("symmetric", "mnist"))


def test_only_unbounded_activations_need_a_second_pass():
    config = RevisitingConfig(smoke=True)
    relu, tanh = (arm.record for arm in arms_of(config, ("relu", "tanh")).values())
    assert isinstance(relu, TwoPassRecord)
    assert not isinstance(tanh, TwoPassRecord)
    assert relu.rows == tanh.rows == "train"


@pytest.mark.slow
def test_validation_losses_are_those_of_every_epoch_of_the_same_networks():
    config = RevisitingConfig(smoke=True, seeds=2, epochs=5)
    arms = arms_of(config, ("tanh",))
    losses = validation_losses(config, arms, factors=("dataset", "activation"), source="Nobody (2026)")
    assert losses.dims == ("dataset", "activation", "seed", "epoch")
    assert losses.epoch.values.tolist() == [0, 1, 2, 3, 4, 5]
    ((training, task, record, _),) = arms.values()
    history = fit(training, task.data, seeds=range(2), record=record, schedule=[0, 3])
    expected = history.records["validation_loss"][:, :2]
    np.testing.assert_allclose(losses[0, 0].sel(epoch=[0, 3]), expected, rtol=1e-5)


def test_stops_are_epochs_after_which_the_loss_is_not_better():
    loss = np.array([[0.0, 5, 4, 4, 3], [0.0, 5, 4, 3, 2], [0.0, 5, np.nan, 3, 2]])
    losses = results_of({"validation_loss": loss[None]}, {"dataset": ["a"]}, epochs=range(5))
    rule = functools.partial(early_stopping, patience=0)
    stops = stopping_epochs(losses.validation_loss, rule)
    assert stops.dims == ("dataset", "seed")
    assert stops.values.tolist() == [[3, 4, -1]]
    arm = results_of({"ixt": np.ones((3, 3, 1))}, epochs=(0, 3, 4))
    assert stop_positions(arm, stops.values).tolist() == [[1, 2, -1]]


def test_stops_are_recorded_beside_log_spaced_epochs():
    epochs = recorded_with_stops(8000, [[7001, -1], [12, 5001]])
    assert {0, 12, 5001, 7001, 8000} <= set(epochs.tolist())
    assert epochs.min() == 0


@pytest.mark.parametrize("datasets", [(), ("symmetric", "symmetric")])
def test_datasets_are_one_or_more_each_once(datasets):
    with pytest.raises(ValueError, match="datasets: expected one or more, each once"):
        RevisitingConfig(datasets=datasets)
