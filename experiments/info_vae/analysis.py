"""Variational autoencoders of two data points, without sampling (Zhao, Song & Ermon 2017).

Data x = -1 and x = 1, equally likely; a latent z of one dimension with prior p(z) = N(0, 1); an encoder
q(z|x) = N(mu_x, sigma_x^2) with numbers of its own for each point; a decoder p(x|z) = N(m(z), s(z)^2)
by a small network. One loss holds the whole family; to be maximised is::

    L = E log p(x|z) - (1 - alpha) E KL(q(z|x) || p(z)) - (alpha + lambda - 1) KL(q(z) || p(z))
      = E log p(x|z) - (1 - alpha) I_q(x;z) - lambda KL(q(z) || p(z)),

for E KL(q(z|x) || p(z)) = I_q(x;z) + KL(q(z) || p(z)), with q(z) the mean of both encodings. So

- the ELBO is alpha = 0, lambda = 1;
- the beta-VAE, beta on the whole E KL(q(z|x) || p(z)), is alpha = 1 - beta, lambda = beta; alpha = 0
  with lambda = beta puts beta on KL(q(z) || p(z)) alone, 1 on I_q(x;z), and is none;
- InfoVAE is alpha = 1, which does not charge for I_q(x;z), with lambda large.

The paper takes other divergences of q(z) from p(z), the MMD first, because KL cannot be computed in many
dimensions. In one it can: all expectations here are quadratures, so that no kernel has to be chosen and
all objectives are made of the same three numbers.

L has no upper bound where s(z) may go to 0: hence its floor.
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

from ibjax.analysis.inputs import as_floats, as_integers, as_sequence, check_broadcast
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

# Trapezoid rule for expectations under a Gaussian, in its standard deviations. Of smooth functions its
# error is that of the Gaussian's Fourier transform at 2 pi / spacing: far below float32's.
NODES = np.linspace(-6.0, 6.0, 97, dtype=np.float32)
WEIGHTS = np.exp(-(NODES**2) / 2) / np.exp(-(NODES**2) / 2).sum()

# Gradients explode where s(z) is near its floor and m(z) is not yet right.
LARGEST_GRADIENT = 1.0


class VAE(NamedTuple):
    """Parameters: of the encoder for each point, and the decoder's layers (kernel, bias)."""

    mean: Float[Array, "2"]
    log_width: Float[Array, "2"]
    decoder: Sequence[tuple[Array, Array]]


class Setting(NamedTuple):
    """What is trained; numbers, so that a ``vmap`` runs over settings.

    Attributes:
        alpha: 1 less the weight of I_q(x;z).
        lam: lambda, the weight of KL(q(z) || p(z)).
        floor: smallest s(z).
        free_width: 1 where the encoder chooses its widths, 0 where both are 1.
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
    """What objectives are made of, nats.

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
    """Random encodings near the prior and a random decoder.

    Args:
        key: of all draws.
        hidden: widths of the decoder's tanh layers, one or more.

    Raises:
        ValueError: for what is no key, and widths that are not whole numbers.
    """
    key = as_key("key", key)
    hidden = [as_whole("hidden", width) for width in as_sequence("hidden", hidden, "whole numbers")]
    key_mean, key_width, *keys = jax.random.split(key, 2 + len(hidden) + 1)
    widths = (1, *hidden, 2)
    layers = []
    for i, (fan_in, fan_out) in enumerate(itertools.pairwise(widths)):
        kernel_key, bias_key = jax.random.split(keys[i])
        kernel = jax.random.normal(kernel_key, (fan_in, fan_out)) / fan_in**0.5
        # The first layer's units turn at different z.
        bias = jax.random.normal(bias_key, (fan_out,)) if i == 0 else jnp.zeros(fan_out)
        layers.append((kernel, bias))
    mean = 0.5 * jax.random.normal(key_mean, (2,))
    return VAE(mean, 0.1 * jax.random.normal(key_width, (2,)), layers)


@own_settings()
def encodings(vae: VAE, free_width: ArrayLike = 1.0) -> Encodings:
    """q(z|x) of both points.

    Args:
        vae: its parameters.
        free_width: of a ``Setting``.

    Raises:
        ValueError: for what is no ``VAE``, or no number.
    """
    _check_vae(vae)
    check_number("free_width", free_width)
    free_width = as_float32("free_width", free_width)
    return Encodings(vae.mean, jnp.where(free_width > 0, jnp.exp(vae.log_width), 1.0))


@own_settings()
def decode(vae: VAE, z: ArrayLike, *, floor: ArrayLike) -> tuple[Array, Array]:
    """m(z) and s(z) >= ``floor``, each (n,).

    Args:
        vae: its parameters.
        z: (n,) latent numbers.
        floor: of a ``Setting``.

    Raises:
        ValueError: for what is no ``VAE``, latents of another shape, a negative floor.
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
    """I_q(x;z) of two equally likely Gaussian encodings, in bits.

    By I = 1 - E log2(1 + q(z|x') / q(z|x)), x' the other point: never above 1 bit, and 0 for equal ones.

    Args:
        mean: (2,) of both encodings.
        width: (2,) their standard deviations.

    Raises:
        ValueError: for other shapes, and known widths that are not positive.

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
    """The terms of every objective, by quadrature.

    Args:
        vae: its parameters.
        setting: of which the floor and the free widths count.

    Raises:
        ValueError: for what is no ``VAE`` or no ``Setting`` of numbers.
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
    """L of the module's head, nats, of terms of any shape; with alpha = 0 and lambda = 1 the ELBO.

    Args:
        terms: of ``vae_terms``.
        alpha: of a ``Setting``.
        lam: of a ``Setting``.

    Raises:
        ValueError: for what are no ``Terms``, weights that are no numbers or do not go with them.
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
    """Adam on L, gradients clipped, with a rate that falls to 0 by a cosine; for ``jit`` and ``vmap``.

    Args:
        vae: to begin with.
        setting: the objective and the model's limits; numbers, may be traced.
        steps: (step,) increasing numbers of steps to record after, beginning with 0.
        learning_rate: at the first step.

    Returns:
        The trained parameters, and ``(Terms, Encodings)`` after each of the ``steps``, leading axis
        ``(step,)``.

    Raises:
        ValueError: for what is no ``VAE`` or no ``Setting`` of numbers, steps that do not begin with 0
            or do not increase, a rate that is not positive.
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

    def seen(vae):
        return vae_terms(vae, setting), encodings(vae, setting.free_width)

    def stretch(state, num_steps):
        state = lax.fori_loop(0, num_steps, step, state)
        return state, seen(state[0])

    start = (vae, optimizer.init(vae))
    (vae, _), later = lax.scan(stretch, start, jnp.asarray(np.diff(steps), jnp.int32))
    records = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), seen(start[0]), later)
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
    """nats"""
    own = -0.5 * NODES[None, :] ** 2 - jnp.log(q.width)[:, None]
    other_mean, other_width = q.mean[::-1, None], q.width[::-1, None]
    other = -0.5 * ((_nodes(q) - other_mean) / other_width) ** 2 - jnp.log(other_width)
    return np.log(2) - (jax.nn.softplus(other - own) @ WEIGHTS).mean()
