"""The information bottleneck of discrete variables: the information curve and its encoders."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.spatial.distance
from jaxtyping import Array

from ibjax.bottleneck.agglomerative import hard_objective, improved, merged_to
from ibjax.bottleneck.joint import (
    checked_joint,
    decoder,
    entropy_bits,
    entropy_terms,
    known_float64,
    sufficient_statistic,
)
from ibjax.bottleneck.solver import Solution, anneal, decoder_of, solve
from ibjax.checks import as_key, as_whole, check_finite, check_nonempty, check_number, check_rank
from ibjax.tracing import own_settings
from ibjax.types import ArrayLike

__all__ = ["NEGLIGIBLE", "InformationCurve", "information_curve"]

# Annealing starts at these multiples of the largest beta: started at a small one, it may end with fewer
# clusters than are optimal there.
ANNEALED_FROM = np.geomspace(30, 1, 17)[:-1]

# Rounds in which betas may take over each other's solutions.
EXCHANGE_ROUNDS = 3

# Another beta's solution is taken over if it is better by this many bits, times beta.
EXCHANGE_GAIN = 1e-8

# For alpha between 0 and this, rounding hides the entropy term of the objective.
LEAST_ALPHA = 1e-9

MOST_RESTARTS = 2**16

# Total variation distance between p(y|x) that are equal up to rounding in 64 bits.
ROUNDING = 1e-12

# Clusters with less probability than this count as empty.
NEGLIGIBLE = 1e-9


class InformationCurve(NamedTuple):
    """Solutions of the information bottleneck, one per beta in the order of ``betas``; NumPy, float64.

    Attributes:
        betas: (beta,) trade-off parameters.
        ixt: (beta,) I(X;T), bits.
        ity: (beta,) I(T;Y), bits.
        ht: (beta,) H(T), bits; equal to ``ixt`` for hard encoders.
        num_clusters: (beta,) number of non-empty clusters with different p(y|t).
        converged: (beta,) whether the last step changed the joint distribution of T and Y by less than
            1e-6 (total variation), and all further steps, extrapolated, would change it by less than
            1e-4.
        num_steps: (beta,) number of iterations of the self-consistent equations.
        encoders: (beta, x, t) p(t|x), float32; clusters in no particular order, empty ones at the end.
    """

    betas: np.ndarray
    ixt: np.ndarray
    ity: np.ndarray
    ht: np.ndarray
    num_clusters: np.ndarray
    converged: np.ndarray
    num_steps: np.ndarray
    encoders: np.ndarray


class _Point(NamedTuple):
    """A solution for the distinct rows of p(y|x)."""

    encoder: np.ndarray  # (class, t), non-empty clusters
    ixt: float
    ity: float
    ht: float
    converged: bool
    num_steps: int

    def objective(self, beta, alpha):
        """Return H(T) - alpha H(T|X) - beta I(T;Y), in bits."""
        return self.ht - alpha * (self.ht - self.ixt) - beta * self.ity


@own_settings()
def information_curve(
    p_xy: ArrayLike,
    betas: ArrayLike,
    *,
    alpha: float | int = 1.0,
    num_clusters: int | np.integer | None = None,
    num_restarts: int | np.integer = 0,
    key: Array | None = None,
) -> InformationCurve:
    """Find the encoders p(t|x) that minimise H(T) - alpha H(T|X) - beta I(T;Y) for every beta.

    ``alpha=1`` is the information bottleneck, I(X;T) - beta I(T;Y); ``alpha=0`` the deterministic one,
    whose encoders are hard. The self-consistent equations are solved from 30 times the largest beta
    downward, each beta starting from the solution of the previous one, the first from one cluster per x;
    clusters that become equal are merged. All x with the same p(y|x) are treated as one, which loses
    nothing. Then each beta takes over another beta's solution, and improves it, if that is better at
    this beta; with ``alpha=0`` single moves and mergers of clusters are tried as well.

    Computed in float64 on any device, whatever ``jax_enable_x64`` is; the setting is not changed.

    The problem is not convex, so each solution is a stationary point, in practice the best known: with
    ``alpha=1`` a point of the curve may lie below the true curve, never above. Restarts can only improve
    it.

    Args:
        p_xy: (x, y) joint distribution.
        betas: (beta,) positive trade-off parameters, in any order.
        alpha: weight of H(T|X), from 0 to 1.
        num_clusters: largest number of clusters, for the suboptimal curves with few clusters. Default:
            the number of different p(y|x); time and memory per step grow with its square (500 take
            seconds to minutes). With fewer clusters, annealing starts from the agglomerative clustering.
        num_restarts: number of further solutions from random encoders, computed at the same time.
        key: random key for the random encoders; only with ``num_restarts``.

    Returns:
        ``InformationCurve``, bits. No beta is left out: if its iterations did not converge,
        ``converged`` is False.

    Raises:
        ValueError: for a p_xy that is not a distribution, betas that are not positive and finite, an
            alpha outside [0, 1] or so small that rounding hides it, a number of clusters or restarts
            that is not a whole number, restarts without a key and a key without restarts.

    Example:
        >>> curve = information_curve([[0.45, 0.05], [0.05, 0.45]], [1.0, 2.0, 5.0])
        >>> curve.num_clusters.tolist(), curve.ity.round(3).tolist()
        ([1, 2, 2], [0.0, 0.407, 0.531])

    References:
        Tishby, Pereira & Bialek (1999), theorem 4; Strouse & Schwab (2017), the general alpha and
        alpha = 0; Tishby & Zaslavsky (2015), the curves of fewer clusters.
    """
    p_xy, betas = checked_joint(p_xy), _checked_betas(betas)
    check_number("alpha", alpha, at_least=0.0, at_most=1.0)
    if 0 < alpha < LEAST_ALPHA:
        raise ValueError(f"alpha: expected 0, or {LEAST_ALPHA} or more, got {alpha}")
    num_clusters = None if num_clusters is None else as_whole("num_clusters", num_clusters)
    num_restarts = as_whole("num_restarts", num_restarts, at_least=0, at_most=MOST_RESTARTS)
    key = None if key is None else as_key("key", key)
    if (key is None) != (num_restarts == 0):
        raise ValueError(f"key: expected with num_restarts, and only then; got {num_restarts} restarts")
    classes = sufficient_statistic(p_xy, tolerance=ROUNDING)
    p_cy = np.zeros((classes.max() + 1, p_xy.shape[1]))
    np.add.at(p_cy, classes, p_xy)
    allowed = min(num_clusters or len(p_cy), len(p_cy))
    falling, inverse = np.unique(betas, return_inverse=True)
    falling, inverse = falling[::-1], len(falling) - 1 - inverse.reshape(-1)
    with jax.enable_x64(True):  # only here; the user's setting is not changed
        points = _annealed(p_cy, falling, float(alpha), allowed, num_restarts, key)
        points = _exchanged(p_cy, falling, float(alpha), points)
    if alpha == 0:
        points = _locally_best(p_cy, falling, points, allowed)
    encoders = np.zeros(
        (len(falling), len(p_cy), max(point.encoder.shape[1] for point in points)), np.float32
    )
    for into, point in zip(encoders, points, strict=True):
        into[:, : point.encoder.shape[1]] = point.encoder

    def column(name):
        return np.array([getattr(point, name) for point in points])[inverse]

    return InformationCurve(
        betas,
        column("ixt"),
        column("ity"),
        column("ht"),
        np.array([point.encoder.shape[1] for point in points])[inverse],
        column("converged"),
        column("num_steps"),
        encoders[inverse][:, classes],
    )


def _checked_betas(betas) -> np.ndarray:
    betas = known_float64("betas", betas)
    check_rank("betas", betas, 1, "(beta,)")
    check_nonempty("betas", betas)
    check_finite("betas", betas)
    if betas.min() <= 0:
        raise ValueError(f"betas: expected positive numbers, got {betas.min()}")
    return betas


def _annealed(p_cy, betas, alpha, allowed, num_restarts, key) -> list[_Point]:
    """Return the best result of the deterministic start and the restarts at each decreasing beta."""
    start = np.eye(allowed)[merged_to(p_cy, allowed) if allowed < len(p_cy) else np.arange(len(p_cy))]
    starts = jnp.asarray(start)[None]
    if num_restarts:
        random = jax.random.dirichlet(key, jnp.ones(allowed), (num_restarts, len(p_cy)))
        starts = jnp.concatenate([starts, random])
    joint = jnp.asarray(p_cy)
    decoders = jax.vmap(decoder_of, in_axes=(0, None))(starts, joint)
    ladder = np.append(betas[0] * ANNEALED_FROM, betas)
    solutions = jax.device_get(anneal(joint, jnp.asarray(ladder), decoders, alpha))
    best = []
    for i, beta in enumerate(betas, len(ANNEALED_FROM)):
        lanes = [jax.tree.map(lambda leaf, i=i, k=k: leaf[i, k], solutions) for k in range(len(starts))]
        candidates = [_measured(p_cy, beta, alpha, lane) for lane in lanes]
        best.append(min(candidates, key=lambda point: point.objective(beta, alpha)))
    return best


def _measured(p_cy, beta, alpha, solution) -> _Point:
    """Evaluate a solution in float64, without empty or redundant clusters."""
    log_t, log_y = solution.decoder
    p_c = p_cy.sum(axis=1)
    logits = log_t[None, :] + beta * (p_cy / p_c[:, None]) @ log_y.T
    if alpha == 0:
        encoder = np.eye(len(log_t))[logits.argmax(axis=1)]
    else:
        encoder = np.exp((logits - logits.max(axis=1, keepdims=True)) / alpha)
        encoder /= encoder.sum(axis=1, keepdims=True)
        encoder = encoder[:, p_c @ encoder > NEGLIGIBLE]
        fewer = _without_needless(p_cy, encoder, beta, alpha)
        if fewer.shape[1] < encoder.shape[1]:  # not a solution any more
            again = _solved_from(p_cy, beta, alpha, fewer, len(log_t))
            point = _measured(p_cy, beta, alpha, again)
            return point._replace(num_steps=point.num_steps + int(solution.num_steps))
    return _point_of_encoder(p_cy, encoder, bool(solution.converged), int(solution.num_steps))


def _solved_from(p_cy, beta, alpha, encoder, width) -> Solution:
    """Iterate from an encoder to its solution, with ``width`` clusters, some of them empty."""
    start = np.zeros((len(p_cy), width))
    start[:, : encoder.shape[1]] = encoder
    joint = jnp.asarray(p_cy)
    return jax.device_get(solve(joint, beta, decoder_of(jnp.asarray(start), joint), alpha))


def _without_needless(p_cy, encoder, beta, alpha):
    """Merge each cluster with the nearest one if the objective gets no worse.

    Below a bifurcation clusters approach each other, or vanish, so slowly that the iteration stops
    first.
    """
    p_c = p_cy.sum(axis=1)

    def values(columns):  # each cluster's part of the objective, nats: (class, t) -> (t,)
        p_t, p_ty = p_c @ columns, columns.T @ p_cy
        h_t = entropy_terms(p_t)
        hidden = alpha * (p_c @ entropy_terms(columns))
        return h_t - hidden + beta * (entropy_terms(p_ty).sum(axis=1) - h_t)

    encoder = encoder.copy()
    while encoder.shape[1] > 1:
        p_y_given_t = decoder(encoder, p_cy)[1]
        apart = scipy.spatial.distance.cdist(p_y_given_t, p_y_given_t, "cityblock")
        np.fill_diagonal(apart, np.inf)
        nearest, parts = apart.argmin(axis=1), values(encoder)
        change = values(encoder + encoder[:, nearest]) - parts - parts[nearest]
        i = change.argmin()
        if change[i] > 0:
            break
        encoder[:, i] += encoder[:, nearest[i]]
        encoder = np.delete(encoder, nearest[i], axis=1)
    return encoder


def _point_of_encoder(p_cy, encoder, converged, num_steps) -> _Point:
    held = p_cy.sum(axis=1) @ encoder > NEGLIGIBLE
    encoder = encoder[:, held] / encoder[:, held].sum(axis=1, keepdims=True)
    p_t, p_y_given_t = decoder(encoder, p_cy)
    p_c, ht = p_cy.sum(axis=1), float(entropy_bits(p_t))
    ixt = ht - float(p_c @ entropy_bits(encoder, axis=1))
    ity = float(entropy_bits(p_cy.sum(axis=0)) - p_t @ entropy_bits(p_y_given_t, axis=1))
    return _Point(encoder, max(ixt, 0.0), max(ity, 0.0), ht, converged, num_steps)


def _exchanged(p_cy, betas, alpha, points: list[_Point]) -> list[_Point]:
    """Restart each beta from another's solution, or from one cluster, if better than its own."""
    constant = _point_of_encoder(p_cy, np.ones((len(p_cy), 1)), True, 0)
    width = max(point.encoder.shape[1] for point in points)
    for _ in range(EXCHANGE_ROUNDS):
        # Objectives of all solutions at all betas, (beta, solution).
        known = [*points, constant]
        ht, hidden, ity = np.array([(point.ht, point.ht - point.ixt, point.ity) for point in known]).T
        values = ht - alpha * hidden - betas[:, None] * ity
        better = values.min(axis=1) < np.diag(values) - EXCHANGE_GAIN * np.maximum(betas, 1)
        if not better.any():
            break
        improved_points = list(points)
        for i in np.flatnonzero(better):
            other = known[values[i].argmin()]
            solution = _solved_from(p_cy, betas[i], alpha, other.encoder, width)
            restarted = _measured(p_cy, betas[i], alpha, solution)
            restarted = restarted._replace(num_steps=points[i].num_steps + restarted.num_steps)
            improved_points[i] = min(
                points[i], restarted, key=lambda point, i=i: point.objective(betas[i], alpha)
            )
        points = improved_points
    return points


def _locally_best(p_cy, betas, points: list[_Point], allowed) -> list[_Point]:
    """Exchange hard clusterings between betas, and improve them until no move or merger helps."""
    labels = [point.encoder.argmax(axis=1) for point in points]
    best = []
    for beta, point in zip(betas, points, strict=True):
        label = min(labels, key=lambda label, beta=beta: hard_objective(label, p_cy, beta))
        label = improved(label, p_cy, beta, allowed)
        encoder = np.eye(label.max() + 1)[label]
        best.append(_point_of_encoder(p_cy, encoder, point.converged, point.num_steps))
    return best
