"""Variational estimates of mutual information, by networks trained on a part of the samples."""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int

from ibjax.checks import as_key, as_whole, check_known, check_number, kind_of
from ibjax.mi.columns import standardised
from ibjax.mi.critic import BOUNDS, CRITICS, MAX_LOG_DENSITY, density_method, score_method
from ibjax.mi.inputs import check_num_samples, checked_variables, scaled
from ibjax.numerics import to_bits
from ibjax.tracing import own_settings
from ibjax.types import ArrayLike

__all__ = ["VariationalInfo", "variational_info", "variational_mi"]

DEFAULT_BATCH, MIN_BATCH = 128, 4
DEFAULT_DECAYS = (0.0, 3.0, 10.0)
NUM_EVALUATIONS = 50


class VariationalInfo(NamedTuple):
    """What :func:`variational_info` knows.

    Attributes:
        mi: the estimate, on held-out samples; bits.
        ceiling: bits that it cannot exceed ("infonce", "doe") or above which it cannot be trusted
            ("nwj", "dv", "smile"); see :func:`variational_mi`.
        at_ceiling: whether it is less than 1 bit below its ceiling: it then says "this much or more".
        dominated: whether one sample has more than half of a column's variance. Beside such an outlier
            the other samples, standardised, are all but equal: the estimate is near 0 whatever they
            carry.
        steps: (evaluation,) training steps done at each point of the curves.
        train_curve: (decay, evaluation) bits on the training batches since the evaluation before.
        held_out_curve: (decay, evaluation) bits on the held-out samples.
    """

    mi: Float[Array, ""]
    ceiling: Float[Array, ""]
    at_ceiling: Bool[Array, ""]
    dominated: Bool[Array, ""]
    steps: Int[Array, " evaluation"]
    train_curve: Float[Array, "decay evaluation"]
    held_out_curve: Float[Array, "decay evaluation"]


