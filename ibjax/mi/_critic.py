"""Networks of the variational estimators, and the objectives they maximise.

A critic gives the scores f(x_i, y_j) of all pairs in a batch, from which a bound is computed; the
difference of entropies uses two densities instead. All take standardised variables and start close to a
constant: a critic near f = 0, where each bound is 0, and a density that ignores x.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import initializers
from jaxtyping import Array, Float

from ibjax.numerics import logmeanexp

__all__ = [
    "BOUNDS",
    "CRITICS",
    "MAX_LOG_DENSITY",
    "SCORE_BOUNDS",
    "JointCritic",
    "Method",
    "MixtureDensity",
    "ScoreBound",
    "SeparableCritic",
    "density_method",
    "score_method",
]

# Dimensions of the separable critic's embeddings.
EMBEDDING = 16

# The density's number of Gaussians, and the smallest logarithm of a scale.
COMPONENTS = 8
MIN_LOG_SCALE = -6.0

HALF_LOG_2_PI = float(np.log(2 * np.pi) / 2)
# Upper bound on the log density, per column of y.
MAX_LOG_DENSITY = -MIN_LOG_SCALE - HALF_LOG_2_PI

LARGEST_EXPONENT = 80.0  # its exponential fits into float32


class Tower(nn.Module):
    """A ReLU multilayer perceptron whose linear output layer is small at initialisation."""

    hidden: tuple[int, ...]
    width: int
    bias_init: initializers.Initializer = initializers.zeros

    @nn.compact
    def __call__(self, h: Float[Array, "*n d"]) -> Float[Array, "*n width"]:
        for units in self.hidden:
            h = nn.relu(nn.Dense(units, kernel_init=initializers.he_normal())(h))
        small = initializers.variance_scaling(0.01, "fan_in", "normal")
        return nn.Dense(self.width, kernel_init=small, bias_init=self.bias_init)(h)


class SeparableCritic(nn.Module):
    """f(x, y) = a(x) + b(y) - |u(x) - v(y)|^2 / 2: n rows through two networks give all n^2 pairs.

    Thanks to a and b, every product u . v has this form. The squared distance helps with nearly
    deterministic relations: a kernel of width s around y = g(x) needs embeddings of scale 1 / s, with
    which a product would be a difference of numbers of scale 1 / s^2.
    """

    hidden: tuple[int, ...]

    @nn.compact
    def __call__(self, x: Float[Array, "n dx"], y: Float[Array, "m dy"]) -> Float[Array, "n m"]:
        u = Tower(self.hidden, 1 + EMBEDDING, name="u")(x)
        v = Tower(self.hidden, 1 + EMBEDDING, name="v")(y)
        a, u, b, v = u[:, 0], u[:, 1:], v[:, 0], v[:, 1:]
        # |u - v|^2 = |u|^2 + |v|^2 - 2 u . v
        a = a - jnp.sum(u * u, axis=1) / 2
        b = b - jnp.sum(v * v, axis=1) / 2
        return a[:, None] + b[None, :] + u @ v.T


class JointCritic(nn.Module):
    """f(x, y) as one network on the concatenation (x, y): all n^2 pairs go through its layers."""

    hidden: tuple[int, ...]

    @nn.compact
    def __call__(self, x: Float[Array, "n dx"], y: Float[Array, "m dy"]) -> Float[Array, "n m"]:
        first, *hidden = self.hidden
        # On a concatenation the first layer is a sum, so only the later layers need to see all pairs.
        h = nn.Dense(first, name="x")(x)[:, None, :] + nn.Dense(first, name="y")(y)[None, :, :]
        return Tower(tuple(hidden), 1, name="pairs")(nn.relu(h))[:, :, 0]


CRITICS = {"separable": SeparableCritic, "joint": JointCritic}


class MixtureDensity(nn.Module):
    """log q(y given x) in nats, for a mixture of 8 Gaussians whose parameters a network outputs.

    The components are diagonal in the coordinates L y, where L is unit lower triangular (det L = 1),
    learned and the same for all x, so q can represent any multivariate normal. No scale is below
    exp(-6), hence log q <= dy (6 - log(2 pi) / 2).
    """

    hidden: tuple[int, ...]

    @nn.compact
    def __call__(self, x: Float[Array, "n dx"], y: Float[Array, "n dy"]) -> Float[Array, " n"]:
        n, d = y.shape
        spread = initializers.normal(0.5)  # otherwise all components would stay identical
        outputs = Tower(self.hidden, COMPONENTS * (1 + 2 * d), spread)(x)
        outputs = outputs.reshape(n, COMPONENTS, 1 + 2 * d)
        logits, means, log_scales = jnp.split(outputs, [1, 1 + d], axis=2)
        log_scales = MIN_LOG_SCALE + jax.nn.softplus(log_scales - MIN_LOG_SCALE)
        shear = self.param("shear", initializers.zeros, (d, d))
        y = y + y @ jnp.tril(shear, -1).T
        z = (y[:, None, :] - means) * jnp.exp(-log_scales)
        # log N(y) = -sum_d (z^2 / 2 + log scale + log(2 pi) / 2)
        log_normal = -jnp.sum(z * z / 2 + log_scales + HALF_LOG_2_PI, axis=2)
        return jax.nn.logsumexp(jax.nn.log_softmax(logits[:, :, 0]) + log_normal, axis=1)


class ScoreBound(NamedTuple):
    """A bound computed from scores, in nats: E f(x_i, y_i) minus ``pool(products)``.

    Attributes:
        product: function of one batch's scores (K, K) and ``clip``.
        pool: function of the products of all batches.
        objective: function of one batch's scores that the critic maximises; None for the bound itself.
    """

    product: Callable[[Array, float], Array]
    pool: Callable[[Array], Array]
    objective: Callable[[Array], Array] | None = None

    def value(self, joints: Float[Array, " batch"], products: Float[Array, " batch"]) -> Array:
        return joints.mean() - self.pool(products)


def _log_mean_exp_apart(scores, clip):
    """Return log E_q exp f, where pairs i != j are draws from q."""
    k = len(scores)
    log_sum = jax.nn.logsumexp(jnp.where(jnp.eye(k, dtype=bool), -jnp.inf, scores))
    return log_sum - np.float32(np.log(k * (k - 1)))


def _jensen_shannon(scores):
    """Return -E_p softplus(-f) - E_q softplus(f)."""
    k = len(scores)
    apart = jnp.where(jnp.eye(k, dtype=bool), 0.0, jax.nn.softplus(scores)).sum() / (k * (k - 1))
    return -jax.nn.softplus(-jnp.diag(scores)).mean() - apart


SCORE_BOUNDS = {
    "infonce": ScoreBound(lambda scores, clip: logmeanexp(scores, axis=1).mean(), jnp.mean),
    "nwj": ScoreBound(  # E_q exp f - 1, precise near f = 0
        _log_mean_exp_apart,
        lambda products: jnp.expm1(jnp.minimum(logmeanexp(products), LARGEST_EXPONENT)),
    ),
    "dv": ScoreBound(_log_mean_exp_apart, logmeanexp),
    "smile": ScoreBound(
        lambda scores, clip: _log_mean_exp_apart(jnp.clip(scores, -clip, clip), clip),
        logmeanexp,
        _jensen_shannon,
    ),
}

BOUNDS = (*SCORE_BOUNDS, "doe")


class Method(NamedTuple):
    """Networks and their objectives; an estimate is a sum over networks, each selected separately.

    Attributes:
        init: function (key, x, y) -> parameters.
        terms: function (parameters, x, y) of one batch -> a pytree of scalars, and (network,)
            objectives.
        values: function of that pytree, with a batch axis added, -> (network,) summands of the estimate
            in nats.
    """

    init: Callable[..., Any]
    terms: Callable[..., Any]
    values: Callable[..., Float[Array, " network"]]


def score_method(bound: str, critic: str, hidden: tuple[int, ...], clip: float) -> Method:
    """Return the method that trains a critic to maximise a bound of its scores."""
    network, score_bound = CRITICS[critic](hidden), SCORE_BOUNDS[bound]

    def terms(params, x, y):
        scores = network.apply(params, x, y)
        joint, product = jnp.diag(scores).mean(), score_bound.product(scores, clip)
        if score_bound.objective is None:
            objective = score_bound.value(joint[None], product[None])
        else:
            objective = score_bound.objective(scores)
        return (joint, product), objective[None]

    return Method(network.init, terms, lambda terms: score_bound.value(*terms)[None])


def density_method(hidden: tuple[int, ...]) -> Method:
    """Return the method that fits q(y given x) and q(y) by likelihood: H(Y) minus H(Y given X)."""
    conditional, marginal = MixtureDensity(hidden), MixtureDensity(())

    def init(key, x, y):
        keys = jax.random.split(key)
        return conditional.init(keys[0], x, y), marginal.init(keys[1], x, y)

    def terms(params, x, y):
        given_x: Any = conditional.apply(params[0], x, y)
        alone: Any = marginal.apply(params[1], jnp.zeros_like(x), y)
        means = given_x.mean(), alone.mean()
        return means, jnp.stack(means)

    def values(terms):
        given_x, alone = terms
        return jnp.stack([given_x.mean(), -alone.mean()])

    return Method(init, terms, values)
