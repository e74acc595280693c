"""Histograms, states and what they lose, against NumPy and the estimator."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.bin_histograms.records import BinsRecord, seen_bins
from ibjax.analysis.states import state_shares
from ibjax.mi import revisiting_binned_mi, revisiting_edges
from ibjax.models import MLP
from ibjax.types import LabelledSamples, Split


def entropy(labels):
    p = np.unique(labels, return_counts=True)[1] / len(labels)
    return -np.sum(p * np.log2(p))


@pytest.mark.slow
def test_bins_of_bounded_activations_are_numpys():
    t = np.random.default_rng(0).uniform(-1, 1, (400, 3)).astype(np.float32)
    t[0] = [-1, 1, 0.5]
    bins = seen_bins(jnp.asarray(t), "tanh", 0.3, None)
    assert (bins.num_bins, bins.lowest) == (6, -1)
    assert bins.bin_width == pytest.approx(1 / 3)
    counts = np.bincount(np.asarray(bins.index, int).ravel(), minlength=6)
    np.testing.assert_array_equal(counts, np.histogram(t, revisiting_edges("tanh", 0.3))[0])


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_bins_of_unbounded_activations_reach_to_the_limits(activation):
    t = np.random.default_rng(0).uniform(-0.5, 3, (400, 3)).astype(np.float32)
    t = np.maximum(t, 0) if activation == "relu" else t
    limits = np.float32([-1, 4.2])
    bins = seen_bins(jnp.asarray(t), activation, 0.3, limits)
    edges = revisiting_edges(activation, 0.3, limits)
    assert bins.num_bins == len(edges) - 1
    assert bins.lowest == pytest.approx(edges[0])
    counts = np.bincount(np.asarray(bins.index, int).ravel(), minlength=len(edges) - 1)
    np.testing.assert_array_equal(counts, np.histogram(t, edges)[0])


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 2)), min_size=8, max_size=8))
def test_what_is_lost_is_what_entropies_say(pairs):
    states, y = np.array(pairs).T
    shares = state_shares(jnp.asarray(states), jnp.asarray(y), 3)
    by_hand = {"alone": 0, "pure": 0, "mixed": 0}
    for s in states:
        others = y[states == s]
        kind = "alone" if len(others) == 1 else "pure" if len(set(others)) == 1 else "mixed"
        by_hand[kind] += 1 / 8
    for kind, expected in by_hand.items():
        assert float(getattr(shares, kind)) == pytest.approx(expected, abs=1e-6)
    lost = float(shares.lost_pure + shares.lost_mixed)
    assert lost == pytest.approx(3 - entropy(states), abs=1e-5)
    conditional = entropy(states * 3 + y) - entropy(states)
    assert float(shares.lost_label) == pytest.approx(conditional, abs=1e-5)
    assert (shares.mixed == 0) == (shares.lost_label < 1e-6)


@pytest.mark.slow
def test_the_record_agrees_with_the_estimator_on_the_training_samples():
    model = MLP((4, 3, 3), ("tanh", "relu"))
    rng = np.random.default_rng(0)
    data = LabelledSamples(
        jnp.asarray(rng.normal(size=(90, 5)), jnp.float32), jnp.asarray(rng.integers(0, 3, 90))
    )
    split = Split(jnp.arange(60), jnp.arange(60, 90))
    params = model.init(jax.random.key(0), data.x)
    assert BinsRecord(model, 3, [0.3, 0.1]) == BinsRecord(model, 3, (0.3, 0.1))
    limits = np.float32([[-1, 1], [0, 4]])
    record = BinsRecord(model, 3, (0.3, 0.1), num_bins=64, limits=limits)
    both = record(params, data, split)
    assert both.keys() == record.variables.keys()
    seen = {name: values[0] for name, values in both.items()}
    np.testing.assert_array_equal(seen["counts"].sum(axis=1), [240, 180, 180])
    np.testing.assert_allclose(seen["alone"] + seen["pure"] + seen["mixed"], 1, atol=1e-6)
    logits, hidden = model.apply(params, data.x)
    layers = [*hidden, jax.nn.softmax(logits)]
    names = (*model.activations, "softmax")
    assert seen["num_bins"].tolist() == [6, 13, 3]
    for i, (name, t) in enumerate(zip(names, layers, strict=True)):
        options = {"activation": name, "bin_width": 0.3, "limits": np.float32([0, 4])}
        mi = revisiting_binned_mi(t[:60], data.y[:60], **options)
        lost = seen["lost_pure"][i] + seen["lost_mixed"][i]
        assert float(np.log2(60) - lost) == pytest.approx(float(mi.ixt), abs=1e-4)
        label = entropy(data.y[:60]) - seen["lost_label"][i]
        assert float(label) == pytest.approx(float(mi.ity), abs=1e-4)


@pytest.mark.slow
def test_a_layer_that_is_not_finite_has_no_counts_and_no_shares():
    model = MLP((3, 2), ("tanh",))
    data = LabelledSamples(jnp.ones((6, 2)), jnp.array([0, 1, 0, 1, 0, 1]))
    split = Split(jnp.arange(5), jnp.array([5]))
    params = model.init(jax.random.key(0), data.x)
    params["params"]["layer_2"]["bias"] = jnp.array([jnp.nan, 0.0])
    record = BinsRecord(model, 2, (0.3,), num_bins=16)
    measured = jax.jit(record)(params, data, split)  # as fit calls it; concrete NaN is refused
    seen = {name: values[0] for name, values in measured.items()}
    assert seen["counts"].sum(axis=1).tolist() == [15, 0]
    assert seen["num_bins"].tolist() == [6, 0]
    for name in ("alone", "pure", "mixed", "lost_pure", "lost_mixed", "lost_label"):
        assert np.isnan(seen[name]).tolist() == [False, True]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": 3}, "model: expected"),
        ({"num_classes": 2.5}, "num_classes: expected"),
        ({"widths": (0.3, 0.0)}, "widths: expected"),
        ({"num_bins": 0}, "num_bins: expected"),
    ],
)
def test_settings_that_mean_nothing_are_refused(options, message):
    settings = {"model": MLP((3, 2), ("tanh",)), "num_classes": 2, "widths": (0.3,)}
    with pytest.raises(ValueError, match=message):
        BinsRecord(**(settings | options))
