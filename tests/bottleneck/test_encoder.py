"""The beta of a layer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibjax.bottleneck import encoder_beta, information_curve
from tests.bottleneck.joints import random_joint, symmetric_channel


def mean_divergence(encoder, p_xy, beta):
    """KL[p(t|x) || p(t) exp(-beta KL[p(y|x) || p(y|t)]) / Z] averaged over x, term by term, bits."""
    p_x = p_xy.sum(axis=1)
    p_ty = encoder.T @ p_xy
    p_t = p_ty.sum(axis=1)
    total = 0.0
    for x in range(len(p_xy)):
        weights = np.empty(len(p_t))
        for t in range(len(p_t)):
            p, q = p_xy[x] / p_x[x], p_ty[t] / p_t[t]
            with np.errstate(divide="ignore"):
                weights[t] = p_t[t] * np.exp(-beta * np.sum(p[p > 0] * np.log(p[p > 0] / q[p > 0])))
        best, own = weights / weights.sum(), encoder[x]
        with np.errstate(divide="ignore"):
            total += p_x[x] * np.sum(own[own > 0] * np.log2(own[own > 0] / best[own > 0]))
    return total


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([2.0, 5.0, 20.0]))
def test_an_optimal_encoder_has_its_own_beta(seed, beta):
    p_xy = random_joint(seed, 8, 3, concentration=0.3)
    curve = information_curve(p_xy, [beta])
    if curve.num_clusters[0] == 1:
        return  # every beta gives the same encoder
    found = encoder_beta(curve.encoders[0], p_xy)
    assert not found.at_bound
    assert found.beta == pytest.approx(beta, rel=2e-3)
    assert found.distance < 1e-5


@pytest.mark.parametrize("seed", range(5))
def test_the_distance_is_least_at_the_beta(seed):
    p_xy = random_joint(seed, 6, 3)
    encoder = np.random.default_rng(seed).dirichlet(np.full(4, 0.5), size=6)
    found = encoder_beta(encoder, p_xy)
    assert found.distance == pytest.approx(mean_divergence(encoder, p_xy, found.beta), abs=1e-9)
    for factor in (0.5, 0.97, 1.03, 2.0):
        assert mean_divergence(encoder, p_xy, factor * found.beta) > found.distance


def test_more_noise_means_a_smaller_beta():
    """One bit through a channel at the input: the encoders of the curve itself, from beta to q."""
    p_xy = symmetric_channel(0.1)
    betas = [encoder_beta([[1 - q, q], [q, 1 - q]], p_xy).beta for q in (0.01, 0.1, 0.3)]
    assert betas[0] > betas[1] > betas[2] > 1 / 0.8**2


def test_an_invertible_layer_is_at_the_upper_end():
    p_xy = random_joint(0, 5, 3)
    found = encoder_beta(np.eye(5), p_xy)
    assert found.at_bound
    assert found.beta == 1e4
    narrow = encoder_beta(np.eye(5), p_xy, beta_range=(0.5, 7.0))
    assert (narrow.beta, narrow.at_bound) == (7.0, True)
    assert narrow.distance > found.distance


def test_a_layer_that_knows_nothing_of_y_is_at_the_lower_end():
    p_xy = np.tile(symmetric_channel(0.1), (2, 1)) / 2
    found = encoder_beta(np.eye(2)[[0, 0, 1, 1]], p_xy)  # tells apart what has the same p(y|x)
    assert found.at_bound
    assert found.beta == 1e-2
    assert found.distance == pytest.approx(1, abs=1e-9)


def test_states_and_inputs_that_never_occur_do_no_harm():
    p_xy = random_joint(1, 6, 3)
    encoder = np.random.default_rng(1).dirichlet(np.full(4, 0.5), size=6)
    found = encoder_beta(encoder, p_xy)
    padded = np.zeros((7, 6))
    padded[:6, :4] = encoder
    padded[6, 5] = 1
    other = encoder_beta(padded, np.concatenate([p_xy, np.zeros((1, 3))]))
    assert other.beta == pytest.approx(found.beta, rel=1e-9)
    assert other.distance == pytest.approx(found.distance, abs=1e-12)


def test_hard_labels_give_zero_distance_only_in_the_limit():
    p_xy = np.array([[0.25, 0], [0.25, 0], [0, 0.25], [0, 0.25]])
    found = encoder_beta(np.eye(2)[[0, 0, 1, 1]], p_xy)
    assert found.distance == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    "beta_range", [(0, 1), (2.0, 1.0), (1.0, 1.0), (1.0, np.inf), (1.0,), (1, 2, 3)]
)
def test_bad_ranges_are_refused(beta_range):
    with pytest.raises(ValueError, match="beta_range: expected"):
        encoder_beta(np.eye(2), symmetric_channel(0.1), beta_range=beta_range)


def test_what_is_no_encoder_is_refused():
    with pytest.raises(ValueError, match="p_t_given_x: expected rows that sum to 1"):
        encoder_beta(np.ones((2, 2)), symmetric_channel(0.1))
    with pytest.raises(ValueError, match="p_xy: expected probabilities that sum to 1"):
        encoder_beta(np.eye(2), np.ones((2, 2)))
