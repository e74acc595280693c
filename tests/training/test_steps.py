import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ibjax.models import MLP
from ibjax.training import TrainConfig
from ibjax.training.config import numbers_of
from ibjax.training.optimizers import GivenOptimizer, Numbers
from ibjax.training.steps import Recipe, epoch_order, init_state, seed_keys, train_epochs
from ibjax.types import LabelledSamples, TrainState
from tests.marks import slow

RATE = 0.5


def make_data(num_samples=50, num_inputs=3, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(num_samples, num_inputs))
    y = rng.integers(0, 2, size=num_samples)
    return LabelledSamples(jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.int32))


def plain_loss(params, x, y, activation=jnp.tanh):
    """Mean cross-entropy in nats of a network, row-major, with JAX's own derivatives."""
    layers = params["params"]
    h = x
    for i in range(1, len(layers) + 1):
        z = h @ layers[f"layer_{i}"]["kernel"] + layers[f"layer_{i}"]["bias"][None, :]
        h = activation(z)
    return -jax.nn.log_softmax(z)[jnp.arange(len(y)), y].mean()


plain_gradient = jax.jit(jax.grad(plain_loss), static_argnames="activation")


def descend(params, x, y, activation=jnp.tanh):
    """A step of gradient descent by hand."""
    grads = plain_gradient(params, x, y, activation=activation)
    return jax.tree.map(lambda p, g: np.asarray(p) - RATE * np.asarray(g), params, grads)


def twin_epoch(params, keys, data, rows, epoch, batch_size, shuffle=True, step=descend):
    """One epoch, one batch after the other."""
    rows = np.asarray(rows)
    if batch_size is None:
        return step(params, data.x[rows], data.y[rows])
    if shuffle:
        rows = rows[np.asarray(epoch_order(keys.order, jnp.asarray(epoch), len(rows)))]
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        params = step(params, data.x[batch], data.y[batch])
    return params


def make_recipe(
    batch_size=8, shuffle=True, optimizer=None, widths=(4, 2), noise_variance=0.0, activation="tanh"
):
    model = MLP(widths, (activation,) * (len(widths) - 1), noise_variance=noise_variance)
    return Recipe(model, GivenOptimizer(optimizer or sgd()), batch_size, shuffle)


def numbers_with(**values):
    return numbers_of(TrainConfig(**values))


@functools.cache
def sgd():
    return optax.sgd(RATE)


class Network(NamedTuple):
    """An untrained network with its keys, data and training rows."""

    state: TrainState
    keys: tuple
    numbers: Numbers
    data: LabelledSamples
    rows: jax.Array


def make_network(recipe, num_train=40, num_samples=50, seed=3):
    data = make_data(num_samples)
    keys = seed_keys(jnp.asarray(seed))
    rows = jax.random.permutation(keys.split, num_samples)[:num_train].astype(jnp.int32)
    numbers = numbers_with(noise_variance=recipe.model.noise_variance)
    state = init_state(keys.init, recipe, numbers, data.x.shape[1:])
    return Network(state, keys, numbers, data, rows)


jitted_epochs = jax.jit(train_epochs, static_argnames=("recipe",))


def run(network, recipe, num_epochs, epoch=0):
    args = network.data, network.rows, jnp.asarray(epoch), jnp.asarray(num_epochs), recipe
    return jitted_epochs(network.state, network.keys, network.numbers, *args)


def assert_close(got, expected, atol=2e-6):
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for g, e in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(g, e, atol=atol)


def assert_identical(got, expected):
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for g, e in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(g, e)


def differ(a, b):
    return any(
        (np.asarray(x) != np.asarray(y)).any()
        for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


@pytest.mark.parametrize(
    ("batch_size", "num_train", "shuffle"),
    [slow(8, 40, True), (8, 43, True), slow(8, 43, False), slow(1, 5, True), slow(None, 43, True)],
)
def test_epochs_equal_a_loop_by_hand(batch_size, num_train, shuffle):
    recipe = make_recipe(batch_size, shuffle)
    network = make_network(recipe, num_train)
    expected = network.state.params
    for epoch in range(3):
        expected = twin_epoch(
            expected, network.keys, network.data, network.rows, epoch, batch_size, shuffle
        )
        # Exactly epoch + 1 of them: one more or less moves the weights by far more than rounding.
        assert_close(run(network, recipe, epoch + 1).params, expected)


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [8, None])
def test_linear_layers_learn_one_by_one(batch_size):
    """Merged in training, they still move as by gradient descent on each."""
    recipe = make_recipe(batch_size, widths=(4, 5, 2), activation="linear")
    network = make_network(recipe, 43)
    expected = network.state.params
    step = functools.partial(descend, activation=lambda z: z)
    for epoch in range(3):
        expected = twin_epoch(
            expected, network.keys, network.data, network.rows, epoch, batch_size, step=step
        )
    assert_close(run(network, recipe, 3).params, expected)


