"""Variational autoencoders of two data points, without sampling (Zhao, Song & Ermon 2017).

The data are x = -1 and x = 1, equally likely. The latent z has one dimension and prior p(z) = N(0, 1);
the encoder q(z|x) = N(mu_x, sigma_x^2) has separate parameters for each point; the decoder p(x|z) =
N(m(z), s(z)^2) is a small network. One objective, to be maximised, covers the whole family::

    L = E log p(x|z) - (1 - alpha) E KL(q(z|x) || p(z)) - (alpha + lambda - 1) KL(q(z) || p(z))
      = E log p(x|z) - (1 - alpha) I_q(x;z) - lambda KL(q(z) || p(z)),

since E KL(q(z|x) || p(z)) = I_q(x;z) + KL(q(z) || p(z)), with q(z) the mean of both encodings. So

- the ELBO is alpha = 0, lambda = 1;
- the beta-VAE, with beta on the whole E KL(q(z|x) || p(z)), is alpha = 1 - beta, lambda = beta; alpha =
  0 with lambda = beta puts beta on KL(q(z) || p(z)) only and 1 on I_q(x;z), and is not a beta-VAE;
- InfoVAE is alpha = 1, which does not penalise I_q(x;z), with large lambda.

The paper uses other divergences of q(z) from p(z), mainly the MMD, because KL cannot be computed in many
dimensions. In one dimension it can: all expectations here are quadratures, so no kernel has to be
chosen, and all objectives are made of the same three numbers.

L has no upper bound if s(z) may go to 0, hence the floor on s(z).
"""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Float, Key

from ibjax.analysis._inputs import as_floats, as_integers, as_sequence, check_broadcast
from ibjax.arrays import as_array, as_float32
from ibjax.checks import (
    as_key,
    as_whole,
    check_nonempty,
    check_number,
    check_positive,
    is_concrete,
    kind_of,
)
from ibjax.numerics import product, to_bits
from ibjax.tracing import own_settings
from ibjax.types import ArrayLike, PyTree

__all__ = [
    "VAE",
    "Encodings",
    "Setting",
    "Terms",
    "decode",
    "encoding_information",
    "encodings",
    "init_vae",
    "objective",
    "train_vae",
    "vae_terms",
]

POINTS = np.array([-1.0, 1.0], np.float32)

# Trapezoid rule for expectations under a Gaussian, in its standard deviations. For smooth functions its
# error is the Gaussian's Fourier transform at 2 pi / spacing, far below float32's.
NODES = np.linspace(-6.0, 6.0, 97, dtype=np.float32)
WEIGHTS = np.exp(-(NODES**2) / 2) / np.exp(-(NODES**2) / 2).sum()

# Clip gradients, which explode if s(z) is near its floor while m(z) is not yet right.
LARGEST_GRADIENT = 1.0


class VAE(NamedTuple):
    """Parameters of the encoder for each point, and of the decoder's layers (kernel, bias)."""

    mean: Float[Array, "2"]
    log_width: Float[Array, "2"]
    decoder: Sequence[tuple[Array, Array]]


class Setting(NamedTuple):
    """Settings of the objective and the model; numbers, so that ``vmap`` can run over settings.

    Attributes:
        alpha: 1 minus the weight of I_q(x;z).
        lam: lambda, the weight of KL(q(z) || p(z)).
        floor: smallest s(z).
        free_width: 1 if the encoder's widths are learned, 0 if both are 1.
    """

    alpha: ArrayLike
    lam: ArrayLike
    floor: ArrayLike
    free_width: ArrayLike


class Encodings(NamedTuple):
    """mu_x and sigma_x of q(z|x), for x = -1 and x = 1."""

    mean: Float[Array, "2"]
    width: Float[Array, "2"]


class Terms(NamedTuple):
    """Terms of the objectives, in nats.

    Attributes:
        reconstruction: E log p(x|z).
        information: I_q(x;z), at most ln 2.
        divergence: KL(q(z) || p(z)).
    """

    reconstruction: Float[Array, ""]
    information: Float[Array, ""]
    divergence: Float[Array, ""]


