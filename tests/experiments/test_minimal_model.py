"""One unit of normal input: exact values, against samples and closed forms, and its claim."""

import jax
import numpy as np
import pytest
import scipy.special
import scipy.stats

from experiments import minimal_model
from experiments.minimal_model import BIN_WIDTH, UNITS

FORWARD = {
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "softsign": lambda z: z / (1 + np.abs(z)),
    "relu": lambda z: np.maximum(z, 0),
    "linear": lambda z: z,
}


@pytest.mark.parametrize(("weight", "bits"), [(0.1, 2.644466), (1, 4.877066), (5, 2.775133)])
def test_known_values_of_tanh(weight, bits):
    assert minimal_model.binned_information("tanh", weight) == pytest.approx(bits, abs=1e-6)


@pytest.mark.parametrize("weight", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("activation", UNITS)
def test_probabilities_are_those_of_samples(activation, weight):
    edges, p = minimal_model.bins(activation, weight)
    assert p.sum() == pytest.approx(1, abs=1e-12)
    h = FORWARD[activation](weight * np.random.default_rng(0).normal(size=200_000))
    index = np.clip(np.searchsorted(edges, h, side="right") - 1, 0, None)
    counts = np.bincount(index, minlength=len(p))
    expected = len(h) * p
    often = expected > 5
    pooled = [np.append(a[often], a[~often].sum()) for a in (counts, expected)]
    chi_square = ((pooled[0] - pooled[1]) ** 2 / np.maximum(pooled[1], 1e-9))[:-1].sum()
    # One in 10^4 of correct probabilities exceeds this.
    assert chi_square < scipy.stats.chi2(max(often.sum() - 1, 1)).ppf(1 - 1e-4)


def test_sigmoid_is_tanh_of_half_the_weight():
    for weight in (0.3, 2.0, 50.0):
        tanh = minimal_model.binned_information("tanh", weight / 2)
        assert minimal_model.binned_information("sigmoid", weight) == pytest.approx(tanh, abs=1e-9)
        noisy = minimal_model.noisy_information("tanh", weight / 2)
        assert minimal_model.noisy_information("sigmoid", weight) == pytest.approx(noisy, abs=1e-6)


@pytest.mark.parametrize("weight", [0.1, 1.0, 30.0])
def test_a_noisy_linear_unit_is_a_gaussian_channel(weight):
    expected = np.log2(1 + 12 * weight**2 / BIN_WIDTH**2) / 2
    assert minimal_model.noisy_information("linear", weight) == pytest.approx(expected, abs=1e-4)


def test_a_noisy_tanh_unit_by_quadrature():
    """h(T) from the density at 4000 points, each an average over 40,001 quantiles of X."""
    weight, variance = 2.0, BIN_WIDTH**2 / 12
    h = np.tanh(weight * scipy.stats.norm.ppf((np.arange(40_001) + 0.5) / 40_001))
    t = np.linspace(-1.2, 1.2, 4000)
    density = np.array([np.exp(-((x - h) ** 2) / (2 * variance)).mean() for x in t])
    density /= np.sqrt(2 * np.pi * variance)
    entropy = np.trapezoid(scipy.special.entr(density), t)
    expected = (entropy - np.log(2 * np.pi * np.e * variance) / 2) / np.log(2)
    assert minimal_model.noisy_information("tanh", weight) == pytest.approx(expected, abs=1e-3)


def test_only_saturation_on_both_sides_compresses():
    weights = np.geomspace(0.1, 100, 31)
    for activation in UNITS:
        curve = np.array([minimal_model.binned_information(activation, w) for w in weights])
        noisy = np.array([minimal_model.noisy_information(activation, w) for w in weights])
        if activation in ("relu", "linear"):
            # From one bin's width up; below it, how bins lie about 0 decides.
            assert (np.diff(curve[weights > BIN_WIDTH * 3]) > 0).all()
            assert (np.diff(noisy) > 0).all()
        else:
            assert curve.max() - curve[-1] > 1
            assert noisy.max() - noisy[-1] > 1
    assert 1 < minimal_model.binned_information("tanh", 1000.0) < 1.05  # the sign of X


def test_run_and_report():
    results = minimal_model.run(minimal_model.Config(seeds=3, smoke=True))
    assert results.ixt.dims == results.noisy.dims == ("activation", "weight")
    assert results.sampled.dims == ("activation", "weight", "seed")
    assert {results[v].attrs["units"] for v in results} == {"bits"}
    assert results.activation.values.tolist() == list(UNITS)
    assert results.sizes["seed"] == 3
    # Plug-in entropy of 4096 draws: too low by (bins - 1) / 2n nats, and scattered.
    error = results.sampled.mean("seed") - results.ixt
    for_bounded = error.sel(activation=["tanh", "sigmoid", "softsign"])
    assert np.abs(for_bounded).max() < 0.05
    assert (error.isel(weight=-1).sel(activation="linear") < -0.5).all()  # 25,000 bins
    figures, (table,) = minimal_model.report(results)
    assert set(figures) == {"minimal_model.png", "bins.png"}
    assert [row[0] for row in table.rows] == list(UNITS)
    assert table.sentences[0].startswith(
        "I(h;X) rises and falls again with the weight for tanh, sigmoid, softsign; it only rises for "
        "relu, linear."
    )


def test_sampled_is_one_program_a_unit():
    weights = np.geomspace(0.1, 10, 3)
    lanes = minimal_model.sampled_information(jax.random.key(0), weights, "tanh")
    alone = minimal_model.sampled_information(jax.random.key(0), weights[1:2], "tanh")
    assert lanes.shape == (3,)
    assert lanes[1] == alone[0]
