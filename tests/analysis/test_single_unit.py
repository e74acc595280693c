"""One unit of normal input: exact values against samples, quadrature and closed forms."""

import numpy as np
import pytest
import scipy.special
import scipy.stats

from ibjax.analysis.single_unit import UNITS, binned_unit_mi, noisy_unit_mi, unit_bins
from tests.marks import slow

WIDTH = 2 / 30
VARIANCE = WIDTH**2 / 12

FORWARD = {
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "softsign": lambda z: z / (1 + np.abs(z)),
    "relu": lambda z: np.maximum(z, 0),
    "linear": lambda z: z,
}


@pytest.mark.parametrize(("weight", "bits"), [(0.1, 2.644466), (1.0, 4.877066), (5.0, 2.775133)])
def test_known_values_of_tanh(weight, bits):
    assert binned_unit_mi("tanh", weight, bin_width=WIDTH) == pytest.approx(bits, abs=1e-6)


@pytest.mark.parametrize("weight", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("activation", UNITS)
def test_probabilities_are_those_of_samples(activation, weight):
    edges, p = unit_bins(activation, weight, bin_width=WIDTH)
    assert p.sum() == pytest.approx(1, abs=1e-12)
    h = FORWARD[activation](weight * np.random.default_rng(0).normal(size=200_000))
    index = np.clip(np.searchsorted(edges, h, side="right") - 1, 0, None)
    counts = np.bincount(index, minlength=len(p))
    expected = len(h) * p
    often = expected > 5
    chi_square = ((counts - expected)[often] ** 2 / expected[often]).sum()
    # One in 10^4 of correct probabilities exceeds this.
    assert chi_square < scipy.stats.chi2(max(often.sum() - 1, 1)).ppf(1 - 1e-4)
    assert counts[~often].sum() < 5 * (~often).sum() + 5


def test_bins_cover_the_range_and_no_more():
    edges, _ = unit_bins("tanh", 3.0, bin_width=WIDTH)
    np.testing.assert_allclose(edges, np.linspace(-1, 1, 31)[:-1], atol=1e-12)
    edges, _ = unit_bins("sigmoid", 3.0, bin_width=1 / 30)
    np.testing.assert_allclose(edges, np.linspace(0, 1, 31)[:-1], atol=1e-12)
    edges, p = unit_bins("relu", 0.01, bin_width=1.0)
    assert edges.tolist() == [0]
    assert p.tolist() == [1]


@pytest.mark.parametrize("weight", [0.3, 2.0, 50.0])
def test_sigmoid_is_tanh_of_half_the_weight(weight):
    tanh = binned_unit_mi("tanh", weight / 2, bin_width=WIDTH)
    assert binned_unit_mi("sigmoid", weight, bin_width=WIDTH / 2) == pytest.approx(tanh, abs=1e-9)
    tanh = noisy_unit_mi("tanh", weight / 2, noise_variance=VARIANCE)
    noisy = noisy_unit_mi("sigmoid", weight, noise_variance=VARIANCE / 4)
    assert noisy == pytest.approx(tanh, abs=1e-4)


@pytest.mark.parametrize("noise_variance", [VARIANCE, 0.5])
@pytest.mark.parametrize("weight", [0.1, 1.0, 30.0])
def test_a_noisy_linear_unit_is_a_gaussian_channel(weight, noise_variance):
    expected = np.log2(1 + weight**2 / noise_variance) / 2
    noisy = noisy_unit_mi("linear", weight, noise_variance=noise_variance)
    assert noisy == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("activation", ["tanh", "softsign", "relu"])
def test_a_noisy_unit_by_quadrature(activation):
    """h(T) from the density at 2000 points, each an integral over X."""
    x = np.linspace(-8, 8, 8001)
    h, mass = FORWARD[activation](2.0 * x), scipy.stats.norm.pdf(x) * (x[1] - x[0])
    t = np.linspace(h.min() - 0.2, h.max() + 0.2, 2000)
    density = np.array([mass @ np.exp(-((one - h) ** 2) / (2 * VARIANCE)) for one in t])
    density /= np.sqrt(2 * np.pi * VARIANCE)
    entropy = np.trapezoid(scipy.special.entr(density), t)
    expected = (entropy - np.log(2 * np.pi * np.e * VARIANCE) / 2) / np.log(2)
    assert noisy_unit_mi(activation, 2.0, noise_variance=VARIANCE) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("activation", ["tanh", "relu", *map(slow, sorted({*UNITS} - {"tanh", "relu"}))])
def test_only_saturation_on_both_sides_compresses(activation):
    weights = np.geomspace(0.2, 100, 28)
    binned = np.array([binned_unit_mi(activation, w, bin_width=WIDTH) for w in weights])
    noisy = np.array([noisy_unit_mi(activation, w, noise_variance=VARIANCE) for w in weights])
    if UNITS[activation].span:
        assert binned.max() - binned[-1] > 1
        assert noisy.max() - noisy[-1] > 1
    else:
        assert (np.diff(binned) > 0).all()
        assert (np.diff(noisy) > 0).all()


def test_the_sign_is_what_remains():
    assert 1 < binned_unit_mi("tanh", 1000.0, bin_width=WIDTH) < 1.05
    assert 1 < noisy_unit_mi("tanh", 1000.0, noise_variance=VARIANCE) < 1.05


def test_refuses():
    with pytest.raises(ValueError, match=r"activation: expected one of .*tanh; got 'gelu'"):
        unit_bins("gelu", 1.0, bin_width=0.1)
    with pytest.raises(ValueError, match=r"weight: expected a positive.*got -1"):
        binned_unit_mi("tanh", -1.0, bin_width=0.1)
    with pytest.raises(ValueError, match=r"bin_width: expected a positive.*got 0"):
        unit_bins("tanh", 1.0, bin_width=0.0)
    with pytest.raises(ValueError, match=r"noise_variance: expected a positive.*got nan"):
        noisy_unit_mi("tanh", 1.0, noise_variance=float("nan"))
