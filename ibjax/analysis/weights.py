"""Tests of whether trained weights are random: correlations within layers and between networks.

Hidden units are interchangeable: permuting a layer's units, and negating some if the activation is odd,
gives the same network. Before the weights of two networks can be compared, their units must be matched.
Since even random weights are correlated after the best match, matched weights are compared with those.
Correlations are cosines, without subtracting means: weights are drawn around 0, and a negated unit has
the negated mean. Biases, which start at 0, are left out. Everything is float64 NumPy.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import scipy.special
import scipy.stats
from scipy.optimize import linear_sum_assignment

from ibjax.analysis._inputs import as_numbers, as_sequence
from ibjax.checks import as_whole, check_flag
from ibjax.types import ArrayLike

__all__ = [
    "expected_cosine",
    "match_units",
    "matched_correlations",
    "random_correlations",
    "weight_correlation",
    "within_cosines",
]


def expected_cosine(dimension: int | np.integer) -> float:
    """Return E|cos| of two random Gaussian vectors: Gamma(d/2) / (sqrt(pi) Gamma((d+1)/2)).

    Raises:
        ValueError: for a dimension that is not a whole number of 1 or more.

    Example:
        >>> expected_cosine(1), round(expected_cosine(2), 4)  # parallel; 2 / pi
        (1.0, 0.6366)
    """
    dimension = as_whole("dimension", dimension)
    gammaln = scipy.special.gammaln
    return float(np.exp(gammaln(dimension / 2) - gammaln((dimension + 1) / 2)) / np.sqrt(np.pi))


def within_cosines(kernels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Average the cosines between weight vectors of different units of a layer over pairs of units.

    Args:
        kernels: (..., fan_in, width) kernels with two units or more.

    Returns:
        The means of |cos| and of cos, (...); NaN where a unit has zero or infinite weights.

    Raises:
        ValueError: for anything but an array of numbers with these axes, and fewer than two units.
    """
    kernels = as_numbers("kernels", kernels, "(..., fan_in, width)")
    if kernels.shape[-1] < 2:
        raise ValueError(
            f"kernels: expected (..., fan_in, width) of two units or more, got shape {kernels.shape}"
        )
    unit = _normed(kernels, axis=-2)
    cosines = np.swapaxes(unit, -1, -2) @ unit
    pairs = cosines[..., *np.triu_indices(cosines.shape[-1], 1)]
    return np.asarray(np.abs(pairs).mean(axis=-1)), np.asarray(pairs.mean(axis=-1))


def match_units(
    kernels: Sequence[ArrayLike], others: Sequence[ArrayLike], *, signs: bool
) -> list[np.ndarray]:
    """Return the second network's kernels, hidden units permuted and negated to match the first's.

    Layers are matched from the input on: with the units of the layer before already matched, take the
    assignment of units with the largest sum of cosines (of |cos| with ``signs``) between their weight
    vectors. The result computes the same function. Inputs and outputs are not permuted.

    Args:
        kernels: first network's kernels, (fan_in, width) per layer, the output last.
        others: second network's kernels, of the same shapes.
        signs: whether units may be negated, as tanh units may.

    Raises:
        ValueError: for kernels that are not arrays of numbers or do not follow one another, and networks
            whose shapes differ.
    """
    kernels, others = _checked_pair(kernels, others)
    check_flag("signs", signs)
    order, sign = np.arange(len(others[0])), np.ones(len(others[0]))
    matched = []
    for layer, (kernel, other) in enumerate(zip(kernels, others, strict=True), 1):
        other = other[order] * sign[:, None]
        if layer < len(kernels):
            cosines = _normed(kernel).T @ _normed(other)  # (unit, unit of the other)
            worth = np.abs(cosines) if signs else cosines
            # Units with zero weights, and networks that have diverged, match nothing.
            _, order = linear_sum_assignment(np.nan_to_num(worth), maximize=True)
            chosen = np.take_along_axis(cosines, order[:, None], axis=1)[:, 0]
            sign = np.where(signs & (chosen < 0), -1.0, 1.0)
            other = other[:, order] * sign
        matched.append(other)
    return matched