def variational_mi(
    x: ArrayLike,
    y: ArrayLike,
    *,
    key: Array,
    bound: str = "infonce",
    critic: str = "separable",
    hidden: Sequence[int] = (64, 64),
    clip: float = 5.0,
    num_steps: int = 2000,
    batch_size: int | None = None,
    learning_rate: float = 2e-3,
    weight_decay: float | Sequence[float] = DEFAULT_DECAYS,
    train_fraction: float = 0.7,
) -> Float[Array, ""]:
    """I(X;Y) by a variational bound, whose critic f(x, y) is a network trained on a part of the samples.

    In nats, with p the joint distribution, q the product of the marginals, K the batch size::

        infonce:  E_p f(x_i, y_i) - E ln( 1/K sum_j exp f(x_i, y_j) )
        nwj:      1 + E_p f - E_q exp f
        dv:       E_p f - ln E_q exp f
        smile:    E_p f - ln E_q clip(exp f, e^-clip, e^clip)
        doe:      E_p ln q(y|x) - E_p ln q(y)

    The critic climbs its bound, except for smile the Jensen-Shannon objective
    -E_p softplus(-f) - E_q softplus(f); the optimum is f = ln p(x,y) / p(x)p(y), for infonce up to a
    function of x and for dv up to a constant. For doe (difference of entropies) q(y|x) and q(y) are
    mixtures of 8 Gaussians of highest likelihood, the first with parameters from a network of x.

    Columns are standardised by the training part. The other samples are held out in two halves, of
    which each selects the step and the weight decay for the other: the estimate is the mean over both
    halves of the bound on the half that did not select, over all pairs of its batches of K samples.

    Args:
        x: (n,) or (n, dx) samples; known ones lose offset and scale before they become float32.
            Categories are better one-hot.
        y: (n,) or (n, dy) samples, in the same order.
        key: draws the split, the initial parameters and the batches.
        bound: one of those above.
        critic: "separable", f = a(x) + b(y) - |u(x) - v(y)|^2 / 2, or "joint", a network on (x, y),
            which takes about ten times as long and was no better on normal variables, but finds
            more of densities with edges.
        hidden: units of the hidden layers of each network.
        clip: of smile, in nats: the smaller the less variance and the more bias.
        num_steps: of training.
        batch_size: K, in training and evaluation; default 128, or one half of the held-out samples
            where that is less.
        learning_rate: of AdamW at the start; falls to 0 along a cosine.
        weight_decay: of AdamW, or several: as many networks are trained side by side, of which the
            held-out samples select.
        train_fraction: of the samples that the networks are trained on.

    Returns:
        One scalar, bits, float32. Not clipped at 0. 0 where x or y is constant. NaN where traced x
        or y are not finite.

    Bias:
        An outlier that has most of a column's variance brings every bound to 0, and
        ``variational_info(...).dominated`` tells.

        * infonce: downward, a lower bound in expectation; never above log2 K, and low from about a bit
          below that on.
        * nwj: downward, a lower bound in expectation, whose variance grows like exp I.
        * dv: downward by the critic, upward by the logarithm of a sample mean.
        * smile: downward by the critic; the clipped term makes it no bound: it may exceed I.
        * doe: neither a lower nor an upper bound: errors of q(y) add, errors of q(y|x) subtract.

        No lower bound that holds with high confidence for every distribution exceeds about ln of the
        number of samples (McAllester & Stratos 2020). :func:`variational_info` reports the ceiling:
        log2 K for infonce; log2 of one held-out half for nwj, dv and smile; for doe the resolution of
        q(y|x), whose scales are above exp(-6). Many dimensions take many samples (of 1.47 bits between
        25 + 25 normal variables, two correlated pairs, infonce finds about 1.2 with n = 2000, 1.3
        with 5000, 1.35 with 10,000), and densities with edges many steps (of 1.36 bits with uniform
        noise it finds 1.1, doe 1.3).

    Raises:
        ValueError: for other shapes than these, empty arrays, different lengths, NaN or infinite
            values, unknown names, numbers that are not positive, fewer samples than a batch of each
            part takes.

    Example:
        >>> import jax, numpy as np
        >>> x, noise = np.random.default_rng(0).normal(size=(2, 1000))
        >>> bits = variational_mi(x, x + noise, key=jax.random.key(0), num_steps=200)
        >>> bool(abs(bits - 0.5) < 0.15)
        True

    References:
        van den Oord, Li & Vinyals (2018), equation 4 (infonce); Nguyen, Wainwright & Jordan (2010)
        (nwj); Donsker & Varadhan (1983), Belghazi et al. (2018) (dv, MINE); Song & Ermon (2020)
        (smile); McAllester & Stratos (2020) (doe); Poole et al. (2019) compare the bounds.
    """
    return variational_info(
        x, y, key=key, bound=bound, critic=critic, hidden=hidden, clip=clip, num_steps=num_steps,
        batch_size=batch_size, learning_rate=learning_rate, weight_decay=weight_decay,
        train_fraction=train_fraction,
    ).mi  # fmt: skip


@own_settings()
def variational_info(
    x: ArrayLike,
    y: ArrayLike,
    *,
    key: Array,
    bound: str = "infonce",
    critic: str = "separable",
    hidden: Sequence[int] = (64, 64),
    clip: float = 5.0,
    num_steps: int = 2000,
    batch_size: int | None = None,
    learning_rate: float = 2e-3,
    weight_decay: float | Sequence[float] = DEFAULT_DECAYS,
    train_fraction: float = 0.7,
) -> VariationalInfo:
    """:func:`variational_mi` with its ceiling and the curves of its training.

    Args, errors, bias and references are those of :func:`variational_mi`.

    Returns:
        :class:`VariationalInfo`, bits.

    Example:
        >>> import jax, numpy as np
        >>> x, noise = np.random.default_rng(0).normal(size=(2, 1000))
        >>> info = variational_info(x, x + noise, key=jax.random.key(0), num_steps=200)
        >>> float(info.ceiling), bool(info.at_ceiling), info.train_curve.shape
        (7.0, False, (3, 50))
    """
    x, y = checked_variables(x, y)
    check_known("bound", bound, BOUNDS)
    check_known("critic", critic, CRITICS)
    decays = _sequence("weight_decay", weight_decay, "finite numbers of 0 or more")
    for decay in decays:
        check_number("weight_decay", decay, at_least=0)
    hidden = _sequence("hidden", hidden, "the units of one layer or more")
    check_number("clip", clip, above=0)
    check_number("learning_rate", learning_rate, above=0)
    num_steps = as_whole("num_steps", num_steps, at_most=2**31 - 1)
    plan = Plan(
        bound, critic, tuple(as_whole("hidden", units) for units in hidden), float(clip),
        num_steps, float(learning_rate), tuple(map(float, decays)),
        *_sizes(x.shape[0], batch_size, train_fraction),
    )  # fmt: skip
    return _estimate(scaled("x", x)[0], scaled("y", y)[0], as_key("key", key), plan)