def test_one_epoch_more_is_seen():
    recipe = make_recipe()
    network = make_network(recipe)
    two, three = (run(network, recipe, e).params for e in (2, 3))
    moved = [np.abs(a - b).max() for a, b in zip(*map(jax.tree.leaves, (two, three)), strict=True)]
    assert min(moved) > 1e-4  # fifty times what the twins above may differ by


def test_no_epochs_leave_the_untrained_network():
    recipe = make_recipe()
    network = make_network(recipe)
    assert_identical(run(network, recipe, 0), network.state)


@pytest.mark.parametrize("batch_size", [8, slow(None)])
def test_epochs_in_two_parts_are_the_same_bit_for_bit(batch_size):
    recipe = make_recipe(batch_size, optimizer=optax.adam(0.01), noise_variance=0.01)
    network = make_network(recipe, 43)
    straight = run(network, recipe, 5)
    half = run(network, recipe, 2)
    assert_identical(run(network._replace(state=half), recipe, 3, epoch=2), straight)


def test_the_order_depends_on_the_epoch_number_and_not_on_the_chunk():
    recipe = make_recipe()
    network = make_network(recipe)
    from_zero, from_seven = run(network, recipe, 1), run(network, recipe, 1, epoch=7)
    assert differ(from_zero.params, from_seven.params)
    expected = twin_epoch(network.state.params, network.keys, network.data, network.rows, 7, 8)
    assert_close(from_seven.params, expected)


@pytest.mark.parametrize("num_train", [slow(1), slow(256), 300, slow(600)])
def test_full_batch_follows_the_gradient_of_the_mean_over_all_training_samples(num_train):
    recipe = make_recipe(None)
    network = make_network(recipe, num_train, num_samples=700)
    moved = run(network, recipe, 1).params
    data, rows = network.data, network.rows
    gradient = plain_gradient(network.state.params, data.x[rows], data.y[rows])
    got = jax.tree.map(lambda p, q: (p - q) / RATE, network.state.params, moved)
    assert_close(got, gradient, atol=1e-6)


@pytest.mark.parametrize("batch_size", [slow(8), None])
def test_test_rows_never_influence_the_parameters(batch_size):
    recipe = make_recipe(batch_size)
    network = make_network(recipe, 40)
    trained = run(network, recipe, 3)
    is_test = np.ones(50, bool)
    is_test[np.asarray(network.rows)] = False
    assert is_test.sum() == 10

    def with_data(x, y):
        return run(network._replace(data=LabelledSamples(jnp.asarray(x), jnp.asarray(y))), recipe, 3)

    x, y = map(np.asarray, network.data)
    other_x = np.where(is_test[:, None], np.float32(1e6), x)
    assert_identical(with_data(other_x, np.where(is_test, 1 - y, y)), trained)
    # Every training sample does.
    for row in np.flatnonzero(~is_test):
        flipped = y.copy()
        flipped[row] = 1 - y[row]
        assert differ(with_data(x, flipped).params, trained.params)


def gradients_only() -> optax.GradientTransformation:
    """Leaves the parameters alone and sums the gradients."""

    def update(grads, total, params=None):
        return jax.tree.map(jnp.zeros_like, grads), jax.tree.map(jnp.add, total, grads)

    return optax.GradientTransformation(lambda params: jax.tree.map(jnp.zeros_like, params), update)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("num_train", "batch_size", "shuffle"),
    [
        (10, 4, True),
        (10, 4, False),
        (300, 7, True),
        (600, None, True),
    ],
)
def test_each_sample_is_seen_once_an_epoch_with_its_share_of_its_batch(num_train, batch_size, shuffle):
    # Sample i has the i-th unit vector as its input: it alone moves row i of the kernel.
    num_samples = num_train + 5
    recipe = make_recipe(batch_size, shuffle, gradients_only(), widths=(2,))
    keys = seed_keys(jnp.asarray(0))
    data = LabelledSamples(jnp.eye(num_samples), jnp.zeros(num_samples, jnp.int32))
    rows = jax.random.permutation(keys.split, num_samples)[:num_train].astype(jnp.int32)
    start = jax.tree.map(jnp.zeros_like, init_state(keys.init, recipe, numbers_with(), (num_samples,)))
    state = run(Network(start, keys, numbers_with(), data, rows), recipe, 1)
    # With zero weights p = 1/2 and the gradient of sample i is (p - 1, p) over its batch's size.
    kernel = np.asarray(state.opt_state["params"]["layer_1"]["kernel"])
    np.testing.assert_allclose(kernel[:, 0], -kernel[:, 1])
    share = 2 * kernel[:, 1]
    size = batch_size or num_train
    in_last = num_train % size
    expected = [0] * 5 + [1 / size] * (num_train - in_last)
    expected += [1 / in_last] * in_last if in_last else []
    np.testing.assert_allclose(np.sort(share), np.sort(expected), rtol=1e-5)
    np.testing.assert_array_equal(np.flatnonzero(share), np.sort(rows))


