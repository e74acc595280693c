"""Finite-sample bounds: their formula once more, their coverage, their scaling."""

import itertools
from typing import Any

import numpy as np
import pytest
import scipy.stats

from ibjax.bottleneck import finite_sample_bounds
from tests.bottleneck.joints import random_joint


def sizes(cardinality_t, cardinality_y, num_samples) -> dict[str, Any]:
    return {
        "cardinality_t": cardinality_t,
        "cardinality_y": cardinality_y,
        "num_samples": num_samples,
    }


def distance_margin(k, n, failure):
    """k phi(c / sqrt(k n)), at most log k; nats."""
    c = 1 + np.sqrt(np.log(1 / failure))
    d = min(c / np.sqrt(k * n), np.exp(-1))
    return min(k * d * np.log(1 / d), np.log(k))


def margins(method, t, y, n, delta):
    """What I(X;T) and I(T;Y) may lie below and above their estimates, nats."""
    if method == "distance":
        hidden = np.log(t) * np.sqrt(np.log(8 / delta) / (2 * n))
        x_margin = distance_margin(t, n, delta / 4) + hidden
        y_margin = sum(distance_margin(k, n, delta / 6) for k in (t, y, t * y))
        return x_margin, x_margin, y_margin, y_margin
    if method == "shamir":
        root = np.sqrt(np.log(8 / delta)) / np.sqrt(2 * n)
        x_margin = (t * np.log(n) + np.log(t)) * root + (t - 1) / n
        y_margin = (3 * t + 2) * np.log(n) * root + ((y + 1) * (t + 1) - 4) / n
        return x_margin, x_margin, y_margin, y_margin
    change = (n * np.log(n) - (n - 1) * np.log(n - 1)) / n
    root = change * np.sqrt(n * np.log(4 / delta) / 2)
    bias_t, bias_min, bias_ty = (np.log(1 + (k - 1) / n) for k in (t, min(t, y), t * y))
    return root, root + bias_t, 2 * root + bias_ty, 2 * root + bias_min


@pytest.mark.parametrize(("t", "y", "n"), [(2, 2, 10**7), (5, 3, 10**7), (64, 10, 10**9)])
@pytest.mark.parametrize("method", ["bounded_differences", "distance", "shamir"])
def test_formula(t, y, n, method):
    delta, nats = 0.1, np.log(2)
    ixt, ity = np.log2(t) / 2, min(np.log2(t), np.log2(y)) / 2
    bounds = finite_sample_bounds(ixt, ity, **sizes(t, y, n), delta=delta, method=method)
    x_below, x_above, y_below, y_above = np.array(margins(method, t, y, n, delta)) / nats
    np.testing.assert_allclose(bounds[:2], [ixt - x_below, ixt + x_above], rtol=1e-6)
    np.testing.assert_allclose(bounds[2:4], [ity - y_below, ity + y_above], rtol=1e-6)
    assert not bounds.ixt_vacuous
    assert not bounds.ity_vacuous
    assert bounds.ixt_method == bounds.ity_method == method


@pytest.mark.parametrize("delta", [0.5, 0.05, 1e-6])
@pytest.mark.parametrize("t", [2, 5, 1000])
def test_the_narrowest_is_chosen_for_each_interval_and_named(t, delta):
    chosen = set()
    for n in np.unique(np.geomspace(2, 10**9, 40).astype(int)):
        of = {"t": t, "y": 3, "n": int(n), "delta": delta}
        widths = {m: margins(m, **of) for m in ("bounded_differences", "distance")}
        bounds = finite_sample_bounds(0.5, 0.5, **sizes(t, 3, int(n)), delta=delta)
        assert bounds.ixt_method == min(widths, key=lambda m: sum(widths[m][:2]))
        assert bounds.ity_method == min(widths, key=lambda m: sum(widths[m][2:]))
        chosen |= {bounds.ixt_method, bounds.ity_method}
        # The cited theorem's margins are wider, term by term, which proves them as well.
        pairs = zip(widths["bounded_differences"], margins("shamir", **of), strict=True)
        assert all(narrow <= wide for narrow, wide in pairs)
    assert "bounded_differences" in chosen


