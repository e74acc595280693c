"""Variational estimates of mutual information, by networks trained on some of the samples."""

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
from ibjax.mi._columns import standardised
from ibjax.mi._critic import BOUNDS, CRITICS, MAX_LOG_DENSITY, density_method, score_method
from ibjax.mi._inputs import check_num_samples, checked_variables, scaled
from ibjax.numerics import to_bits
from ibjax.tracing import own_settings
from ibjax.types import ArrayLike

__all__ = ["VariationalInfo", "variational_info", "variational_mi"]

DEFAULT_BATCH, MIN_BATCH = 128, 4
DEFAULT_DECAYS = (0.0, 3.0, 10.0)
NUM_EVALUATIONS = 50


class VariationalInfo(NamedTuple):
    """Estimate of :func:`variational_info` with its ceiling and training curves.

    Attributes:
        mi: estimate on held-out samples; bits.
        ceiling: value in bits that the estimate cannot exceed ("infonce", "doe"), or above which it
            cannot be trusted ("nwj", "dv", "smile"); see :func:`variational_mi`.
        at_ceiling: whether the estimate is less than 1 bit below the ceiling; it then means "this much
            or more".
        dominated: whether a single sample accounts for more than half of a column's variance. Next to
            such an outlier the other samples, once standardised, are all but equal, and the estimate is
            near 0 whatever they carry.
        steps: (evaluation,) training steps done at each point of the curves.
        train_curve: (decay, evaluation) bits on the training batches since the previous evaluation.
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
    """Estimate I(X;Y) by a variational bound whose critic f(x, y) is a network trained on some samples.

    In nats, with p the joint distribution, q the product of the marginals, K the batch size::

        infonce:  E_p f(x_i, y_i) - E ln( 1/K sum_j exp f(x_i, y_j) )
        nwj:      1 + E_p f - E_q exp f
        dv:       E_p f - ln E_q exp f
        smile:    E_p f - ln E_q clip(exp f, e^-clip, e^clip)
        doe:      E_p ln q(y|x) - E_p ln q(y)

    The critic is trained to maximise its bound, or for smile the Jensen-Shannon objective
    ``-E_p softplus(-f) - E_q softplus(f)``. The optimum is f = ln p(x,y) / p(x)p(y), up to a function of
    x for infonce and up to a constant for dv. For doe (difference of entropies) q(y|x) and q(y) are
    mixtures of 8 Gaussians fitted by maximum likelihood; the parameters of the first are outputs of a
    network of x.

    Columns are standardised by the training samples. The other samples are held out in two halves, each
    of which selects the training step and weight decay for the other: the estimate is the mean over both
    halves of the bound with the other half's selection, over all pairs in batches of K samples.

    Args:
        x: (n,) or (n, dx) samples; concrete ones are centred and scaled before the cast to float32.
            Categories are better passed one-hot.
        y: (n,) or (n, dy) samples, in the same order.
        key: random key for the split, the initial parameters and the batches.
        bound: name of one of the bounds above.
        critic: "separable", f = a(x) + b(y) - |u(x) - v(y)|^2 / 2, or "joint", a network on (x, y),
            which takes about ten times as long and was no better on normal variables, but finds more of
            the information if densities have sharp edges.
        hidden: numbers of units in the hidden layers of each network.
        clip: clipping threshold of smile, in nats; smaller values give less variance and more bias.
        num_steps: number of training steps.
        batch_size: batch size K in training and evaluation. Default: 128, or one half of the held-out
            samples if that is less.
        learning_rate: initial learning rate of AdamW; decays to 0 along a cosine.
        weight_decay: weight decay of AdamW, or several: one network is trained for each, and the
            held-out samples select among them.
        train_fraction: fraction of samples that the networks are trained on.

    Returns:
        One scalar, bits, float32. Not clipped at 0. 0 if x or y is constant. NaN if traced x or y are
        not finite.

    Bias:
        An outlier that accounts for most of a column's variance takes every bound to 0;
        ``variational_info(...).dominated`` reports this.

        * infonce: downward, a lower bound in expectation; never above log2 K, and too low from about 1
          bit below that.
        * nwj: downward, a lower bound in expectation, whose variance grows like exp I.
        * dv: downward because of the critic, upward because of the logarithm of a sample mean.
        * smile: downward because of the critic; not a bound because of the clipped term: it may exceed
          I.
        * doe: neither a lower nor an upper bound: errors of q(y) add, errors of q(y|x) subtract.

        No lower bound that holds with high confidence for every distribution exceeds about ln of the
        number of samples (McAllester & Stratos 2020). :func:`variational_info` reports the ceiling:
        log2 K for infonce; log2 of the size of one held-out half for nwj, dv and smile; for doe the
        resolution of q(y|x), whose scales are above exp(-6). Many dimensions need many samples (of 1.47
        bits between 25 + 25 normal variables with two correlated pairs, infonce finds about 1.2 with
        n = 2000, 1.3 with 5000, 1.35 with 10,000), and densities with sharp edges need many steps (of
        1.36 bits with uniform noise infonce finds 1.1, doe 1.3).

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
    """Return the estimate of :func:`variational_mi` with its ceiling and training curves.

    Arguments, errors, bias and references are those of :func:`variational_mi`.

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
    """Return one or several numbers as a tuple."""
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
    """Static settings of an estimate, on which its compiled program depends."""

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
    columns = standardised(jnp.concatenate([x, y], axis=1)[order])  # may be far from 0, huge, tiny
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
    # If nothing varies the answer is 0, which networks can only miss.
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
    """Standardise columns by the training samples, constant ones to 0; and return which ones vary."""
    train = x[:num_train]
    varies = (train != train[:1]).any(axis=0)
    z = (x - train.mean(axis=0, keepdims=True)) / train.std(axis=0, keepdims=True)
    return jnp.where(varies[None, :], z, 0.0), varies


def _stretches(num_rows, size):
    """Split rows into nearly equal stretches, and return their starts and widths, (size,) each.

    Every batch takes one row of each: the samples are in random order already, and a sample drawn twice
    would be a false negative for itself.
    """
    edges = np.arange(size + 1) * num_rows // size
    return edges[:-1], np.diff(edges)


def _training_batch(key, plan):
    """Draw rows (K,), each training row equally likely; cheaper than a permutation."""
    starts, widths = _stretches(plan.num_train, plan.batch_size)
    u = jax.random.uniform(key, (1 + plan.batch_size,))
    rows = starts + (u[1:] * widths.astype(np.float32)).astype(jnp.int32)
    return (rows + (u[0] * plan.num_train).astype(jnp.int32)) % plan.num_train


def _held_out_batches(plan):
    """Return rows (2, batches, K) that cover each half once; the last batch repeats a few rows."""
    starts, widths = _stretches(plan.num_half, plan.batch_size)
    rows = starts + np.minimum(np.arange(widths.max())[:, None], widths - 1)
    return plan.num_train + np.stack([rows, plan.num_half + rows])


def _schedule(plan):
    """Return the steps done at each evaluation, (1 + evaluation,), from 0 to all."""
    evaluations = min(NUM_EVALUATIONS, plan.num_steps)
    return np.arange(evaluations + 1) * plan.num_steps // evaluations


def _train(method, optimizer, params, x, y, batch_key, plan):
    """Train; return values (evaluation,), held-out values, objectives (evaluation, half, network)."""
    zero = 0 * x[0, 0]  # has the samples' type inside shard_map, which all loop carries need
    params, unravel = ravel_pytree(params)  # one vector means fewer and larger operations per step
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
    starts = np.append(0, stops[:-1])  # the first evaluation is before training
    opt_state = jax.tree.map(lambda leaf: leaf + zero.astype(leaf.dtype), optimizer.init(params))
    return lax.scan(train_and_evaluate, (params, opt_state), (starts, stops))[1]


def _selected(values, objectives):
    """Average each half's value at the other half's best objective over both halves, (network,)."""
    # (decay, evaluation, half, network) -> (decay * evaluation, half, network)
    values, objectives = (a.reshape(-1, *a.shape[2:]) for a in (values, objectives))
    best = jnp.argmax(jnp.where(jnp.isnan(objectives), -jnp.inf, objectives), axis=0)
    return jnp.take_along_axis(values[:, ::-1], best[None], axis=0)[0].mean(axis=0)


def _ceiling(summands, num_columns, plan):
    if plan.bound == "infonce":
        return jnp.float32(math.log(plan.batch_size))
    if plan.bound == "doe":  # the largest possible ln q(y|x)
        return summands[1] + num_columns * np.float32(MAX_LOG_DENSITY)
    return jnp.float32(math.log(plan.num_half))
