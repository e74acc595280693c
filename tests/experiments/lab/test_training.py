"""The one way to train: dims and their order, provenance, what is derived, and checkpoints."""

import dataclasses
import functools
import json
from typing import Any

import jax
import numpy as np
import pytest
import xarray as xr

from experiments.lab import Arm, LabConfig, Task, symmetric, train
from experiments.lab import training as lab_training
from experiments.lab.folder import has_checkpoints
from ibjax.analysis.records import JointRecord, PlaneRecord, PlanesRecord
from ibjax.datasets import draw_labels
from ibjax.mi import binned_mi
from ibjax.training import TrainConfig, fit, make_model
from ibjax.types import PyTree, Record, Split, Variable

CONFIG = LabConfig(seeds=2)
WORDS = symmetric(every=64)  # 64 of them
COARSE, FINE = (functools.partial(binned_mi, bin_width=width) for width in (0.5, 0.05))


def training_of(activation="tanh", **options):
    defaults = {"widths": (3, 2), "num_epochs": 2, "batch_size": 32}
    return TrainConfig(activation=activation, **defaults | options)


def arm_of(activation="tanh", task=WORDS, **options):
    training = training_of(activation)
    return Arm(training, task, PlaneRecord(make_model(training), COARSE, **options))


@dataclasses.dataclass(frozen=True)
class InputsRecord(Record):
    """Record of the first input of every sample, whatever the network."""

    def __call__(self, params: PyTree, data: Any, split: Split) -> dict[str, Any]:
        return {"first": data.x[:, 0]}

    @property
    def variables(self) -> dict[str, Variable]:
        return {"first": Variable(("input",), "1", "first input")}

    def __str__(self) -> str:
        return "inputs"


@pytest.fixture(scope="module")
def planes():
    """Two activations, two estimators."""
    arms = {}
    for activation in ("tanh", "relu"):
        training = training_of(activation)
        record = PlanesRecord(make_model(training), {"coarse": COARSE, "fine": FINE})
        arms[(activation,)] = Arm(training, WORDS, record)
    return train(CONFIG, arms, factors=("activation",), source="Nobody (2026)", binning="several")


def test_dims_are_factors_then_the_record_s_then_seed_epoch_layer(planes):
    dims = ("activation", "estimator", "seed", "epoch", "layer")
    assert planes.ixt.dims == planes.ity.dims == dims
    assert planes.activation.values.tolist() == ["tanh", "relu"]
    assert planes.estimator.values.tolist() == ["coarse", "fine"]
    assert planes.epoch.values.tolist() == [0, 1, 2]
    assert planes.num_layers.values.tolist() == [2, 2]
    assert (planes.ixt.sel(estimator="fine") >= planes.ixt.sel(estimator="coarse")).all()
    assert all(variable.attrs["units"] for variable in planes.data_vars.values())


def test_losses_and_accuracies_are_repeated_along_the_record_s_factors(planes):
    for name in ("train_loss", "test_loss", "train_accuracy", "test_accuracy"):
        assert planes[name].dims == ("activation", "estimator", "seed", "epoch")
        np.testing.assert_array_equal(*(planes[name].sel(estimator=e) for e in ("coarse", "fine")))
    assert planes.diverged.dims == ("activation", "estimator", "seed")
    # Each repeat is an array of its own, so that one can be changed.
    planes.copy().train_loss.loc[{"estimator": "fine"}] = 0


def test_provenance_says_what_was_trained_and_measured(planes):
    attributes = planes.attrs
    assert attributes["source"] == "Nobody (2026)"
    assert attributes["dataset"] == WORDS.description
    assert attributes["measured_on"] == "all 64 inputs"
    assert attributes["num_samples"] == 64
    coarse, fine = (f"binned_mi(bin_width={width})" for width in (0.5, 0.05))
    assert attributes["estimator"] == f"coarse: {coarse}; fine: {fine}"
    assert (attributes["schedule"], attributes["seed"], attributes["noise_variance"]) == ("log", 0, 0.0)
    assert attributes["binning"] == "several"
    for name in ("versions", "device"):
        assert name in attributes
    assert "experiment" not in attributes  # main writes it
    arms = json.loads(attributes["arms"])
    assert {name: arm["activation"] for name, arm in arms.items()} == {"tanh": "tanh", "relu": "relu"}


@pytest.mark.slow
def test_an_arm_may_have_a_schedule_of_its_own():
    longer = Arm(training_of(num_epochs=6), WORDS, arm_of().record, [3])
    by_number = {0: 0, 1: 3, 2: 6}

    def numbered(levels, arm):
        assert arm.epoch.values.tolist() == ([0, 3, 6] if levels == ("longer",) else [0, 1, 2])
        return arm.assign_coords(epoch=[*by_number])

    arms = {("usual",): arm_of(), ("longer",): longer}
    results = train(CONFIG, arms, factors=("length",), source="none", derive=numbered)
    assert results.epoch.values.tolist() == [0, 1, 2]
    assert np.isfinite(results.ixt).all()