def test_the_distance_decides_where_states_are_few():
    bounds = finite_sample_bounds(0.9, 0.5, **sizes(2, 2, 3000), delta=1e-3)
    assert (bounds.ixt_method, bounds.ity_method) == ("distance", "bounded_differences")


def informations(weights, encoder):
    """I(X;T) and I(T;Y) of p(x, y) (..., x, y) and p(t|x), bits; X is never summed over."""

    def entropy(p, axis):
        return -np.sum(p * np.log2(np.where(p > 0, p, 1)), axis=axis)

    p_ty = np.einsum("xt,...xy->...ty", encoder, weights)
    p_x, p_t, p_y = weights.sum(-1), p_ty.sum(-1), weights.sum(-2)
    h_t = entropy(p_t, -1)
    return h_t - p_x @ entropy(encoder, -1), h_t + entropy(p_y, -1) - entropy(p_ty, (-2, -1))


def all_counts(n, cells):
    """Every way to share n samples between the cells, (draw, cell)."""
    bars = np.array(list(itertools.combinations(range(n + cells - 1), cells - 1)))
    edges = np.concatenate([-np.ones((len(bars), 1)), bars, np.full((len(bars), 1), n + cells - 1)], 1)
    return np.diff(edges, axis=1).astype(int) - 1


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("hard", [True, False])
def test_one_sample_changes_the_estimates_by_what_is_claimed(hard, seed):
    """All samples of 6 (x, y) of 3 x 2 values, and all that differ from them in one."""
    n, rng = 6, np.random.default_rng(seed)
    encoder = np.eye(3) if hard else rng.dirichlet(np.full(3, 0.3), size=3)
    counts = all_counts(n, 6)
    ixt, ity = informations(counts.reshape(-1, 3, 2) / n, encoder)
    neighbours = np.abs(counts[:, None] - counts).sum(axis=-1) == 2
    coin = -(np.log2(1 / n) / n + (1 - 1 / n) * np.log2(1 - 1 / n))
    x_change, y_change = (np.abs(v[:, None] - v)[neighbours].max() for v in (ixt, ity))
    assert x_change <= coin + 1e-12
    assert y_change <= 2 * coin + 1e-12
    if hard:  # all samples in one state, and then one in another
        assert x_change == pytest.approx(coin)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("hard", [True, False])
def test_the_mean_estimate_is_off_by_no_more_than_the_bias_allowed_for(hard, seed):
    """Exactly, over all samples of 6."""
    n, rng = 6, np.random.default_rng(seed)
    encoder = np.eye(3) if hard else rng.dirichlet(np.full(3, 0.3), size=3)
    p_xy = random_joint(seed, 3, 2)
    counts = all_counts(n, 6)
    chance = scipy.stats.multinomial.pmf(counts, n, p_xy.ravel())
    x_bias, y_bias = (
        chance @ drawn - truth
        for drawn, truth in zip(
            informations(counts.reshape(-1, 3, 2) / n, encoder), informations(p_xy, encoder), strict=True
        )
    )
    assert -np.log2(1 + 2 / n) <= x_bias <= 1e-12
    assert -np.log2(1 + 1 / n) <= y_bias <= np.log2(1 + 5 / n)


def test_few_samples_say_nothing_and_are_flagged():
    bounds = finite_sample_bounds([1.0, 2.0], [0.5, 0.9], **sizes(64, 2, 10), delta=0.05)
    assert bounds.ixt_vacuous.all()
    assert bounds.ity_vacuous.all()
    np.testing.assert_array_equal(bounds.ixt_low, 0)
    np.testing.assert_array_equal(bounds.ixt_high, 6)
    np.testing.assert_array_equal(bounds.ity_high, 1)


def test_more_samples_and_less_certainty_narrow_the_bounds():
    def width(n, delta):
        bounds = finite_sample_bounds(1.0, 0.5, **sizes(4, 2, n), delta=delta)
        return bounds.ixt_high - bounds.ixt_low

    assert width(10**4, 0.05) > width(10**5, 0.05) > width(10**6, 0.05)
    assert width(10**5, 0.001) > width(10**5, 0.05) > width(10**5, 0.5)
    # log n / sqrt(n)
    assert width(10**8, 0.05) / width(10**6, 0.05) == pytest.approx(0.1, rel=0.5)