def test_without_shuffling_every_epoch_has_the_same_order():
    recipe = make_recipe(shuffle=False)
    network = make_network(recipe)
    assert_identical(run(network, recipe, 1), run(network, recipe, 1, epoch=9))


@pytest.mark.parametrize(
    ("optimizer", "batch_size"),
    [
        slow(optax.adam(0.01), 8, id="adam"),
        slow(optax.adam(0.01), None, id="full adam"),
        slow(optax.chain(optax.add_decayed_weights(0.05), optax.sgd(RATE)), 8, id="decay"),
        slow(optax.adamw(0.01, weight_decay=0.1), None, id="full adamw"),
    ],
)
def test_optimizers_equal_optax_applied_by_hand(optimizer, batch_size):
    recipe = make_recipe(batch_size, optimizer=optimizer)
    network = make_network(recipe, 43)
    opt_state = optimizer.init(network.state.params)

    def step(params, x, y):
        nonlocal opt_state
        updates, opt_state = optimizer.update(plain_gradient(params, x, y), opt_state, params)
        return optax.apply_updates(params, updates)

    params = network.state.params
    for epoch in range(3):
        params = twin_epoch(
            params, network.keys, network.data, network.rows, epoch, batch_size, step=step
        )
    # Adam divides by gradients' size, so rounding counts for more.
    trained = run(network, recipe, 3)
    assert_close(trained.params, params, atol=1e-5)
    assert_close(trained.opt_state, opt_state, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [8, slow(None)])
def test_noise_changes_training_only_where_it_has_variance(batch_size):
    quiet, noisy = (make_recipe(batch_size, noise_variance=v) for v in (0.0, 0.1))
    network = make_network(noisy)
    other = network._replace(keys=network.keys._replace(noise=jax.random.key(99)))
    assert_identical(run(network, quiet, 2), run(other, quiet, 2))
    assert_identical(run(network, noisy, 2), run(network, noisy, 2))
    assert differ(run(network, noisy, 2).params, run(other, noisy, 2).params)
    assert differ(run(network, noisy, 2).params, run(network, quiet, 2).params)


def silent_network(recipe, labels):
    """Inputs and weights of 0: hidden activations in training are noise, and p = 1/2."""
    keys = seed_keys(jnp.asarray(0))
    data = LabelledSamples(jnp.zeros((len(labels), 3)), jnp.asarray(labels, jnp.int32))
    start = jax.tree.map(jnp.zeros_like, init_state(keys.init, recipe, numbers_with(), (3,)))
    numbers = numbers_with(noise_variance=recipe.model.noise_variance)
    return Network(start, keys, numbers, data, jnp.arange(len(labels), dtype=jnp.int32))


def output_gradient(state):
    return np.asarray(state.opt_state["params"]["layer_2"]["kernel"])


@pytest.mark.slow
def test_every_batch_and_epoch_has_its_own_noise():
    recipe = make_recipe(8, optimizer=gradients_only(), noise_variance=1.0)
    network = silent_network(recipe, [0] * 8)
    one_batch = [output_gradient(run(network, recipe, 1, epoch=e)) for e in range(4)]
    assert len(np.unique(one_batch)) == np.size(one_batch)
    # Batches of opposite labels would cancel if they had the same noise.
    fixed = make_recipe(8, False, recipe.optimizer.optimizer, noise_variance=1.0)
    network = silent_network(fixed, [0] * 8 + [1] * 8)
    assert np.abs(output_gradient(run(network, fixed, 1))).min() > 1e-3


@pytest.mark.slow
def test_every_block_of_the_full_batch_has_its_own_noise():
    recipe = make_recipe(None, optimizer=gradients_only(), noise_variance=1.0)
    network = silent_network(recipe, [0] * 256 + [1] * 256)
    assert np.abs(output_gradient(run(network, recipe, 1))).min() > 1e-4


def test_seed_keys_are_of_the_seed_and_distinct_by_purpose():
    keys = seed_keys(jnp.asarray(7))
    expected = [jax.random.fold_in(jax.random.key(7), purpose) for purpose in range(6)]
    for key, e in zip(keys, expected, strict=True):
        np.testing.assert_array_equal(jax.random.key_data(key), jax.random.key_data(e))
    words = {tuple(jax.random.key_data(k).tolist()) for s in range(3) for k in seed_keys(jnp.asarray(s))}
    assert len(words) == 18


def test_the_initial_state_is_the_models_and_the_optimizers():
    recipe = make_recipe(optimizer=optax.adam(0.1))
    key = jax.random.key(4)
    state = init_state(key, recipe, numbers_with(), (3,))
    params = recipe.model.init({"params": key}, jnp.zeros((1, 3)))
    assert_identical(state, TrainState(params, optax.adam(0.1).init(params)))
