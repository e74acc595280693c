"""The binned estimator on layers whose information is known, and the papers' binnings."""

import numpy as np
import pytest
from scipy.stats import norm

from ibjax.datasets import symmetric_task
from ibjax.mi import binned_mi
from tests.oracles import binned_mi_twin


@pytest.mark.parametrize(("w", "bits"), [(0.1, 2.644466), (1.0, 4.877066), (5.0, 2.775133)])
def test_three_neuron_model(w, bits):
    """X ~ N(0, 1), h = tanh(w x), 30 bins on [-1, 1]: compression by saturation."""
    n = 200_000
    y = np.zeros(n, np.int32)
    # At the quantiles every count is within 1 of its expectation.
    quantiles = norm.ppf((np.arange(n) + 0.5) / n)
    assert binned_mi(np.tanh(w * quantiles)[:, None], y).ixt == pytest.approx(bits, abs=1e-3)
    x = np.random.default_rng(0).normal(size=n)
    edges = np.linspace(-1, 1, 31)
    p = np.diff(norm.cdf(np.arctanh(np.clip(edges, -1 + 1e-16, 1 - 1e-16)) / w))
    p = p[p > 0] / p.sum()
    sampling_error = np.sqrt((p * np.log2(p) ** 2).sum() - bits**2) / np.sqrt(n)
    error = binned_mi(np.tanh(w * x)[:, None], y).ixt - bits
    assert abs(error) < 5 * sampling_error


@pytest.fixture(scope="module")
def saturated_layer():
    """A layer of 3 tanh units on the 4096 words, mildly saturated, some at t = 1.0 exactly."""
    rng = np.random.default_rng(4)
    data = symmetric_task(inputs="signed")
    t = np.tanh(np.asarray(data.x) @ rng.normal(scale=0.6, size=(12, 3))).astype(np.float32)
    t[np.abs(t) > 0.998] = np.sign(t[np.abs(t) > 0.998])
    assert (t == 1.0).any()
    return t, np.asarray(data.y)


@pytest.mark.slow
def test_published_binnings(saturated_layer):
    """digitize over 30 edges: 29 bins and one for t == 1.0 alone; floor(t / 0.07): a width."""
    t, y = saturated_layer
    in_2017 = np.digitize(t, np.linspace(-1, 1, 30)) - 1
    edges_2017 = np.append(np.linspace(-1, 1, 30), 1.1).astype(np.float32)
    in_2018 = np.floor(t.astype(np.float64) / 0.07)
    by_edges, by_width = binned_mi(t, y, bins=edges_2017), binned_mi(t, y, bin_width=0.07)
    whole = np.arange(-40, 41) - np.float32(0.5)
    for mi, indices in ((by_edges, in_2017), (by_width, in_2018)):
        twin = binned_mi_twin(indices, y, bins=whole)
        assert mi.ixt == pytest.approx(twin.ixt, abs=1e-5)
        assert mi.ity == pytest.approx(twin.ity, abs=1e-5)


def test_convention_alone_moves_the_entropy(saturated_layer):
    t, y = saturated_layer
    edges_2017 = np.append(np.linspace(-1, 1, 30), 1.1).astype(np.float32)
    default = binned_mi(t, y).ixt
    assert binned_mi(t, y, bins=edges_2017).ixt != default
    assert 0.5 < binned_mi(t, y, bin_width=0.07).ixt - default < 1.0


def test_symmetric_task_itself():
    data = symmetric_task()
    mi = binned_mi(data.x, data.y)
    assert mi.ixt == 12
    assert mi.ity == pytest.approx(0.9991571, abs=1e-5)