def _sequence(name, given, wanted) -> tuple:
    """One number or several as a tuple."""
    values = (given,) if np.ndim(given) == 0 and name == "weight_decay" else given
    if not isinstance(values, list | tuple | np.ndarray) or len(values) == 0:
        raise ValueError(f"{name}: expected {wanted}, got {kind_of(given)}")
    return tuple(values)


def _sizes(n, batch_size, train_fraction):
    check_number("train_fraction", train_fraction, above=0, below=1)
    train_fraction = float(train_fraction)
    smallest = min(train_fraction, (1 - train_fraction) / 2)  # of the three parts
    if batch_size is None:
        batch_size = max(MIN_BATCH, min(DEFAULT_BATCH, int(smallest * n)))
    batch_size = as_whole("batch_size", batch_size, at_least=MIN_BATCH)
    because = f"for batch_size={batch_size} with train_fraction={train_fraction}"
    check_num_samples(n, math.ceil(batch_size / smallest), because)
    num_half = max(batch_size, int((1 - train_fraction) / 2 * n))
    return batch_size, n - 2 * num_half, num_half


class Plan(NamedTuple):
    """The static part of an estimate: what its compiled program depends on."""

    bound: str
    critic: str
    hidden: tuple[int, ...]
    clip: float
    num_steps: int
    learning_rate: float
    weight_decays: tuple[float, ...]
    batch_size: int
    num_train: int
    num_half: int


@functools.partial(jax.jit, static_argnames="plan")
def _estimate(x, y, key, plan):
    finite = jnp.isfinite(x).all() & jnp.isfinite(y).all()
    order_key, init_key, batch_key = jax.random.split(key, 3)
    order = jnp.argsort(jax.random.bits(order_key, (x.shape[0],)))
    columns = standardised(jnp.concatenate([x, y], axis=1)[order])  # far from 0, huge or tiny
    squares = jnp.square(columns)
    dominated = (squares.max(axis=0) > 0.5 * squares.sum(axis=0)).any()
    columns, varies = _standardised(columns, plan.num_train)
    (x, y), (x_varies, y_varies) = (jnp.split(a, [x.shape[1]], axis=-1) for a in (columns, varies))
    if plan.bound == "doe":
        method = density_method(plan.hidden)
    else:
        method = score_method(plan.bound, plan.critic, plan.hidden, plan.clip)

    def train(weight_decay):
        optimizer = optax.adamw(
            optax.cosine_decay_schedule(plan.learning_rate, plan.num_steps), weight_decay=weight_decay
        )
        return _train(method, optimizer, params, x, y, batch_key, plan)

    with jax.default_matmul_precision("float32"):
        params = method.init(init_key, x[:2], y[:2])
        train_curve, values, objectives = jax.vmap(train)(jnp.asarray(plan.weight_decays))
    # Where nothing varies the networks can only lose.
    summands = jnp.where(x_varies.any() & y_varies.any(), _selected(values, objectives), 0.0)
    held_out_curve = values.sum(axis=3).mean(axis=2)  # (decay, evaluation, half, network) -> 2 axes
    nats = (
        summands.sum(),
        _ceiling(summands, y.shape[1], plan),
        train_curve[:, 1:],
        held_out_curve[:, 1:],
    )
    bits, ceiling, *curves = (jnp.where(finite, to_bits(part), jnp.nan) for part in nats)
    steps = jnp.asarray(_schedule(plan)[1:], jnp.int32)
    return VariationalInfo(bits, ceiling, bits >= ceiling - 1, dominated, steps, *curves)


