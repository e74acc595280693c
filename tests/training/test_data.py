"""Losses of numbers, samples drawn for each seed, and what of both is refused."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ibjax.training import TrainConfig, fit
from ibjax.training.steps import seed_keys
from ibjax.types import LabelledSamples

NUM_SAMPLES, NUM_INPUTS = 30, 3
CONFIG = TrainConfig(
    widths=(4, 2),
    loss="squared_error",
    learning_rate=0.05,
    batch_size=None,
    num_epochs=3,
    split="all_rows",
)


class Task(NamedTuple):
    """Samples and the teacher whose outputs they are."""

    x: jax.Array
    y: jax.Array
    teacher: jax.Array


def draw(key):
    for_x, for_teacher = jax.random.split(key)
    x = jax.random.normal(for_x, (NUM_SAMPLES, NUM_INPUTS))
    teacher = jax.random.normal(for_teacher, (NUM_INPUTS, 2))
    return Task(x, x @ teacher, teacher)


def keep_all(params, data, split):
    return {"params": params, "data": data, "train": split.train, "test": split.test}


def keep_inputs(params, data, split):
    return data.x


def quick_fit(config, data, **options):
    return fit(config, data, **{"seeds": [3, 8], "record": keep_all, "lanes": 2} | options)


def mean_square(params, x, y):
    layers = params["params"]
    h = jnp.tanh(x @ layers["layer_1"]["kernel"] + layers["layer_1"]["bias"][None, :])
    outputs = h @ layers["layer_2"]["kernel"] + layers["layer_2"]["bias"][None, :]
    return ((outputs - y) ** 2).sum(axis=1).mean()


@pytest.fixture(scope="module")
def history():
    return quick_fit(CONFIG, draw, schedule=[1])


@pytest.mark.slow
def test_each_seed_draws_samples_by_its_own_key_and_the_record_sees_all_of_them(history):
    for position, seed in enumerate([3, 8]):
        own = draw(seed_keys(jnp.asarray(seed)).data)
        for seen, expected in zip(history.records["data"], own, strict=True):
            np.testing.assert_allclose(seen[position, 0], expected, rtol=1e-6, atol=1e-6)
            np.testing.assert_array_equal(seen[position, 0], seen[position, 2])
    assert np.abs(np.diff(history.records["data"].teacher[:, 0], axis=0)).min() > 1e-3


def test_all_rows_train(history):
    assert history.records["train"].shape == (2, 3, NUM_SAMPLES)
    assert (np.sort(history.records["train"]) == np.arange(NUM_SAMPLES)).all()
    assert history.records["test"].shape == (2, 3, 0)


@pytest.mark.slow
def test_full_batch_descends_the_mean_squared_error(history):
    """Epochs 0, 1 and 3."""
    for position, seed in enumerate([3, 8]):
        x, y, _ = draw(seed_keys(jnp.asarray(seed)).data)
        params = jax.tree.map(lambda p, i=position: p[i, 0], history.records["params"])
        for _ in range(3):
            grads = jax.grad(mean_square)(params, x, y)
            params = jax.tree.map(lambda p, g: p - 0.05 * g, params, grads)
        for got, expected in zip(jax.tree.leaves(history.params), jax.tree.leaves(params), strict=True):
            np.testing.assert_allclose(got[position], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_minibatches_take_every_sample_once_an_epoch():
    """With one sample a step and a rate so small that steps add up, an epoch is n small full steps."""
    slow = dataclasses.replace(CONFIG, batch_size=1, learning_rate=1e-5, num_epochs=1)
    got = quick_fit(slow, draw, schedule=[1])
    for position, seed in enumerate([3, 8]):
        x, y, _ = draw(seed_keys(jnp.asarray(seed)).data)
        start = jax.tree.map(lambda p, i=position: p[i, 0], got.records["params"])
        grads = jax.grad(mean_square)(start, x, y)
        for before, after, grad in zip(*map(jax.tree.leaves, (start, got.params, grads)), strict=True):
            step = (before - np.asarray(after[position])) / (1e-5 * NUM_SAMPLES)
            np.testing.assert_allclose(step, grad, atol=0.02 * np.abs(grad).max() + 2e-3)


@pytest.mark.slow
def test_shared_numbers_train_as_drawn_ones_do():
    task = draw(jax.random.key(5))
    shared = quick_fit(CONFIG, LabelledSamples(np.asarray(task.x), np.asarray(task.y, np.float64)))
    drawn = quick_fit(CONFIG, lambda key: task)
    for a, b in zip(*map(jax.tree.leaves, (shared.params, drawn.params)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


X = np.zeros((5, 3), np.float32)


@pytest.mark.parametrize(
    ("changes", "data", "message"),
    [
        ({}, LabelledSamples(X, np.zeros(5)), r"y: expected shape \(n_samples, 2\), got \(5,\)"),
        ({}, LabelledSamples(X, np.zeros((5, 3))), r"y: expected shape \(n_samples, 2\), got \(5, 3\)"),
        ({}, LabelledSamples(X, np.full((5, 2), np.nan)), "y: expected finite values, got 10 NaN"),
        (
            {"batch_size": 6},
            LabelledSamples(X, np.zeros((5, 2))),
            "batch_size: expected at most the 5 training",
        ),
        ({}, lambda key: LabelledSamples(jnp.zeros((5, 3)), jnp.zeros(5)), "y: expected shape"),
        (
            {},
            lambda key: LabelledSamples(jnp.full((5, 3), jnp.inf), jnp.zeros((5, 2))),
            "x: expected finite",
        ),
        (
            {"loss": "cross_entropy"},
            lambda key: LabelledSamples(jnp.zeros((5, 3)), jax.random.randint(key, (5,), 2, 4)),
            "y: expected labels from 0 to 1, .* got 2 to 3",
        ),
    ],
)
def test_bad_samples_are_refused(changes, data, message):
    with pytest.raises(ValueError, match=message):
        quick_fit(dataclasses.replace(CONFIG, **changes), data)


def test_drawn_data_and_drawn_labels_exclude_each_other():
    with pytest.raises(ValueError, match="draw_labels: expected only with data that all seeds share"):
        quick_fit(CONFIG, draw, draw_labels=lambda key: jnp.zeros(NUM_SAMPLES, int))


def test_unknown_losses_are_refused():
    with pytest.raises(ValueError, match="loss: expected one of cross_entropy, squared_error; got"):
        TrainConfig(loss="mse")


@pytest.mark.slow
def test_a_checkpoint_of_other_drawn_samples_is_refused(tmp_path):
    """Told by the samples: functions with options fixed share a name."""

    def run(scale, **options):
        def draw_scaled(key):
            task = draw(key)
            return task._replace(x=scale * task.x)

        options |= {"schedule": [], "record": keep_inputs, "checkpoint_dir": tmp_path}
        quick_fit(CONFIG, draw_scaled, **options)

    run(1.0)
    run(1.0, resume=True)
    with pytest.raises(ValueError, match=r"(?s)resume: expected the run .* got other.*data"):
        run(2.0, resume=True)


@pytest.mark.slow
def test_one_output_trains_as_two_of_which_the_first_does_not():
    """Its gradient is that of the logit of class 1 against 0."""
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    data = LabelledSamples(x, (x[:, 0] > 0).astype(np.int32))
    config = TrainConfig(widths=(4, 1), learning_rate=0.5, batch_size=None, num_epochs=1)
    history = fit(config, data, seeds=[0], record=keep_all, schedule=[0, 1], lanes=1)
    before, after = (jax.tree.map(lambda p, i=i: p[0, i], history.records["params"]) for i in (0, 1))
    rows = history.records["train"][0, 0]

    def loss(params):
        layers = params["params"]
        h = jnp.tanh(x[rows] @ layers["layer_1"]["kernel"] + layers["layer_1"]["bias"][None, :])
        z = (h @ layers["layer_2"]["kernel"] + layers["layer_2"]["bias"][None, :])[:, 0]
        return (jax.nn.softplus(z) - data.y[rows] * z).mean()

    gradient = jax.grad(loss)(before)
    expected = jax.tree.map(lambda p, g: p - 0.5 * g, before, gradient)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), after, expected)


def test_one_output_tells_only_two_labels_apart():
    x = np.zeros((40, 3), np.float32)
    config = TrainConfig(widths=(4, 1), batch_size=None, num_epochs=1)
    with pytest.raises(ValueError, match=r"y: expected labels from 0 to 1, .* 1 outputs .* got 0 to 2"):
        fit(config, LabelledSamples(x, np.arange(40) % 3), seeds=[0], record=keep_all)
