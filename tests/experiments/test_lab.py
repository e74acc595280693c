"""What the experiments share: options, cautious tables, and the tasks of "Revisiting"."""

import numpy as np
import pytest

from experiments.lab import (
    LabConfig,
    RevisitingConfig,
    Table,
    revisiting_attributes,
    revisiting_training,
    train_tasks,
)
from experiments.lab.tables import with_caution
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


def test_options_are_pythons_integers():
    config = LabConfig(seeds=np.int8(100), epochs=np.uint8(200), seed=np.int8(100))
    assert config == LabConfig(seeds=100, epochs=200, seed=100)
    assert {type(x) for x in (config.seeds, config.epochs, config.seed)} == {int}
    assert config.seed_range == range(100, 200)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 0}, "seeds: expected a whole number of 1 or more, got 0"),
        ({"seeds": 2.0}, "seeds: expected a whole number"),
        ({"epochs": 0}, "epochs: expected a whole number of 1 or more, got 0"),
        ({"seeds_per_batch": 0}, "seeds_per_batch: expected a whole number of 1 or more"),
        ({"seed": -1}, "seed: expected a whole number of 0 or more, got -1"),
        ({"seed": "x"}, "seed: expected a whole number of 0 or more, got 'x'"),
        ({"seed": 2**31 - 50}, r"seed: expected less than 2\^31 - seeds"),
        ({"resume": True, "overwrite": True}, "resume: expected without overwrite"),
        ({"any_version": True}, "any_version: expected with resume"),
    ],
)
def test_options_that_make_no_run_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        LabConfig(**options)


def test_other_versions_are_resumed_on_demand():
    assert LabConfig(resume=True).fit_options(None, "arm")["resume"] is True
    config = LabConfig(resume=True, any_version=True)
    assert config.fit_options(None, "arm")["resume"] == "any_version"


FOUND = Table("found", ["layer", "low"], [[1, 0.5]], ["low: of the 95% interval", "It compresses."])


def test_nothing_follows_from_a_smoke_run():
    said = with_caution(FOUND, 4, smoke=True).sentences
    assert said == [
        "low: of the 95% interval",
        "A smoke run, of 4 networks and few epochs, shows that everything works; "
        "nothing follows from its numbers.",
    ]
    assert (
        "A smoke run shows that everything works" in with_caution(FOUND, None, smoke=True).sentences[1]
    )


def test_few_seeds_are_said_where_there_are_intervals_or_a_verdict():
    few = "With 9 networks per arm, fewer than 10, these intervals say little."
    assert with_caution(FOUND, 9, smoke=False).sentences == [*FOUND.sentences, few]
    assert with_caution(FOUND, 10, smoke=False) == FOUND
    assert with_caution(FOUND, None, smoke=False) == FOUND
    counts = Table("seeds", ["layer", "dead"], [[1, 0]], ["dead: constant"])
    assert with_caution(counts, 9, smoke=False) == counts


def test_a_column_has_a_name_of_its_own():
    with pytest.raises(ValueError, match="expected a name for each column, got low twice"):
        Table("found", ["gain", "low", "loss", "low"], [[1, 2, 3, 4]])
