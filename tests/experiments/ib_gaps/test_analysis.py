"""The layers' own bottleneck, against twins and known chains."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.ib_gaps.analysis import layerwise_terms


def entropy(*columns, p=None):
    """Joint entropy of label columns over equally likely rows, bits."""
    rows = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)[1].reshape(-1)
    weights = np.bincount(rows, weights=p) if p is not None else np.bincount(rows) / len(rows)
    weights = weights[weights > 0]
    return -np.sum(weights * np.log2(weights))


def with_label(states, probability):
    """Every word twice, with label 0 and with label 1, and the weights of both."""
    n = len(probability)
    weights = np.concatenate([1 - probability, probability]) / n
    return [np.tile(s, 2) for s in states], np.repeat([0, 1], n), weights


@given(st.integers(0, 1000))
def test_terms_equal_the_twin_where_layers_are_no_functions_of_each_other(seed):
    rng = np.random.default_rng(seed)
    layers, probability = rng.integers(4, size=(3, 30)), rng.uniform(size=30)
    kept, lost = layerwise_terms(layers, probability)
    below = np.arange(30)
    for i, layer in enumerate(layers):
        (b, t), y, p = with_label([below, layer], probability)
        mutual = entropy(below) + entropy(layer) - entropy(below, layer)
        conditional = entropy(b, t, p=p) + entropy(t, y, p=p) - entropy(t, p=p) - entropy(b, t, y, p=p)
        assert kept[i] == pytest.approx(mutual, abs=1e-9)
        assert lost[i] == pytest.approx(conditional, abs=1e-9)
        below = layer


def test_terms_of_a_deterministic_chain():
    """8 words, T_1 their first two bits, T_2 the first; Y is the second bit, flipped with 0.1."""
    words = np.arange(8)
    first, second = words // 4, words // 2 % 2
    probability = np.where(second == 1, 0.9, 0.1)
    kept, lost = layerwise_terms(np.stack([words // 2, first]), probability)
    np.testing.assert_allclose(kept, [2, 1], atol=1e-12)
    h = -(0.1 * np.log2(0.1) + 0.9 * np.log2(0.9))
    np.testing.assert_allclose(lost, [0, 1 - h], atol=1e-12)


def test_bad_shapes_are_refused():
    with pytest.raises(ValueError, match=r"states\.T and probability: expected one entry a sample"):
        layerwise_terms(np.zeros((1, 2), int), np.zeros(3))
    with pytest.raises(ValueError, match=r"states: expected shape \(layer, n\)"):
        layerwise_terms(np.zeros(3, int), np.zeros(3))
