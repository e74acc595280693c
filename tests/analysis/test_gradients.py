"""Minibatch gradients against a slow loop, saturation against closed forms, broken networks."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from ibjax.analysis.gradients import (
    GradientRecord,
    gradient_curves,
    minibatch_gradients,
    saturated_share,
)
from ibjax.models import MLP
from ibjax.types import LabelledSamples, Split
from tests.made import results_of
from tests.marks import slow

NUM_SAMPLES, NUM_TRAIN, BATCH = 60, 45, 10  # 4 batches and 5 samples left over
MODEL = MLP((5, 4, 3), ("tanh", "relu"))
RECORD = jax.jit(GradientRecord(MODEL, batch_size=BATCH))
NAMES = {"gradient_mean", "gradient_std", "gradient_snr", "weight_norm", "saturated"}


class Numbers(NamedTuple):
    """Samples whose y are numbers."""

    x: Any
    y: Any


def network(model, scale=2.0):
    params = model.init(jax.random.key(0), jnp.zeros((1, 6)))
    return jax.tree.map(lambda p: scale * p + 0.1, params)


@pytest.fixture(scope="module")
def params():
    return network(MODEL)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, size=(NUM_SAMPLES, 6))
    return LabelledSamples(jnp.asarray(x, jnp.float32), jnp.asarray(rng.integers(0, 3, NUM_SAMPLES)))


@pytest.fixture(scope="module")
def split():
    rows = jnp.asarray(np.random.default_rng(1).permutation(NUM_SAMPLES))
    return Split(rows[:NUM_TRAIN], rows[NUM_TRAIN:])


def cross_entropy(outputs, y):
    return -jax.nn.log_softmax(outputs)[jnp.arange(len(y)), y].mean()


def squared_error(outputs, y):
    return ((outputs - y) ** 2).sum(axis=1).mean()


def slow_gradients(params, data, rows, loss=cross_entropy):
    """The kernels' gradients, batch by batch: a list over layers of (batch, fan_in, fan_out) float64."""

    @jax.jit
    @jax.grad
    def gradient(params, x, y):
        return loss(MODEL.apply(params, x)[0], y)

    whole = [rows[i : i + BATCH] for i in range(0, NUM_TRAIN - BATCH + 1, BATCH)]
    assert len(whole) == 4
    grads = [gradient(params, data.x[batch], data.y[batch])["params"] for batch in whole]
    return [np.stack([np.float64(g[f"layer_{i}"]["kernel"]) for g in grads]) for i in (1, 2, 3)]


@pytest.mark.slow
def test_mean_and_deviation_equal_a_slow_loop(params, data, split):
    got = RECORD(params, data, split)
    assert set(got) == NAMES
    grads = slow_gradients(params, data, split.train)
    mean = [np.sqrt((g.mean(axis=0) ** 2).sum()) for g in grads]
    std = [np.sqrt(g.var(axis=0).sum()) for g in grads]
    np.testing.assert_allclose(got["gradient_mean"], mean, rtol=1e-5)
    np.testing.assert_allclose(got["gradient_std"], std, rtol=1e-5)
    np.testing.assert_allclose(got["gradient_snr"], np.divide(mean, std), rtol=1e-5)
    kernels = [params["params"][f"layer_{i}"]["kernel"] for i in (1, 2, 3)]
    np.testing.assert_allclose(
        got["weight_norm"], [np.linalg.norm(np.ravel(k)) for k in kernels], rtol=1e-6
    )


@pytest.mark.slow
def test_squared_error_of_numbers(params, data, split):
    y = np.random.default_rng(2).normal(size=(NUM_SAMPLES, 3))
    samples = Numbers(data.x, jnp.asarray(y, jnp.float32))
    options = {"batch_size": BATCH, "loss": "squared_error"}
    mean, std = minibatch_gradients(MODEL, params, samples, split.train, **options)
    grads = slow_gradients(params, samples, split.train, squared_error)
    np.testing.assert_allclose(mean, [np.linalg.norm(g.mean(axis=0)) for g in grads], rtol=1e-5)
    np.testing.assert_allclose(std, [np.sqrt(g.var(axis=0).sum()) for g in grads], rtol=1e-5)


@pytest.mark.slow
def test_samples_left_over_are_not_used(params, data, split):
    def statistics(changed_row):
        x = np.array(data.x)
        x[changed_row] = 1 - x[changed_row]
        return RECORD(params, data._replace(x=jnp.asarray(x)), split)["gradient_std"]

    before = RECORD(params, data, split)["gradient_std"]
    used, left_over, test = split.train[39], split.train[40], split.test[0]
    assert not np.allclose(statistics(used), before, rtol=1e-4)
    np.testing.assert_array_equal(statistics(left_over), before)
    np.testing.assert_array_equal(statistics(test), before)


@pytest.mark.slow
def test_equal_batches_have_no_spread_at_all(params, data):
    rows = jnp.tile(jnp.arange(BATCH), 4)
    mean, std = minibatch_gradients(MODEL, params, data, rows, batch_size=BATCH)
    assert (mean > 1e-3).all()
    np.testing.assert_array_equal(std, 0)


