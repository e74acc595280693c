"""The information curve against closed forms, brute force, and the equations it claims to solve."""

import jax
import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from ibjax.bottleneck import gaussian_ib, gaussian_ib_bound, information_curve, solver
from tests.bottleneck.joints import binned_gaussian, hard_clusterings, random_joint, symmetric_channel
from tests.marks import slow

BETAS = np.geomspace(200, 0.8, 60)

# Objectives of solutions are this close to those of exact ones, bits at beta = 1: the steps end where
# each changes the joint distribution by 1e-6, and objectives are flat there.
CLOSE = 1e-6


def entropy(p):
    p = np.asarray(p, np.float64)
    return float(-np.sum(p[p > 0] * np.log2(p[p > 0])))


def informations(encoder, p_xy):
    """I(X;T), I(T;Y) and H(T) in bits from entropies of joint distributions."""
    p_xt = p_xy.sum(axis=1)[:, None] * np.asarray(encoder, np.float64)
    p_ty = np.asarray(encoder, np.float64).T @ p_xy
    h_t = entropy(p_xt.sum(axis=0))
    ixt = entropy(p_xt.sum(axis=1)) + h_t - entropy(p_xt)
    return ixt, h_t + entropy(p_xy.sum(axis=0)) - entropy(p_ty), h_t


def objective(encoder, p_xy, beta, alpha):
    ixt, ity, ht = informations(encoder, p_xy)
    return ht - alpha * (ht - ixt) - beta * ity


def one_step(encoder, p_xy, beta, alpha=1.0):
    """The self-consistent equations once more, in float64."""
    encoder = np.asarray(encoder, np.float64)[:, np.asarray(encoder).sum(axis=0) > 0]
    p_x = p_xy.sum(axis=1)
    p_ty = encoder.T @ p_xy
    p_t = p_ty.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        p_y_given_x = p_xy / p_x[:, None]
        terms = p_y_given_x[:, None] * np.log(p_y_given_x[:, None] / (p_ty / p_t[:, None])[None])
        divergence = np.where(p_y_given_x[:, None] > 0, terms, 0).sum(axis=2)
    weights = np.exp((np.log(p_t)[None, :] - beta * divergence) / alpha)
    return encoder, weights / weights.sum(axis=1, keepdims=True)


# --------------------------------------------------------------------------------------------------
# Closed forms.


@pytest.mark.parametrize("p", [0.01, 0.1, 0.3])
def test_binary_symmetric_channel(p):
    """Mrs Gerber's lemma: with I(X;T) = 1 - h(q), at most I(T;Y) = 1 - h(q (1 - p) + (1 - q) p)."""
    curve = information_curve(symmetric_channel(p), BETAS)
    assert curve.converged.all()

    def h(q):
        return entropy([q, 1 - q])

    for ixt, ity in zip(curve.ixt, curve.ity, strict=True):
        if ixt < 1e-9:
            assert ity < 1e-9
            continue
        low, high = 1e-15, 0.5
        q = (
            scipy.optimize.brentq(lambda q, ixt=ixt: 1 - h(q) - ixt, low, high)
            if ixt < 1 - h(low)
            else 0
        )
        assert ity == pytest.approx(1 - h(q * (1 - p) + (1 - q) * p), abs=1e-8)


@pytest.mark.parametrize("p", [0.01, 0.1, 0.3])
def test_binary_symmetric_channel_as_a_function_of_beta(p):
    """T is X through a channel q, r = q (1-p) + (1-q) p: log((1-q)/q) = beta (1-2p) log((1-r)/r)."""
    beta = 1.5 / (1 - 2 * p) ** 2
    curve = information_curve(symmetric_channel(p), [beta])
    q = float(curve.encoders[0].min())
    r = q * (1 - p) + (1 - q) * p
    assert np.log((1 - q) / q) == pytest.approx(beta * (1 - 2 * p) * np.log((1 - r) / r), rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.5, 0.9])
