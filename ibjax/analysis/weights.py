"""Tests of whether trained weights are random: correlations within layers and between networks.

Hidden units are interchangeable: permuting a layer's units, and negating some if the activation is odd,
gives the same network. Before the weights of two networks can be compared, their units must be matched.
Even weights without anything in common are correlated after the best match, by more or less depending on
the angles between a layer's units. Matched weights are therefore compared with those of rotated kernels,
which keep these angles.
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
    "rotated_kernels",
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
    matched = _matched([k[None] for k in kernels], [k[None] for k in others], signs)
    return [kernel[0] for kernel in matched]


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
    return _correlations([k[None] for k in kernels], [k[None] for k in others])[0]


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
    networks = _checked_networks(networks)
    check_flag("signs", signs)
    count = len(networks[0])
    i, j = np.triu_indices(count, 1)
    first, second = ([layer[index] for layer in networks] for index in (i, j))
    correlations = []
    for others in (_matched(first, second, signs), second):
        pairs = np.full((count, count, len(networks)), np.nan)
        pairs[i, j] = pairs[j, i] = _correlations(first, others)
        correlations.append(pairs)
    return correlations[0], correlations[1]


def rotated_kernels(networks: Sequence[ArrayLike], *, seed: int | np.integer) -> list[np.ndarray]:
    """Rotate every kernel of every network at random, which keeps its Gram matrix.

    A kernel W becomes Q W with an orthogonal Q (fan_in, fan_in) of its own, drawn evenly from all of
    them, reflections included. W^T W stays as it is: the lengths of the units' weight vectors and the
    angles between them, and with these the kernel's singular values and all cosines within the layer.
    What is drawn anew is the directions in which the layer's vectors, as one rigid body, point among the
    layer's inputs.

    Matched correlations of rotated networks are the null distribution for networks whose layers keep
    their own Gram matrices but have no direction in common. The test is exact where each kernel's
    directions are uniform given its Gram matrix and independent of the other kernels', as those of
    Gaussian weights are.

    Args:
        networks: kernels of the layers, each (seed, fan_in, width), the output last.
        seed: random seed for the draws.

    Returns:
        The rotated kernels, of the shapes of ``networks``.

    Raises:
        ValueError: as :func:`matched_correlations`, and for a seed that is not a whole number from 0.
    """
    networks = _checked_networks(networks)
    rng = np.random.default_rng(as_whole("seed", seed, at_least=0))
    rotated = []
    for layer in networks:
        q, r = np.linalg.qr(rng.normal(size=(len(layer), layer.shape[1], layer.shape[1])))
        # Without the signs of r's diagonal the decomposition's q would not be uniform.
        q = q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]
        rotated.append(q @ layer)
    return rotated


def _matched(first: Sequence[np.ndarray], second: Sequence[np.ndarray], signs: bool) -> list[np.ndarray]:
    """Return the second networks' kernels, each (pair, fan_in, width), matched to the first's."""
    num_pairs, fan_in = second[0].shape[:2]
    order = np.broadcast_to(np.arange(fan_in), (num_pairs, fan_in))
    sign = np.ones(order.shape)
    matched = []
    for layer, (kernel, other) in enumerate(zip(first, second, strict=True), 1):
        other = np.take_along_axis(other, order[:, :, None], axis=1) * sign[:, :, None]
        if layer < len(first):
            cosines = _normed(kernel, -2).swapaxes(-1, -2) @ _normed(other, -2)  # (pair, unit, other's)
            worth = np.abs(cosines) if signs else cosines
            # Units with zero weights, and networks that have diverged, match nothing.
            worth = np.nan_to_num(worth)
            order = np.array([linear_sum_assignment(w, maximize=True)[1] for w in worth])
            chosen = np.take_along_axis(cosines, order[:, :, None], axis=2)[:, :, 0]
            sign = np.where(signs & (chosen < 0), -1.0, 1.0)
            other = np.take_along_axis(other, order[:, None, :], axis=2) * sign[:, None, :]
        matched.append(other)
    return matched


def _correlations(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> np.ndarray:
    """Return the cosines of whole kernels, each (pair, fan_in, width), as (pair, layer)."""
    pairs = [*zip(first, second, strict=True)]
    if first[-1].shape[-1] > 1:
        pairs[-1] = tuple(k - k.mean(axis=-1, keepdims=True) for k in pairs[-1])
    cosines = [(_normed(a, (-2, -1)) * _normed(b, (-2, -1))).sum(axis=(-2, -1)) for a, b in pairs]
    return np.stack(cosines, axis=-1)


def _checked_networks(networks) -> list[np.ndarray]:
    """Return kernels (seed, fan_in, width) of consecutive layers in float64, checked."""
    networks = [
        as_numbers("networks", layer, "(seed, fan_in, width)")
        for layer in as_sequence("networks", networks, "arrays (seed, fan_in, width)")
    ]
    count = len(networks[0])
    if any(len(layer) != count for layer in networks):
        raise ValueError(f"networks: expected as many in each layer, got {[*map(len, networks)]}")
    _check_chain("networks", [layer.shape[1:] for layer in networks])
    return networks


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


def _normed(kernel: np.ndarray, axis: int | tuple[int, int]) -> np.ndarray:
    kernel = np.asarray(kernel, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return kernel / np.sqrt((kernel**2).sum(axis=axis, keepdims=True))
