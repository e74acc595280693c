"""Weight correlations: summary and verdict on made-up weights, a run, the claim at a reduced size."""

import numpy as np
import pytest
import scipy.stats
import xarray as xr

from experiments import weight_correlations
from experiments.weight_correlations import analysis, kind, verdict
from experiments.weight_correlations.analysis import (
    correlation_summary,
    excess,
    rank_p_value,
    rotated_null,
)
from ibjax.analysis.weights import matched_correlations

OWN = ("activation", "seed", "epoch", "layer")
PAIR = ("activation", "seed", "other", "epoch", "layer")


def made_up(rise):
    """Weights like random ones, but that networks, matched, exceed them by ``rise`` in layer 2."""
    rng = np.random.default_rng(0)
    matched = 0.3 + 0.01 * rng.normal(size=(2, 8, 8, 2, 3))
    matched += matched.swapaxes(1, 2) - 0.3
    matched[0, :, :, 1, 1] += rise
    within = 0.25 + 0.01 * rng.normal(size=(2, 8, 2, 3))
    return xr.Dataset(
        {
            "ixt": (OWN, 1 + within),
            "num_varying": (OWN, np.ones(within.shape, int)),
            "within": (OWN, within),
            "matched": (PAIR, matched),
            "unmatched": (PAIR, matched - 0.3),
            "within_null": (("activation", "layer"), np.full((2, 3), 0.25)),
            "matched_null": (PAIR, np.full(matched.shape, 0.3)),
            "p_value": (("activation", "epoch", "layer"), np.full((2, 2, 3), 0.25)),
            "test_accuracy": (OWN[:3], np.full((2, 8, 2), 0.9)),
            "diverged": (OWN[:2], np.zeros((2, 8), bool)),
        },
        {
            "activation": ["tanh", "relu"],
            "seed": range(8),
            "other": range(8),
            "epoch": [0, 100],
            "layer": [1, 2, 3],
        },
        {"binning": "bins of 0.07"},
    )


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.1, 0.1, "as random"),
        (0.01, 0.09, "hardly more than random"),
        (0.01, 0.2, "more than random"),
        (-0.2, -0.1, "less"),
    ],
)
def test_kinds(low, high, expected):
    assert kind(low, high) == expected


@pytest.mark.parametrize(
    ("rise", "expected"), [(0.3, "more than random: layers 2 (+"), (0.05, "hardly")]
)
def test_the_verdict_names_layers_that_are_not_random(rise, expected):
    results = made_up(rise)
    end = excess(correlation_summary(results))
    sentence = verdict(results, end, "tanh")
    assert "test accuracy 0.900" in sentence
    assert sentence.count("p = 0.25") == 3
    assert expected in sentence.split("Networks, units matched")[1]
    assert "more than random" not in sentence.split("Networks, units matched")[0]
    assert "more than random: layers 2 (+" not in verdict(results, end, "relu")
    random = "layers 1, 3." if rise > weight_correlations.SMALL else "layers 1, 2, 3."
    assert sentence.endswith(f"between them: {random}")


def test_report_has_first_and_last_epoch_of_every_layer():
    results = made_up(0.2)
    results.num_varying[1, 0, -1, 1] = 0
    figures, (table,) = weight_correlations.report(results)
    assert table.sentences[-1].endswith("With a hidden layer constant at the end, kept: 1.")
    assert set(figures) == {"weight_correlations.png"}
    assert len(table.frame) == 2 * 2 * 3
    assert len(table.sentences) == 3


def test_p_values_count_the_observed_draw():
    null = np.arange(9.0)[:, None]
    np.testing.assert_allclose(rank_p_value(np.array([8.5, 8.0, -1.0]), null), [0.1, 0.2, 1])


SHAPES = ((5, 4), (4, 3), (3, 2))


def collinear(rng, num_networks):
    """Independent networks; within a layer, units are nearly parallel to a direction of its own."""
    layers = []
    for fan_in, width in SHAPES:
        parallel = rng.normal(size=(num_networks, fan_in, 1)) * rng.normal(size=(num_networks, 1, width))
        layers.append(parallel + 0.2 * rng.normal(size=(num_networks, fan_in, width)))
    return layers


def p_values(networks):
    observed = np.nanmean(matched_correlations(networks, signs=True)[0], axis=(0, 1))
    return rank_p_value(observed, rotated_null(networks, signs=True)[1])


@pytest.mark.slow
def test_p_values_of_independent_collinear_networks_are_uniform(monkeypatch):
    monkeypatch.setattr(analysis, "NUM_ROTATIONS", 19)
    rng = np.random.default_rng(0)
    values = np.array([p_values(collinear(rng, 5)) for _ in range(200)])  # (world, layer)
    for layer in values.T:
        counts = (
            np.bincount(np.round(20 * layer).astype(int) - 1, minlength=20).reshape(5, 4).sum(axis=1)
        )
        assert scipy.stats.chisquare(counts).pvalue > 0.001


def test_networks_with_common_weights_have_the_smallest_p_value(monkeypatch):
    monkeypatch.setattr(analysis, "NUM_ROTATIONS", 19)
    rng = np.random.default_rng(0)
    networks = [rng.normal(size=shape) + 0.5 * rng.normal(size=(12, *shape)) for shape in SHAPES]
    np.testing.assert_allclose(p_values(networks), 1 / 20)


def test_full_scale_is_the_default():
    assert weight_correlations.Config().seeds == 50
    assert weight_correlations.FULL.epochs == 8000


@pytest.mark.slow
def test_the_claim_at_reduced_size(tmp_path, monkeypatch):
    """Untrained networks are as random ones; after training layer 1's units are not."""
    monkeypatch.setattr(weight_correlations, "NUM_RECORDED", 3)
    monkeypatch.setattr(weight_correlations, "ACTIVATIONS", ("tanh",))
    results = weight_correlations.run(weight_correlations.Config(seeds=13, epochs=1500, out=tmp_path))
    assert results.within.dims == OWN
    assert results.matched.dims == PAIR
    correlations = excess(correlation_summary(results)).sel(activation="tanh")
    start = correlations.isel(epoch=0)
    # 95% intervals of six layers' two statistics: some may miss 0, but not by much.
    assert float(np.abs(start.within_excess.sel(layer=[1, 2, 3])).max()) < 0.05
    assert float(np.abs(start.matched_excess.sel(layer=[1, 2, 3])).max()) < 0.05
    assert float(np.abs(correlations.unmatched.isel(epoch=-1)).max()) < 0.3
    assert float(results.test_accuracy.isel(epoch=-1).mean()) > 0.85