@own_settings()
def init_vae(key: Key[Array, ""], *, hidden: Sequence[int] = (16, 16)) -> VAE:
    """Draw random encodings near the prior and a random decoder.

    Args:
        key: random key for all draws.
        hidden: widths of the decoder's tanh layers, one or more.

    Raises:
        ValueError: for an invalid key, and widths that are not whole numbers.
    """
    key = as_key("key", key)
    hidden = [as_whole("hidden", width) for width in as_sequence("hidden", hidden, "whole numbers")]
    key_mean, key_width, *keys = jax.random.split(key, 2 + len(hidden) + 1)
    widths = (1, *hidden, 2)
    layers = []
    for i, (fan_in, fan_out) in enumerate(itertools.pairwise(widths)):
        kernel_key, bias_key = jax.random.split(keys[i])
        kernel = jax.random.normal(kernel_key, (fan_in, fan_out)) / fan_in**0.5
        # Let the first layer's units change sign at different z.
        bias = jax.random.normal(bias_key, (fan_out,)) if i == 0 else jnp.zeros(fan_out)
        layers.append((kernel, bias))
    mean = 0.5 * jax.random.normal(key_mean, (2,))
    return VAE(mean, 0.1 * jax.random.normal(key_width, (2,)), layers)


@own_settings()
def encodings(vae: VAE, free_width: ArrayLike = 1.0) -> Encodings:
    """Return q(z|x) of both points.

    Args:
        vae: parameters of the autoencoder.
        free_width: ``free_width`` of a ``Setting``.

    Raises:
        ValueError: for anything but a ``VAE`` and a number.
    """
    _check_vae(vae)
    check_number("free_width", free_width)
    free_width = as_float32("free_width", free_width)
    return Encodings(vae.mean, jnp.where(free_width > 0, jnp.exp(vae.log_width), 1.0))


@own_settings()
def decode(vae: VAE, z: ArrayLike, *, floor: ArrayLike) -> tuple[Array, Array]:
    """Return m(z) and s(z) >= ``floor``, each (n,).

    Args:
        vae: parameters of the autoencoder.
        z: (n,) latent values.
        floor: smallest s(z), as in a ``Setting``.

    Raises:
        ValueError: for anything but a ``VAE``, latents of another shape, a negative floor.
    """
    _check_vae(vae)
    z = as_floats("z", z, "(n,)")
    check_number("floor", floor, at_least=0.0)
    floor = as_float32("floor", floor)
    h = z[None, :]
    for kernel, bias in vae.decoder[:-1]:
        h = jnp.tanh(product(kernel.T, h) + bias[:, None])
    kernel, bias = vae.decoder[-1]
    m, raw = product(kernel.T, h) + bias[:, None]
    return m, floor + jax.nn.softplus(raw)


@own_settings()
def encoding_information(mean: ArrayLike, width: ArrayLike) -> Float[Array, ""]:
    """Return I_q(x;z) of two equally likely Gaussian encodings, in bits.

    Computed as I = 1 - E log2(1 + q(z|x') / q(z|x)), where x' is the other point: never above 1 bit, and
    0 for equal encodings.

    Args:
        mean: (2,) means of both encodings.
        width: (2,) standard deviations of both encodings.

    Raises:
        ValueError: for other shapes, and concrete widths that are not positive.

    Example:
        >>> round(float(encoding_information(jnp.array([-1.0, 1.0]), jnp.ones(2))), 4)
        0.4859
    """
    mean, width = as_floats("mean", mean, "(2,)"), as_floats("width", width, "(2,)")
    for name, value in (("mean", mean), ("width", width)):
        if value.shape != (2,):
            raise ValueError(f"{name}: expected shape (2,), got shape {value.shape}")
    if is_concrete(width) and np.asarray(width).min() <= 0:
        raise ValueError(f"width: expected positive numbers, got {width.tolist()}")
    return to_bits(_information(Encodings(mean, width)))


@own_settings()
def vae_terms(vae: VAE, setting: Setting) -> Terms:
    """Compute the terms of every objective by quadrature.

    Args:
        vae: parameters of the autoencoder.
        setting: setting, of which only the floor and the free widths matter.

    Raises:
        ValueError: for anything but a ``VAE`` and a ``Setting`` of numbers.
    """
    _check_setting(setting)
    q = encodings(vae, setting.free_width)
    m, s = decode(vae, _nodes(q).reshape(-1), floor=setting.floor)
    m, s = m.reshape(2, -1), s.reshape(2, -1)  # (point, node)
    log_p = -0.5 * ((POINTS[:, None] - m) / s) ** 2 - jnp.log(s) - 0.5 * np.log(2 * np.pi)
    information = _information(q)
    rate = (0.5 * (q.mean**2 + q.width**2 - 1) - jnp.log(q.width)).mean()
    return Terms((log_p @ WEIGHTS).mean(), information, rate - information)