def test_binned_gaussian_approaches_the_analytic_curve_from_below(rho):
    beta = np.geomspace(1.2 / rho**2, 30 / rho**2, 12)
    best = gaussian_ib([rho**2], beta)
    gaps = []
    for bins in (4, 12, 36):  # each divides the next: by the data-processing inequality none is better
        curve = information_curve(binned_gaussian(rho, 2 * bins, bins), beta)
        assert curve.converged.all()
        assert (curve.ity <= gaussian_ib_bound([rho**2], curve.ixt).ity + CLOSE).all()
        gaps.append(curve.ixt - beta * curve.ity - (best.ixt - beta * best.ity))
    assert (gaps[2] > 0).all()
    assert (gaps[1] < gaps[0]).all()
    assert (gaps[2] < gaps[1]).all()
    assert (gaps[2] / beta).max() < 0.025


@pytest.mark.slow
def test_hard_labels_have_a_degenerate_curve():
    """Y is a function of X: above beta = 1 the best T is Y itself, H(Y) for H(Y)."""
    p_xy = np.zeros((6, 2))
    p_xy[np.arange(6), [0, 1, 1, 0, 1, 1]] = 1 / 6
    curve = information_curve(p_xy, [0.9, 1.1, 10.0])
    h_y = entropy([1 / 3, 2 / 3])
    np.testing.assert_allclose(curve.ixt, [0, h_y, h_y], atol=1e-6)
    np.testing.assert_allclose(curve.ity, [0, h_y, h_y], atol=1e-6)
    assert curve.num_clusters.tolist() == [1, 2, 2]


@pytest.mark.slow
def test_independent_variables_give_one_cluster():
    curve = information_curve(np.outer([0.2, 0.3, 0.5], [0.4, 0.6]), [0.5, 5.0, 500.0])
    assert curve.num_clusters.tolist() == [1, 1, 1]
    np.testing.assert_array_equal(curve.ity, 0)


# --------------------------------------------------------------------------------------------------
# Brute force over all hard clusterings.


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, slow(1), slow(2), slow(3)])
def test_deterministic_bottleneck_is_the_best_hard_clustering(seed):
    p_xy = random_joint(seed, 6, 3)
    betas = np.geomspace(1.1, 60, 12)
    curve = information_curve(p_xy, betas, alpha=0, num_restarts=4, key=jax.random.key(seed))
    assert set(np.unique(curve.encoders)) <= {0.0, 1.0}
    np.testing.assert_allclose(curve.ixt, curve.ht, atol=1e-12)
    all_hard = [informations(np.eye(6)[label], p_xy) for label in hard_clusterings(6)]
    assert len(all_hard) == 203  # Bell's number of 6
    for i, beta in enumerate(betas):
        best = min(ht - beta * ity for _, ity, ht in all_hard)
        assert curve.ht[i] - beta * curve.ity[i] == pytest.approx(best, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, slow(1), slow(2), slow(3)])
def test_soft_encoders_are_no_worse_than_any_hard_one(seed):
    p_xy = random_joint(seed, 6, 3)
    betas = np.geomspace(1.1, 60, 12)
    curve = information_curve(p_xy, betas)
    all_hard = [informations(np.eye(6)[label], p_xy) for label in hard_clusterings(6)]
    for i, beta in enumerate(betas):
        best = min(ixt - beta * ity for ixt, ity, _ in all_hard)
        assert curve.ixt[i] - beta * curve.ity[i] <= best + CLOSE * beta


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, slow(1), slow(2)])
def test_forced_cardinality_is_no_worse_than_hard_clusterings_of_that_many(seed):
    p_xy = random_joint(seed, 6, 3, concentration=0.3)
    betas = np.geomspace(2, 60, 8)
    curve = information_curve(p_xy, betas, num_clusters=2, num_restarts=8, key=jax.random.key(seed))
    assert curve.num_clusters.max() == 2
    pairs = [informations(np.eye(6)[label], p_xy) for label in hard_clusterings(6) if label.max() == 1]
    for i, beta in enumerate(betas):
        best = min(ixt - beta * ity for ixt, ity, _ in pairs)
        assert curve.ixt[i] - beta * curve.ity[i] <= best + CLOSE * beta
    free = information_curve(p_xy, betas)
    assert (free.ixt - betas * free.ity <= curve.ixt - betas * curve.ity + CLOSE * betas).all()
    assert free.ity[-1] > curve.ity[-1] + 0.1


