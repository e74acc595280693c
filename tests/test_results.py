"""Labelled results: axes, units, padding, provenance, files."""

import dataclasses
import inspect
import json
import os

import h5py
import numpy as np
import pytest
import xarray as xr

from ibjax.results import (
    environment,
    history_to_dataset,
    load_results,
    save_results,
    stack_arms,
)
from ibjax.types import History, Record, Variable


def make_history(seeds=(3, 4), epochs=(0, 1, 5), layers=2):
    rng = np.random.default_rng(layers)
    shape = len(seeds), len(epochs)
    records = {k: rng.random((*shape, layers)) for k in ("ixt", "ity")}
    records |= {k: rng.random(shape) for k in ("train_loss", "test_loss")}
    records |= {k: rng.random(shape) for k in ("train_accuracy", "test_accuracy")}
    return History(np.array(seeds), np.array(epochs), records, np.array([False, True]), {})


@dataclasses.dataclass(frozen=True)
class Described(Record):
    """A record that only tells what was measured."""

    described: dict
    levels: tuple = ()

    def __call__(self, params, data, split):
        raise NotImplementedError

    @property
    def variables(self):
        return self.described

    @property
    def coords(self):
        return dict(self.levels)


PLANE = Described(
    {name: Variable(("layer",), "bits", name) for name in ("ixt", "ity")}
    | {f"{part}_loss": Variable((), "nats", f"{part} loss") for part in ("train", "test")}
    | {f"{part}_accuracy": Variable((), "1", f"{part} accuracy") for part in ("train", "test")}
)
ALONE = Described({"ixt": Variable(("layer",), "bits", "I(X;T)")})


def dataset_of(history, attributes=None):
    return history_to_dataset(history, PLANE, attributes)


def test_axes_coordinates_and_units():
    dataset = dataset_of(make_history(), {"learning_rate": 0.1, "widths": (2, 3)})
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
    shallow = dataset_of(make_history(layers=2), {"learning_rate": 0.5})
    deep = dataset_of(make_history(layers=3), {"learning_rate": 0.1})
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
    dataset = dataset_of(make_history(), {"note": "x"})
    path = save_results(dataset, tmp_path / "results.nc")
    assert [p.name for p in tmp_path.iterdir()] == ["results.nc"]
    xr.testing.assert_identical(load_results(path), dataset)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere\.nc, which does not exist"):
        load_results(tmp_path / "nowhere.nc")
    with pytest.raises(ValueError, match="which is not a file"):
        load_results(tmp_path)


@pytest.mark.parametrize("kept", [0, 7, 600, -4000, -1])
def test_truncated_files_are_refused(tmp_path, kept):
    path = save_results(dataset_of(make_history()), tmp_path / "results.nc")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(
        ValueError, match=r"path: expected a result file, got .*results\.nc, which cannot"
    ):
        load_results(path)


def test_foreign_files_are_refused(tmp_path):
    path = tmp_path / "results.nc"
    path.write_text("layer,bits\n1,0.5\n")
    with pytest.raises(ValueError, match="which cannot be read as netCDF4"):
        load_results(path)
    with h5py.File(path, "w") as file:
        file["weights"] = np.ones((3, 2))
    with pytest.raises(ValueError, match="which cannot be read as netCDF4"):
        load_results(path)
    with h5py.File(path, "w") as file:
        file.attrs["title"] = "nothing else"
    with pytest.raises(ValueError, match="which has no variables"):
        load_results(path)


class FullDiskError(OSError):
    pass


def test_files_are_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "results.nc"
    first = dataset_of(make_history())
    save_results(first, path)
    write = xr.Dataset.to_netcdf

    def stopped_by(error):
        def to_netcdf(dataset, partial, **options):
            write(dataset.isel(seed=[0]), partial, **options)
            raise error

        return to_netcdf

    def other_numbers(dataset, partial, **options):
        write(dataset.assign(ixt=dataset.ixt + 1e-9), partial, **options)

    def other_size(dataset, partial, **options):
        write(dataset.isel(epoch=slice(-1)), partial, **options)

    def damaged(dataset, partial, **options):
        write(dataset, partial, **options)
        partial.write_bytes(partial.read_bytes()[:-1])

    for writer, error in (
        (stopped_by(FullDiskError()), FullDiskError),
        (stopped_by(KeyboardInterrupt()), KeyboardInterrupt),
        (other_numbers, OSError),
        (other_size, OSError),
        (damaged, OSError),
    ):
        monkeypatch.setattr(xr.Dataset, "to_netcdf", writer)
        with pytest.raises(error):
            save_results(dataset_of(make_history(seeds=(7, 8))), path)
        assert list(tmp_path.iterdir()) == [path]
        xr.testing.assert_identical(load_results(path), first)


def test_names_of_files_that_are_written_are_unique(tmp_path, monkeypatch):
    write, names = xr.Dataset.to_netcdf, set()

    def to_netcdf(dataset, partial, **options):
        names.add(partial)
        write(dataset, partial, **options)

    monkeypatch.setattr(xr.Dataset, "to_netcdf", to_netcdf)
    for _ in range(2):
        save_results(dataset_of(make_history()), tmp_path / "results.nc")
    assert len(names) == 2
    assert {name.parent for name in names} == {tmp_path}


def test_readers_are_those_whom_the_umask_allows(tmp_path):
    before = os.umask(0o022)
    try:
        path = save_results(dataset_of(make_history()), tmp_path / "results.nc")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o644


def as_users(function):
    """Without the check of annotations that the tests add to every function."""
    return inspect.unwrap(function)


