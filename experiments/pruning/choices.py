"""Choices of hidden layers to remove: the criterion's, and others of as many layers to compare it with.

A choice is a tuple of numbers of layers, counted from 1 at the input.
"""

import itertools
from collections.abc import Sequence

import numpy as np

from ibjax.analysis._inputs import as_numbers
from ibjax.checks import as_whole, check_finite
from ibjax.types import ArrayLike

__all__ = [
    "Layers",
    "all_choices",
    "drawn_choices",
    "farthest_layers",
    "last_layers",
    "other_choices",
    "remaining",
]

Layers = tuple[int, ...]


def last_layers(num_layers: int, count: int) -> Layers:
    """Return the last ``count`` of ``num_layers`` layers, the criterion's choice.

    Example:
        >>> last_layers(10, 4)
        (7, 8, 9, 10)
    """
    return tuple(range(num_layers - count + 1, num_layers + 1))


def farthest_layers(distances: ArrayLike, count: int) -> Layers:
    """Return the layers whose paths are farthest from that of the layer before them.

    The first layer has none before it and is never chosen.

    Args:
        distances: (layer - 1,) distances of neighbouring layers, bits.
        count: number of layers to choose; at most that of distances.

    Raises:
        ValueError: for distances that are not finite numbers, fewer of them than ``count``.

    Example:
        >>> farthest_layers([0.3, 2.0, 0.1, 1.0], 2)
        (3, 5)
    """
    distances = as_numbers("distances", distances, "(layer - 1,)", empty=True)
    check_finite("distances", distances)
    count = as_whole("count", count, at_least=0, at_most=len(distances))
    return tuple(sorted(int(i) + 2 for i in np.argsort(-distances, kind="stable")[:count]))


def all_choices(num_layers: int, count: int) -> list[Layers]:
    """Return all choices of ``count`` layers, the criterion's, which is the last of them, first.

    Example:
        >>> all_choices(3, 2)
        [(2, 3), (1, 2), (1, 3)]
    """
    *others, last = itertools.combinations(range(1, num_layers + 1), count)
    return [last, *others]


def remaining(widths: Sequence[int], removed: Layers) -> tuple[int, ...]:
    """Return the widths of the layers that are left.

    Example:
        >>> remaining((10, 7, 5), (1, 3))
        (7,)
    """
    return tuple(width for i, width in enumerate(widths, 1) if i not in removed)


def other_choices(
    widths: Sequence[int], distances: ArrayLike, count: int, *, num_drawn: int, seed: int
) -> dict[str, Layers]:
    """Return choices of as many layers that leave other networks than the criterion's, by rule.

    Networks that are trained anew differ in their widths alone, so a choice that leaves the same widths
    as another leaves the same network, and tests nothing.

    Args:
        widths: widths of the hidden layers.
        distances: (layer - 1,) distances of neighbouring layers, bits.
        count: number of layers that the criterion removes.
        num_drawn: number of choices to draw.
        seed: seed of the draws.

    Returns:
        "farthest", as ``farthest_layers``, and "random 1" and so on, as ``drawn_choices``; without those
        that there are not.
    """
    tested = {remaining(widths, last_layers(len(widths), count))}
    chosen = {}
    farthest = farthest_layers(distances, count)
    if remaining(widths, farthest) not in tested:
        chosen["farthest"] = farthest
        tested.add(remaining(widths, farthest))
    drawn = drawn_choices(widths, count, tested, num_drawn=num_drawn, seed=seed)
    return chosen | {f"random {i}": layers for i, layers in enumerate(drawn, 1)}


def drawn_choices(
    widths: Sequence[int], count: int, tested: set[tuple[int, ...]], *, num_drawn: int, seed: int
) -> list[Layers]:
    """Draw choices of layers, all equally likely, that leave widths which no other choice left.

    Args:
        widths: widths of the hidden layers.
        count: number of layers to remove.
        tested: remaining widths of other choices.
        num_drawn: number of choices to draw; fewer are returned if there are fewer.
        seed: seed of the draws.
    """
    choices, drawn, left = all_choices(len(widths), count), [], set(tested)
    for i in np.random.default_rng(seed).permutation(len(choices)):
        if len(drawn) < num_drawn and remaining(widths, choices[i]) not in left:
            drawn.append(choices[i])
            left.add(remaining(widths, choices[i]))
    return drawn