# --------------------------------------------------------------------------------------------------
# What any curve must be.

joints = st.builds(
    random_joint,
    st.integers(0, 10_000),
    st.sampled_from([3, 8]),  # few shapes: each is compiled
    st.sampled_from([2, 5]),
    st.sampled_from([0.1, 1.0, 5.0]),
)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(joints)
def test_the_curve_rises_and_is_concave_and_below_the_information_of_x_and_y(p_xy):
    curve = information_curve(p_xy, BETAS)
    assert curve.converged.all()
    order = np.argsort(curve.ixt, kind="stable")
    ixt, ity = curve.ixt[order], curve.ity[order]
    assert (np.diff(ity) > -CLOSE).all()
    total = informations(np.eye(len(p_xy)), p_xy)[1]
    assert ity.max() <= total + 1e-9
    assert (ity <= ixt + 1e-9).all()
    # Concave, and beta its inverse slope: no point's objective is below the own one of a beta.
    gains = curve.ixt[None, :] - BETAS[:, None] * curve.ity[None, :]
    assert (np.diag(gains) <= gains.min(axis=1) + CLOSE * np.maximum(BETAS, 1)).all()


@pytest.mark.slow
@settings(max_examples=3, deadline=None)
@given(joints, st.sampled_from([0.3, 1.0]))
def test_encoders_solve_the_equations_and_have_the_stated_information(p_xy, alpha):
    betas = np.array([1.5, 4.0, 15.0])
    curve = information_curve(p_xy, betas, alpha=alpha)
    for i, beta in enumerate(betas):
        encoder = curve.encoders[i]
        np.testing.assert_allclose(encoder.sum(axis=1), 1, atol=1e-6)
        held, again = one_step(encoder, p_xy, beta, alpha)
        assert curve.num_clusters[i] == held.shape[1]
        change = (p_xy.sum(axis=1)[:, None] * np.abs(again - held)).sum() / 2
        assert change < 1e-5  # steps end at 1e-6 of T and Y, whose distribution changes less
        found = curve.ixt[i], curve.ity[i], curve.ht[i]
        np.testing.assert_allclose(found, informations(encoder, p_xy), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.0, slow(0.5), slow(1.0)])
def test_large_beta_keeps_all_relevant_information(alpha):
    p_xy = random_joint(5, 7, 3)
    curve = information_curve(p_xy, [1e4], alpha=alpha)
    assert curve.num_clusters[0] == 7
    assert curve.ity[0] == pytest.approx(informations(np.eye(7), p_xy)[1], abs=1e-6)


@pytest.mark.slow
def test_the_order_of_betas_does_not_matter():
    p_xy = random_joint(1, 8, 3)
    shuffled = np.random.default_rng(0).permutation(BETAS)
    curve, other = information_curve(p_xy, BETAS), information_curve(p_xy, shuffled)
    position = [np.flatnonzero(shuffled == beta)[0] for beta in BETAS]
    for name in ("betas", "ixt", "ity", "ht", "num_clusters", "num_steps", "encoders"):
        np.testing.assert_array_equal(getattr(curve, name), getattr(other, name)[position])
    twice = information_curve(p_xy, [3.0, 3.0])
    assert twice.ixt[0] == twice.ixt[1]


