"""Bridges over removed layers, against a slow twin and networks that need no bridge."""

import itertools

import jax
import numpy as np
import pytest

from experiments.lab import symmetric
from experiments.lab.parameters import HostLayer
from experiments.pruning.choices import all_choices
from experiments.pruning.trained import bridged_accuracies, least_squares_bridge, removal_mask
from ibjax.models import MLP
from ibjax.types import LabelledSamples, Split

WORDS = symmetric(every=16).data  # 256 of them
ROWS = np.random.default_rng(0).permutation(256)
SPLIT = Split(ROWS[:180], ROWS[180:])
WIDTHS = (12, 6, 5, 4, 3, 2)


def random_layers(seed, scale=1.0):
    rng = np.random.default_rng(seed)
    return [
        HostLayer(scale * rng.normal(size=fans), rng.normal(size=fans[1]))
        for fans in itertools.pairwise(WIDTHS)
    ]


def twin(layers, function, removed):
    """Accuracy without layers: every gap's map from the normal equations, layer by layer."""
    whole, h = [], np.asarray(WORDS.x, float)
    for kernel, bias in layers:
        whole.append(h @ kernel + bias)
        h = function(whole[-1])
    h, gap = np.asarray(WORDS.x, float), False
    for i, (kernel, bias) in enumerate(layers, 1):
        if i in removed:
            gap = True
            continue
        z = h @ kernel + bias if not gap else None
        if gap:
            columns = np.hstack([h, np.ones((len(h), 1))])
            fitted = columns[SPLIT.train]
            solution = np.linalg.pinv(fitted.T @ fitted) @ fitted.T @ whole[i - 1][SPLIT.train]
            z, gap = columns @ solution, False
        h = z if i == len(layers) else function(z)
    return np.mean(h[SPLIT.test].argmax(axis=1) == np.asarray(WORDS.y)[SPLIT.test])


@pytest.mark.parametrize(("name", "function"), [("tanh", np.tanh), ("relu", lambda z: np.maximum(z, 0))])
def test_all_choices_of_layers_against_the_twin(name, function):
    layers = random_layers(1, 0.5)
    layers[0] = HostLayer(layers[0].kernel, -layers[0].kernel.sum(axis=0) / 2)  # words are centred
    h = np.asarray(WORDS.x, float)
    for kernel, bias in layers[:-1]:
        h = function(h @ kernel + bias)
    kernel, _ = layers[-1]
    layers[-1] = HostLayer(kernel, -np.median(h @ kernel, axis=0))  # both classes are predicted
    choices = [choice for count in range(5) for choice in all_choices(4, count)]
    found = bridged_accuracies(layers, (name,) * 4, WORDS, SPLIT, choices)
    assert found.tolist() == [twin(layers, function, removed) for removed in choices]
    assert len(set(found.tolist())) > 4


@pytest.mark.slow
def test_without_a_removal_it_is_the_network_itself():
    model = MLP((6, 4, 2), ("tanh", "tanh"))
    params = model.init(jax.random.key(1), WORDS.x)
    named = [params["params"][f"layer_{i}"] for i in (1, 2, 3)]
    layers = [HostLayer(np.asarray(x["kernel"], float), np.asarray(x["bias"], float)) for x in named]
    logits, _ = model.apply(params, WORDS.x[SPLIT.test])
    expected = np.mean(np.argmax(logits, axis=1) == WORDS.y[SPLIT.test])
    found = bridged_accuracies(layers, ("tanh", "tanh"), WORDS, SPLIT, [()])
    np.testing.assert_allclose(found, [expected])


def test_layers_of_a_linear_network_are_bridged_at_no_loss():
    """Each later pre-activation is an affine map of each earlier layer."""
    layers = random_layers(2)
    layers[0] = HostLayer(np.eye(12)[:, :6], np.zeros(6))  # of full rank
    whole, *others = bridged_accuracies(
        layers, ("linear",) * 4, WORDS, SPLIT, [(), *all_choices(4, 2), *all_choices(4, 4)]
    )
    assert others == [whole] * len(others)


def test_a_bridge_of_constant_units_is_the_mean():
    h, z = np.full((4, 2), 3.0), np.array([[1.0], [2.0], [3.0], [6.0]])
    kernel, bias = least_squares_bridge(h, z)
    np.testing.assert_allclose(h @ kernel + bias, 3.0)


def test_a_dead_network_predicts_the_same_class_for_all():
    layers = random_layers(3)
    layers[1] = HostLayer(np.zeros((6, 5)), np.zeros(5))
    found = bridged_accuracies(layers, ("relu",) * 4, WORDS, SPLIT, [(), (3,), (3, 4), (1, 4)])
    share = np.mean(np.asarray(WORDS.y)[SPLIT.test])
    assert set(np.round(found, 9)) <= {round(share, 9), round(1 - share, 9)}


def test_a_diverged_network_has_no_accuracy():
    layers = random_layers(4)
    layers[2].bias[0] = np.nan
    found = bridged_accuracies(layers, ("tanh",) * 4, WORDS, SPLIT, [(), (1,)])
    assert np.isnan(found).all()


def test_samples_may_be_of_any_float_type():
    data = LabelledSamples(np.asarray(WORDS.x, np.float64), np.asarray(WORDS.y))
    layers = random_layers(5)
    for choice in ((), (2, 3)):
        once, twice = (
            bridged_accuracies(layers, ("tanh",) * 4, d, SPLIT, [choice]) for d in (WORDS, data)
        )
        assert once == twice


def test_masks_tell_layers_apart():
    dims, mask, _ = removal_mask("rule", [(1, 3), None, ()], 4)
    assert dims == ("rule", "layer")
    expected = [[1, 0, 1, 0], [np.nan] * 4, [0, 0, 0, 0]]
    np.testing.assert_array_equal(mask, expected)
