import dataclasses
import functools
from concurrent.futures import ThreadPoolExecutor

import flax.linen as nn
import numpy as np
import pytest
import xarray as xr

from ibjax.analysis import PlaneRecord
from ibjax.mi import binned_mi
from ibjax.results import history_to_dataset
from ibjax.training import TrainConfig, fit, make_model, sweep
from tests.marks import slow
from tests.training.test_steps import make_data

DATA = make_data(50)
CONFIG = TrainConfig(widths=(4, 2), learning_rate=0.1, batch_size=12, num_epochs=4)
SEEDS = [0, 1, 5]
OVER = {"learning_rate": [0.1, 3e38, 0.3], "init_scale": [1.0, 4.0]}


def plane(config):
    return PlaneRecord(make_model(config), binned_mi)


quick_sweep = functools.partial(
    sweep, CONFIG, DATA, seeds=SEEDS, record=plane(CONFIG), schedule=[1], lanes=2
)


@pytest.fixture(scope="module")
def swept():
    return quick_sweep(over=OVER)


def fitted(config, data=DATA, record=None, **options):
    record = record or plane(config)
    history = fit(config, data, seeds=SEEDS, record=record, schedule=[1], lanes=2, **options)
    return history_to_dataset(history, record)


def assert_cell(cell, expected):
    for name, values in expected.data_vars.items():
        np.testing.assert_array_equal(cell[name], values, err_msg=name)


@pytest.mark.parametrize("rate", [0.1, slow(0.3)])
@pytest.mark.parametrize("scale", [slow(1.0), 4.0])
def test_a_cell_is_the_fit_of_its_config_bit_for_bit(swept, rate, scale):
    config = dataclasses.replace(CONFIG, learning_rate=rate, init_scale=scale)
    assert_cell(swept.sel(learning_rate=rate, init_scale=scale), fitted(config))


def test_dims_are_settings_then_seed_epoch_layer(swept):
    assert swept.ixt.dims == ("learning_rate", "init_scale", "seed", "epoch", "layer")
    assert swept.train_loss.dims == ("learning_rate", "init_scale", "seed", "epoch")
    assert swept.learning_rate.values.tolist() == OVER["learning_rate"]
    assert swept.seed.values.tolist() == SEEDS
    assert swept.epoch.values.tolist() == [0, 1, 4]
    assert swept.num_layers.dims == ("learning_rate", "init_scale")
    assert (swept.num_layers == 2).all()
    assert swept.ixt.attrs["units"] == "bits"


def test_provenance_is_kept(swept):
    assert swept.attrs["batch_size"] == 12
    assert "learning_rate" not in swept.attrs
    assert swept.attrs["over"] == '["learning_rate", "init_scale"]'
    assert "binned_mi" in swept.attrs["estimator"]
    assert {"versions", "device", "schedule", "ibjax"} <= swept.attrs.keys()


def test_a_diverged_cell_is_nan_and_flagged_and_touches_no_other(swept):
    exploding = swept.learning_rate == 3e38
    flagged = swept.diverged.any(["init_scale", "seed"])
    np.testing.assert_array_equal(flagged, exploding)
    apart = swept.isel(epoch=-1).drop_sel(learning_rate=3e38)
    assert np.isfinite(apart.ixt).all()
    assert np.isnan(swept.ixt.isel(epoch=-1).where(swept.diverged, drop=True)).any()


@pytest.mark.slow
def test_the_other_cells_do_not_matter(swept):
    alone = quick_sweep(over={"learning_rate": [0.3], "init_scale": [4.0]})
    xr.testing.assert_equal(alone, swept.sel(learning_rate=[0.3], init_scale=[4.0]))


@pytest.mark.slow
def test_order_of_axes_and_values_is_the_users():
    turned = quick_sweep(over={"init_scale": [4.0, 1.0], "learning_rate": [0.3, 0.1]})
    assert turned.ixt.dims[:2] == ("init_scale", "learning_rate")
    assert turned.init_scale.values.tolist() == [4.0, 1.0]
    config = dataclasses.replace(CONFIG, learning_rate=0.3)
    assert_cell(turned.sel(init_scale=1.0, learning_rate=0.3), fitted(config))


