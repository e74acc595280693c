"""Gaps between layers and the information curve, and each layer's own bottleneck.

Layers are states of equally likely words with soft labels, p(y = 1 | x). Everything is float64 NumPy.
"""

from typing import NamedTuple

import numpy as np

from ibjax.analysis._inputs import as_integers, as_probabilities
from ibjax.bottleneck import layer_information
from ibjax.checks import check_same_length
from ibjax.types import ArrayLike

__all__ = ["LayerwiseTerms", "layerwise_terms"]


class LayerwiseTerms(NamedTuple):
    """The two terms of each layer's own bottleneck, in bits, (layer,)."""

    kept: np.ndarray
    lost: np.ndarray


def layerwise_terms(states: ArrayLike, probability: ArrayLike) -> LayerwiseTerms:
    """Return I(T_{i-1};T_i) and I(Y;T_{i-1}|T_i) of every layer i, where T_0 is X.

    A layer's own bottleneck is the first plus beta times the second: what it keeps of the layer below,
    and what it loses of that layer's information about the label. The second is computed as
    I(Y;T_{i-1},T_i) - I(Y;T_i), so that it cannot be negative when T_i is binned and hence not a
    function of T_{i-1}.

    Args:
        states: (layer, n) state numbers from 0 of equally likely, distinct words.
        probability: (n,) p(y = 1 | x).

    Returns:
        ``LayerwiseTerms`` of (layer,), bits.

    Raises:
        ValueError: for other shapes or lengths, states that are not whole numbers from 0, probabilities
            outside [0, 1].

    References:
        Tishby & Zaslavsky (2015), section III.A.
    """
    states = as_integers("states", states, "(layer, n)", at_least=0)
    probability = as_probabilities("probability", probability)
    check_same_length("states.T", states.T, "probability", probability)
    p_xy = np.stack([1 - probability, probability], axis=1) / len(probability)
    below = np.arange(len(probability))
    kept, lost = [], []
    for layer in states:
        layer = np.unique(layer, return_inverse=True)[1]  # without gaps
        both = np.unique(below * (layer.max() + 1) + layer, return_inverse=True)[1].reshape(-1)
        (h_below, _), (h, ity), (h_both, ity_both) = (
            layer_information(s, p_xy) for s in (below, layer, both)
        )
        kept.append(max(h_below + h - h_both, 0.0))
        lost.append(max(ity_both - ity, 0.0))
        below = layer
    return LayerwiseTerms(np.array(kept), np.array(lost))
