"""Sufficient statistics and the information of known encoders."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibjax.bottleneck import layer_information, sufficient_statistic
from ibjax.bottleneck.joint import checked_joint, decoder, entropy_bits
from ibjax.datasets import soft_label_probability, symmetric_task
from ibjax.datasets.symmetric import symmetric_score
from ibjax.mi import discrete_mi
from tests.bottleneck.joints import random_joint, symmetric_channel

# --------------------------------------------------------------------------------------------------
# Sufficient statistics.


def of_labels(p_one):
    """Joint distribution of uniform words and a label that is 1 with probability p."""
    return np.stack([1 - p_one, p_one], axis=1) / len(p_one)


def test_the_symmetric_task_has_two_classes_with_hard_labels():
    y = np.asarray(symmetric_task().y)
    classes = sufficient_statistic(of_labels(y.astype(float)))
    assert classes.max() == 1
    assert len(np.unique(np.stack([classes, y]), axis=1).T) == 2


def test_and_one_for_each_score_with_soft_labels():
    classes = sufficient_statistic(of_labels(soft_label_probability("0.90")))
    assert classes.max() + 1 == 44
    assert len(np.unique(np.stack([classes, symmetric_score()]), axis=1).T) == 44


def test_probabilities_beyond_the_floats_range_cannot_be_told_apart():
    """exp(-8.254 * 92) underflows: the lowest scores of the nearly hard rule are all p(y=1|x) = 0."""
    p_one = soft_label_probability("0.99")
    assert sufficient_statistic(of_labels(p_one)).max() + 1 == len(np.unique(p_one)) < 44


def test_classes_are_numbered_by_first_appearance():
    p_y_given_x = np.array([[0.5, 0.5], [0.9, 0.1], [0.5, 0.5], [0.1, 0.9], [0.9, 0.1]])
    assert sufficient_statistic(p_y_given_x / 5).tolist() == [0, 1, 0, 2, 1]


def test_weights_of_x_do_not_matter():
    p_y_given_x = np.array([[0.5, 0.5], [0.25, 0.75], [0.5, 0.5], [0.25, 0.75]])
    p_x = np.array([0.125, 0.25, 0.5, 0.125])
    assert sufficient_statistic(p_x[:, None] * p_y_given_x).tolist() == [0, 1, 0, 1]


def test_within_the_tolerance_of_a_first_member_is_in_its_class():
    p_one = np.array([0.5, 0.54, 0.58, 0.62])
    p_xy = of_labels(p_one)
    assert sufficient_statistic(p_xy, tolerance=0.03).tolist() == [0, 1, 2, 3]
    assert sufficient_statistic(p_xy, tolerance=0.05).tolist() == [0, 0, 1, 1]
    assert sufficient_statistic(p_xy, tolerance=0.2).tolist() == [0, 0, 0, 0]


def test_x_of_probability_zero_joins_the_first_class():
    assert sufficient_statistic([[0.2, 0.3], [0.0, 0.0], [0.4, 0.1]]).tolist() == [0, 0, 1]


@given(st.integers(0, 1000), st.integers(1, 6), st.integers(2, 4))
def test_a_sufficient_statistic_keeps_all_information(seed, num_classes, num_y):
    rng = np.random.default_rng(seed)
    p_y_given_c = rng.dirichlet(np.ones(num_y), size=num_classes)
    own = np.concatenate([np.arange(num_classes), rng.integers(num_classes, size=5)])
    p_xy = rng.dirichlet(np.ones(len(own)))[:, None] * p_y_given_c[own]
    classes = sufficient_statistic(p_xy, tolerance=1e-12)
    assert classes.tolist() == own.tolist()
    kept = twin(np.eye(num_classes)[classes], p_xy)[1]
    assert kept == pytest.approx(twin(np.eye(len(own)), p_xy)[1], abs=1e-12)


@pytest.mark.parametrize("tolerance", [-0.1, 1.5, float("nan")])
def test_bad_tolerances_are_refused(tolerance):
    with pytest.raises(ValueError, match="tolerance: expected a finite number at least"):
        sufficient_statistic(symmetric_channel(0.1), tolerance=tolerance)


# --------------------------------------------------------------------------------------------------
# Information of an encoder.


def twin(encoder, p_xy):
    """I(X;T), I(T;Y) term by term, bits."""
    p_x, p_y = p_xy.sum(axis=1), p_xy.sum(axis=0)
    p_t = encoder.T @ p_x
    ixt = sum(
        p_x[x] * encoder[x, t] * np.log2(encoder[x, t] / p_t[t])
        for x, t in np.argwhere(p_x[:, None] * encoder > 0)
    )
    p_ty = encoder.T @ p_xy
    ity = sum(p_ty[t, y] * np.log2(p_ty[t, y] / (p_t[t] * p_y[y])) for t, y in np.argwhere(p_ty > 0))
    return ixt, ity


@settings(deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.05, 1.0]))
def test_equals_the_twin(seed, concentration):
    p_xy = random_joint(seed, 7, 3, concentration)
    encoder = np.random.default_rng(seed).dirichlet(np.full(5, concentration), size=7)
    expected = twin(encoder, p_xy)
    np.testing.assert_allclose(layer_information(encoder, p_xy), expected, atol=1e-12)
    traced = jax.jit(layer_information)(jnp.float32(encoder), jnp.float32(p_xy))
    np.testing.assert_allclose(traced, expected, atol=2e-6)


@given(st.integers(0, 1000), st.integers(1, 6))
def test_states_of_a_deterministic_layer_are_a_hard_encoder(seed, num_states):
    p_xy = random_joint(seed, 7, 3)
    states = np.random.default_rng(seed).integers(num_states, size=7)
    expected = twin(np.eye(num_states)[states], p_xy)
    np.testing.assert_allclose(layer_information(states, p_xy), expected, atol=1e-12)
    np.testing.assert_array_equal(layer_information(10**9 * states - 3, p_xy),
                                  layer_information(states, p_xy))  # fmt: skip


def test_probabilities_below_the_floats_range_count_nothing():
    p_xy = np.array([[1e-320, 0.0], [0.0, 5e-324], [0.5, 0.5]])
    with np.errstate(all="raise", under="ignore"):
        mi = layer_information([[1.0, 0.0], [1e-310, 1.0], [0.5, 0.5]], p_xy)
    np.testing.assert_allclose(mi, 0, atol=1e-12)


def test_a_deterministic_layer_with_drawn_labels_agrees_with_counts():
    """Hard labels: p(x, y) of equally likely samples gives what counting gives."""
    rng = np.random.default_rng(0)
    state, y = rng.integers(9, size=400), rng.integers(3, size=400)
    mi = layer_information(np.eye(9)[state], np.eye(3)[y] / 400)
    assert mi.ity == pytest.approx(float(discrete_mi(state, y)), abs=1e-5)
    assert mi.ixt == pytest.approx(entropy_bits(np.bincount(state) / 400))


def test_the_symmetric_task_has_its_stated_information():
    for rule, bits in (("0.99", 0.99), ("0.90", 0.90)):
        p_xy = of_labels(soft_label_probability(rule))
        classes = np.unique(symmetric_score(), return_inverse=True)[1]
        mi = layer_information(np.eye(44)[classes], p_xy)
        assert mi.ity == pytest.approx(bits, abs=2e-3)


def test_under_jit_and_vmap():
    joints = np.stack([random_joint(seed, 4, 3) for seed in range(3)])
    encoders = np.random.default_rng(0).dirichlet(np.ones(2), size=(3, 4))
    many = jax.jit(jax.vmap(layer_information))(jnp.float32(encoders), jnp.float32(joints))
    for i in range(3):
        one = layer_information(encoders[i], joints[i])
        np.testing.assert_allclose([many.ixt[i], many.ity[i]], one, atol=1e-6)
    of_nan = jax.jit(layer_information)(jnp.full((4, 2), jnp.nan), jnp.float32(joints[0]))
    assert np.isnan(of_nan).all()


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        ([0.5, 0.5], r"p_t_given_x: expected shape \(x, t\), or shape \(x,\) of integers, got shape"),
        ([[[1.0]]] * 2, r"p_t_given_x: expected shape \(x, t\)"),
        ([0, 1, 2], "p_t_given_x: expected a row for each of the 2 x of p_xy, got 3"),
        ([[1.0]] * 3, "p_t_given_x: expected a row for each of the 2 x of p_xy, got 3"),
        ([[0.5, 0.5], [0.5, 0.6]], r"p_t_given_x: expected rows that sum to 1, got a sum of 1\.1"),
        ([[0.5, 0.5], [1.5, -0.5]], "p_t_given_x: expected probabilities of 0 or more, got -0.5"),
        ([[0.5, 0.5], [np.nan, 1]], "p_t_given_x: expected finite"),
    ],
)
def test_what_is_no_encoder_is_refused(encoder, message):
    with pytest.raises(ValueError, match=message):
        layer_information(encoder, symmetric_channel(0.1))


# --------------------------------------------------------------------------------------------------
# Pieces.


def test_decoder_of_an_encoder():
    p_xy = random_joint(0, 4, 3)
    encoder = np.eye(3)[[0, 0, 1, 1]]
    p_t, p_y_given_t = decoder(encoder, p_xy)
    np.testing.assert_allclose(p_t, [p_xy[:2].sum(), p_xy[2:].sum(), 0])
    np.testing.assert_allclose(p_y_given_t[0], p_xy[:2].sum(axis=0) / p_xy[:2].sum())
    np.testing.assert_allclose(p_y_given_t[2], p_xy.sum(axis=0))  # of an empty cluster


def test_rounding_in_32_bits_is_no_error():
    p_xy = random_joint(0, 50, 20).astype(np.float32)
    assert checked_joint(p_xy).sum() == pytest.approx(1, abs=1e-15)
