"""Joint distributions: checks, information and sufficient statistics, in float64 NumPy."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from ibjax.arrays import as_array
from ibjax.checks import check_finite, check_nonempty, check_number, check_rank, is_concrete
from ibjax.numerics import product
from ibjax.types import MI, ArrayLike

__all__ = [
    "checked_conditional",
    "checked_joint",
    "decoder",
    "entropy_bits",
    "entropy_terms",
    "known_float64",
    "layer_information",
    "sufficient_statistic",
]

# Probabilities whose sum differs from 1 by more than this are a mistake, not rounding in 32 bits.
SUM_TOLERANCE = 1e-4


def known_float64(name: str, x: ArrayLike) -> np.ndarray:
    """Convert concrete real numbers to float64.

    Raises:
        ValueError: for anything but an array of real numbers, and for traced arrays.
    """
    x = as_array(name, x)
    if not is_concrete(x):
        raise ValueError(f"{name}: expected known numbers, got traced ones")
    return np.asarray(x, np.float64)


def checked_joint(p_xy: ArrayLike) -> np.ndarray:
    """Return the joint distribution as (x, y) float64, normalised to sum 1 up to rounding.

    Raises:
        ValueError: for other shapes, NaN or infinite entries, negative ones, or a sum that is not 1.
    """
    p = known_float64("p_xy", p_xy)
    _check_probabilities("p_xy", p, "(x, y)")
    if abs(p.sum() - 1) > SUM_TOLERANCE:
        raise ValueError(f"p_xy: expected probabilities that sum to 1, got a sum of {p.sum():.6g}")
    return p / p.sum()


def checked_conditional(p_t_given_x: ArrayLike, num_inputs: int) -> np.ndarray:
    """Return the encoder as (x, t) float64, each row normalised to sum 1 up to rounding.

    Raises:
        ValueError: for other shapes or numbers of rows, NaN or infinite entries, negative ones, or a
            row whose sum is not 1.
    """
    p = known_float64("p_t_given_x", p_t_given_x)
    _check_probabilities("p_t_given_x", p, "(x, t)")
    _check_rows(p, num_inputs)
    sums = p.sum(axis=1)
    if (np.abs(sums - 1) > SUM_TOLERANCE).any():
        worst = sums[np.abs(sums - 1).argmax()]
        raise ValueError(f"p_t_given_x: expected rows that sum to 1, got a sum of {worst:.6g}")
    return p / sums[:, None]


def sufficient_statistic(p_xy: ArrayLike, *, tolerance: float | int = 0.0) -> np.ndarray:
    """Find the minimal sufficient partition of x for y: the classes of x with the same p(y|x).

    No other statistic of X that keeps I(X;Y) is coarser. For the symmetric task's 4096 words it has 2
    classes with hard labels, and 44, one per value of the score, with a soft rule on the score.

    Args:
        p_xy: (x, y) joint distribution.
        tolerance: total variation distance, from 0 to 1, within which p(y|x) must be of that of a
            class's first member for x to belong to it; the first such class is taken. 0 means equal
            numbers; use about 1e-12 if p(y|x) has rounding errors. Probabilities below the floats' range
            cannot be told from 0.

    Returns:
        (x,) int64 class numbers from 0, in order of first appearance. Any x with probability 0, which
        never occurs, gets the class of the first x.

    Raises:
        ValueError: as ``checked_joint``, and for a tolerance outside [0, 1].

    Example:
        >>> sufficient_statistic([[0.1, 0.1], [0.3, 0.1], [0.2, 0.2]]).tolist()
        [0, 1, 0]

    References:
        Shamir, Sabato & Tishby (2010), section 4; Shwartz-Ziv & Tishby (2017), section 3.1.
    """
    check_number("tolerance", tolerance, at_least=0.0, at_most=1.0)
    p_xy = checked_joint(p_xy)
    p_x = p_xy.sum(axis=1)
    possible = np.flatnonzero(p_x > 0)
    rows = p_xy[possible] / p_x[possible, None]
    # Group equal rows first, so that few rows remain to be compared with every class.
    _, first, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    leaders = np.empty((len(first), p_xy.shape[1]))
    class_of_distinct, count = np.empty(len(first), np.int64), 0
    for distinct in np.argsort(first):
        row = rows[first[distinct]]
        near = np.abs(leaders[:count] - row).sum(axis=1) / 2 <= tolerance
        row_class = near.argmax() if near.any() else count
        if row_class == count:
            leaders[count], count = row, count + 1
        class_of_distinct[distinct] = row_class
    classes = np.zeros(len(p_xy), np.int64)
    classes[possible] = class_of_distinct[inverse.reshape(-1)]
    return classes


def layer_information(p_t_given_x: ArrayLike, p_xy: ArrayLike) -> MI:
    """I(X;T) and I(T;Y) of a layer or other encoder with known p(t|x); Y depends on T through X.

    Exact, not an estimate. Use it for soft labels, whose p(y|x) is not 0 or 1, instead of integer
    labels.

    Args:
        p_t_given_x: (x, t) encoder, each row a distribution; or, for a deterministic layer, its (x,)
            states, any integers.
        p_xy: (x, y) joint distribution.

    Returns:
        ``MI(ixt, ity)``, bits, float64. An encoder of shape (x, t) may also be traced: under ``jit`` and
        ``vmap`` the result is float32, accurate to about 1e-6 bits, and NaN gives NaN.

    Raises:
        ValueError: for shapes that do not match, states that are not integers and, if values are
            concrete, for entries that are negative or not finite and sums that are not 1.

    Example:
        >>> mi = layer_information([[1.0, 0.0], [0.0, 1.0]], [[0.4, 0.1], [0.1, 0.4]])
        >>> round(float(mi.ixt), 3), round(float(mi.ity), 3)
        (1.0, 0.278)
        >>> mi == layer_information([0, 1], [[0.4, 0.1], [0.1, 0.4]])
        True
    """
    p_t_given_x, p_xy = as_array("p_t_given_x", p_t_given_x), as_array("p_xy", p_xy)
    if not (is_concrete(p_t_given_x) and is_concrete(p_xy)):
        check_rank("p_xy", p_xy, 2, "(x, y)")
        check_rank("p_t_given_x", p_t_given_x, 2, "(x, t)")
        _check_rows(p_t_given_x, p_xy.shape[0])
        encoder, joint = jnp.asarray(p_t_given_x, jnp.float32), jnp.asarray(p_xy, jnp.float32)
        p_xt = joint.sum(axis=1)[:, None] * encoder
        return _information(jnp, product(encoder.T, joint), p_xt, encoder)
    joint = checked_joint(p_xy)
    if np.ndim(p_t_given_x) == 2:
        encoder = checked_conditional(p_t_given_x, len(joint))
        p_xt = joint.sum(axis=1)[:, None] * encoder
        return _information(np, encoder.T @ joint, p_xt, encoder)
    states = _checked_states(p_t_given_x, len(joint))
    p_ty = np.stack([np.bincount(states, weights=p_x_and_y) for p_x_and_y in joint.T]).T
    return _information(np, p_ty, p_ty.sum(axis=1), 1.0)  # only the p(t|x) that are 1


def entropy_terms(p: np.ndarray) -> np.ndarray:
    """Return -p ln p of every entry in nats, 0 at 0."""
    return -p * np.log(np.where(p > 0, p, 1.0))


def entropy_bits(p: np.ndarray, axis: int | None = None) -> Any:
    """Return -sum p log2 p in bits, over all entries or an axis; 0 log 0 is 0."""
    return np.abs(entropy_terms(p).sum(axis=axis) / np.log(2))


def decoder(encoder: np.ndarray, p_xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return p(t), (t,), and p(y|t), (t, y), of an encoder p(t|x); p(y) for a t of probability 0."""
    p_ty = encoder.T @ p_xy  # (x, t), (x, y) -> (t, y)
    p_t = p_ty.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        p_y_given_t = np.where(p_t[:, None] > 0, p_ty / p_t[:, None], p_xy.sum(axis=0))
    return p_t, p_y_given_t