STRUCTURES = [
    ("activation", ["tanh", "relu"], ["tanh", "relu"]),
    ("batch_size", [12, None], ["12", "full"]),
    ("num_epochs", [2, 4], [2, 4]),
    ("weight_decay", [0.0, 0.1], [0.0, 0.1]),
    ("noise_variance", [0.0, 0.01, 0.02], [0.0, 0.01, 0.02]),
    ("train_fraction", [0.5, 0.8], [0.5, 0.8]),
    ("optimizer", ["sgd", "adam"], ["sgd", "adam"]),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "values", "labels"), STRUCTURES, ids=[s[0] for s in STRUCTURES])
def test_any_setting_may_vary(name, values, labels):
    results = quick_sweep(over={name: values}, record=plane)
    assert results[name].values.tolist() == labels
    for value, label in zip(values, labels, strict=True):
        config = dataclasses.replace(CONFIG, **{name: value})
        cell = results.sel({name: label})
        assert_cell(cell.sel(epoch=[0, 1, config.num_epochs]), fitted(config))


@pytest.mark.slow
def test_networks_of_other_depth_are_filled_up_with_nan():
    widths = [(4, 2), (3, 3, 2)]
    results = quick_sweep(over={"widths": widths}, record=plane)
    assert results.widths.values.tolist() == ["4-2", "3-3-2"]
    assert results.num_layers.values.tolist() == [2, 3]
    assert np.isnan(results.ixt.sel(widths="4-2", layer=3)).all()
    for shape in widths:
        cell = results.sel(widths="-".join(map(str, shape))).isel(layer=slice(len(shape)))
        assert_cell(cell, fitted(dataclasses.replace(CONFIG, widths=shape)))


@pytest.mark.slow
def test_datasets_may_vary():
    other = make_data(40, seed=8)
    results = quick_sweep_of({"dataset": {"one": DATA, "other": other}})
    assert results.dataset.values.tolist() == ["one", "other"]
    assert_cell(results.sel(dataset="other"), fitted(CONFIG, other))


def quick_sweep_of(over):
    return sweep(CONFIG, over=over, seeds=SEEDS, record=plane(CONFIG), schedule=[1], lanes=2)


@pytest.mark.slow
def test_results_in_a_file_are_those_in_memory(tmp_path, swept):
    written = quick_sweep(over=OVER, save_to=tmp_path / "sweep.nc")
    assert written.ixt._in_memory is False
    xr.testing.assert_equal(written.load(), swept)
    assert written.ixt.attrs == swept.ixt.attrs
    assert written.diverged.dtype == bool
    assert list(tmp_path.iterdir()) == [tmp_path / "sweep.nc"]


@pytest.mark.slow
def test_a_file_gets_its_name_when_all_is_written(tmp_path):
    def fail(advance):
        if advance.epoch == 4:
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        quick_sweep(over=OVER, save_to=tmp_path / "sweep.nc", on_advance=fail)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_resumed_sweep_is_the_straight_one(tmp_path, swept):
    count = 0

    def interrupt(advance):
        nonlocal count
        count += advance.epoch == 4
        if count == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quick_sweep(over=OVER, checkpoint_dir=tmp_path, on_advance=interrupt)
    fractions = []
    resumed = quick_sweep(
        over=OVER,
        checkpoint_dir=tmp_path,
        resume=True,
        on_advance=lambda advance: fractions.append(advance.fraction),
    )
    xr.testing.assert_equal(resumed, swept)
    assert sum(fractions) == pytest.approx(1)
    with pytest.raises(ValueError, match=r"resume: expected the run .*init_scale: "):
        quick_sweep(over=OVER | {"init_scale": [1.0, 3.0]}, checkpoint_dir=tmp_path, resume=True)


