"""Training of one network: its initial state and its epochs, as pure functions.

``training.blocks`` adds the axis of seeds by ``vmap``.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Int

from ibjax.losses import cross_entropy
from ibjax.models import MLP, merge_linear, takes_train
from ibjax.sorting import sort_words, sort_words_64
from ibjax.training.optimizers import Numbers, OptimizerFamily
from ibjax.types import PyTree, Samples, TrainState

__all__ = ["Keys", "Recipe", "epoch_order", "init_state", "seed_keys", "train_epochs"]

# Samples per block when full-batch gradients are summed over blocks; a block fits a core's cache.
BLOCK = 256


class Keys(NamedTuple):
    """Random keys of one seed, by purpose."""

    init: Array
    split: Array
    labels: Array
    order: Array
    noise: Array
    data: Array


class Recipe(NamedTuple):
    """Static settings of training, on which a compiled program depends.

    Noise of the model has the variance of the network's ``Numbers``, if the model's own is not 0.
    """

    model: nn.Module
    optimizer: OptimizerFamily
    batch_size: int | None
    shuffle: bool
    loss: Callable[[Array, Array], Array] = cross_entropy
    validation_fraction: float = 0.0


def seed_keys(seed: Int[Array, ""]) -> Keys:
    """Return the threefry keys of a seed, each ``fold_in(key(seed), purpose)``."""
    key = jax.random.key(seed, impl="threefry2x32")  # others draw differently under vmap
    return Keys(*(jax.random.fold_in(key, purpose) for purpose in range(len(Keys._fields))))


def init_state(key: Array, recipe: Recipe, numbers: Numbers, input_shape: tuple[int, ...]) -> TrainState:
    """Return the state of the untrained network, epoch 0; its kernels are scaled by ``init_scale``."""
    params = recipe.model.init({"params": key}, jnp.zeros((1, *input_shape)))

    def scaled(path, leaf):
        is_kernel = getattr(path[-1], "key", None) == "kernel"
        return numbers.init_scale * leaf if is_kernel else leaf

    params = jax.tree_util.tree_map_with_path(scaled, params)
    return TrainState(params, recipe.optimizer(numbers, 1).init(params))


def train_epochs(
    state: TrainState,
    keys: Keys,
    numbers: Numbers,
    data: Samples,
    rows: Int[Array, " n_train"],
    epoch: Int[Array, ""],
    num_epochs: Int[Array, ""],
    recipe: Recipe,
) -> TrainState:
    """Train for ``num_epochs`` more epochs, from ``epoch`` on, and return the state.

    Every epoch uses each training sample once. Each step follows the gradient of the mean loss over
    ``batch_size`` samples, the last one over the remaining samples; if ``batch_size`` is None, there is
    one step along the gradient over all samples.

    Args:
        state: training state after ``epoch`` epochs.
        keys: random keys of the seed; the order of samples and the noise depend on the seed and the
            epoch alone.
        numbers: numeric settings of the network.
        data: samples with x (n, d) and y (n,), or (n, k) for losses of numbers.
        rows: (n_train,) row numbers of the training samples.
        epoch: number of epochs done; may be traced.
        num_epochs: number of epochs to do; may be traced.
        recipe: model, optimizer, batch size, whether to shuffle, loss.
    """
    epochs = _full_batch_epoch if recipe.batch_size is None else _minibatch_epoch
    one_epoch = epochs(keys, numbers, data, rows, recipe)
    return lax.fori_loop(epoch, epoch + num_epochs, one_epoch, state)


def epoch_order(key: Array, epoch: Int[Array, ""], num_samples: int) -> Int[Array, " n"]:
    """Return a random permutation of 0..n-1 for the epoch, by one sort of random words.

    The index is in the words' lowest bits, so that the sort carries nothing along. Up to n = 4096 at
    least 20 random bits remain (pairs that tie keep their order, fewer than 8 in an epoch); larger n use
    64-bit words, with 32 random bits above the index's word.
    """
    key = jax.random.fold_in(key, epoch)
    index = jnp.arange(num_samples, dtype=jnp.uint32)
    random = jax.random.bits(key, (num_samples,), jnp.uint32)
    if num_samples <= 4096:
        low = jnp.uint32(max(2 ** (num_samples - 1).bit_length(), 1) - 1)
        return (sort_words((random & ~low) | index) & low).astype(jnp.int32)
    return sort_words_64(random, index)[1].astype(jnp.int32)


def _minibatch_epoch(keys, numbers, data, rows, recipe):
    positions, real = _batches(len(rows), recipe.batch_size)
    all_weights = real / real.sum(axis=1, keepdims=True)  # weights in each batch's mean
    network = _Network(recipe, numbers, data, len(positions))

    def one_epoch(epoch, state):
        order = rows[epoch_order(keys.order, epoch, len(rows))] if recipe.shuffle else rows
        noise_key = jax.random.fold_in(keys.noise, epoch)

        def step(state, batch):
            number, positions, weights = batch
            key = jax.random.fold_in(noise_key, number)
            params, pull_back = jax.vjp(network.merged, state.params)
            grads = network.gradient(params, *network.gather(order[positions]), weights, key)
            return network.update(state, pull_back(grads)[0]), None

        batches = jnp.arange(len(positions)), jnp.asarray(positions), jnp.asarray(all_weights)
        return lax.scan(step, state, batches)[0]

    return one_epoch


def _full_batch_epoch(keys, numbers, data, rows, recipe):
    positions, real = _batches(len(rows), min(BLOCK, len(rows)))
    weights = real / len(rows)  # weights in the overall mean
    network = _Network(recipe, numbers, data, steps_per_epoch=1)
    # The blocks are the same in every epoch and gathered once: (blocks, d, BLOCK), (blocks, BLOCK).
    x, y = jax.vmap(lambda block: network.gather(rows[block]))(jnp.asarray(positions))

    def one_epoch(epoch, state):
        noise_key = jax.random.fold_in(keys.noise, epoch)
        params, pull_back = jax.vjp(network.merged, state.params)

        def add_block(total, block):
            # Index by number: a scan over x and y would copy them into another order in every epoch.
            number, weights = block
            key = jax.random.fold_in(noise_key, number)
            grads = network.gradient(params, x[number], y[number], weights, key)
            return jax.tree.map(jnp.add, total, grads), None

        blocks = jnp.arange(len(positions)), jnp.asarray(weights)
        zero = jax.tree.map(jnp.zeros_like, params)
        grads, _ = lax.scan(add_block, zero, blocks)
        return network.update(state, pull_back(grads)[0])

    return one_epoch


def _batches(num_samples: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return positions (batches, columns) of the samples, and whether each is real.

    The last batch is filled up with position 0, which is not real.
    """
    count = -(-num_samples // columns)
    position = np.arange(count * columns, dtype=np.int32).reshape(count, columns)
    real = position < num_samples
    return np.where(real, position, 0), real.astype(np.float32)


class _Network:
    """One network's gathering of samples, gradients and updates.

    An ``MLP`` takes feature-major samples, and its linear layers are merged; other modules take rows.
    """

    def __init__(self, recipe: Recipe, numbers: Numbers, data: Samples, steps_per_epoch: int):
        self._data, self._loss, self._numbers = data, recipe.loss, numbers
        self._optimizer = recipe.optimizer(numbers, steps_per_epoch)
        self._model, self.merged = recipe.model, lambda params: params
        if isinstance(recipe.model, MLP):
            self._model, self.merged = merge_linear(recipe.model, data.x.shape[1])

    def gather(self, rows):
        """Gather the samples of ``rows``: x (d, batch), or (batch, ...); y (batch,) or (k, batch)."""
        x = self._data.x.at[rows].get(mode="promise_in_bounds")
        if isinstance(self._model, MLP):
            # Whole rows are gathered, then transposed at once: gathering columns is twice as slow.
            x = lax.optimization_barrier(x.T)
        return x, self._data.y.at[rows].get(mode="promise_in_bounds").T

    def gradient(self, params, x, y, weights, key) -> PyTree:
        """Return the gradient of the weighted sum of losses, by the parameters of merged layers."""

        def loss(params):
            return jnp.sum(weights * self._loss(self._outputs(params, x, key), y))

        return jax.grad(loss)(params)

    def update(self, state, grads) -> TrainState:
        updates, opt_state = self._optimizer.update(grads, state.opt_state, state.params)
        return TrainState(optax.apply_updates(state.params, updates), opt_state)

    def _outputs(self, params, x, key):
        """Return outputs in training, (k, batch)."""
        rngs = {"noise": key, "dropout": jax.random.fold_in(key, 0)}
        if isinstance(self._model, MLP):
            variance = self._numbers.noise_variance
            outputs: Any = self._model.apply(
                params, x, train=True, noise_variance=variance, method="feature_major", rngs=rngs
            )
            return outputs[0]
        if takes_train(self._model):
            outputs = self._model.apply(params, x, train=True, rngs=rngs)
        else:
            outputs = self._model.apply(params, x, rngs=rngs)
        return outputs[0].T
