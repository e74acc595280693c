"""Error and information of linear networks against determinants in float64, samples, and bounds."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ibjax.analysis import linear
from ibjax.bottleneck import gaussian_ib_bound
from ibjax.datasets.linear_teacher import TeacherSamples, linear_teacher
from ibjax.mi import linear_gaussian_mi
from ibjax.models import MLP
from ibjax.results import history_to_dataset
from ibjax.training import TrainConfig, fit, make_model
from ibjax.types import Split
from tests.marks import slow

D, NUM_RELEVANT, NOISE = 6, 2, 0.3
MODEL = MLP((5, 4, 1), ("linear", "linear"))


@pytest.fixture(scope="module")
def data():
    key = jax.random.key(1)
    return linear_teacher(key, num_samples=8, snr=2.0, weight_variance=5.0, num_inputs=D)


@pytest.fixture(scope="module")
def params():
    """Random kernels and biases, as if trained."""
    shapes = MODEL.init(jax.random.key(0), jnp.zeros((1, D)))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda p: jnp.asarray(rng.normal(size=p.shape), jnp.float32), shapes)


def joint_covariance(w, data):
    """Of (X, T, Y), float64, from the definitions."""
    w, teacher = np.asarray(w, np.float64), np.asarray(data.teacher, np.float64)
    d, width = w.shape
    from_x = np.concatenate([np.eye(d), w, teacher[:, None]], axis=1)  # X -> (X, T, Y)
    noise = np.diag([0.0] * d + [NOISE] * width + [float(data.noise_variance)])
    return from_x.T @ from_x / d + noise


def mi_of_blocks(covariance, a, b):
    """I(A;B) = 1/2 log2 |A||B| / |A, B| of two lists of variables."""

    def log2_det(variables):
        return np.linalg.slogdet(covariance[np.ix_(variables, variables)])[1] / np.log(2)

    return (log2_det(a) + log2_det(b) - log2_det([*a, *b])) / 2


# --------------------------------------------------------------------------------------------------
# Information.


@pytest.mark.slow
@pytest.mark.parametrize("layer", [slow(0), 1, slow(2)])
def test_information_is_that_of_the_joint_covariance(data, params, layer):
    w = linear.layer_maps(params)[layer]
    covariance, d, width = joint_covariance(w, data), D, w.shape[1]
    x, t, y = list(range(d)), list(range(d, d + width)), [d + width]
    mi = linear.teacher_mi(w, data, noise_variance=NOISE)
    assert mi.ixt == pytest.approx(mi_of_blocks(covariance, x, t), abs=1e-5)
    assert mi.ity == pytest.approx(mi_of_blocks(covariance, t, y), abs=1e-5)
    relevant, irrelevant = linear.parts_mi(w, NUM_RELEVANT, noise_variance=NOISE)
    assert relevant == pytest.approx(mi_of_blocks(covariance, x[:NUM_RELEVANT], t), abs=1e-5)
    assert irrelevant == pytest.approx(mi_of_blocks(covariance, x[NUM_RELEVANT:], t), abs=1e-5)


@pytest.mark.slow
def test_input_information_is_that_of_linear_gaussian_mi(data, params):
    w = linear.layer_maps(params)[1]
    expected = float(linear_gaussian_mi(w, input_covariance=np.eye(D) / D, noise_variance=NOISE))
    assert linear.teacher_mi(w, data, noise_variance=NOISE).ixt == pytest.approx(expected, abs=1e-5)


def test_information_is_that_of_samples(data, params):
    """From the covariance of samples; its standard deviation is below sqrt(width / n) bits."""
    n, rng = 100_000, np.random.default_rng(2)
    w = np.asarray(linear.layer_maps(params)[1], np.float64)
    width = w.shape[1]
    x = rng.normal(size=(n, D)) / D**0.5
    t = x @ w + NOISE**0.5 * rng.normal(size=(n, width))
    y = x @ np.asarray(data.teacher) + float(data.noise_variance) ** 0.5 * rng.normal(size=n)
    sampled = functools.partial(mi_of_blocks, np.cov(np.column_stack([x, t, y]), rowvar=False))
    of_t, of_y = list(range(D, D + width)), [D + width]
    mi = linear.teacher_mi(jnp.asarray(w, jnp.float32), data, noise_variance=NOISE)
    parts = linear.parts_mi(jnp.asarray(w, jnp.float32), NUM_RELEVANT, noise_variance=NOISE)
    for exact, of_x in zip((mi.ixt, *parts), (range(D), range(2), range(2, D)), strict=True):
        assert sampled(list(of_x), of_t) == pytest.approx(float(exact), abs=4 * (width / n) ** 0.5)
    assert sampled(of_t, of_y) == pytest.approx(float(mi.ity), abs=4 * (width / n) ** 0.5)


@pytest.mark.slow
def test_full_size_within_the_stated_error():
    key = jax.random.key(3)
    big = linear_teacher(key, num_samples=1, snr=1.0, weight_variance=100.0)  # as in experiments
    w = 0.1 * jax.random.normal(key, (100, 100)) + 0.03 * big.teacher[:, None]
    covariance = np.asarray(w, np.float64).T @ np.asarray(w, np.float64) / 100
    mi = linear.teacher_mi(w, big, noise_variance=1.0)
    expected = np.linalg.slogdet(np.eye(100) + covariance)[1] / (2 * np.log(2))
    assert mi.ixt == pytest.approx(expected, abs=1e-4)
    assert 0 < mi.ity < 0.5 * np.log2(1 + 2 * 1.0)


@pytest.mark.slow
def test_no_layer_is_above_the_bottleneck_of_its_task(data, params):
    signal = float((data.teacher**2).sum() / D)
    rho2 = signal / (signal + float(data.noise_variance))
    for scale in (0.01, 0.3, 1.0, 10.0):
        for w in linear.layer_maps(jax.tree.map(lambda p, s=scale: s * p, params)):
            mi = linear.teacher_mi(w, data, noise_variance=NOISE)
            assert mi.ity <= gaussian_ib_bound([rho2], [max(float(mi.ixt), 0.0)]).ity[0] + 1e-5


def test_the_teacher_itself_reaches_the_bound(data):
    signal = float((data.teacher**2).sum() / D)
    mi = linear.teacher_mi(data.teacher[:, None], data, noise_variance=NOISE)
    rho2 = signal / (signal + float(data.noise_variance))
    assert mi.ixt == pytest.approx(np.log2(1 + signal / NOISE) / 2, rel=1e-5)
    assert mi.ity == pytest.approx(gaussian_ib_bound([rho2], [float(mi.ixt)]).ity[0], rel=1e-4)


@pytest.mark.slow
def test_parts_of_a_layer_that_looks_at_one_part_only(data):
    w = jnp.concatenate([jnp.ones((NUM_RELEVANT, 3)), jnp.zeros((D - NUM_RELEVANT, 3))])
    relevant, irrelevant = linear.parts_mi(w, NUM_RELEVANT, noise_variance=NOISE)
    assert irrelevant == pytest.approx(0, abs=1e-6)
    assert relevant == pytest.approx(
        float(linear.teacher_mi(w, data, noise_variance=NOISE).ixt), abs=1e-6
    )


# --------------------------------------------------------------------------------------------------
# Error.


@pytest.mark.slow
def test_error_is_that_of_new_samples(data, params):
    n, rng = 400_000, np.random.default_rng(4)
    x = rng.normal(size=(n, D)) / D**0.5
    y = x @ np.asarray(data.teacher) + float(data.noise_variance) ** 0.5 * rng.normal(size=n)
    outputs, _ = MODEL.apply(params, jnp.asarray(x, jnp.float32))
    squares = (np.asarray(outputs)[:, 0] - y) ** 2
    expected = float(linear.generalisation_error(params, data))
    assert squares.mean() == pytest.approx(expected, abs=5 * squares.std() / n**0.5)


@pytest.mark.slow
def test_maps_are_what_the_layers_do(params):
    x = jnp.asarray(np.random.default_rng(5).normal(size=(7, D)), jnp.float32)
    outputs, hidden = MODEL.apply(params, x)
    offsets, hidden_offsets = MODEL.apply(params, jnp.zeros((1, D)))
    maps = linear.layer_maps(params)
    for w, t, offset in zip(maps, [*hidden, outputs], [*hidden_offsets, offsets], strict=True):
        np.testing.assert_allclose(x @ w, t - offset, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_best_learner_is_best_on_average():
    """The ridge penalty of the posterior mean beats its neighbours over many teachers."""
    draw = functools.partial(linear_teacher, num_samples=12, snr=1.0, weight_variance=5.0, num_inputs=10)
    many = jax.device_get(jax.vmap(draw)(jax.random.split(jax.random.key(6), 1000)))
    each = [TeacherSamples(*(part[i] for part in many)) for i in range(1000)]
    errors = {
        factor: np.array([linear.optimal_test_error(one, weight_variance=5.0 / factor) for one in each])
        for factor in (0.5, 1.0, 2.0)
    }
    assert (errors[1.0] > 5.0).all()  # the labels' noise
    for other in (0.5, 2.0):
        worse = errors[other] - errors[1.0]
        assert worse.mean() > 3 * worse.std() / 1000**0.5


# --------------------------------------------------------------------------------------------------
# Records.


@pytest.mark.slow
def test_record_holds_all_layers_and_the_errors(data, params):
    record = linear.LinearRecord(MODEL, noise_variance=NOISE, num_relevant=NUM_RELEVANT)
    assert record == linear.LinearRecord(MODEL, noise_variance=NOISE, num_relevant=NUM_RELEVANT)
    seen = record(params, data, Split(jnp.arange(8), jnp.arange(0)))
    for i, w in enumerate(linear.layer_maps(params)):
        mi = linear.teacher_mi(w, data, noise_variance=NOISE)
        parts = linear.parts_mi(w, NUM_RELEVANT, noise_variance=NOISE)
        assert (seen["ixt"][i], seen["ity"][i]) == mi
        assert (seen["ixt_relevant"][i], seen["ixt_irrelevant"][i]) == parts
    outputs, _ = MODEL.apply(params, data.x)
    assert seen["train_loss"] == pytest.approx(float(((outputs - data.y) ** 2).mean()), rel=1e-5)
    assert seen["test_loss"] == linear.generalisation_error(params, data)


@pytest.mark.slow
def test_training_gives_a_labelled_dataset():
    config = TrainConfig(
        widths=(5, 1), activation="linear", loss="squared_error", split="all_rows",
        batch_size=None, learning_rate=0.05, num_epochs=20,
    )  # fmt: skip
    draw = functools.partial(linear_teacher, num_samples=50, snr=5.0, weight_variance=5.0, num_inputs=D)
    record = linear.LinearRecord(make_model(config), noise_variance=1.0, num_relevant=NUM_RELEVANT)
    history = fit(config, draw, seeds=[3, 4], record=record, schedule=[10])
    results = history_to_dataset(history, record, {"snr": 5.0})
    assert results.ixt.dims == results.ixt_relevant.dims == ("seed", "epoch", "layer")
    assert results.ixt_irrelevant.sizes == {"seed": 2, "epoch": 3, "layer": 2}
    assert results.ixt.units == results.ixt_relevant.units == "bits"
    assert results.train_loss.units == results.test_loss.units == "1"
    assert results.attrs["snr"] == 5.0
    assert (results.train_loss[:, -1] < results.train_loss[:, 0]).all()
    assert (results.test_loss > 1.0).all()  # the labels' noise
    assert len(np.unique(results.test_loss[:, 0])) == 2  # each seed has its own teacher


def test_refuses(data):
    with pytest.raises(ValueError, match=r"model: expected linear hidden layers .* got tanh and 1"):
        linear.LinearRecord(MLP((3, 1), ("tanh",)), noise_variance=1.0)
    with pytest.raises(ValueError, match=r"model: expected .* got linear and 2"):
        linear.LinearRecord(MLP((3, 2), ("linear",)), noise_variance=1.0)
    with pytest.raises(ValueError, match=r"noise_variance: expected a positive.*got 0"):
        linear.LinearRecord(MODEL, noise_variance=0.0)
    with pytest.raises(ValueError, match="num_relevant: expected 1 to 5 of 6 inputs, got 6"):
        linear.parts_mi(jnp.ones((D, 2)), D, noise_variance=1.0)