def _standardised(x, num_train):
    """Columns with mean 0 and variance 1 in the training part, constant ones 0; which vary there."""
    train = x[:num_train]
    varies = (train != train[:1]).any(axis=0)
    z = (x - train.mean(axis=0, keepdims=True)) / train.std(axis=0, keepdims=True)
    return jnp.where(varies[None, :], z, 0.0), varies


def _stretches(num_rows, size):
    """Starts and widths (size,) of nearly equal stretches of rows.

    Every batch takes one row of each: the samples are in random order already, and one drawn twice
    would be a wrong negative of itself.
    """
    edges = np.arange(size + 1) * num_rows // size
    return edges[:-1], np.diff(edges)


def _training_batch(key, plan):
    """Random rows (K,), each training row equally likely; cheaper than a permutation."""
    starts, widths = _stretches(plan.num_train, plan.batch_size)
    u = jax.random.uniform(key, (1 + plan.batch_size,))
    rows = starts + (u[1:] * widths.astype(np.float32)).astype(jnp.int32)
    return (rows + (u[0] * plan.num_train).astype(jnp.int32)) % plan.num_train


def _held_out_batches(plan):
    """Rows (2, batches, K): each half once, but for a few rows again in the last batch."""
    starts, widths = _stretches(plan.num_half, plan.batch_size)
    rows = starts + np.minimum(np.arange(widths.max())[:, None], widths - 1)
    return plan.num_train + np.stack([rows, plan.num_half + rows])


def _schedule(plan):
    """Steps done at each evaluation: (1 + evaluation,), from 0 to all."""
    evaluations = min(NUM_EVALUATIONS, plan.num_steps)
    return np.arange(evaluations + 1) * plan.num_steps // evaluations


def _train(method, optimizer, params, x, y, batch_key, plan):
    """Training values (evaluation,); held-out values and objectives (evaluation, half, network)."""
    zero = 0 * x[0, 0]  # of the samples' type inside shard_map, as all that the loops carry must be
    params, unravel = ravel_pytree(params)  # one vector: fewer and larger operations a step
    params = params + zero

    def loss(params, rows):
        terms, objectives = method.terms(params, x[rows], y[rows])
        batch_of_one = jax.tree.map(lambda term: term[None], terms)
        return -objectives.sum(), method.values(batch_of_one).sum()

    def step(i, carry):
        params, opt_state, total = carry
        rows = _training_batch(jax.random.fold_in(batch_key, i), plan)
        grads, value = jax.grad(loss, has_aux=True)(unravel(params), rows)
        grads = ravel_pytree(grads)[0]
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, total + value

    def evaluate(params, batches):
        terms, objectives = lax.map(
            lambda rows: method.terms(unravel(params), x[rows], y[rows]), batches
        )
        return method.values(terms), objectives.mean(axis=0)

    def train_and_evaluate(carry, span):
        start, stop = span
        params, opt_state, total = lax.fori_loop(start, stop, step, (*carry, zero))
        values, objectives = jax.vmap(lambda batches: evaluate(params, batches))(halves)
        return (params, opt_state), (total / jnp.maximum(stop - start, 1), values, objectives)

    halves, stops = jnp.asarray(_held_out_batches(plan)), _schedule(plan)
    starts = np.append(0, stops[:-1])  # the first evaluation is of the untrained networks
    opt_state = jax.tree.map(lambda leaf: leaf + zero.astype(leaf.dtype), optimizer.init(params))
    return lax.scan(train_and_evaluate, (params, opt_state), (starts, stops))[1]


def _selected(values, objectives):
    """(network,) means over the halves of each half's value where the other's objective was best."""
    # (decay, evaluation, half, network) -> (decay * evaluation, half, network)
    values, objectives = (a.reshape(-1, *a.shape[2:]) for a in (values, objectives))
    best = jnp.argmax(jnp.where(jnp.isnan(objectives), -jnp.inf, objectives), axis=0)
    return jnp.take_along_axis(values[:, ::-1], best[None], axis=0)[0].mean(axis=0)


def _ceiling(summands, num_columns, plan):
    if plan.bound == "infonce":
        return jnp.float32(math.log(plan.batch_size))
    if plan.bound == "doe":  # ln q(y|x) at its largest
        return summands[1] + num_columns * np.float32(MAX_LOG_DENSITY)
    return jnp.float32(math.log(plan.num_half))