def weight_correlation(kernels: Sequence[ArrayLike], others: Sequence[ArrayLike]) -> np.ndarray:
    """Return the correlation of two networks' weights per layer, (layer,): the cosine of whole kernels.

    A softmax ignores what all classes have in common, so the mean over classes is subtracted from the
    last kernel (but not for a single output unit).

    Args:
        kernels: first network's kernels, (fan_in, width) per layer, the output last.
        others: second network's kernels, of the same shapes.

    Raises:
        ValueError: as :func:`match_units`.
    """
    kernels, others = _checked_pair(kernels, others)
    pairs = [*zip(kernels, others, strict=True)]
    if kernels[-1].shape[1] > 1:
        pairs[-1] = tuple(k - k.mean(axis=1, keepdims=True) for k in pairs[-1])
    return np.array([np.vdot(_normed(a, axis=None), _normed(b, axis=None)) for a, b in pairs])


def matched_correlations(networks: Sequence[ArrayLike], *, signs: bool) -> tuple[np.ndarray, np.ndarray]:
    """Compute the correlations of weights for all pairs of networks, matched and unmatched.

    Args:
        networks: kernels of the layers, each (seed, fan_in, width), the output last.
        signs: ``signs`` of :func:`match_units`.

    Returns:
        Two symmetric arrays (seed, seed, layer), NaN for a network with itself: after matching the
        hidden units, and without matching.

    Raises:
        ValueError: as :func:`match_units`, and for layers with different numbers of networks.
    """
    networks = [
        as_numbers("networks", layer, "(seed, fan_in, width)")
        for layer in as_sequence("networks", networks, "arrays (seed, fan_in, width)")
    ]
    count = len(networks[0])
    if any(len(layer) != count for layer in networks):
        raise ValueError(f"networks: expected as many in each layer, got {[*map(len, networks)]}")
    matched = np.full((count, count, len(networks)), np.nan)
    unmatched = matched.copy()
    seed_kernels = [[layer[i] for layer in networks] for i in range(count)]
    for i, j in zip(*np.triu_indices(count, 1), strict=True):
        matched_kernels = match_units(seed_kernels[i], seed_kernels[j], signs=signs)
        matched[i, j] = matched[j, i] = weight_correlation(seed_kernels[i], matched_kernels)
        unmatched[i, j] = unmatched[j, i] = weight_correlation(seed_kernels[i], seed_kernels[j])
    return matched, unmatched


def random_correlations(
    shapes: Sequence[Sequence[int | np.integer]],
    *,
    num_pairs: int | np.integer,
    signs: bool,
    seed: int | np.integer,
) -> np.ndarray:
    """Draw matched correlations of independent pairs of Gaussian networks, (num_pairs, layer).

    Args:
        shapes: (fan_in, width) of each layer, the output last.
        num_pairs: number of pairs of networks.
        signs: ``signs`` of :func:`match_units`.
        seed: random seed for the draws.

    Raises:
        ValueError: for shapes that are invalid or do not follow one another, and numbers that are not
            whole.
    """
    shapes = [
        tuple(as_whole("shapes", size) for size in as_sequence("shapes", shape, "(fan_in, width)"))
        for shape in as_sequence("shapes", shapes, "pairs (fan_in, width)")
    ]
    _check_chain("shapes", shapes)
    num_pairs = as_whole("num_pairs", num_pairs)
    check_flag("signs", signs)
    seed = as_whole("seed", seed, at_least=0)
    rng = np.random.default_rng(seed)
    correlations = []
    for _ in range(num_pairs):
        first, second = ([rng.normal(size=shape) for shape in shapes] for _ in range(2))
        correlations.append(weight_correlation(first, match_units(first, second, signs=signs)))
    return np.array(correlations)


def _checked_pair(kernels, others) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return two networks of the same shapes in float64, checked."""
    pair = []
    for name, network in (("kernels", kernels), ("others", others)):
        layers = as_sequence(name, network, "kernels (fan_in, width)")
        pair.append([as_numbers(name, kernel, "(fan_in, width)") for kernel in layers])
        _check_chain(name, [kernel.shape for kernel in pair[-1]])
    shapes = [[kernel.shape for kernel in network] for network in pair]
    if shapes[0] != shapes[1]:
        raise ValueError(f"others: expected the shapes {shapes[0]}, got {shapes[1]}")
    return pair[0], pair[1]


def _check_chain(name: str, shapes: list[tuple[int, ...]]) -> None:
    """Refuse layers that do not follow one another."""
    pairs = all(len(shape) == 2 for shape in shapes)
    if not pairs or any(a[1] != b[0] for a, b in itertools.pairwise(shapes)):
        raise ValueError(f"{name}: expected (fan_in, width) of consecutive layers, got {shapes}")


def _normed(kernel: np.ndarray, axis: int | None = 0) -> np.ndarray:
    kernel = np.asarray(kernel, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return kernel / np.sqrt((kernel**2).sum(axis=axis, keepdims=True))
