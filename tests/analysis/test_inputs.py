"""What analyses accept, and how they refuse the rest."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from ibjax.analysis._labelled import check_results
from ibjax.analysis._networks import as_estimators, known_layers
from ibjax.analysis.compression import compression, compression_summary
from ibjax.analysis.data_processing import violation_summary
from ibjax.analysis.encoders import class_encoder
from ibjax.analysis.gradients import minibatch_gradients
from ibjax.analysis.intervals import mean_interval, rank_correlation
from ibjax.analysis.phases import running_median
from ibjax.analysis.records import PlaneRecord
from ibjax.analysis.states import state_shares
from ibjax.analysis.weights import match_units
from ibjax.mi import binned_mi
from ibjax.models import MLP
from ibjax.types import LabelledSamples

CURVES = np.random.default_rng(0).normal(size=(3, 5))
MODEL = MLP(widths=(3, 2), activations=("tanh",))
DATA = LabelledSamples(jnp.ones((8, 4)), jnp.arange(8, dtype=jnp.int32) % 2)
PARAMS = MODEL.init({"params": jax.random.key(0)}, DATA.x)


def plane(**dims: int) -> xr.Dataset:
    values = np.ones(tuple(dims.values()))
    return xr.Dataset({name: (tuple(dims), values) for name in ("ixt", "ity")})


@pytest.mark.parametrize(
    "same",
    [
        CURVES.tolist(),
        CURVES.astype(">f8"),
        np.asfortranarray(CURVES),
        jnp.asarray(CURVES, jnp.float32),
        np.ma.array(CURVES, mask=False),
        xr.DataArray(CURVES, dims=("seed", "epoch")),
        xr.DataArray(CURVES.T, dims=("epoch", "seed")),
    ],
)
def test_arrays_that_mean_the_same_give_the_same(same):
    np.testing.assert_allclose(compression(same), compression(CURVES), rtol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (None, "ixt: expected"),
        ("curves", "ixt: expected real numbers, got"),
        ([[1.0], [2.0, 3.0]], "ixt: expected an array of numbers"),
        ({}, "ixt: expected an array of numbers"),
        ((i for i in ()), "ixt: expected an array of numbers"),
        (np.ones((3, 5), complex), "ixt: expected real numbers, got dtype complex128"),
        (np.ma.array(CURVES, mask=CURVES > 0), "ixt: expected no masked entries"),
        (np.ones(5), r"ixt: expected shape \(seed, epoch\), got shape \(5,\)"),
        (np.ones((0, 5)), "ixt: expected at least one entry on every axis"),
        (xr.Dataset(), "ixt: expected an array of numbers"),
    ],
)
def test_what_is_no_array_of_curves_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        compression(wrong)


def test_traced_numbers_are_refused_where_numpy_needs_them():
    with pytest.raises(ValueError, match="ixt: expected known numbers, got traced ones"):
        jax.jit(compression)(CURVES)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (xr.Dataset({"ity": ("seed", [1.0])}), r"arm: expected the variable ixt \(factors..., seed"),
        (plane(seed=2, epoch=3), "arm: expected ixt"),
        (plane(seed=2, epoch=3, layer=0), "arm.ixt: expected at least one entry"),
        (plane(seed=2, epoch=3, layer=1).astype(str), "arm.ixt: expected real numbers"),
        (
            plane(seed=2, epoch=2, layer=1).assign_coords(epoch=[5, 5]),
            "arm.ixt.epoch: expected increasing epochs",
        ),
    ],
)
def test_results_of_other_variables_dims_or_values_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        compression_summary(wrong)
    with pytest.raises(ValueError, match=r"arm: expected an xarray Dataset, got \[1\.0\]"):
        check_results("arm", [1.0], {"ixt": ("seed",)})


def test_levels_of_a_factor_may_have_the_same_name():
    arms = plane(activation=2, seed=3, epoch=4, layer=2).assign_coords(activation=["tanh", "tanh"])
    assert compression_summary(arms).sizes == {"activation": 2, "layer": 2}


def test_other_refusals_give_expected_and_got():
    a = xr.DataArray(np.arange(5.0), {"seed": np.arange(5)})
    with pytest.raises(ValueError, match="a, b: expected the same seeds in the same order, got 0, 1"):
        rank_correlation(a, a.assign_coords(seed=np.arange(5) + 1))
    with pytest.raises(ValueError, match="epochs: expected increasing numbers from 0"):
        running_median(CURVES, [0, 2, 1, 3, 4])
    with pytest.raises(ValueError, match="level: expected a finite number"):
        mean_interval(CURVES, level=95)
    with pytest.raises(ValueError, match="axis: expected one of the 2 of values, got 2"):
        mean_interval(CURVES, axis=2)
    with pytest.raises(ValueError, match="states: expected whole numbers"):
        class_encoder([0.5, 1.0], [0, 0])
    with pytest.raises(ValueError, match="classes: expected numbers from 0 without gaps"):
        class_encoder([0, 1], [0, 2])
    with pytest.raises(ValueError, match="y: expected numbers from 0 to 1, got 0 to 2"):
        state_shares([0, 1, 1], [0, 1, 2], 2)
    with pytest.raises(ValueError, match=r"kernels: expected .* of consecutive layers"):
        match_units([np.ones((4, 3)), np.ones((2, 2))], [np.ones((4, 3)), np.ones((2, 2))], signs=True)
    with pytest.raises(ValueError, match="plane: expected the variable ity"):
        violation_summary(plane(seed=2, epoch=3, layer=2)[["ixt"]])


def test_networks_and_samples_are_checked():
    with pytest.raises(ValueError, match=r"estimator: expected a function of \(t, y\), got 'binned_mi'"):
        as_estimators("estimator", ["binned_mi", "binned_mi"], MODEL)
    with pytest.raises(ValueError, match="estimator: expected one for each of the 2 layers, got 3"):
        PlaneRecord(MODEL, [binned_mi] * 3)
    with pytest.raises(ValueError, match="params: expected layers of 5 - 3 - 2 units"):
        minibatch_gradients(MODEL, PARAMS, DATA._replace(x=jnp.ones((8, 5))), np.arange(8), batch_size=2)
    with pytest.raises(ValueError, match="rows: expected numbers from 0 to 7, got 0 to 8"):
        minibatch_gradients(MODEL, PARAMS, DATA, np.arange(9), batch_size=2)
    with pytest.raises(ValueError, match=r"data\.y: expected numbers from 0 to 1, got 0 to 7"):
        minibatch_gradients(MODEL, PARAMS, DATA._replace(y=jnp.arange(8)), np.arange(8), batch_size=2)
    with pytest.raises(ValueError, match="params: expected the parameters of an MLP"):
        known_layers({"params": {"layer_1": {}}})


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.int64])
def test_sizes_of_any_whole_type_are_the_same(dtype):
    found = minibatch_gradients(MODEL, PARAMS, DATA, np.arange(8, dtype=dtype), batch_size=dtype(2))
    expected = minibatch_gradients(MODEL, PARAMS, DATA, np.arange(8), batch_size=2)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])
