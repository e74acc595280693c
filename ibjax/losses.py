"""Losses of one network's outputs, and the activations of its output layer; class-major throughout."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

__all__ = ["cross_entropy", "output_units", "squared_error", "two_logits"]


def cross_entropy(logits: Float[Array, "k n"], y: Int[Array, " n"]) -> Float[Array, " n"]:
    """Return -log p(y) in nats for class-major outputs, by comparison, since a gather would be slow.

    p is the softmax of the logits, or for one output, the logit of class 1 against 0, its logistic
    function.
    """
    logits = two_logits(logits)
    hot = jnp.arange(logits.shape[0])[:, None] == y[None, :]
    return jax.nn.logsumexp(logits, axis=0) - jnp.sum(jnp.where(hot, logits, 0.0), axis=0)


def two_logits(logits: Float[Array, "k n"]) -> Float[Array, "l n"]:
    """Turn a single output z into logits 0 and z, whose softmax is the logistic function of z."""
    return jnp.concatenate([jnp.zeros_like(logits), logits]) if len(logits) == 1 else logits


def output_units(logits: Float[Array, "k n"]) -> Float[Array, "k n"]:
    """Return the activations of the output layer: the softmax of its logits, or one sigmoid unit."""
    return jax.nn.sigmoid(logits) if len(logits) == 1 else jax.nn.softmax(logits, axis=0)


def squared_error(outputs: Float[Array, "k n"], y: Float[Array, "k n"]) -> Float[Array, " n"]:
    """Return |outputs - y|^2 of each sample, summed over outputs, without a factor of 1/2."""
    return jnp.square(outputs - y).sum(axis=0)