def test_one_state_has_no_information_and_no_doubt_about_it():
    bounds = finite_sample_bounds(0.0, 0.0, **sizes(1, 2, 10), delta=0.05)
    assert bounds[:4] == (0, 0, 0, 0)


@pytest.mark.parametrize("method", ["bounded_differences", "distance", "shamir", None])
@pytest.mark.parametrize("kind", ["soft", "hard", "many states, few samples"])
def test_at_least_the_promised_share_of_draws_is_inside(kind, method):
    """Of 400 draws; the bounds are so wide that in fact none is outside."""
    num_x, n = (200, 300) if kind.startswith("many") else (4, 20_000)
    p_xy, delta = random_joint(0, num_x, 2), 0.2
    encoder = np.random.default_rng(0).dirichlet(np.ones(3), size=num_x)
    if kind != "soft":
        encoder = np.eye(num_x) if num_x > 4 else np.eye(3)[encoder.argmax(axis=1)]
    truth = informations(p_xy, encoder)
    counts = np.random.default_rng(1).multinomial(n, p_xy.ravel(), size=400).reshape(400, num_x, 2)
    ixt, ity = (np.maximum(drawn, 0) for drawn in informations(counts / n, encoder))
    of = sizes(encoder.shape[1], 2, n)
    bounds = finite_sample_bounds(ixt, ity, **of, delta=delta, method=method)
    if method == "bounded_differences":
        assert not bounds.ixt_vacuous.any()
    inside = (bounds.ixt_low <= truth[0]) & (truth[0] <= bounds.ixt_high)
    inside &= (bounds.ity_low <= truth[1]) & (truth[1] <= bounds.ity_high)
    assert inside.mean() >= 1 - delta


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.int64])
def test_sizes_of_any_whole_type_are_the_same(dtype):
    of = 100, 2, 127  # whose products do not fit
    found = finite_sample_bounds(1.0, 0.5, **sizes(*map(dtype, of)), delta=0.05)
    assert found == finite_sample_bounds(1.0, 0.5, **sizes(*of), delta=0.05)


def test_large_numbers_of_32_bits_do_not_overflow():
    of = 4096, 10, 2**30
    found = finite_sample_bounds(6.0, 2.0, **sizes(*map(np.int32, of)), delta=0.05)
    assert found == finite_sample_bounds(6.0, 2.0, **sizes(*of), delta=0.05)


def test_rounding_beyond_what_is_possible_is_cut():
    bounds = finite_sample_bounds(np.float32(1.00001), 1.0, **sizes(2, 2, 10**9), delta=0.05)
    assert bounds.ixt_low < bounds.ixt_high == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ixt": -0.1}, "ixt: expected 0 bits or more, got -0.1"),
        ({"ity": np.nan}, "ity: expected finite"),
        ({"ixt": 2.001}, "ixt: expected at most the 2 bits that so few states carry, got 2.001"),
        ({"ity": 1.5}, "ity: expected at most the 1 bits that so few states and labels carry, got 1.5"),
        ({"cardinality_t": 1}, "ixt: expected at most the 0 bits"),
        ({"ixt": "1"}, "ixt: expected real numbers"),
        ({"cardinality_t": 0}, "cardinality_t: expected a whole number of 1 or more"),
        ({"cardinality_y": -1}, "cardinality_y: expected a whole number"),
        ({"num_samples": 0}, "num_samples: expected a whole number of 1 or more"),
        ({"delta": 0}, "delta: expected a finite number above 0.0 and below 1.0, got 0"),
        ({"delta": 1.0}, "delta: expected"),
        ({"method": "hoeffding"}, "method: expected one of bounded_differences, distance, shamir"),
    ],
)
def test_bad_input_is_refused(change, message):
    given = {
        "ixt": 1.0,
        "ity": 0.5,
        "cardinality_t": 4,
        "cardinality_y": 2,
        "num_samples": 100,
        "delta": 0.1,
    }
    with pytest.raises(ValueError, match=message):
        finite_sample_bounds(**(given | change))