def _information(xp, p_ty, p_xt, p_t_given_x) -> MI:
    """Return I(X;T) and I(T;Y), bits, from p(t, y), p(x, t) and p(t|x)."""
    p_t, p_y = p_ty.sum(axis=1), p_ty.sum(axis=0)
    p_y_given_t = p_ty / xp.where(p_t == 0, 1.0, p_t)[:, None]
    ixt = _mean_log2_ratio(xp, p_xt, p_t_given_x, p_t[None, :])
    return MI(ixt, _mean_log2_ratio(xp, p_ty, p_y_given_t, p_y[None, :]))


def _mean_log2_ratio(xp, weights, p, q):
    """Return sum weights log2(p / q), 0 or more, where terms without weight are 0; NaN stays NaN."""
    unseen = (weights == 0) | (q == 0)
    ratio = xp.where(unseen, 1.0, p) / xp.where(unseen, 1.0, q)
    return xp.maximum(xp.sum(weights * xp.log2(ratio)), 0.0)


def _checked_states(states, num_inputs) -> np.ndarray:
    """Return the states of a deterministic layer, (x,), numbered from 0 without gaps."""
    if np.ndim(states) != 1 or not np.issubdtype(states.dtype, np.integer):
        raise ValueError(
            "p_t_given_x: expected shape (x, t), or shape (x,) of integers, "
            f"got shape {states.shape} and dtype {states.dtype}"
        )
    _check_rows(states, num_inputs)
    return np.unique(np.asarray(states), return_inverse=True)[1]


def _check_probabilities(name, p, axes):
    check_rank(name, p, 2, axes)
    check_nonempty(name, p)
    check_finite(name, p)
    if p.min() < 0:
        raise ValueError(f"{name}: expected probabilities of 0 or more, got {p.min():.6g}")


def _check_rows(p_t_given_x, num_inputs):
    if p_t_given_x.shape[0] != num_inputs:
        raise ValueError(
            f"p_t_given_x: expected a row for each of the {num_inputs} x of p_xy, "
            f"got {p_t_given_x.shape[0]}"
        )
