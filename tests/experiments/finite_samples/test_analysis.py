"""Information from samples: against the library's estimators, and its bias as theory has it."""

from typing import Any

import numpy as np
import pytest

from experiments.finite_samples.analysis import least_samples, sample_information
from ibjax.bottleneck import finite_sample_bounds, layer_information
from ibjax.mi import discrete_mi
from ibjax.mi.entropies import entropy

P_XY = np.array([[0.3, 0.1], [0.05, 0.15], [0.1, 0.1], [0.02, 0.18]])
HARD = np.eye(3)[[0, 1, 1, 2]]
SOFT = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.1, 0.9]])


def drawn(n, repeats):
    return np.random.default_rng(0).multinomial(n, P_XY.ravel(), repeats).reshape(repeats, 4, 2)


@pytest.mark.slow
def test_hard_encoders_have_the_library_s_estimates_and_corrections():
    counts = drawn(60, 1)[0]
    x, y = (index.repeat(counts.ravel()) for index in np.divmod(np.arange(8), 2))
    t = HARD.argmax(axis=1)[x]
    got = sample_information(counts, HARD)
    assert got.ity == pytest.approx(float(discrete_mi(t, y)), abs=1e-6)
    corrected = float(discrete_mi(t, y, correction="miller_madow"))
    assert got.ity_corrected == pytest.approx(corrected, abs=1e-6)
    of_t = np.bincount(t, minlength=3)
    assert got.ixt == pytest.approx(float(entropy(of_t)), abs=1e-6)
    assert got.ixt_corrected == pytest.approx(float(entropy(of_t, correction="miller_madow")), abs=1e-6)


@pytest.mark.parametrize("encoder", [HARD, SOFT])
def test_estimates_of_exact_proportions_are_exact(encoder):
    got = sample_information(1e6 * P_XY, encoder)
    exact = layer_information(encoder, P_XY)
    np.testing.assert_allclose((got.ixt, got.ity), exact, atol=1e-12)


@pytest.mark.parametrize("encoder", [HARD, SOFT])
def test_the_correction_takes_the_bias_away(encoder):
    exact = layer_information(encoder, P_XY)
    got = sample_information(drawn(50, 20_000), encoder)
    assert got.ixt.shape == (20_000,)
    for plain, corrected, truth in (
        (got.ixt, got.ixt_corrected, exact.ixt),
        (got.ity, got.ity_corrected, exact.ity),
    ):
        bias, left = plain.mean() - truth, corrected.mean() - truth
        error = plain.std() / np.sqrt(len(plain))
        assert abs(bias) > 8 * error
        assert abs(left) < abs(bias) / 4 + 3 * error  # what is left is of second order


def test_leading_axes_are_kept():
    counts = drawn(40, 6)
    one_by_one = np.array([sample_information(c, SOFT) for c in counts]).T
    together = sample_information(counts.reshape(2, 3, 4, 2), SOFT)
    for values, expected in zip(together, one_by_one, strict=True):
        np.testing.assert_allclose(values, expected.reshape(2, 3), atol=1e-12)


@pytest.mark.parametrize(
    ("counts", "message"), [(np.zeros((4, 2)), "some positive"), (-np.ones((4, 2)), "0 or more")]
)
def test_counts_that_are_none_are_refused(counts, message):
    with pytest.raises(ValueError, match=message):
        sample_information(counts, HARD)


SIZES: dict[str, Any] = {"cardinality_t": 2, "cardinality_y": 2}


def test_least_samples_is_the_least():
    def says(bounds):
        return bool(not bounds.ity_vacuous)

    n = int(least_samples(0.9, 0.7, 2, 2, delta=0.05, says=says))
    assert n > 1000
    assert says(finite_sample_bounds(0.9, 0.7, **SIZES, num_samples=n, delta=0.05))
    assert not says(finite_sample_bounds(0.9, 0.7, **SIZES, num_samples=n - 1, delta=0.05))
    assert least_samples(0.9, 0.7, 2, 2, delta=0.05, says=lambda bounds: True) == 1
    assert least_samples(0.9, 0.7, 2, 2, delta=0.05, says=lambda bounds: False) == np.inf
