"""Layers as encoders of classes: against definitions, and encoders whose place is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ibjax.analysis.encoders import StatesRecord, class_encoder, class_joint, fixed_points
from ibjax.bottleneck import encoder_beta, layer_information
from ibjax.models import MLP
from ibjax.types import LabelledSamples, Split

NUM_WORDS = 240
RNG = np.random.default_rng(0)
CLASSES = RNG.permutation(np.arange(NUM_WORDS) % 6)
PROBABILITY = np.array([0.01, 0.1, 0.3, 0.6, 0.9, 0.97])[CLASSES]
P_CY = class_joint(CLASSES, PROBABILITY)


def shares(states):
    """p(t|c) by its definition, no states merged."""
    one_hot = np.eye(states.max() + 1)[states]
    return np.array([one_hot[c == CLASSES].mean(axis=0) for c in range(6)])


def test_the_joint_distribution_of_classes():
    assert P_CY.sum() == pytest.approx(1)
    for c in range(6):
        assert P_CY[c, 1] == pytest.approx(PROBABILITY[c == CLASSES].sum() / NUM_WORDS)


@pytest.mark.parametrize("num_states", [2, 9, 150])
def test_merging_states_changes_nothing_that_is_measured(num_states):
    states = RNG.integers(0, num_states, NUM_WORDS)
    states = np.unique(states, return_inverse=True)[1]
    merged, whole = class_encoder(states, CLASSES), shares(states)
    np.testing.assert_allclose(merged.sum(axis=1), 1, rtol=1e-12)
    assert merged.shape[1] <= whole.shape[1]
    np.testing.assert_allclose(
        layer_information(merged, P_CY), layer_information(whole, P_CY), atol=1e-12
    )
    ours, theirs = encoder_beta(merged, P_CY), encoder_beta(whole, P_CY)
    assert ours.beta == pytest.approx(theirs.beta, rel=1e-6)
    assert ours.distance == pytest.approx(theirs.distance, abs=1e-9)


def test_states_of_single_words_are_one_for_each_class():
    encoder = class_encoder(np.arange(NUM_WORDS), CLASSES)
    np.testing.assert_array_equal(encoder.sum(axis=0), np.ones(6))
    assert sorted(encoder.argmax(axis=1)) == list(range(6))


def test_fixed_points_of_known_layers():
    """A layer that tells all words apart, one that tells classes apart, one that tells nothing."""
    layers = np.stack([np.arange(NUM_WORDS), CLASSES, np.zeros(NUM_WORDS, int)])
    found = fixed_points(layers, CLASSES, P_CY)
    everything = layer_information(np.eye(6), P_CY)
    np.testing.assert_allclose(found.ixt, [np.log2(NUM_WORDS), np.log2(6), 0], atol=1e-12)
    np.testing.assert_allclose(found.ict, [np.log2(6), np.log2(6), 0], atol=1e-12)
    np.testing.assert_allclose(found.ity, [float(everything.ity), float(everything.ity), 0], atol=1e-12)
    assert found.at_bound.tolist()[:2] == [True, True]
    assert found.distance[2] == pytest.approx(0, abs=1e-12)
    seeds_and_epochs = fixed_points(np.stack([[layers, layers]] * 2), CLASSES, P_CY)
    np.testing.assert_array_equal(seeds_and_epochs.ict[1, 0], found.ict)


def test_lengths_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="classes"):
        class_encoder(np.zeros(5, int), np.zeros(4, int))
    with pytest.raises(ValueError, match="probability"):
        class_joint(np.zeros(5, int), np.zeros(4))
    with pytest.raises(ValueError, match="classes"):
        fixed_points(np.zeros((2, 5), int), np.zeros(4, int), P_CY)


@pytest.mark.slow
@pytest.mark.parametrize("outputs", [3, 1])
def test_states_are_recorded_with_the_plane(outputs):
    model = MLP((5, 4, outputs), ("tanh", "tanh"))
    x = jnp.asarray(RNG.integers(0, 2, (60, 6)), jnp.float32)
    data = LabelledSamples(x, jnp.asarray(RNG.integers(0, max(outputs, 2), 60)))
    params = jax.tree.map(lambda p: 2 * p, model.init(jax.random.key(0), x))
    rows = jnp.arange(60)
    got = StatesRecord(model, 0.07)(params, data, Split(rows[:45], rows[45:]))
    assert got["states"].shape == (3, 60)
    assert got["states"].dtype == np.uint8
    assert got["states"][-1].max() > 0  # one output is a sigmoid unit, not a softmax of one
    for states, ixt in zip(np.asarray(got["states"]), got["ixt"], strict=True):
        p = np.bincount(states) / 60
        assert -(p[p > 0] * np.log2(p[p > 0])).sum() == pytest.approx(float(ixt), abs=1e-5)
    assert {"ixt", "ity", "train_loss", "test_loss", "train_accuracy", "test_accuracy"} < set(got)
