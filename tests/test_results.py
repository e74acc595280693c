"""Labelled results: axes, units, padding, provenance, files."""

import functools
import json

import numpy as np
import pytest
import xarray as xr

from ibjax.results import (
    describe_function,
    environment,
    history_to_dataset,
    load_results,
    save_results,
    stack_arms,
)
from ibjax.types import History


def make_history(seeds=(3, 4), epochs=(0, 1, 5), layers=2):
    rng = np.random.default_rng(layers)
    shape = len(seeds), len(epochs)
    records = {k: rng.random((*shape, layers)) for k in ("ixt", "ity")}
    records |= {k: rng.random(shape) for k in ("train_loss", "test_loss")}
    records |= {k: rng.random(shape) for k in ("train_accuracy", "test_accuracy")}
    return History(np.array(seeds), np.array(epochs), records, np.array([False, True]), {})


def test_axes_coordinates_and_units():
    dataset = history_to_dataset(make_history(), {"learning_rate": 0.1, "widths": (2, 3)})
    assert dataset.ixt.dims == dataset.ity.dims == ("seed", "epoch", "layer")
    assert dataset.train_loss.dims == dataset.test_accuracy.dims == ("seed", "epoch")
    assert dataset.seed.values.tolist() == [3, 4]
    assert dataset.epoch.values.tolist() == [0, 1, 5]
    assert dataset.layer.values.tolist() == [1, 2]
    assert dataset.num_layers == 2
    assert dataset.diverged.values.tolist() == [False, True]
    units = {name: variable.attrs["units"] for name, variable in dataset.variables.items()}
    assert units["ixt"] == units["ity"] == "bits"
    assert units["train_loss"] == units["test_loss"] == "nats"
    assert dataset.attrs == {"learning_rate": 0.1, "widths": "[2, 3]"}


def test_arms_are_stacked_in_the_order_given_and_padded():
    shallow = history_to_dataset(make_history(layers=2), {"learning_rate": 0.5})
    deep = history_to_dataset(make_history(layers=3), {"learning_rate": 0.1})
    arms = {("tanh", "sgd"): deep, ("relu", "sgd"): shallow}
    stacked = stack_arms(arms, ("activation", "optimizer"))
    assert stacked.ixt.dims == ("activation", "optimizer", "seed", "epoch", "layer")
    assert stacked.activation.values.tolist() == ["tanh", "relu"]
    assert stacked.num_layers.values.tolist() == [[3], [2]]
    np.testing.assert_array_equal(stacked.ixt.sel(activation="tanh").squeeze(), deep.ixt)
    padded = stacked.ixt.sel(activation="relu").squeeze()
    np.testing.assert_array_equal(padded[..., :2], shallow.ixt)
    assert np.isnan(padded[..., 2]).all()
    assert stacked.diverged.dtype == bool
    assert all(variable.attrs["units"] for variable in stacked.data_vars.values())
    assert json.loads(stacked.attrs["arms"])["relu/sgd"] == {"learning_rate": 0.5}


def test_files_bring_back_the_same(tmp_path):
    dataset = history_to_dataset(make_history(), {"note": "x"})
    path = save_results(dataset, tmp_path / "results.nc")
    assert [p.name for p in tmp_path.iterdir()] == ["results.nc"]
    xr.testing.assert_identical(load_results(path), dataset)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere\.nc, which does not exist"):
        load_results(tmp_path / "nowhere.nc")


def test_environment_names_versions_and_device():
    described = environment()
    assert {"jax", "jaxlib", "flax", "optax", "numpy"} <= set(json.loads(described["versions"]))
    assert described["device"].startswith("cpu")


def test_functions_are_described_with_their_options():
    def estimator(t, y, *, bins, range):
        raise NotImplementedError

    partial = functools.partial(estimator, bins=3, range=(0, 1))
    assert describe_function(partial) == "estimator(bins=3, range=(0, 1))"
    assert describe_function(estimator) == "estimator"


def test_records_by_other_names_are_described_by_the_caller():
    records = {"ixt": np.zeros((2, 3, 4)), "empty": np.ones((2, 3, 4, 5))}
    history = History(np.arange(2), np.arange(3), records, np.zeros(2, bool), {})
    described = {"empty": (("layer", "width"), "1", "empty bins")}
    dataset = history_to_dataset(history, variables=described)
    assert dataset["empty"].dims == ("seed", "epoch", "layer", "width")
    assert dataset["empty"].attrs == {"units": "1", "long_name": "empty bins"}


def test_arms_of_any_depths_are_padded_with_nan():
    """Depths that differ along both factors, and not by the same layers."""
    depths = {("a", "0"): 4, ("a", "1"): 2, ("b", "0"): 4, ("b", "1"): 3}
    arms = {}
    for key, depth in depths.items():
        records = {"ixt": np.full((2, 3, depth), float(depth))}
        arms[key] = history_to_dataset(
            History(np.arange(2), np.arange(3), records, np.zeros(2, bool), {})
        ).assign(stop=("seed", [1, 2]))
    joined = stack_arms(arms, ("activation", "step"))
    assert joined.ixt.dims == ("activation", "step", "seed", "epoch", "layer")
    assert joined["stop"].dims == ("activation", "step", "seed")
    assert joined["stop"].dtype == int
    for (activation, step), depth in depths.items():
        own = joined.sel(activation=activation, step=step)
        assert int(own.num_layers) == depth
        assert np.isnan(own.ixt).sum() == 2 * 3 * (4 - depth)


def test_arms_may_have_variables_of_their_own():
    arms = {}
    for i, name in enumerate(["a", "b", "c"]):
        history = History(
            np.arange(2), np.arange(3), {"ixt": np.full((2, 3, 2 + i), 1.0 * i)}, np.zeros(2, bool), {}
        )
        arms[(name,)] = history_to_dataset(history)
    arms[("b",)] = arms[("b",)].assign(gap=("seed", [0.5, 0.6]))
    joined = stack_arms(arms, ("condition",))
    assert joined.condition.values.tolist() == ["a", "b", "c"]
    assert joined.gap.sel(condition="b").values.tolist() == [0.5, 0.6]
    assert np.isnan(joined.gap.sel(condition=["a", "c"])).all()
    np.testing.assert_array_equal(joined.ixt.sel(condition="c", layer=4), 2)