@pytest.mark.slow
def test_arms_of_other_data_and_rows_are_said_each_once():
    arms = {("few",): arm_of(rows="test"), ("more",): arm_of(task=symmetric(every=32), rows="test")}
    results = train(CONFIG, arms, factors=("task",), source="none", schedule=[2], measured_on="mine")
    assert results.epoch.values.tolist() == [0, 2]
    assert results.schedule == "2 epochs"
    assert results.num_samples == "13; 26"
    assert results.dataset == f"{WORDS.description}; {WORDS.description.replace('64th', '32th')}"
    assert results.estimator == "binned_mi(bin_width=0.5)"
    assert results.measured_on == "mine"  # an experiment's own words count


@pytest.mark.slow
def test_a_factor_of_datasets_has_attributes_of_each():
    first, second = WORDS._replace(name="first"), WORDS._replace(name="second", description="others")
    arms = {("first",): arm_of(task=first), ("second",): arm_of(task=second)}
    results = train(CONFIG, arms, factors=("dataset",), source="none")
    assert (results.dataset_first, results.dataset_second) == (WORDS.description, "others")
    assert results.num_samples_first == results.num_samples_second == 64
    assert "num_samples" not in results.attrs


@pytest.mark.slow
def test_without_factors_there_is_one_arm():
    results = train(CONFIG, {(): arm_of()}, factors=(), source="none")
    assert results.ixt.dims == ("seed", "epoch", "layer")
    assert results.num_layers.dims == ()
    assert json.loads(results.arms)[""]["activation"] == "tanh"


@pytest.mark.slow
def test_each_arm_is_derived_from_its_own_levels_and_raw_records():
    seen = {}

    def derive(levels: tuple[str, ...], arm: xr.Dataset) -> xr.Dataset:
        seen[levels] = dict(arm.first.sizes)
        return arm.drop_vars("first").assign(share=arm.first.mean("input"))

    arms = {}
    for activation in ("tanh", "relu"):
        arm = arm_of(activation)
        arms[(activation,)] = arm._replace(record=JointRecord([arm.record, InputsRecord()]))
    results = train(CONFIG, arms, factors=("activation",), source="none", derive=derive)
    sizes = {"seed": 2, "epoch": 3, "input": 64}
    assert seen == {("tanh",): sizes, ("relu",): sizes}
    assert "first" not in results
    assert results.share.dims == ("activation", "seed", "epoch")
    assert (results.share == 0.5).all()
    assert results.estimator == "binned_mi(bin_width=0.5); inputs"


@pytest.mark.slow
def test_labels_and_purpose_seeds_go_to_fit():
    probability = np.full(64, 0.5)
    drawn = WORDS._replace(draw_labels=functools.partial(draw_labels, probability=probability))
    options = {"factors": (), "source": "none"}
    own = train(CONFIG, {(): arm_of()}, **options)
    others = train(CONFIG, {(): arm_of(task=drawn)}, **options)
    assert not np.allclose(own.train_loss.isel(epoch=0), others.train_loss.isel(epoch=0))
    same = train(CONFIG, {(): arm_of()}, purpose_seeds={"init": [7, 7], "split": [7, 7]}, **options)
    assert np.ptp(same.ixt.isel(epoch=0).values, axis=0).max() == 0
    assert np.ptp(own.ixt.isel(epoch=0).values, axis=0).max() > 0


@pytest.mark.slow
def test_checkpoints_are_kept_by_arm(tmp_path):
    arms = {(a, "sgd"): arm_of(a) for a in ("tanh", "relu")}
    train(CONFIG, arms, factors=("activation", "optimizer"), source="none", folder=tmp_path / "many")
    assert {path.name for path in (tmp_path / "many").iterdir()} == {"tanh_sgd", "relu_sgd"}
    assert has_checkpoints(tmp_path / "many")
    train(CONFIG, {(): arm_of()}, factors=(), source="none", folder=tmp_path / "one")
    assert {path.name for path in (tmp_path / "one").iterdir()} == {"networks"}


def test_progress_names_the_arms(capsys):
    train(CONFIG, {("tanh", "sgd"): arm_of()}, factors=("activation", "optimizer"), source="none")
    assert "tanh sgd: compiling" in capsys.readouterr().err
    train(CONFIG, {(): arm_of()}, factors=(), source="none")
    assert "networks: compiling" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "lanes"), [("cpu", 1), ("gpu", 2)])
def test_wide_inputs_are_trained_one_by_one_on_a_cpu(monkeypatch, backend, lanes):
    asked = {}

    def watched(*arguments, **options):
        asked.setdefault("lanes", []).append(options["lanes"])
        return fit(*arguments, **options | {"lanes": None})

    monkeypatch.setattr(lab_training, "fit", watched)
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    arms = {("narrow",): arm_of(), ("wide",): arm_of(task=WORDS._replace(one_by_one=True))}
    train(CONFIG, arms, factors=("task",), source="none")
    assert asked["lanes"] == [None, lanes]


@pytest.mark.slow
def test_arms_of_all_combinations_are_wanted():
    arms = {("tanh", "sgd"): arm_of(), ("relu", "bgd"): arm_of("relu")}
    with pytest.raises(ValueError, match="of all combinations of activation, optimizer"):
        train(CONFIG, arms, factors=("activation", "optimizer"), source="none")
    assert isinstance(WORDS, Task)