@pytest.mark.slow
def test_x_with_the_same_labels_count_as_one():
    p_xy = random_joint(2, 5, 3)
    halves = np.concatenate([0.25 * p_xy, 0.75 * p_xy])
    for alpha in (0.0, 1.0):
        curve, other = (information_curve(p, [2.0, 8.0], alpha=alpha) for p in (p_xy, halves))
        np.testing.assert_allclose(curve.ixt, other.ixt, atol=1e-9)
        np.testing.assert_allclose(curve.ity, other.ity, atol=1e-9)
        np.testing.assert_array_equal(other.encoders[:, :5], other.encoders[:, 5:])


@pytest.mark.slow
def test_x_and_y_of_probability_zero_do_no_harm():
    p_xy = random_joint(2, 5, 3)
    padded = np.zeros((7, 4))
    padded[[0, 1, 3, 4, 6], :3] = p_xy
    curve, other = information_curve(p_xy, [2.0, 8.0]), information_curve(padded, [2.0, 8.0])
    np.testing.assert_allclose(curve.ixt, other.ixt, atol=1e-6)
    np.testing.assert_allclose(curve.ity, other.ity, atol=1e-6)
    np.testing.assert_allclose(other.encoders.sum(axis=2), 1, atol=1e-6)


@pytest.mark.slow
def test_restarts_can_only_improve():
    p_xy = random_joint(3, 12, 4, concentration=0.3)
    betas = np.geomspace(1.5, 30, 10)
    for alpha in (0.0, 1.0):
        plain = information_curve(p_xy, betas, alpha=alpha, num_clusters=3)
        more = information_curve(
            p_xy, betas, alpha=alpha, num_clusters=3, num_restarts=6, key=jax.random.key(0)
        )
        values = [c.ht - alpha * (c.ht - c.ixt) - betas * c.ity for c in (plain, more)]
        assert (values[1] <= values[0] + CLOSE * betas).all()


@pytest.mark.slow
def test_steps_that_do_not_converge_are_flagged(monkeypatch):
    monkeypatch.setattr(solver, "MAX_STEPS", 3)
    jax.clear_caches()
    try:
        curve = information_curve(random_joint(0, 9, 4), [40.0, 6.0])
    finally:
        jax.clear_caches()
    assert curve.betas.tolist() == [40.0, 6.0]
    assert not curve.converged.any()
    assert np.isfinite(curve.ixt).all()


# --------------------------------------------------------------------------------------------------
# What is refused.


@pytest.mark.parametrize(
    ("p_xy", "message"),
    [
        ([0.5, 0.5], r"p_xy: expected shape \(x, y\)"),
        (np.zeros((0, 2)), "p_xy: expected at least one entry"),
        ([[0.5, np.nan], [0.2, 0.3]], "p_xy: expected finite values"),
        ([[0.7, -0.1], [0.2, 0.2]], "p_xy: expected probabilities of 0 or more, got -0.1"),
        ([[0.7, 0.1], [0.2, 0.2]], r"p_xy: expected probabilities that sum to 1, got a sum of 1\.2"),
        ([[3, 1], [2, 2]], "sum to 1, got a sum of 8"),
    ],
)
def test_what_is_no_joint_distribution_is_refused(p_xy, message):
    with pytest.raises(ValueError, match=message):
        information_curve(p_xy, [1.0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"betas": 3.0}, r"betas: expected shape \(beta,\)"),
        ({"betas": []}, "betas: expected at least one entry"),
        ({"betas": [1.0, np.inf]}, "betas: expected finite"),
        ({"betas": [1.0, 0.0]}, "betas: expected positive numbers, got 0"),
        ({"alpha": 1.5}, "alpha: expected a finite number at least 0.0 and at most 1.0, got 1.5"),
        ({"alpha": float("nan")}, "alpha: expected"),
        ({"num_clusters": 0}, "num_clusters: expected a whole number"),
        ({"num_restarts": -1}, "num_restarts: expected a whole number from 0 to 65536, got -1"),
        ({"num_restarts": 2}, "key: expected with num_restarts"),
        ({"key": jax.random.key(0)}, "key: expected with num_restarts, and only then; got 0"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        information_curve(symmetric_channel(0.1), **{"betas": [1.0], **options})
