"""The obvious way to train many small networks in JAX, to compare with."""

import jax
import jax.numpy as jnp

__all__ = ["BATCH", "WIDTHS", "obvious_epoch"]

WIDTHS = (12, 10, 7, 5, 4, 3, 2)
BATCH = 256


def logits(params, x):
    """Row-major: (batch, inputs) @ (inputs, outputs) + bias."""
    *hidden, (kernel, bias) = params
    for w, b in hidden:
        x = jnp.tanh(x @ w + b)
    return x @ kernel + bias


def loss(params, x, y):
    return -(jax.nn.one_hot(y, WIDTHS[-1]) * jax.nn.log_softmax(logits(params, x))).sum(1).mean()


def obvious_epoch(params, key, rows, x, y, rate):
    """One epoch of one network: a scan over full batches, then what is left."""
    order = rows[jax.random.permutation(key, len(rows))]
    full = len(rows) // BATCH * BATCH

    def step(params, batch):
        grads = jax.grad(loss)(params, x[batch], y[batch])
        return jax.tree.map(lambda p, g: p - rate * g, params, grads), None

    params, _ = jax.lax.scan(step, params, order[:full].reshape(-1, BATCH))
    return step(params, order[full:])[0]