def test_an_executors_results_are_those_of_this_process(swept):
    with ThreadPoolExecutor(2) as executor:
        results = quick_sweep(over=OVER, executor=executor)
    xr.testing.assert_equal(results, swept)


class Convolutional(nn.Module):
    """A small network of one's own, with dropout."""

    @nn.compact
    def __call__(self, x, train=False):
        h = nn.relu(nn.Conv(3, (2,))(x[:, :, None]))
        h = nn.Dropout(0.5, deterministic=not train)(h)
        return nn.Dense(2)(h.reshape(len(h), -1)), [h]


@pytest.mark.slow
def test_any_flax_module_will_do():
    model = Convolutional()
    record = PlaneRecord(model, binned_mi)
    over = {"learning_rate": [0.1, 0.3], "init_scale": [1.0, 2.0]}
    results = quick_sweep(over=over, model=model, record=record)
    assert results.sizes["layer"] == 2
    config = dataclasses.replace(CONFIG, learning_rate=0.3, init_scale=2.0)
    expected = fitted(config, record=record, model=model)
    assert_cell(results.sel(learning_rate=0.3, init_scale=2.0), expected)


# --------------------------------------------------------------------------------------------------
# Bad input.

BAD = [
    ({}, "over: expected values by the names of settings"),
    (["learning_rate"], "over: expected values by the names of settings"),
    ({"rate": [0.1]}, "over: expected one of .*learning_rate.* got 'rate'"),
    ({"learning_rate": []}, "over: expected one or more values of 'learning_rate', got none"),
    ({"learning_rate": 0.1}, "over: expected several values of 'learning_rate', got"),
    ({"activation": "tanh"}, "over: expected several values of 'activation', got"),
    ({"learning_rate": [0.1, 0.1]}, "over: expected each value of 'learning_rate' once"),
    ({"learning_rate": [0.1, 0.1 + 1e-12]}, "over: expected each value of 'learning_rate' once"),
    ({"learning_rate": [0.1, "high"]}, "learning_rate: expected a finite number above 0, got"),
    ({"learning_rate": [0.1, -1.0]}, "learning_rate: expected a finite number above 0, got"),
    ({"activation": ["tanh", "sine"]}, "activation: expected one of"),
    ({"momentum": [0.5, 0.9]}, "'momentum' with the optimizer \"sgd\""),
    ({"decay_factor": [0.5, 0.9]}, "'decay_factor' with a constant learning rate"),
    ({"dataset": [DATA]}, "over: expected samples by name for 'dataset', got"),
    ({"dataset": {"one": DATA}}, "data: expected None with over="),
]


@pytest.mark.usefixtures("as_users")
@pytest.mark.parametrize(("over", "message"), BAD)
def test_bad_grids_are_refused(over, message):
    with pytest.raises(ValueError, match=message):
        quick_sweep(over=over)


def test_more_than_memory_holds_is_refused(monkeypatch):
    monkeypatch.setattr("ibjax.grid_results.SHARE", 1e-8)
    with pytest.raises(ValueError, match=r"over: expected results of at most .* GB.*; save_to"):
        quick_sweep(over=OVER)


@pytest.mark.usefixtures("as_users")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"record": None}, "record: expected"),
        ({"record": PlaneRecord}, "record: expected"),
        ({"record": lambda config: None}, "record: expected one such as PlaneRecord"),
        ({"seeds": []}, "seeds: expected one or more"),
        ({"executor": "dask"}, "executor: expected a concurrent.futures.Executor"),
        ({"model": "MLP"}, "model: expected a Flax Linen module, got"),
        ({"save_to": 3}, "save_to: expected a path, got"),
        ({"save_to": "/no/such/folder/a.nc"}, "save_to: expected a file in a folder that exists"),
        ({"optimizer": "sgd"}, "optimizer: expected an Optax optimizer"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        quick_sweep(**{"over": {"learning_rate": [0.1]}} | options)