@pytest.mark.slow
def test_networks_at_once_and_compiled(params, data, split):
    record = GradientRecord(MODEL, batch_size=BATCH)
    several = [params, jax.tree.map(lambda p: 0.5 * p, params)]
    stacked = jax.tree.map(lambda *p: jnp.stack(p), *several)
    at_once = jax.jit(jax.vmap(lambda p: record(p, data, split)))(stacked)
    for i, one in enumerate(several):
        alone = RECORD(one, data, split)
        for name in NAMES:
            np.testing.assert_allclose(at_once[name][i], alone[name], rtol=1e-5)


def test_records_of_equal_settings_are_equal():
    record, again = GradientRecord(MODEL, batch_size=8), GradientRecord(MODEL, batch_size=np.int64(8))
    assert record == again
    assert hash(record) == hash(again)
    assert record != GradientRecord(MODEL, batch_size=9)
    assert set(record.variables) == NAMES


@pytest.mark.parametrize(
    ("batch_size", "message"),
    [
        (NUM_TRAIN, "batch_size: expected at most half of the 45 training samples"),
        (23, "a single batch has no spread, got 23"),
        (0, "batch_size: expected a whole number of 1 or more, got 0"),
    ],
)
def test_a_batch_without_a_second_is_refused(params, data, split, batch_size, message):
    with pytest.raises(ValueError, match=message):
        GradientRecord(MODEL, batch_size=batch_size)(params, data, split)


def test_unknown_names_are_refused(params, data, split):
    with pytest.raises(ValueError, match="loss: expected one of cross_entropy, squared_error"):
        GradientRecord(MODEL, loss="hinge")
    with pytest.raises(ValueError, match="loss: expected one of"):
        minibatch_gradients(MODEL, params, data, split.train, batch_size=BATCH, loss="hinge")
    with pytest.raises(ValueError, match="definition: expected one of normalised, saxe"):
        gradient_curves(xr.Dataset(), "idnns")


@pytest.mark.parametrize("layer", ["layer_1", "layer_2", "layer_3"])
def test_a_broken_network_has_no_numbers(params, data, split, layer):
    broken = jax.tree.map(np.array, params)
    broken["params"][layer]["kernel"][0, 0] = np.nan
    got = RECORD(broken, data, split)
    for name in NAMES:
        assert np.isnan(got[name]).all(), name


def test_a_dead_layer_has_gradients_of_0_and_no_ratio(params, data, split):
    dead = jax.tree.map(np.array, params)
    dead["params"]["layer_2"]["bias"] -= 1000.0
    got = RECORD(dead, data, split)
    np.testing.assert_array_equal(got["gradient_mean"], 0)
    np.testing.assert_array_equal(got["gradient_std"], 0)
    assert np.isnan(got["gradient_snr"]).all()
    assert got["saturated"][1] == 1


# Whether an activation t is where the slope is below a tenth of its steepest.
REST = ("softplus", "elu", "leaky_relu", "linear")  # of the slow tests
FLAT = {
    "tanh": lambda t: np.abs(t) > np.sqrt(0.9),  # 1 - t^2
    "softsign": lambda t: np.abs(t) > 1 - np.sqrt(0.1),  # (1 - |t|)^2
    "sigmoid": lambda t: np.abs(2 * t - 1) > np.sqrt(0.9),  # t (1 - t), at most 1/4
    "relu": lambda t: t == 0,
    "softplus": lambda t: t < -np.log(0.9),  # 1 - exp(-t)
    "elu": lambda t: t < -0.9,  # 1 + t below 0
    "leaky_relu": lambda t: np.zeros_like(t),  # 0.1 below 0: a tenth, no less
    "linear": lambda t: np.zeros_like(t),
}


@pytest.mark.parametrize("activation", ["relu", *map(slow, sorted(FLAT.keys() - {"relu"}))])
def test_saturated_share_equals_its_closed_form(data, activation):
    model = MLP((5, 4, 3), (activation,) * 2)
    params = network(model, scale=3.0)
    params["params"]["layer_1"]["bias"] -= 2.0
    _, hidden = model.apply(params, data.x)
    expected = [FLAT[activation](np.asarray(t)).mean() for t in hidden]
    got = saturated_share(model, params, data.x)
    np.testing.assert_allclose(got[:2], expected, atol=1e-6)
    assert np.isnan(got[2])  # the output
    if activation not in ("linear", "leaky_relu"):
        assert 0.1 < expected[0] < 0.9


def test_definitions_differ_by_the_norm_of_the_weights():
    rng = np.random.default_rng(3)
    names = ("gradient_mean", "gradient_std", "weight_norm")
    results = results_of({k: rng.random((2, 3, 4)) for k in names}, epochs=[0, 1, 2])
    mean, std = gradient_curves(results)
    xr.testing.assert_equal(mean, results.gradient_mean)
    xr.testing.assert_equal(std, results.gradient_std)
    relative_mean, relative_std = gradient_curves(results, "normalised")
    np.testing.assert_allclose(relative_mean * results.weight_norm, results.gradient_mean)
    np.testing.assert_allclose(
        relative_mean / relative_std, results.gradient_mean / results.gradient_std
    )
