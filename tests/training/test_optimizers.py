import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ibjax.training import TrainConfig, fit, make_optimizer
from ibjax.training.config import numbers_of
from ibjax.training.optimizers import OPTIMIZERS, RATE_SCHEDULES, NamedOptimizer
from tests.marks import slow
from tests.training.test_steps import assert_identical, differ, make_data

DATA = make_data(50)
CONFIG = TrainConfig(widths=(4, 2), learning_rate=0.1, batch_size=12, num_epochs=4)
SEEDS = [0, 1, 2]


def keep_params(params, data, split):
    return params


quick_fit = functools.partial(fit, record=keep_params, schedule=[], lanes=2)


def rates(config, num_steps, steps_per_epoch):
    """The factor of the gradient at each step."""
    optimizer = make_optimizer(config, steps_per_epoch)
    state, taken = optimizer.init(jnp.zeros(1)), []
    for _ in range(num_steps):
        update, state = optimizer.update(jnp.ones(1), state, jnp.zeros(1))
        taken.append(-float(update[0]))
    return np.array(taken)


def test_cosine_falls_to_the_factor_and_stays():
    config = dataclasses.replace(CONFIG, learning_rate_schedule="cosine", decay_factor=0.2)
    config = dataclasses.replace(config, decay_epochs=3)
    expected = optax.cosine_decay_schedule(0.1, decay_steps=6, alpha=0.2)
    np.testing.assert_allclose(rates(config, 9, 2), expected(np.arange(9)), rtol=1e-6)


def test_steps_multiply_by_the_factor_after_whole_epochs():
    config = dataclasses.replace(CONFIG, learning_rate_schedule="step", decay_factor=0.5)
    got = rates(dataclasses.replace(config, decay_epochs=2), 10, 2)
    np.testing.assert_allclose(got, 0.1 * 0.5 ** (np.arange(10) // 4), rtol=1e-6)


@pytest.mark.parametrize(("schedule", "epochs"), [("cosine", 8), ("step", 3), ("constant", 1)])
def test_schedules_take_all_epochs_or_a_third_unless_told(schedule, epochs):
    config = dataclasses.replace(CONFIG, learning_rate_schedule=schedule, num_epochs=8)
    assert numbers_of(config).decay_epochs == epochs


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("schedule", ["constant", slow("cosine"), slow("step")])
def test_traced_numbers_are_the_numbers(name, schedule):
    config = TrainConfig(optimizer=name, learning_rate_schedule=schedule, weight_decay=0.1)
    params, grads = {"w": jnp.array([1.0, -2.0])}, {"w": jnp.array([0.3, 0.4])}
    named = NamedOptimizer(name, schedule, decays=True)

    @jax.jit
    def second_update(numbers):
        optimizer = named(numbers, 3)
        _, state = optimizer.update(grads, optimizer.init(params), params)
        return optimizer.update(grads, state, params)[0]

    optimizer = make_optimizer(config, 3)
    _, state = optimizer.update(grads, optimizer.init(params), params)
    expected = optimizer.update(grads, state, params)[0]
    np.testing.assert_allclose(second_update(numbers_of(config))["w"], expected["w"], rtol=1e-6)


def test_schedules_are_those_that_are_documented():
    assert set(RATE_SCHEDULES) == {"constant", "cosine", "step"}


NUMBERS = {
    "learning_rate": [0.1, 0.2, 0.3],
    "init_scale": [1.0, 0.5, 2.0],
    "weight_decay": [0.1, 0.2, 0.3],
    "noise_variance": [0.1, 0.2, 0.3],
}


@pytest.mark.parametrize("name", ["init_scale", *(slow(k) for k in NUMBERS if k != "init_scale")])
def test_each_network_has_its_own_numbers(name):
    history = quick_fit(CONFIG, DATA, seeds=SEEDS, numbers={name: NUMBERS[name]})
    for i, number in enumerate(NUMBERS[name]):
        config = dataclasses.replace(CONFIG, **{name: number})
        alone = quick_fit(config, DATA, seeds=SEEDS[i : i + 1])
        assert_identical(jax.tree.map(lambda x, i=i: x[i : i + 1], history.params), alone.params)


@pytest.mark.slow
def test_momentum_is_a_number():
    config = dataclasses.replace(CONFIG, optimizer="momentum")
    history = quick_fit(config, DATA, seeds=SEEDS, numbers={"momentum": [0.0, 0.5, 0.9]})
    plain = quick_fit(CONFIG, DATA, seeds=SEEDS)
    first = functools.partial(jax.tree.map, lambda x: x[0])
    for got, expected in zip(
        *map(jax.tree.leaves, (first(history.params), first(plain.params))), strict=True
    ):
        np.testing.assert_allclose(got, expected, atol=1e-6)
    usual = quick_fit(config, DATA, seeds=SEEDS)
    last = functools.partial(jax.tree.map, lambda x: x[2])
    assert_identical(last(history.params), last(usual.params))


def test_the_initial_scale_multiplies_kernels_alone():
    scaled = dataclasses.replace(CONFIG, init_scale=3.0)
    record = functools.partial(fit, record=keep_params, seeds=[0], schedule=[], lanes=2)
    plain, large = (record(config, DATA).records["params"] for config in (CONFIG, scaled))
    for name in plain:
        kernels = plain[name]["kernel"][0, 0], large[name]["kernel"][0, 0]
        np.testing.assert_allclose(3 * kernels[0], kernels[1], rtol=1e-6)
        np.testing.assert_array_equal(large[name]["bias"][0, 0], 0)


@pytest.mark.slow
def test_dropout_changes_training_and_no_measurement():
    plain = quick_fit(CONFIG, DATA, seeds=SEEDS)
    dropped = quick_fit(dataclasses.replace(CONFIG, dropout_rate=0.5), DATA, seeds=SEEDS)
    assert differ(plain.params, dropped.params)
    again = quick_fit(dataclasses.replace(CONFIG, dropout_rate=0.5), DATA, seeds=SEEDS)
    assert_identical(dropped.params, again.params)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"rate": [1.0] * 3}, "numbers: expected one of .*learning_rate"),
        ({"learning_rate": [0.1, 0.2]}, "numbers: expected 3 numbers for 'learning_rate'"),
        ({"learning_rate": [0.1, 0.2, 0.0]}, "learning_rate: expected a finite number above 0"),
        ({"momentum": [0.1, 0.2, 0.3]}, "'momentum' with the optimizer \"sgd\""),
        ({"decay_epochs": [1, 2, 3]}, "'decay_epochs' with a constant learning rate"),
        ([0.1, 0.2, 0.3], "numbers: expected"),
    ],
)
@pytest.mark.usefixtures("as_users")
def test_bad_numbers_are_refused(numbers, message):
    with pytest.raises(ValueError, match=message):
        quick_fit(CONFIG, DATA, seeds=SEEDS, numbers=numbers)


def test_numbers_of_an_optimizer_of_ones_own_are_refused():
    with pytest.raises(ValueError, match="'learning_rate' with an optimizer of its own"):
        quick_fit(CONFIG, DATA, seeds=[0], optimizer=optax.sgd(0.1), numbers={"learning_rate": [0.1]})