def test_what_cannot_be_saved_or_loaded_is_refused(tmp_path):
    dataset = dataset_of(make_history())
    with pytest.raises(ValueError, match=r"results: expected an xarray\.Dataset"):
        as_users(save_results)({"ixt": 1.0}, tmp_path / "results.nc")
    with pytest.raises(ValueError, match="path: expected a file in a folder that exists"):
        as_users(save_results)(dataset, tmp_path / "nowhere" / "results.nc")
    with pytest.raises(ValueError, match="path: expected a file in a folder that exists"):
        as_users(save_results)(dataset, tmp_path)
    for path in (3, None, b"results.nc"):
        with pytest.raises(ValueError, match="path: expected a path, got"):
            as_users(save_results)(dataset, path)
        with pytest.raises(ValueError, match="path: expected a path, got"):
            as_users(load_results)(path)


def test_what_is_no_history_is_refused():
    history = make_history()
    with pytest.raises(ValueError, match="history: expected a History"):
        as_users(history_to_dataset)(history.records, PLANE)
    for records in ({"ity": history.records["ity"]}, history.records["ixt"]):
        with pytest.raises(ValueError, match=r"record: expected the one that measured .*, got one that"):
            as_users(history_to_dataset)(history._replace(records=records), PLANE)
    drifting = history._replace(records=history.records | {"drift": np.zeros((2, 3))})
    with pytest.raises(ValueError, match=r"expected the one that measured .*drift, got one that"):
        as_users(history_to_dataset)(drifting, PLANE)
    for record in (None, PLANE.variables, Described, len):
        with pytest.raises(ValueError, match="record: expected one that declares its variables"):
            as_users(history_to_dataset)(history, record)


def test_arms_that_cannot_be_stacked_are_refused():
    arm = dataset_of(make_history())
    for arms in ({("tanh", 0.5): arm}, {("tanh",): arm}, {"tanh": arm}, {0.5: arm}):
        with pytest.raises(ValueError, match="arms: expected keys of one string for each of a, b"):
            as_users(stack_arms)(arms, ("a", "b"))
    for wrong in (3.0, xr.Dataset({"ixt": arm.ixt}).drop_vars("num_layers")):
        with pytest.raises(ValueError, match="arms: expected Datasets as history_to_dataset makes them"):
            as_users(stack_arms)({("tanh",): wrong}, ("a",))
    with pytest.raises(ValueError, match="of all combinations of a, b, got none for"):
        as_users(stack_arms)({("0", "0"): arm, ("1", "1"): arm}, ("a", "b"))
    with pytest.raises(ValueError, match="expected one or more arms"):
        as_users(stack_arms)({}, ("a", "b"))


def test_environment_names_versions_and_device():
    described = environment()
    assert {"jax", "jaxlib", "flax", "optax", "numpy"} <= set(json.loads(described["versions"]))
    assert described["device"].startswith("cpu")


def test_a_record_describes_what_it_measures():
    records = {"ixt": np.zeros((2, 3, 4)), "empty": np.ones((2, 3, 4, 5))}
    history = History(np.arange(2), np.arange(3), records, np.zeros(2, bool), {})
    empty = Variable(("layer", "width"), "1", "empty bins")
    record = Described({"ixt": Variable(("layer",), "bits", "I(X;T)"), "empty": empty})
    dataset = history_to_dataset(history, record)
    assert dataset["empty"].dims == ("seed", "epoch", "layer", "width")
    assert dataset["empty"].attrs == {"units": "1", "long_name": "empty bins"}


def test_a_records_own_factors_come_first():
    values = np.random.default_rng(0).random((2, 3, 2, 4))  # (seed, epoch, estimator, layer)
    history = History(np.arange(2), np.arange(3), {"ixt": values}, np.zeros(2, bool), {})
    variables = {"ixt": Variable(("estimator", "layer"), "bits", "I(X;T)")}
    dataset = history_to_dataset(history, Described(variables, (("estimator", ("binned", "kde")),)))
    assert dataset.ixt.dims == ("estimator", "seed", "epoch", "layer")
    assert dataset.estimator.values.tolist() == ["binned", "kde"]
    np.testing.assert_array_equal(dataset.ixt.sel(estimator="kde"), values[:, :, 1])


def test_without_layers_there_is_no_number_of_them():
    history = History(np.arange(2), np.arange(3), {"norm": np.ones((2, 3))}, np.zeros(2, bool), {})
    dataset = history_to_dataset(history, Described({"norm": Variable((), "1", "norm")}))
    assert dataset.norm.dims == ("seed", "epoch")
    assert not {"layer", "num_layers"} & set(dataset.coords)


def test_arms_of_any_depths_are_padded_with_nan():
    """Depths that differ along both factors, and not by the same layers."""
    depths = {("a", "0"): 4, ("a", "1"): 2, ("b", "0"): 4, ("b", "1"): 3}
    arms = {}
    for key, depth in depths.items():
        records = {"ixt": np.full((2, 3, depth), float(depth))}
        history = History(np.arange(2), np.arange(3), records, np.zeros(2, bool), {})
        arms[key] = history_to_dataset(history, ALONE).assign(stop=("seed", [1, 2]))
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
        arms[(name,)] = history_to_dataset(history, ALONE)
    arms[("b",)] = arms[("b",)].assign(gap=("seed", [0.5, 0.6]))
    joined = stack_arms(arms, ("condition",))
    assert joined.condition.values.tolist() == ["a", "b", "c"]
    assert joined.gap.sel(condition="b").values.tolist() == [0.5, 0.6]
    assert np.isnan(joined.gap.sel(condition=["a", "c"])).all()
    np.testing.assert_array_equal(joined.ixt.sel(condition="c", layer=4), 2)
