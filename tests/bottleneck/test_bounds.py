"""Finite-sample bounds: their formula once more, their coverage, their scaling."""

import numpy as np
import pytest

from ibjax.bottleneck import finite_sample_bounds
from tests.bottleneck.joints import random_joint


def sizes(cardinality_t, cardinality_y, num_samples):
    return {
        "cardinality_t": cardinality_t,
        "cardinality_y": cardinality_y,
        "num_samples": num_samples,
    }


def deviation(k, n, delta):
    """k phi(c / sqrt(k n)), at most log k; nats."""
    c = 1 + np.sqrt(np.log(4 / delta))
    d = min(c / np.sqrt(k * n), np.exp(-1))
    return min(k * d * np.log(1 / d), np.log(k))


@pytest.mark.parametrize(("t", "y", "n"), [(2, 2, 10**5), (5, 3, 10**6), (64, 10, 10**8)])
def test_formula(t, y, n):
    delta, nats = 0.1, np.log(2)
    ixt, ity = np.log2(t) / 2, min(np.log2(t), np.log2(y)) / 2
    bounds = finite_sample_bounds(ixt, ity, **sizes(t, y, n), delta=delta)
    hidden = np.log(t) * np.sqrt(np.log(8 / delta) / (2 * n))
    x_width = (deviation(t, n, delta) + hidden) / nats
    y_width = sum(deviation(k, n, delta) for k in (t, y, t * y)) / nats
    np.testing.assert_allclose(bounds[:2], [ixt - x_width, ixt + x_width], rtol=1e-12)
    np.testing.assert_allclose(bounds[2:4], [ity - y_width, ity + y_width], rtol=1e-12)
    assert not bounds.ixt_vacuous
    assert not bounds.ity_vacuous


def test_few_samples_say_nothing_and_are_flagged():
    bounds = finite_sample_bounds([1.0, 2.0], [0.5, 0.9], **sizes(64, 2, 100), delta=0.05)
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
    # sqrt(k / n) log n, up to the term of H(T|X)
    assert width(10**8, 0.05) / width(10**6, 0.05) == pytest.approx(0.1, rel=0.5)


def test_one_state_has_no_information_and_no_doubt_about_it():
    bounds = finite_sample_bounds(0.0, 0.0, **sizes(1, 2, 10), delta=0.05)
    assert bounds[:4] == (0, 0, 0, 0)


def test_at_least_the_promised_share_of_draws_is_inside():
    """Of 400 draws; the bounds are so wide that in fact none is outside."""
    p_xy = random_joint(0, 4, 2)
    encoder = np.random.default_rng(0).dirichlet(np.ones(3), size=4)
    rng, n, delta = np.random.default_rng(1), 20_000, 0.2

    def informations(p_xy):
        def entropy(p):
            return -np.sum(p * np.log2(np.where(p > 0, p, 1)))

        p_xt, p_ty = p_xy.sum(axis=1)[:, None] * encoder, encoder.T @ p_xy
        h_t = entropy(p_ty.sum(axis=1))
        ixt = h_t + entropy(p_xy.sum(axis=1)) - entropy(p_xt)
        return ixt, h_t + entropy(p_xy.sum(axis=0)) - entropy(p_ty)

    truth = informations(p_xy)
    draws = [informations(rng.multinomial(n, p_xy.ravel()).reshape(4, 2) / n) for _ in range(400)]
    ixt, ity = np.array(draws).T
    bounds = finite_sample_bounds(np.maximum(ixt, 0), np.maximum(ity, 0), **sizes(3, 2, n), delta=delta)
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