@own_settings()
def objective(terms: Terms, alpha: ArrayLike, lam: ArrayLike) -> Float[Any, "*shape"]:
    """Return L (see the module) in nats, for terms of any shape; the ELBO for alpha = 0, lambda = 1.

    Args:
        terms: result of ``vae_terms``.
        alpha: ``alpha`` of a ``Setting``.
        lam: ``lam`` of a ``Setting``.

    Raises:
        ValueError: for anything but ``Terms``, and weights that are not numbers or do not broadcast with
            them.
    """
    if not isinstance(terms, Terms):
        raise ValueError(f"terms: expected Terms, as of vae_terms, got {kind_of(terms)}")
    for name, weight in (("alpha", alpha), ("lam", lam)):
        check_nonempty(name, as_array(name, weight))
    alpha, lam = as_float32("alpha", alpha), as_float32("lam", lam)
    check_broadcast(**terms._asdict(), alpha=alpha, lam=lam)
    return terms.reconstruction - (1 - alpha) * terms.information - lam * terms.divergence


@own_settings()
def train_vae(
    vae: VAE, setting: Setting, steps: ArrayLike, *, learning_rate: float | int = 1e-2
) -> tuple[VAE, PyTree]:
    """Maximise L by Adam, with clipped gradients and cosine decay to 0; for ``jit`` and ``vmap``.

    Args:
        vae: initial parameters.
        setting: settings of the objective and the model; numbers, may be traced.
        steps: (step,) increasing numbers of steps after which to record, starting with 0.
        learning_rate: learning rate at the first step.

    Returns:
        The trained parameters, and ``(Terms, Encodings)`` after each of the ``steps``, leading axis
        ``(step,)``.

    Raises:
        ValueError: for anything but a ``VAE`` and a ``Setting`` of numbers, steps that do not start with
            0 or do not increase, a rate that is not positive.
    """
    _check_vae(vae)
    _check_setting(setting)
    check_positive("learning_rate", learning_rate)
    learning_rate = as_float32("learning_rate", learning_rate)
    steps = as_integers("steps", steps, "(step,)")
    if len(steps) < 2 or steps[0] != 0 or (np.diff(steps) <= 0).any():
        raise ValueError(f"steps: expected numbers that increase from 0, got {kind_of(steps.tolist())}")
    schedule = optax.cosine_decay_schedule(learning_rate, int(steps[-1]))
    optimizer = optax.chain(optax.clip_by_global_norm(LARGEST_GRADIENT), optax.adam(schedule))

    def loss(vae):
        return -objective(vae_terms(vae, setting), setting.alpha, setting.lam)

    def step(_, state):
        vae, opt_state = state
        updates, opt_state = optimizer.update(jax.grad(loss)(vae), opt_state, vae)
        return optax.apply_updates(vae, updates), opt_state

    def measure(vae):
        return vae_terms(vae, setting), encodings(vae, setting.free_width)

    def advance(state, num_steps):
        state = lax.fori_loop(0, num_steps, step, state)
        return state, measure(state[0])

    start = (vae, optimizer.init(vae))
    (vae, _), later = lax.scan(advance, start, jnp.asarray(np.diff(steps), jnp.int32))
    records = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), measure(start[0]), later)
    return vae, records


def _check_vae(vae) -> None:
    if not isinstance(vae, VAE):
        raise ValueError(f"vae: expected a VAE, as of init_vae, got {kind_of(vae)}")


def _check_setting(setting) -> None:
    if not isinstance(setting, Setting):
        raise ValueError(f"setting: expected a Setting, got {kind_of(setting)}")
    for name, value in setting._asdict().items():
        check_number(f"setting.{name}", value, at_least=0.0 if name == "floor" else None)


def _nodes(q: Encodings) -> Float[Array, "2 node"]:
    return q.mean[:, None] + q.width[:, None] * NODES[None, :]


def _information(q: Encodings) -> Float[Array, ""]:
    """Return I_q(x;z) in nats."""
    log_own = -0.5 * NODES[None, :] ** 2 - jnp.log(q.width)[:, None]
    other_mean, other_width = q.mean[::-1, None], q.width[::-1, None]
    log_other = -0.5 * ((_nodes(q) - other_mean) / other_width) ** 2 - jnp.log(other_width)
    return np.log(2) - (jax.nn.softplus(log_other - log_own) @ WEIGHTS).mean()
