"""Fixed points of the information bottleneck equations, annealed over beta; in JAX, in the log domain.

With the decoder (p(t), p(y|t)) as the state, one Blahut-Arimoto step is::

    p(t|x)  proportional to  exp((log p(t) + beta sum_y p(y|x) log p(y|t)) / alpha),
    p(t) = sum_x p(x) p(t|x),    p(y|t) = sum_x p(x, y) p(t|x) / p(t),

which never increases F = -alpha sum_x p(x) log Z(x), equal to H(T) - alpha H(T|X) - beta I(T;Y) at a
fixed point, up to a constant. Near a bifurcation the steps shrink by a factor close to 1, so every third
one jumps ahead by the squared extrapolation of Varadhan & Roland (2008), which is kept only if F does
not increase. In float32, rounding spoils the extrapolation: ten times as many steps are needed, and not
all solutions converge.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

__all__ = ["Decoder", "Solution", "anneal", "decoder_of", "solve"]

# Maximum number of steps at one beta.
MAX_STEPS = 10_000

# Converged if one step changes the joint distribution of T and Y by less than TOLERANCE
# (total variation), and all further steps, extrapolated, by less than REMAINING. Near a bifurcation one
# step says little.
TOLERANCE, REMAINING = 1e-6, 1e-4

# Clusters whose p(y|t) are this close (total variation) are merged; I(T;Y) changes by its square.
MERGE_DISTANCE = 1e-3

# Logarithms for an empty cluster and for an impossible y, so small that no sum revives them.
EMPTY, IMPOSSIBLE = -1e9, -700.0

# Probabilities below this are rounding.
NEGLIGIBLE = 1e-12

# Longest jump, in steps. On five problems, 30 and 1000 needed up to twice as many steps in total, and
# with 3000 some did not converge.
LONGEST = 300.0


class Decoder(NamedTuple):
    """State of the iteration: log p(t) and log p(y|t), in nats."""

    log_t: Float[Array, "*lanes t"]
    log_y: Float[Array, "*lanes t y"]


class Solution(NamedTuple):
    """Final state of the iteration at one beta."""

    decoder: Decoder
    converged: Array
    num_steps: Array


def decoder_of(p_t_given_x: Float[Array, "x t"], p_xy: Float[Array, "x y"]) -> Decoder:
    """Return the decoder of an encoder; empty clusters get p(y)."""
    p_ty = p_t_given_x.T @ p_xy
    p_t = p_ty.sum(axis=1)
    alive = p_t > NEGLIGIBLE
    log_t = jnp.where(alive, jnp.log(jnp.where(alive, p_t, 1.0)), EMPTY)
    p_y = jnp.where(
        alive[:, None], p_ty / jnp.where(alive, p_t, 1.0)[:, None], p_xy.sum(axis=0)[None, :]
    )
    return Decoder(log_t, jnp.maximum(jnp.log(p_y), IMPOSSIBLE))


@functools.partial(jax.jit, static_argnames="alpha")
def anneal(
    p_xy: Float[Array, "x y"],
    betas: Float[Array, " beta"],
    start: Decoder,
    alpha: float,
) -> Solution:
    """Solve at decreasing betas, each starting from the previous solution with duplicates merged.

    Args:
        p_xy: (x, y) joint distribution, with p(x) > 0.
        betas: (beta,) trade-off parameters, decreasing.
        start: initial decoders of several lanes, with leaves (lane, ...).
        alpha: weight of H(T|X), from 0 to 1.

    Returns:
        ``Solution`` with leaves (beta, lane, ...).
    """

    def anneal_lane(start):
        def solve_at_beta(decoder, beta):
            solution = _solve(p_xy, beta, decoder, alpha)
            solution = solution._replace(decoder=_merged(solution.decoder))
            return solution.decoder, solution

        return lax.scan(solve_at_beta, start, betas)[1]

    solutions = jax.vmap(anneal_lane)(start)
    return jax.tree.map(lambda leaf: jnp.swapaxes(leaf, 0, 1), solutions)


@functools.partial(jax.jit, static_argnames="alpha")
def solve(p_xy: Array, beta: Array, start: Decoder, alpha: float) -> Solution:
    """Iterate from ``start`` to a fixed point at one beta."""
    return _solve(p_xy, beta, start, alpha)


def _solve(p_xy, beta, start, alpha) -> Solution:
    p_x = p_xy.sum(axis=1)
    p_y_given_x = p_xy / p_x[:, None]

    def step(decoder):
        """Return the next decoder, and F of this one."""
        logits = decoder.log_t[None, :] + beta * (p_y_given_x @ decoder.log_y.T)  # (x, t)
        if alpha == 0:
            chosen = jnp.argmax(logits, axis=1)
            encoder = jax.nn.one_hot(chosen, logits.shape[1])
            energy = -jnp.sum(p_x * jnp.max(logits, axis=1))
        else:
            log_z = jax.nn.logsumexp(logits / alpha, axis=1)
            encoder = jnp.exp(logits / alpha - log_z[:, None])
            energy = -alpha * jnp.sum(p_x * log_z)
        return decoder_of(encoder, p_xy), energy

    def unfinished(carry):
        _, converged, num_steps = carry
        return ~converged & (num_steps < MAX_STEPS)

    def cycle(carry):
        decoder, _, num_steps = carry
        first, _ = step(decoder)
        second, energy = step(first)
        change = _distance(first, second)
        if alpha == 0:  # hard encoders converge in a few steps
            return second, change <= TOLERANCE, num_steps + 2
        jump, length = _extrapolated(decoder, first, second)
        third, energy_of_jump = step(jump)
        better = energy_of_jump <= energy
        chosen = jax.tree.map(lambda a, b: jnp.where(better, a, b), third, second)
        converged = (change <= TOLERANCE) & (length * change <= REMAINING)
        return chosen, converged, num_steps + 3

    return Solution(*lax.while_loop(unfinished, cycle, (start, jnp.asarray(False), jnp.asarray(0))))


def _distance(a: Decoder, b: Decoder) -> Array:
    """Return the total variation between two joint distributions of (T, Y), up to a factor of 2."""
    p_t = jnp.exp(b.log_t)
    label_change = jnp.abs(jnp.exp(a.log_y) - jnp.exp(b.log_y)).sum(axis=1)
    return (jnp.abs(jnp.exp(a.log_t) - p_t).sum() + jnp.sum(p_t * label_change)) / 2


def _extrapolated(zero: Decoder, first: Decoder, second: Decoder) -> tuple[Decoder, Array]:
    """Return zero - 2 a r + a^2 v (SqS3) with first and second differences r, v, a = -|r| / |v|; and -a.

    Norms are weighted by p(t) and p(y|t), so that vanishing clusters and labels, whose logarithms still
    change, do not determine the length.
    """
    r = jax.tree.map(jnp.subtract, first, zero)
    v = jax.tree.map(lambda s, f, dr: s - f - dr, second, first, r)
    p_t = jnp.exp(second.log_t)
    p_ty = p_t[:, None] * jnp.exp(second.log_y)

    def norm(z):
        return jnp.sqrt(jnp.sum(p_t * z.log_t**2) + jnp.sum(p_ty * z.log_y**2))

    length = jnp.clip(norm(r) / jnp.maximum(norm(v), 1e-30), 1.0, LONGEST)
    jump = jax.tree.map(lambda z, dr, dv: z + 2 * length * dr + length**2 * dv, zero, r, v)
    log_t = jnp.where(second.log_t <= EMPTY, EMPTY, jump.log_t)
    log_y = jnp.maximum(jax.nn.log_softmax(jump.log_y, axis=1), IMPOSSIBLE)
    return Decoder(jax.nn.log_softmax(log_t), log_y), length


def _merged(decoder: Decoder) -> Decoder:
    """Merge clusters with nearly the same p(y|t) into the first of them."""
    p_t, p_y = jnp.exp(decoder.log_t), jnp.exp(decoder.log_y)
    num_clusters = len(p_t)

    def distances(label_probability):  # for one label at a time, to keep only (t, t)
        return jnp.abs(label_probability[:, None] - label_probability[None, :])

    zero = jnp.zeros((num_clusters, num_clusters))
    apart = lax.fori_loop(0, p_y.shape[1], lambda k, total: total + distances(p_y[:, k]), zero)
    alive = p_t > NEGLIGIBLE
    near = (apart / 2 < MERGE_DISTANCE) & alive[None, :]
    leader = jnp.where(alive, jnp.argmax(near, axis=1), jnp.arange(num_clusters))
    into = jax.nn.one_hot(leader, num_clusters)  # (from, to)
    return decoder_of(into, p_t[:, None] * p_y)
